"""What ends: contents whose retention is over, and persons of whom nothing is left.

Rules: a content is destroyed only together with the entry that says so in the person's chain, in
one transaction: what stays of that quarter, the new entry too, is sealed under a new key, and the
old key and the contents go. A crash leaves all of it or nothing. Commits cover the plaintext, so
nothing on the tree changes. A notice names what ended in its core, for whoever is shown the places
without their contents. That a notice of an end ended is not told: it would never end. What waits
for its opening does not end before it, and is told where it opened. Chain key and counters stay
until the last content of a person ended. Source: house reference "audit-log", Ends; AVG 5(1)(e),
17.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from broker.audit.ends_port import EndedRow, EndsStore
from broker.audit.erasing import Eraser, group_ended
from broker.audit.log import Log
from broker.audit.payloads import Detail, Event, Organisation, Record, build_payload
from broker.audit.ports import LogStore
from broker.audit.records import (
    Appendable,
    ChainRef,
    EntryDraft,
    Job,
    PreparedEntry,
    SubjectKeys,
)
from broker.audit.replaced import Place
from broker.audit.sealing import Sealing
from datwat.protocol.entry import Audience, derive_quarter
from datwat.protocol.log_cores import MOST_ENDED, build_ended_core, build_ended_entries_core
from datwat.protocol.sealing import UnsealError


@dataclass(frozen=True, slots=True)
class Ended:
    """What one step ended: how many contents, and under which keys they lay."""

    contents: int
    places: tuple[Place, ...] = field(default=(), repr=False)


class Ends:
    """Ends what is due, some persons at a time; used by one task only."""

    def __init__(
        self,
        *,
        store: LogStore,
        ends: EndsStore,
        eraser: Eraser,
        sealing: Sealing,
        log: Log,
        party: Organisation,
        find_retention: Callable[[], timedelta],
    ) -> None:
        self._store = store
        self._ends = ends
        self._eraser = eraser
        self._sealing = sealing
        self._log = log
        self._party = party
        self._find_retention = find_retention

    async def erase_due(self, now: datetime, limit: int) -> Ended:
        """End at most `limit` contents that are due, and tell each person.

        Without `places` nothing was due; a step that only put something off ends no contents.

        Whole quarters of a person are done at once, so that somewhat more may end.
        """
        with self._store.reading() as conn:
            places = tuple(dict.fromkeys(self._ends.list_due(conn, now, limit)))
        if not places:
            return Ended(0)
        count = 0

        def work(conn: Connection) -> Sequence[Appendable]:
            nonlocal count
            count, told = self._eraser.erase(conn, places, now)
            return self._prepare_notices(conn, told, "erased", "retention_ended", now)

        quarter = derive_quarter(now)
        touched = {*places, *((subject_id, quarter) for subject_id, _ in places)}
        job = Job(work, sees_all=True)
        await self._sealing.replaced.replace(touched, lambda: self._log.append(job))
        return Ended(count, places)

    async def end_subjects(self, now: datetime, after: bytes, limit: int) -> tuple[Ended, bytes]:
        """End those of a page of persons of whom nothing is left; return where the next begins.

        `places` are of those about whom there ever was an entry: anybody else, such as the person
        of a login whom nobody knew, is found and ended again by a housekeeper after any restore.
        """
        # Many small reads: beside the questions, not in their way.
        over, following = await asyncio.to_thread(self._list_over, after, limit)
        if not over:
            return Ended(0), following
        ended: list[bytes] = []
        known: frozenset[bytes] = frozenset()

        def work(conn: Connection) -> Sequence[Appendable]:
            nonlocal known
            known = self._ends.list_with_entries(conn, over)
            ended[:] = self._ends.destroy_subjects(conn, over)
            return []

        quarter, job = derive_quarter(now), Job(work, sees_all=True)
        touched = [(each, quarter) for each in over]
        await self._sealing.replaced.replace(touched, lambda: self._log.append(job))
        places = tuple((each, "") for each in ended if each in known)
        return Ended(len(ended), places), following

    async def tell_lost(self, now: datetime, limit: int) -> int:
        """Tell the persons whose contents a restore could not bring back; 0 if all were told."""
        count = 0

        def work(conn: Connection) -> Sequence[Appendable]:
            nonlocal count
            rows = self._ends.list_lost(conn, limit)
            count = len(rows)
            self._ends.forget_lost(conn, [row.index for row in rows])
            return self._prepare_notices(conn, group_ended(rows), "lost", "restored", now)

        with self._store.reading() as conn:
            if not self._ends.list_lost(conn, 1):
                return 0
        await self._log.append(Job(work))
        return count

    def _list_over(self, after: bytes, limit: int) -> tuple[list[bytes], bytes]:
        with self._store.reading() as conn:
            return self._ends.list_over(conn, after, limit)

    def _prepare_notices(
        self,
        conn: Connection,
        told: Mapping[ChainRef, Sequence[EndedRow]],
        event: Event,
        reason: str,
        now: datetime,
    ) -> list[PreparedEntry]:
        """Return the entries that tell of contents that are gone: how many, of when, and which."""
        found = self._fetch_keys(conn, {chain.subject_id for chain in told}, now)
        for keys in found.values():
            if keys.new_quarter_key_sealed is not None:
                # Inside the transaction: nobody else can have written this quarter since.
                self._store.insert_quarter_key(
                    conn, keys.subject_id, keys.quarter, keys.new_quarter_key_sealed
                )
        return [
            self._prepare_notice(found[chain.subject_id], chain, core, event, reason, rows, now)
            for origin, ended in told.items()
            for chain, some in _list_notices(origin, ended)
            for core, rows in _split(origin, some)
            if chain.subject_id in found  # else there is no roll any more in which to tell it
        ]

    def _fetch_keys(
        self, conn: Connection, subject_ids: Collection[bytes], now: datetime
    ) -> dict[bytes, SubjectKeys]:
        """Return the keys of those whose keys open: a damaged one holds up nobody else's end."""
        try:
            return dict(self._sealing.fetch_keys(conn, subject_ids, now))
        except UnsealError:
            found: dict[bytes, SubjectKeys] = {}
            for subject_id in subject_ids:
                with suppress(UnsealError):
                    found.update(self._sealing.fetch_keys(conn, [subject_id], now))
            return found

    def _prepare_notice(  # noqa: PLR0917 - what a notice is made of
        self,
        keys: SubjectKeys,
        chain: ChainRef,
        core: bytes,
        event: Event,
        reason: str,
        rows: Sequence[EndedRow],
        now: datetime,
    ) -> PreparedEntry:
        moments = [row.at for row in rows]
        record = Record(
            v=1,
            event=event,
            at=now,
            rid=os.urandom(16),
            requester=self._party,
            notice="now",
            detail=Detail(
                reason=reason, count=len(moments), since_at=min(moments), until_at=max(moments)
            ),
        )
        draft = EntryDraft(
            chain=chain,
            core=core,
            payload=build_payload(record),
            at=now,
            retention_until=now + self._find_retention(),
        )
        return self._sealing.prepare_entry(keys, draft)


