"""How a connector and a portal are: their parts for `datwat status`, their figures for `/metrics`.

Rule: nothing of a client or a resident, no name of an application or a partner, in any figure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine

from connectors.ends import Housekeeper
from connectors.gateway.coverage import Coverage
from connectors.gateway.gateway import Gateway
from connectors.policy import PolicyKeeper
from datwat.party import clock
from datwat.party.metrics import Reading
from datwat.party.parts import (
    Part,
    derive_bundle_part,
    derive_database_part,
    derive_list_part,
    read_parts,
)
from datwat.party.readings import read_bundle, read_pool, read_trust, time_database
from datwat.party.trust_keeper import TrustKeeper
from datwat.protocol.trust import TrustList

# Housekeeping goes round each ten minutes.
QUIET_HOUSEKEEPING: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found at `now`; a portal has no database, no gateway and no housekeeping."""

    now: datetime
    trust: TrustList
    seq: int | None
    revision: str | None
    took: timedelta | None = None
    alarm: str | None = None
    log_size: int | None = None
    uncovered_since: datetime | None = None
    housekeeping_at: datetime | None = None
    is_housekeeping_failing: bool = False
    ended: int = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """The parts of a connector that are looked at."""

    engine: Engine
    keeper: TrustKeeper
    policy: PolicyKeeper
    gateway: Gateway
    coverage: Coverage
    housekeeper: Housekeeper

    def find(self) -> Found:
        """Look once; blocks for as long as the database takes."""
        bundle, took = self.policy.bundle, time_database(self.engine)
        state = self.gateway.build_status() if took is not None else {}
        alarm = state.get("alarm")
        return Found(
            now=clock.now(),
            trust=self.keeper.directory.trust,
            seq=bundle.seq if bundle else None,
            revision=bundle.revision if bundle else None,
            took=took,
            alarm=alarm["reason"] if alarm else None,
            log_size=state.get("log_size"),
            uncovered_since=self.coverage.waiting_since,
            housekeeping_at=self.housekeeper.last_at,
            is_housekeeping_failing=self.housekeeper.has_failed,
            ended=self.housekeeper.ended.total(),
        )

    def read_figures(self) -> Iterator[Reading]:
        """Yield every reading of now; blocks as `find`."""
        found = self.find()
        yield from _read_common(found, derive_parts(found))
        yield from read_pool(self.engine)
        yield Reading("datwat_gateway_alarm", found.alarm is not None)
        yield Reading("datwat_gateway_log_entries", found.log_size)
        yield Reading("datwat_gateway_uncovered_timestamp_seconds", _say(found.uncovered_since))
        yield Reading("datwat_housekeeping_timestamp_seconds", _say(found.housekeeping_at))
        yield Reading("datwat_housekeeping_failing", found.is_housekeeping_failing)
        yield Reading("datwat_housekeeping_ended", found.ended)


def find_portal(keeper: TrustKeeper, policy: PolicyKeeper) -> Found:
    """Look once at a portal."""
    bundle = policy.bundle
    seq, revision = (bundle.seq, bundle.revision) if bundle else (None, None)
    return Found(clock.now(), keeper.directory.trust, seq, revision)


def read_portal_figures(keeper: TrustKeeper, policy: PolicyKeeper) -> Iterator[Reading]:
    """Yield every reading of a portal."""
    found = find_portal(keeper, policy)
    yield from _read_common(found, derive_portal_parts(found))


def derive_portal_parts(found: Found) -> tuple[Part, ...]:
    """Return every part of a portal."""
    return (
        derive_bundle_part(found.seq, found.revision),
        derive_list_part(found.trust, found.now),
    )


def derive_parts(found: Found) -> tuple[Part, ...]:
    """Return every part of a connector in the order of a look; those that are known."""
    return (
        derive_bundle_part(found.seq, found.revision),
        *((_derive_gateway(found),) if found.took is not None else ()),
        derive_database_part(found.took),
        _derive_housekeeping(found),
        derive_list_part(found.trust, found.now),
    )


def _derive_gateway(found: Found) -> Part:
    if found.alarm is not None:
        what_to_do = "Look at the log with the broker and its witnesses; then clear the alarm with "
        return Part(
            "gateway",
            "failed",
            "gateway_alarm",
            f"It takes no orders ({found.alarm}).",
            what_to_do + "`datwat connector clear-alarm`.",
        )
    if found.uncovered_since is not None:
        return Part(
            "gateway",
            "attention",
            "gateway_uncovered",
            "Too few witnesses vouch yet for what was accepted. After 15 minutes it stops.",
            "Ask the broker's organisation whether its witnesses answer.",
            found.uncovered_since,
        )
    return Part("gateway", "ok", "gateway_works", f"Followed the log to {found.log_size or 0}.")


def _derive_housekeeping(found: Found) -> Part:
    last = found.housekeeping_at
    if found.is_housekeeping_failing:
        return Part(
            "housekeeping",
            "attention",
            "housekeeping_failed",
            "The last round failed. It is tried again.",
            "Look at the log of the connector if it stays so for an hour.",
        )
    if last is None or found.now - last > QUIET_HOUSEKEEPING:
        return Part(
            "housekeeping",
            "attention",
            "housekeeping_quiet",
            "It has not gone round for a while.",
            "Look at the log of the connector: the database may be busy.",
            last,
        )
    return Part("housekeeping", "ok", "housekeeping_works", "It goes round.")


def _read_common(found: Found, parts: tuple[Part, ...]) -> Iterator[Reading]:
    yield from read_trust(found.trust)
    yield from read_bundle(found.seq, found.revision)
    yield from read_parts((part.part, part.state) for part in parts)


def _say(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
