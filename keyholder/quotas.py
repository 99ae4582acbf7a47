"""Who is open at the key holder, and how much each partner may still ask for today.

Rules: every partner is closed until staff open it; a quota counts elements, per partner, class and
UTC day; the first loads of a new partner (class register) are counted against an allowance that
staff gave, so that the daily quota can stay small. All run inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import CompilerElement

from datwat.party.hot import HotStatement
from keyholder.errors import PartnerNotOpenError, QuotaError
from keyholder.tables import OPEN_PARTNER, USAGE

# Both dialects have the same upsert, but share no type for it.
_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_KEPT_DAYS = 31
_o, _u = OPEN_PARTNER.c, USAGE.c


def _build_standing(_dialect: str) -> CompilerElement:
    today = and_(
        _u.partner == _o.partner,
        _u.request_class == bindparam("b_class"),
        _u.day == bindparam("b_day"),
    )
    return (
        select(_o.first_load, _u.elements)
        .select_from(OPEN_PARTNER.outerjoin(USAGE, today))
        .where(_o.partner == bindparam("b_partner"))
    )


def _build_charge(dialect: str) -> CompilerElement:
    insert = _INSERTS[dialect](USAGE)
    total = _u.elements + insert.excluded.elements
    statement: CompilerElement = insert.on_conflict_do_update(
        index_elements=[_u.partner, _u.request_class, _u.day],
        set_={"elements": total},
        where=total <= bindparam("b_limit"),
    )
    return statement


def _build_take(_dialect: str) -> CompilerElement:
    return (
        update(OPEN_PARTNER)
        .where(_o.partner == bindparam("b_partner"), _o.first_load >= bindparam("b_n"))
        .values(first_load=_o.first_load - bindparam("b_n"))
    )


_STANDING = HotStatement(_build_standing)
_CHARGE = HotStatement(_build_charge)
_TAKE_FIRST_LOAD = HotStatement(_build_take)


def require_room(
    connection: Connection, partner: str, request_class: str, n: int, *, limit: int, now: datetime
) -> None:
    """Raise unless the partner is open and may ask for `n` more elements; charges nothing.

    Raises PartnerNotOpenError, QuotaError.
    """
    row = _STANDING.find_row(
        connection, {"b_partner": partner, "b_class": request_class, "b_day": now.toordinal()}
    )
    if row is None:
        raise PartnerNotOpenError
    first_load, used = row
    from_allowance = request_class == "register" and first_load >= n
    if (used or 0) + n > limit and not from_allowance:
        raise QuotaError


def charge(
    connection: Connection, partner: str, request_class: str, n: int, *, limit: int, now: datetime
) -> None:
    """Count `n` elements, or raise QuotaError; exact under any number of concurrent callers.

    A registration beyond the day's quota is taken whole from the first-load allowance.
    """
    if n <= limit:
        values = {
            "partner": partner,
            "request_class": request_class,
            "day": now.toordinal(),
            "elements": n,
            "b_limit": limit,
        }
        if _CHARGE.run(connection, values) == 1:
            return
    taken = {"b_partner": partner, "b_n": n}
    if request_class != "register" or _TAKE_FIRST_LOAD.run(connection, taken) != 1:
        raise QuotaError


def open_partner(connection: Connection, partner: str, first_load: int, now: datetime) -> None:
    """Open a partner, or set its allowance anew where it is open already."""
    insert = _INSERTS[connection.dialect.name](OPEN_PARTNER)
    statement = insert.on_conflict_do_update(
        index_elements=[_o.partner], set_={"first_load": insert.excluded.first_load}
    )
    values = {"partner": partner, "opened_at": int(now.timestamp()), "first_load": first_load}
    connection.execute(statement, values)


def close_partner(connection: Connection, partner: str) -> bool:
    """Close a partner at once and return whether it was open."""
    return connection.execute(delete(OPEN_PARTNER).where(_o.partner == partner)).rowcount == 1


def fetch_open(connection: Connection) -> dict[str, int]:
    """Return the allowance left of every open partner."""
    rows = connection.execute(select(_o.partner, _o.first_load).order_by(_o.partner))
    return {row.partner: row.first_load for row in rows}


def fetch_usage(connection: Connection, now: datetime) -> Mapping[tuple[str, str], int]:
    """Return today's elements by partner and class."""
    rows = connection.execute(
        select(_u.partner, _u.request_class, _u.elements).where(_u.day == now.toordinal())
    )
    return {(row.partner, row.request_class): row.elements for row in rows}


def purge_usage(connection: Connection, now: datetime) -> int:
    """Delete counts older than a month and return how many rows that were."""
    oldest = now.toordinal() - _KEPT_DAYS
    return connection.execute(delete(USAGE).where(_u.day < oldest)).rowcount
