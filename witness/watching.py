"""How the witness is: its parts for `datwat status`, its figures for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from datwat.party import clock
from datwat.party.errors import PartyError
from datwat.party.metrics import Reading
from datwat.party.parts import Part, derive_database_part, derive_list_part, read_parts
from datwat.party.readings import read_pool, read_trust, time_database
from datwat.party.trust_keeper import TrustKeeper
from datwat.protocol.trust import TrustList
from witness.cosign import Cosigner
from witness.held import fetch_alarms, find_vouched

# The broker asks each 15 seconds; a gateway stops after a quarter of an hour without witnesses.
QUIET: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found at `now`; `vouched_at` is None before the first time."""

    now: datetime
    trust: TrustList
    took: timedelta | None
    size: int = 0
    vouched_at: datetime | None = None
    alarms: Sequence[object] = ()


def find(cosigner: Cosigner, engine: Engine, keeper: TrustKeeper) -> Found:
    """Look once; blocks for as long as the database takes."""
    now, trust, took = clock.now(), keeper.directory.trust, time_database(engine)
    if took is None:
        return Found(now, trust, None)
    try:
        alarms = fetch_alarms(engine)
        vouched = find_vouched(engine, trust.log.origin)
    except (SQLAlchemyError, PartyError):
        return Found(now, trust, None)
    at = datetime.fromtimestamp(vouched[2], UTC) if vouched else None
    return Found(now, trust, took, cosigner.read_vouched(trust.log.origin).size, at, alarms)


def derive_parts(found: Found) -> tuple[Part, ...]:
    """Return every part in the order of a look; those that are known."""
    known = (derive_list_part(found.trust, found.now), derive_database_part(found.took))
    if found.took is None:
        return known
    return (_derive_alarms(found), _derive_vouching(found), *known)


def _derive_alarms(found: Found) -> Part:
    if found.alarms:
        return Part(
            "alarms",
            "failed",
            "alarms_stand",
            f"{len(found.alarms)} stand: the log forked or shrank. It vouches for nothing more.",
            "Tell the covenant today. Keep this mirror. Then `datwat witness clear-alarm`.",
        )
    return Part("alarms", "ok", "alarms_none", "None stands.")


def _derive_vouching(found: Found) -> Part:
    at = found.vouched_at
    if at is None:
        return Part(
            "vouching",
            "attention",
            "vouching_never",
            "It has not vouched for this log yet.",
            "Look whether the broker can reach this witness at the address in the trust list.",
        )
    if found.now - at > QUIET:
        return Part(
            "vouching",
            "attention",
            "vouching_quiet",
            "The broker has not asked for some minutes.",
            "Look whether the broker runs, and whether it can reach this witness.",
            at,
        )
    return Part("vouching", "ok", "vouching_works", f"Vouched for {found.size} entries.", "", at)


def read_figures(cosigner: Cosigner, engine: Engine, keeper: TrustKeeper) -> Iterator[Reading]:
    """Yield every reading of now; blocks as `find`."""
    found = find(cosigner, engine, keeper)
    yield from read_trust(found.trust)
    yield from read_pool(engine)
    yield from read_parts((part.part, part.state) for part in derive_parts(found))
    if found.took is None:
        return
    yield Reading("datwat_alarms", len(found.alarms))
    yield Reading("datwat_vouched_entries", found.size)
    at = found.vouched_at.timestamp() if found.vouched_at else None
    yield Reading("datwat_vouched_timestamp_seconds", at)
