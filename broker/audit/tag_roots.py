"""Tag roots: on schedule the log states the root over all tags, so that absence can be proved.

Rules: a root is stated on schedule only, never because somebody asks; proofs are for the newest
root whose own entry lies under the checkpoint that is shown, while later ones wait; a start that
does not find the tags of the last root refuses. Source: house reference "audit-log", Completeness.

A crash after tags were written and before their root was stated leaves rows that nobody sees, and
that the next round writes again; the root's row and its entry are one transaction.
"""

from __future__ import annotations

import asyncio
import hmac
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from broker.audit.log import Log
from broker.audit.publication_ports import PublicationStore, StatedRoot
from broker.audit.records import Appendable, Job, LogDamagedError, LogError, TagRoot
from datwat.party.tag_index import TagIndex, TagIndexDamagedError
from datwat.protocol.entry import TAG_PLACE, EntryType, build_tag_root_entry
from datwat.protocol.tag_tree import EMPTY, Leaf, TagProof, TagTwiceError

_AT_ONCE = 256
_WRITTEN_AT_ONCE = 512
_HASHED_AT_ONCE = 4_096
_PAUSE_SECONDS = 0.0005
_REST_SECONDS = 0.0001
_BUSY_PAUSE_SECONDS = 0.01
_BUSY_PAUSES = 5
_TYPE_PLACE = 1
_STATED_WITHIN = 65_536


class TagRootMovedError(LogError):
    """Proofs are for a newer root by now."""

    code = "tag_root_moved"
    default_detail = "A newer root over all tags was stated meanwhile: read the base again."


@dataclass(frozen=True, slots=True)
class StatedEntry:
    """A root over the tags of log[0:size), and the index of the entry that states it."""

    index: int
    size: int
    root: bytes


