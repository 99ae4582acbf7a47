"""Destroying contents: what stays of a person's quarter gets a new key, the old one goes.

Rules: all of it in one transaction; commits cover the plaintext, so nothing on the tree changes.
What waits for its opening does not end before it. Source: house reference "audit-log", Ends.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import orjson
from sqlalchemy import Connection

from broker.audit.ends_port import ContentRow, EndedRow, EndsStore, Resealed
from broker.audit.ports import KekPort
from broker.audit.records import ChainRef
from broker.audit.replaced import Place
from broker.audit.sealing import derive_quarter_aad
from datwat.protocol.entry import (
    ContentError,
    derive_content_key,
    derive_quarter,
    may_hold,
    open_content,
    open_input,
    parse_entry,
    seal_content,
    seal_input,
)
from datwat.protocol.sealing import KEY_SIZE, UnsealError

POSTPONED = timedelta(days=1)
_NOTICES: frozenset[str] = frozenset({"erased", "lost"})
# As a payload is written; inside a text of it the quotation marks would have a sign before them.
_MARKS = tuple(f'"event":"{event}"'.encode() for event in sorted(_NOTICES))
IsWaiting = Callable[[Connection, bytes], bool]
"""Whether the delayed entry with this replay half waits for its opening."""


class Eraser:
    """Ends contents in a transaction of its caller's."""

    def __init__(self, ends: EndsStore, kek: KekPort, is_waiting: IsWaiting) -> None:
        self._ends = ends
        self._kek = kek
        self._is_waiting = is_waiting

    def erase(
        self, conn: Connection, places: Collection[Place], now: datetime
    ) -> tuple[int, dict[ChainRef, list[EndedRow]]]:
        """End what is due in these places; return how much, and what each chain is to be told.

        Runs in the writer's transaction, to which the notices belong too. Raises KeyStoreError:
        nothing may be committed of it.
        """
        rows = self._ends.fetch_contents(conn, places)
        keys = self._open_keys(conn, places)
        due = [row for row in rows if row.retention_until <= now]
        waiting = {row.index for row in due if self._waits(conn, row, keys)}
        if waiting:
            self._ends.postpone(conn, sorted(waiting), now + POSTPONED)
        due = [row for row in due if row.index not in waiting]
        return len(due), self._destroy(conn, rows, keys, due, now)

    def erase_chosen(
        self, conn: Connection, places: Collection[Place], commits: Collection[bytes], now: datetime
    ) -> int:
        """Destroy the contents of these entries before their end; return how many there were.

        All of them lie in `places`. An entry keeps its commit for ever; its index may be another's
        in the generation after a loss. Runs in the writer's transaction, to which the entry that
        tells of it belongs too; again it changes nothing.
        """
        rows = self._ends.fetch_contents(conn, places)
        chosen = [row for row in rows if parse_entry(row.entry).hash in commits]
        self._destroy(conn, rows, self._open_keys(conn, places), chosen, now)
        return len(chosen)

    def _destroy(
        self,
        conn: Connection,
        rows: Sequence[ContentRow],
        keys: Mapping[Place, bytes],
        due: Sequence[ContentRow],
        now: datetime,
    ) -> dict[ChainRef, list[EndedRow]]:
        """Destroy some of these rows' contents; return what each chain is to be told."""
        changed = {row.place for row in due}
        gone = {row.index for row in due}
        staying = [row for row in rows if row.place in changed and row.index not in gone]
        told = group_ended(
            self._build_ended(row, keys) for row in due if not _is_notice(row, keys.get(row.place))
        )
        self._replace_keys(conn, keys, changed, staying, told, derive_quarter(now))
        self._ends.destroy_contents(conn, sorted(gone))
        return told

    def _open_keys(self, conn: Connection, places: Collection[Place]) -> dict[Place, bytes]:
        """Return the keys that open; what lies under a damaged one is gone already.

        Only what surely opens no more counts as damaged: a key store that does not answer ends the
        whole step, or an outage would destroy what everybody could still read.
        """
        keys = {}
        for place, sealed in self._ends.fetch_quarter_keys(conn, places).items():
            with suppress(UnsealError):
                key = self._kek.unseal(sealed, derive_quarter_aad(*place))
                keys[place] = derive_content_key(key)
        return keys

    def _replace_keys(  # noqa: PLR0917 - what a quarter is made of
        self,
        conn: Connection,
        keys: Mapping[Place, bytes],
        changed: Iterable[Place],
        staying: Sequence[ContentRow],
        told: Collection[ChainRef],
        quarter: str,
    ) -> None:
        """Seal what stays of each place under a new key, and destroy the old one."""
        held = {row.place for row in staying} | {(chain.subject_id, quarter) for chain in told}
        new: dict[Place, bytes | None] = {}
        opened: dict[Place, bytes] = {}
        for place in changed:
            if place not in held:
                new[place] = None
                continue
            key = os.urandom(KEY_SIZE)
            opened[place] = derive_content_key(key)
            new[place] = self._kek.seal(key, derive_quarter_aad(*place))
        resealed = [_reseal(row, keys.get(row.place), opened[row.place]) for row in staying]
        self._ends.reseal_contents(conn, [one for one in resealed if one is not None])
        self._ends.replace_keys(conn, new)

    def _waits(self, conn: Connection, row: ContentRow, keys: Mapping[Place, bytes]) -> bool:
        mark = _open_mark(row, keys.get(row.place))
        return mark is not None and self._is_waiting(conn, mark)

    def _build_ended(self, row: ContentRow, keys: Mapping[Place, bytes]) -> EndedRow:
        mark = _open_mark(row, keys.get(row.place))
        place = (row.quarter, row.number)
        return EndedRow(row.index, place, row.subject_id, row.audience, row.at, mark)


def group_ended(rows: Iterable[EndedRow]) -> dict[ChainRef, list[EndedRow]]:
    """Return what ended of each chain."""
    found: dict[ChainRef, list[EndedRow]] = defaultdict(list)
    for row in rows:
        found[ChainRef(row.subject_id, row.audience)].append(row)
    return found


def _open_mark(row: ContentRow, key: bytes | None) -> bytes | None:
    """Return with what a delayed entry opens, None where it cannot be read or is another's."""
    if row.audience != "delayed" or row.input_sealed is None or key is None:
        return None
    try:
        return open_input(key, row.input_sealed, parse_entry(row.entry).hash)
    except ContentError:
        return None


def _is_notice(row: ContentRow, key: bytes | None) -> bool:
    """Tell whether an entry only says that others ended; what cannot be opened counts as told."""
    if row.sealed is None or key is None:
        return False
    try:
        commit = parse_entry(row.entry).hash
        if not may_hold(key, row.sealed, commit, _MARKS):
            return False
        content = open_content(key, row.sealed, commit)
        return orjson.loads(content.payload)["event"] in _NOTICES
    except (ContentError, ValueError, KeyError, TypeError):
        return False


def _reseal(row: ContentRow, old: bytes | None, new: bytes) -> Resealed | None:
    """Return the contents of an entry under a new key; None where they could not be opened."""
    if row.sealed is None or old is None:
        return None
    commit, data = parse_entry(row.entry).hash, row.input_sealed
    try:
        return Resealed(
            index=row.index,
            sealed=seal_content(new, open_content(old, row.sealed, commit)),
            input_sealed=seal_input(new, open_input(old, data, commit), commit) if data else None,
        )
    except ContentError:
        return None  # damaged before: nobody could read it, and nobody will
