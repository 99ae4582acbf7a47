"""Files: what stands in the way of one, in words of ours; and how one is replaced.

Rule: who reads a file that is replaced finds the old one or the new one, never a part.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

_OBSTACLES = {
    errno.ENOENT: "is not there: check the path.",
    errno.ENOTDIR: "is not there: a part of its path is a file, and no folder.",
    errno.EISDIR: "is a folder: name a file.",
    errno.EEXIST: "is there already: name another, or move it away.",
    errno.ENOTEMPTY: "is a folder that is not empty: name another.",
    errno.EACCES: "is closed to you: run this as its owner, or change who may use it.",
    errno.EPERM: "is closed to you: run this as its owner, or change who may use it.",
    errno.ENOSPC: "cannot be written, as the disk is full: make room.",
    errno.EDQUOT: "cannot be written, as your share of the disk is full: make room.",
    errno.EROFS: "cannot be written, as its disk is for reading only: name another place.",
    errno.ENAMETOOLONG: "has too long a name: choose a shorter one.",
    errno.ELOOP: "leads to itself: correct the link.",
    errno.EIO: "cannot be read or written, as the disk fails: look at the disk first.",
    errno.EMFILE: "cannot be opened: too many files are open. Try again, or raise the limit.",
}


def describe_obstacle(error: OSError, path: Path | None = None) -> str:
    """Return one sentence: which file or folder it is, what is wrong, and what to do.

    `path` is for an error that names none. What is not known here is told by its short name (such
    as ETIMEDOUT), never in the system's own words.
    """
    named = error.filename if error.filename is not None else path
    where = os.fsdecode(named) if isinstance(named, str | bytes | os.PathLike) else "A file"
    unknown = f"cannot be used ({errno.errorcode.get(error.errno or 0, 'unknown')})."
    return f"{where} {_OBSTACLES.get(error.errno or 0, unknown)}"


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; its bytes are on the disk before it takes the name.

    Raises OSError, and leaves what was there.
    """
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk; raise OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
