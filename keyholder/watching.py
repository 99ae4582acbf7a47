"""How the key holder is: its parts for `datwat status`, its figures for `/metrics`.

Rules: nothing of a person; a partner's name is said to this organisation's own staff by `status`,
and in no figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from datwat.party import clock
from datwat.party.database import reading
from datwat.party.errors import PartyError
from datwat.party.metrics import Reading
from datwat.party.parts import Part, derive_database_part, derive_list_part, read_parts
from datwat.party.readings import read_pool, read_trust, time_database
from datwat.party.trust_keeper import TrustKeeper
from datwat.protocol.trust import TrustList
from keyholder import quotas
from keyholder.settings import KeyHolderSettings

_NEARLY: Final = 0.9
_MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Found:
    """What was found at `now`; without a database nothing is known of partners.

    `used`: by partner and class, which part of today's quota.
    """

    now: datetime
    trust: TrustList
    took: timedelta | None
    partners: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()
    used: Mapping[tuple[str, str], float] | None = None


def find(settings: KeyHolderSettings, engine: Engine, keeper: TrustKeeper) -> Found:
    """Look once; blocks for as long as the database takes."""
    now, directory, took = clock.now(), keeper.directory, time_database(engine)
    if took is None:
        return Found(now, directory.trust, None)
    try:
        with reading(engine).begin() as connection:
            opened = quotas.fetch_open(connection)
            usage = quotas.fetch_usage(connection, now)
    except (SQLAlchemyError, PartyError):
        return Found(now, directory.trust, None)
    limits = settings.quotas
    used = {
        (partner, name): count / limits[name] if limits[name] else 1.0
        for (partner, name), count in usage.items()
        if name in limits
    }
    partners = frozenset(directory.partners)
    return Found(now, directory.trust, took, partners, partners & opened.keys(), used)


def derive_parts(found: Found) -> tuple[Part, ...]:
    """Return every part in the order of a look; those that are known."""
    known = (derive_list_part(found.trust, found.now), derive_database_part(found.took))
    if found.took is None:
        return known
    return (*known, _derive_partners(found), _derive_quotas(found))


def _derive_partners(found: Found) -> Part:
    closed = sorted(found.partners - found.opened)
    if not found.opened:
        return Part(
            "partners",
            "attention",
            "partners_none_open",
            "No partner is open: nobody can be looked up.",
            "Open each partner that may start with `datwat keyholder enable`.",
        )
    said = f"{len(found.opened)} of {len(found.partners)} are open."
    if closed:
        said += f" Closed: {', '.join(closed[:_MOST_NAMED])}."
    return Part("partners", "ok", "partners_open", said)


def _derive_quotas(found: Found) -> Part:
    full = sorted({partner for (partner, _), part in (found.used or {}).items() if part >= _NEARLY})
    if full:
        return Part(
            "quotas",
            "attention",
            "quotas_nearly_used",
            f"Has used nine tenths of today's quota: {', '.join(full[:_MOST_NAMED])}.",
            "Ask the partner why. A first load is given with `datwat keyholder enable`.",
        )
    return Part("quotas", "ok", "quotas_hold", "Nobody is near today's quota.")


def read_figures(
    settings: KeyHolderSettings, engine: Engine, keeper: TrustKeeper, *others: Part
) -> Iterator[Reading]:
    """Yield every reading of now, with the parts that others told; blocks as `find`."""
    found = find(settings, engine, keeper)
    yield from read_trust(found.trust)
    yield from read_pool(engine)
    parts = (*derive_parts(found), *others)
    yield from read_parts((part.part, part.state) for part in parts)
    if found.used is None:
        return
    yield Reading("datwat_partners", len(found.opened), ("open",))
    yield Reading("datwat_partners", len(found.partners - found.opened), ("closed",))
    for name in settings.quotas:
        most = max((part for (_, one), part in found.used.items() if one == name), default=0.0)
        yield Reading("datwat_quota_used_ratio", most, (name,))
