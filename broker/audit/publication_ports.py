"""What publishing the log needs from outside: reads of public rows, and short writes of its own.

Rule: nothing here waits for the log's writer, nor makes it wait for longer than one short write;
what must be one with an entry (`insert_tag_root`) is written on the connection of its job.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from sqlalchemy import Connection


class StatedRoot(NamedTuple):
    """A root over the tags of log[0:size) that an entry states."""

    size: int
    root: bytes


class PublicationStore(Protocol):
    """Durable store of what is published beside the log itself."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Yield a connection that sees what was committed."""
        ...

    def writing(self) -> AbstractContextManager[Connection]:
        """Yield a connection in a transaction of its own, beside the log's writer."""
        ...

    def fetch_entries(
        self, connection: Connection, start: int, end: int
    ) -> Sequence[tuple[int, bytes]]:
        """Return (index, 66 bytes) of the entries of log[start:end) that are there, in order."""
        ...

    def fetch_hashes(
        self, connection: Connection, level: int, start: int, end: int
    ) -> Sequence[bytes]:
        """Return the hashes of complete subtrees of height `level`, as many as there are."""
        ...

    def list_tag_roots(self, connection: Connection) -> Sequence[StatedRoot]:
        """Return the roots that are kept, oldest first."""
        ...

    def insert_tag_root(self, connection: Connection, stated: StatedRoot, keep_from: int) -> None:
        """Write a root in its entry's transaction; forget those of sizes below `keep_from`."""
        ...

    def find_cosigned(self, connection: Connection, origin: str) -> bytes | None:
        """Return the newest cosigned note of a log."""
        ...

    def put_cosigned(self, connection: Connection, origin: str, size: int, note: bytes) -> None:
        """Write the newest cosigned note of a log over the one before."""
        ...