def _list_notices(
    origin: ChainRef, rows: Sequence[EndedRow]
) -> list[tuple[ChainRef, list[EndedRow]]]:
    """Return in which chain each of these is told.

    What lay in the auditor's chain was opened before it ended (what waits does not end): it is told
    where it opened, in the person's own chain, for nothing would ever open a notice of it there.
    """
    if origin.audience != "delayed":
        return [(origin, list(rows))]
    found: dict[Audience, list[EndedRow]] = defaultdict(list)
    for row in rows:
        found[_read_audience(row.mark)].append(row)
    return [(ChainRef(origin.subject_id, one), some) for one, some in found.items()]


def _read_audience(mark: bytes | None) -> Audience:
    """Return where a delayed entry opened; the person's own chain where that cannot be read."""
    try:
        stated = json.loads(mark or b"null")
    except ValueError:
        return "own"
    return "open" if isinstance(stated, dict) and stated.get("audience") == "open" else "own"


def _split(origin: ChainRef, rows: Sequence[EndedRow]) -> list[tuple[bytes, list[EndedRow]]]:
    """Return what each notice names, and the core that names it: as much as a core holds."""
    found = []
    for start in range(0, len(rows), MOST_ENDED):
        some = list(rows[start : start + MOST_ENDED])
        if origin.audience == "delayed":
            core = build_ended_entries_core(row.index for row in some)
        else:
            core = build_ended_core(row.place for row in some)
        found.append((core, some))
    return found
