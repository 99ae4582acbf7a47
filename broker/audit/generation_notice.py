"""Telling every resident that the log was begun anew, in their own log.

Rules: one entry for each person, in the chain that they and whoever represents them read; who was
told is written in the same transaction, so that a crash tells nobody twice and leaves nobody out.
Source: AVG 34; house reference "audit-log", Format (generation).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from broker.audit.log import Log
from broker.audit.payloads import Detail, Organisation, Record, build_payload
from broker.audit.ports import LogStore
from broker.audit.records import Appendable, ChainRef, EntryDraft, Job, SubjectKeys
from broker.audit.sealing import Sealing
from datwat.party.telemetry import get_logger, name_failure

_AT_ONCE = 32
_PAUSE_SECONDS = 0.05
_ROUND_SECONDS = 60.0
_log = get_logger("generation")


class NoticeStore(Protocol):
    """Who was told of the end of a generation."""

    def find_untold(self, conn: Connection) -> tuple[str, bytes] | None:
        """Return a generation whose end not everybody was told of, and who was told last."""
        ...

    def list_subjects(self, conn: Connection, after: bytes, limit: int) -> Sequence[bytes]:
        """Return the next subjects, in the order of their ids."""
        ...

    def note_told(self, conn: Connection, origin: str, last: bytes | None) -> None:
        """Write who was told last; None: everybody was."""
        ...


class GenerationNotice:
    """Tells a few persons at a time."""

    def __init__(  # noqa: PLR0917 - what an entry is made of
        self,
        log: Log,
        store: LogStore,
        notices: NoticeStore,
        sealing: Sealing,
        party: Organisation,
        find_retention: Callable[[], timedelta],
        clock: Callable[[], datetime],
    ) -> None:
        self._log = log
        self._store = store
        self._notices = notices
        self._sealing = sealing
        self._party = party
        self._find_retention = find_retention
        self._clock = clock

    async def run(self) -> None:
        """Tell whoever was not told yet, for ever."""
        while True:
            try:
                told = await self.tell_some()
            except Exception as error:  # noqa: BLE001 - a failed round is tried again
                _log.warning("generation_notice_failed", exception=name_failure(error))
                told = False
            await asyncio.sleep(_PAUSE_SECONDS if told else _ROUND_SECONDS)

    async def tell_some(self) -> bool:
        """Write a bounded number of entries; return whether there was anybody to tell."""
        with self._store.reading() as conn:
            found = self._notices.find_untold(conn)
            if found is None:
                return False
            origin, after = found
            subjects = self._notices.list_subjects(conn, after, _AT_ONCE)
            now = self._clock().replace(microsecond=0)
            keys = list(self._sealing.fetch_keys(conn, subjects, now).values())
        entries = [self._sealing.prepare_entry(each, self._build(each, now)) for each in keys]

        def work(conn: Connection) -> Sequence[Appendable]:
            self._notices.note_told(conn, origin, subjects[-1] if subjects else None)
            return entries

        await self._log.append(Job(work, keys))
        return True

    def _build(self, keys: SubjectKeys, now: datetime) -> EntryDraft:
        record = Record(
            v=1,
            event="new_generation",
            at=now,
            rid=os.urandom(16),
            requester=self._party,
            notice="now",
            detail=Detail(reason="failure"),
        )
        return EntryDraft(
            chain=ChainRef(keys.subject_id, "open"),
            core=b"",
            payload=build_payload(record),
            at=now,
            retention_until=now + self._find_retention(),
        )
