"""Folders that these commands write: one process at a time, every file whole or not there.

Rule: a file is written under another name, synced, and renamed; what says how far one got is
written last. A crash in between leaves files that the next run writes again, the same.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datwat.party.files import describe_obstacle
from witness.errors import FolderError

LOCK_FILE = ".lock"


@contextmanager
def hold_folder(folder: Path, marker: str) -> Iterator[None]:
    """Make the folder and hold it alone; refuse one that holds other files than ours.

    `marker` is the file that says how far the command got: without it the folder must be empty.

    Raises FolderError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = not (folder / marker).exists() and any(
            found.name != LOCK_FILE for found in folder.iterdir()
        )
        if strange:
            raise FolderError(
                f"{folder} holds other files: name an empty folder, or the one of an earlier run."
            )
        descriptor = os.open(folder / LOCK_FILE, os.O_WRONLY | os.O_CREAT, 0o644)
    except OSError as error:
        raise FolderError(describe_obstacle(error, folder)) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FolderError(f"Another process writes to {folder}: wait for it.") from None
        yield
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole, and durably, or not at all; raise FolderError."""
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise FolderError(describe_obstacle(error, path)) from None
