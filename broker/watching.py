"""Gathers how each part of the running broker is: for the operator's page and for `status`.

Rules: what asks another party or the database is asked in the background, each a short while after
the other, so that who looks waits for nothing; nothing of a person is read; a look that fails is a
fact about the part and never the end of the watch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from broker.adapters.ends_store import SqlEnds
from broker.commands.said_commands import build_answering
from broker.pages.part_words import describe_part
from broker.status import Asked, Ending, Facts, Part, Refused, Since, derive_parts
from broker.wiring import Broker
from datwat.party.http_out import PeerError
from datwat.party.readings import measure_clock, time_database
from datwat.party.telemetry import get_logger, name_failure

_EVERY: Final = timedelta(seconds=15)
_PEER_SECONDS: Final = 3.0
_DATABASE_SECONDS: Final = 5.0
_MAX_ANSWER: Final = 65_536
_log = get_logger("watching")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last look found; until the first one nothing is said to have failed.

    `overdue`: how much of each kind residents wait for beyond its term; without a database it and
    `contents_to_end` stay as they were, and `clock_off`.
    """

    is_engine_ready: bool = True
    is_key_holder_there: bool = True
    database_took: timedelta | None = timedelta(0)
    overdue: Mapping[str, int] = field(default_factory=dict)
    contents_to_end: int | None = None
    clock_off: timedelta = timedelta(0)
    others: Mapping[str, Any] = field(default_factory=dict)


class Watch:
    """What is known of each part; one object per process."""

    def __init__(self, broker: Broker) -> None:
        """Start without having looked; until the first look nothing is said to have failed."""
        self._broker = broker
        self._since = Since()
        self.seen = Seen()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - what could not be seen is looked at again
                _log.warning("look_failed", exception=name_failure(error))
            await asyncio.sleep(_EVERY.total_seconds())

    async def look(self) -> None:
        """Ask the engine, the key holder and the database once, all at the same time."""
        engine, key_holder, took = await asyncio.gather(
            self._ask_engine(), self._ask_key_holder(), self._ask_database()
        )
        seen = replace(
            self.seen,
            is_engine_ready=engine,
            is_key_holder_there=key_holder,
            database_took=took,
        )
        self.seen = seen
        if took is not None:
            self.seen = await asyncio.to_thread(self._read_database, seen)
        self.list_parts()  # so that a change is noted when it happens, and not when somebody looks

    def _read_database(self, seen: Seen) -> Seen:
        broker, now = self._broker, self._broker.rooms.clock()
        # What other processes signed and collected: whoever looks later looks in memory alone.
        broker.log.checkpoint()
        broker.publishing.publication.read_cosigned()
        objections, questions, erasures = build_answering(broker).count_overdue()
        with broker.store.reading() as conn:
            contents = SqlEnds().count_due(conn, now.replace(microsecond=0))
            requests = broker.rooms.registers.contacts.count_overdue(conn, now)
        overdue = {
            "objections": objections,
            "questions": questions,
            "erasures": erasures,
            "contact_requests": requests,
        }
        return replace(
            seen,
            others=broker.read_others(),
            overdue=overdue,
            contents_to_end=contents,
            clock_off=measure_clock(broker.database, broker.rooms.clock),
        )

    def list_parts(self) -> tuple[Part, ...]:
        """Return every part as of now."""
        facts = self.gather()
        return self._since.note(derive_parts(facts), facts.now)

    def build_status(self) -> dict[str, Any]:
        """Return what `status` shows of the parts."""
        return {"parts": [describe_part(part) for part in self.list_parts()]}

    async def _ask_engine(self) -> bool:
        try:
            async with asyncio.timeout(_PEER_SECONDS):
                return await self._broker.engine.is_ready()
        except Exception:  # noqa: BLE001 - whatever the client raises, OPA did not answer
            return False

    async def _ask_key_holder(self) -> bool:
        url = self._broker.keeper.directory.trust.key_holder.url.rstrip("/")
        try:
            await self._broker.http.fetch(
                f"{url}/v1/health", seconds=_PEER_SECONDS, max_bytes=_MAX_ANSWER
            )
        except PeerError:
            return False
        return True

    async def _ask_database(self) -> timedelta | None:
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                return await asyncio.to_thread(time_database, self._broker.database)
        except Exception:  # noqa: BLE001 - whatever the driver raises, it did not answer
            return None

    def gather(self) -> Facts:
        """Return what is known now; from memory."""
        broker, seen = self._broker, self.seen
        now = broker.rooms.clock()
        trust, publishing, keeper = (
            broker.keeper.directory.trust,
            broker.publishing,
            broker.housekeeper,
        )
        cosigned = publishing.publication.known
        state = broker.following.state
        refused = state.refused
        oldest = broker.ends.generations.read_lag(now)
        is_on = bool(seen.others.get("ldv_on"))
        return Facts(
            now=now,
            policy_seq=broker.policy.bundle.seq,
            policy_revision=broker.policy.bundle.revision,
            policy_since=state.since_at,
            policy_refused=Refused(refused.seq, refused.code, refused.at) if refused else None,
            is_engine_ready=seen.is_engine_ready,
            is_key_holder_there=seen.is_key_holder_there,
            database_took=seen.database_took,
            log_size=broker.log.known_size,
            tag_root_failure=publishing.failure,
            witnesses=self._list_witnesses(),
            witness_threshold=trust.witness_threshold,
            cosigned_at=datetime.fromtimestamp(cosigned.at, UTC) if cosigned else None,
            housekeeping_at=keeper.last_at,
            housekeeping_failed=tuple(sorted(keeper.failed)),
            partners=self._list_partners(),
            list_seq=trust.seq,
            list_ends_at=trust.valid_until,
            endings=tuple(Ending(one.name, one.covenant_until) for one in trust.partners),
            is_kek_overdue=oldest > timedelta(days=broker.settings.backup_days + 1),
            processing_waiting=seen.others.get("ldv_waiting", 0) if is_on else None,
            is_processing_overdue=bool(seen.others.get("ldv_overdue")),
            log_waiting=broker.log.waiting,
            contents_to_end=seen.contents_to_end or 0,
            answers_overdue=sum(seen.overdue.values()),
            processes=len(broker.sharing.holders.processes),
            is_current=broker.sharing.is_current,
            keeps_house=broker.sharing.keeps_house,
            clock_off=seen.clock_off,
        )

    def _list_witnesses(self) -> tuple[Asked, ...]:
        asked = sorted(self._broker.publishing.cosigning.asked.items())
        return tuple(Asked(name, one.failure is not None, one.at) for name, one in asked)

    def _list_partners(self) -> tuple[Asked, ...]:
        found = (
            (one.name, self._broker.gateways.find_silent(one.gateway_url))
            for one in self._broker.keeper.directory.trust.partners
            if one.gateway_url
        )
        return tuple(Asked(name, since is not None, since) for name, since in found)