class TagRoots:
    """States roots and proves places under them; one round at a time."""

    def __init__(
        self, log: Log, store: PublicationStore, index: TagIndex, clock: Callable[[], datetime]
    ) -> None:
        self._log = log
        self._store = store
        self._index = index
        self._clock = clock
        self._adding = threading.Lock()
        self._covered = 0
        self._base: StatedEntry | None = None
        self._last: StatedEntry | None = None
        self._waiting: list[StatedEntry] = []

    @property
    def last(self) -> StatedEntry | None:
        """The newest root that was stated."""
        return self._last

    def load(self, covered: int) -> None:
        """Recompute what was stated, proofs being for what lies under a checkpoint of `covered`.

        Raises:
            LogDamagedError: an entry that must be there is not.
            TagIndexDamagedError: the tags do not give the root that the log states.
        """
        with self._adding, self._store.reading() as connection:
            end = self._log.size
            # Another process may have stated one since: committed, but perhaps not signed yet.
            stated = [
                self._locate(connection, each, max(end, each.size + _STATED_WITHIN))
                for each in self._store.list_tag_roots(connection)
            ]
            shown = [each for each in stated if each.index < covered]
            self._covered = covered
            if shown:
                self._base = self._last = shown[-1]
                self._index.load(connection, self._base.size)
                _require_same(self._index.root, self._base.root)
            if stated and stated[-1] != self._base:
                self._last = stated[-1]
                root = self._take_in(self._last.size)
                _require_same(root, self._last.root)
                self._index.mark()
                self._waiting = [self._last]

    async def state(self) -> bool:
        """State the root over the tags so far, unless it is the one stated last.

        Raises:
            LogDamagedError: an entry is missing.
            TagTwiceError: two entries have one tag; no root is stated any more.
            LogError: it could not be written; the next round tries again.
        """
        size, root = await asyncio.to_thread(self._prepare)
        if root == (self._last.root if self._last else EMPTY):
            return False
        keep_from = self._base.size if self._base else 0
        stated, now = StatedRoot(size, root), self._clock()

        def work(connection: Connection) -> Sequence[Appendable]:
            self._store.insert_tag_root(connection, stated, keep_from)
            return [TagRoot(size, root, now)]

        appended = await self._log.append(Job(work))
        with self._adding:
            self._last = StatedEntry(appended.entries[0].index, size, root)
            self._index.mark()
            self._waiting.append(self._last)
            self._show()
        return True

    def follow(self) -> None:
        """Take in the roots that another process stated since; raises as `load`."""
        with self._adding, self._store.reading() as connection:
            known = self._last.size if self._last else 0
            for each in self._store.list_tag_roots(connection):
                if each.size > known:
                    # Committed, but perhaps not signed yet.
                    stated = self._locate(connection, each, each.size + _STATED_WITHIN)
                    self._index.discard()
                    _require_same(self._take_in(stated.size), stated.root)
                    self._index.mark()
                    self._last = stated
                    self._waiting.append(stated)
            self._show()

    def cover(self, size: int) -> None:
        """Give proofs for the newest root whose entry lies below `size`: it is shown by now.

        While a round adds tags the change waits for its end.
        """
        self._covered = max(self._covered, size)
        if self._adding.acquire(blocking=False):
            try:
                self._show()
            finally:
                self._adding.release()

    def read_base(self) -> StatedEntry | None:
        """Return the root that proofs are for."""
        with self._index.held():
            return self._base

    def prove_tags(
        self, connection: Connection, tag_size: int, tags: Sequence[bytes]
    ) -> list[TagProof]:
        """Return a proof of place or absence for each tag under the root over log[0:tag_size).

        The view of `connection` must have begun after `read_base` gave that root.

        Raises:
            TagRootMovedError: proofs are for another root by now.
            TagIndexDamagedError: the tags in the database were changed.
        """
        with self._index.held():
            if self._index.size != tag_size:
                raise TagRootMovedError
            return [self._index.prove(connection, tag) for tag in tags]

    def _locate(self, connection: Connection, stated: StatedRoot, end: int) -> StatedEntry:
        """Return where the log states a root: a little above its size, and below `end`."""
        wanted = build_tag_root_entry(stated.size, stated.root)
        for start in range(stated.size, end, _AT_ONCE):
            found = self._store.fetch_entries(connection, start, min(start + _AT_ONCE, end))
            for index, entry in found:
                if entry == wanted:
                    return StatedEntry(index, *stated)
        raise LogDamagedError

    def _prepare(self) -> tuple[int, bytes]:
        size = self._log.size  # in this thread: a ratchet's server may hang
        with self._adding:
            try:
                for start in range(self._index.added, size, _HASHED_AT_ONCE):
                    end = min(start + _HASHED_AT_ONCE, size)
                    leaves = self._fetch_leaves(start, end)
                    write_tags(self._store, self._index, leaves, self.give_way)
                    with self._store.reading() as connection:
                        self._index.take_in(connection, leaves, end, rest)
            except BaseException:
                self._index.discard()
                raise
            finally:
                self._show()
            # Another thread may have taken in a larger root that was stated elsewhere.
            return self._index.added, self._index.added_root

    def give_way(self) -> None:
        """Let others write: as long as the log has something to write, if not without end."""
        time.sleep(_PAUSE_SECONDS)
        for _ in range(_BUSY_PAUSES):
            if not self._log.is_busy:
                break
            time.sleep(_BUSY_PAUSE_SECONDS)

    def _take_in(self, size: int) -> bytes:
        """Hash what is written already, up to `size`."""
        try:
            for start in range(self._index.added, size, _HASHED_AT_ONCE):
                end = min(start + _HASHED_AT_ONCE, size)
                leaves = self._fetch_leaves(start, end)
                with self._store.reading() as connection:
                    self._index.take_in(connection, leaves, end)
        except TagTwiceError:
            raise TagIndexDamagedError from None
        return self._index.added_root

    def _fetch_leaves(self, start: int, end: int) -> list[Leaf]:
        with self._store.reading() as connection:
            rows = self._store.fetch_entries(connection, start, end)
        if len(rows) != end - start:
            raise LogDamagedError
        return [
            (entry[TAG_PLACE], index)
            for index, entry in rows
            if entry[_TYPE_PLACE] == EntryType.PERSON
        ]

    def _show(self) -> None:
        """Commit the newest waiting root that is covered; `_adding` is held."""
        covered = [each for each in self._waiting if each.index < self._covered]
        if not covered:
            return
        with self._index.held():
            self._index.commit(covered[-1].size)
            for each in covered:
                if each.size == self._index.size:
                    self._base = each
        self._waiting = [each for each in self._waiting if each.size > self._index.size]


def write_tags(
    store: PublicationStore,
    index: TagIndex,
    leaves: Sequence[Leaf],
    give_way: Callable[[], None],
) -> None:
    """Write tags in short transactions; between them `give_way` leaves room for the log's writer.

    SQLite lets writers wait by trying again: without a pause it would hardly ever get its turn. In
    the order of the tags, each transaction touches one stretch of the table: half as much to write.
    """
    ordered = sorted(leaves)
    for start in range(0, len(ordered), _WRITTEN_AT_ONCE):
        if start:
            give_way()
        with store.writing() as connection:
            index.write(connection, ordered[start : start + _WRITTEN_AT_ONCE])


def rest() -> None:
    """Let another thread have the interpreter: it would get no turn for 5 ms otherwise."""
    time.sleep(_REST_SECONDS)


def _require_same(root: bytes, stated: bytes) -> None:
    if not hmac.compare_digest(root, stated):
        raise TagIndexDamagedError
