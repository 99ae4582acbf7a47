"""Files of keys that are replaced while the process runs: written whole, the old bytes overwritten.

Rule: a crash leaves the old file or the new one, whole; what held a key that is gone is overwritten
before its name is given up.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from datwat.party.files import sync_folder

Stamp = tuple[int, int, int]
"""By what a file is known to be the one that was read."""


def build_stamp(found: os.stat_result) -> Stamp:
    """Return the stamp of a file that was looked at."""
    return found.st_ino, found.st_mtime_ns, found.st_size


def find_stamp(path: Path) -> Stamp | None:
    """Return the stamp of the file that has this name now, if any can be seen."""
    try:
        return build_stamp(path.stat())
    except OSError:
        return None


def write_key_file(path: Path, content: bytes) -> None:
    """Write a new file that its owner alone may read, durably; raise OSError if there is one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_key_file(path: Path, content: bytes) -> None:
    """Put a file in the place of another, durably, and overwrite the other; raise OSError."""
    new = path.with_name(path.name + ".new")
    if new.exists():  # left by a crash before it took the old one's place: it holds keys
        with new.open("r+b") as left:
            _overwrite(left)
        new.unlink()
    write_key_file(new, content)
    promote_key_file(new, path)


def promote_key_file(new: Path, old: Path) -> None:
    """Put a key file in the place of another, durably, and overwrite the other; raise OSError."""
    with old.open("r+b") as left:
        new.replace(old)
        sync_folder(old.parent)
        # The old file has no name any more, but its bytes lie there: they held a key.
        _overwrite(left)


def destroy_key_file(path: Path) -> None:
    """Overwrite a key file and take its name away, durably; raise OSError."""
    with path.open("r+b") as left:
        path.unlink()
        sync_folder(path.parent)
        _overwrite(left)


def _overwrite(file: BinaryIO) -> None:
    """Write zeros over all of a file, durably."""
    file.write(bytes(os.fstat(file.fileno()).st_size))
    file.flush()
    os.fsync(file.fileno())
