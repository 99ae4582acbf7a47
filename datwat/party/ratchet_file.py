"""The file of a ratchet: locked by the process that uses it, also while a new one takes its place.

Rule: what lies under the ratchet's name is locked from its first moment on, so that no second
process finds a file that nobody holds.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from datwat.party.ratchet_errors import RatchetLockedError

_NEW = ".new"


def name_new(path: Path) -> Path:
    """Return where the file that will take the place of `path` is written."""
    return path.with_name(path.name + _NEW)


def lock(descriptor: int) -> None:
    """Hold the file until the descriptor is closed; raise RatchetLockedError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RatchetLockedError from error


def require_in_place(descriptor: int, path: Path) -> None:
    """Raise RatchetLockedError where another process put a new file in place of the opened one."""
    try:
        in_place = os.fstat(descriptor).st_ino == path.stat().st_ino
    except OSError:
        in_place = False
    if not in_place:
        raise RatchetLockedError


def write_new(path: Path, data: bytes) -> int:
    """Write and sync a new file, locked before anybody can find it; return its descriptor.

    Raises OSError, and leaves no file.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        lock(descriptor)
        if os.pwrite(descriptor, data, 0) != len(data):
            raise OSError(errno.ENOSPC, "not all of it was written")  # noqa: TRY301 - as one of the disk's
        os.fsync(descriptor)
    except BaseException:
        os.close(descriptor)
        with suppress(OSError):
            path.unlink()
        raise
    return descriptor
