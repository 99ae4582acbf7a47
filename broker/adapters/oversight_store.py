"""What is counted of acts (port: `broker.transparency.oversight_figures.OversightCounts`).

Rules: whatever waits for its opening, or is over, is in no statement here; each statement reads the
window once, for SQLite and PostgreSQL alike; nothing of it runs on the loop that answers partners.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)

from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.oversight_tables import ActRecord
from broker.transparency.oversight_figures import (
    ASKING,
    COLLEAGUES,
    REPEATED,
    SIDES_PARTNERS,
    SIDES_STAFF,
    Colleagues,
    Occasions,
    Quota,
    Repeated,
    Sides,
    Tally,
    Window,
)

_A: Final = table_of(ActRecord).c
_LOG: Final = table_of(LogEntry).c
_ASKED: Final = _A.act.in_(ASKING)
_REFUSED: Final = and_(_ASKED, _A.permit.is_(False))
# Of what is not nothing: a plan, a goal, data or contact that was given, somebody introduced.
_USEFUL: Final = or_(
    _A.plan_made.is_(True),
    _A.goals.in_(("yes", "partly")),
    and_(_A.act.in_(("release", "request_contact", "introduce")), _A.permit.is_(True)),
)
# A statement over a quota is short; bundles and trust lists are not.
_LONGEST_QUOTA: Final = 1_000
_EXAMPLES: Final = 5
# Which entries a row begins with, of all that somebody did.
_SHOWN: Final[dict[str, ColumnElement[bool]]] = {
    "hours": and_(_ASKED, _A.is_off_hours.is_(True)),
    "refused": _REFUSED,
    "guessing": and_(_ASKED, _A.found_nothing.is_(True)),
    "relations": or_(_A.is_blocked.is_(True), _A.act == "report_wrong_person", _ASKED),
}


class SqlOversightCounts:
    """Implements `OversightCounts`, and finds the entries that rows and samples name."""

    def fetch_tallies(self, conn: Connection, window: Window) -> tuple[Tally, ...]:
        """Return what each professional did."""
        lately = and_(_ASKED, _A.at >= window.lately_from)
        looked = and_(_A.act == "inquire", _A.at >= window.lately_from)
        released = and_(_A.act == "release", _A.at >= window.lately_from)
        query = (
            select(
                _A.partner,
                _A.professional,
                func.min(_A.at),
                _count(_ASKED, _A.at >= window.recent_from),
                _count(_ASKED, _A.at < window.recent_from),
                _count(lately),
                _count(lately, _A.is_off_hours.is_(True)),
                _count(lately, _A.permit.is_(False)),
                _count(looked),
                _count(looked, _A.found_nothing.is_(True)),
                _count(released, _A.found_nothing.is_(True)),
                _count(lately, _A.is_blocked.is_(True)),
                _count(_A.act == "report_wrong_person"),
            )
            .where(*_seen(window.now, window.past_from))
            .group_by(_A.partner, _A.professional)
        )
        return tuple(Tally(*tuple(row)) for row in conn.execute(query))

    def fetch_occasions(self, conn: Connection, window: Window) -> tuple[Occasions, ...]:
        """Return what became of the occasions that each professional opened."""
        each = (
            select(
                _A.partner,
                func.max(case((_A.act == "open_occasion", _A.professional))).label("opener"),
                func.max(_flag(_ASKED)).label("asked"),
                func.max(_flag(_A.act == "close_occasion", _A.permit.is_(True))).label("closed"),
                func.max(_flag(_USEFUL)).label("useful"),
                func.max(_A.at).label("last"),
            )
            .where(_A.occasion.is_not(None), *_seen(window.now, window.past_from))
            .group_by(_A.partner, _A.occasion)
        ).subquery()
        ended = and_(each.c.asked == 1, or_(each.c.closed == 1, each.c.last < window.lately_from))
        query = (
            select(each.c.partner, each.c.opener, _count(ended), _count(ended, each.c.useful == 0))
            .where(each.c.opener.is_not(None))
            .group_by(each.c.partner, each.c.opener)
        )
        return tuple(Occasions(*row) for row in conn.execute(query))

    def fetch_repeated(self, conn: Connection, window: Window) -> tuple[Repeated, ...]:
        """Return who was refused `REPEATED` times about one person, or more often."""
        query = (
            select(_A.partner, _A.professional, _A.subject, func.count())
            .where(_REFUSED, _A.professional.is_not(None), *_seen(window.now, window.lately_from))
            .group_by(_A.partner, _A.professional, _A.subject)
            .having(func.count() >= REPEATED)
        )
        return tuple(Repeated(*row) for row in conn.execute(query))

    def fetch_sides(self, conn: Connection, window: Window) -> tuple[Sides, ...]:
        """Return the persons whom `SIDES_PARTNERS` or `SIDES_STAFF` ask about, or more."""
        pairs = _build_pairs(window)
        partners, staff = func.count(pairs.c.partner.distinct()), func.count()
        query = (
            select(pairs.c.subject, partners, staff, func.sum(pairs.c.count))
            .group_by(pairs.c.subject)
            .having(or_(partners >= SIDES_PARTNERS, staff >= SIDES_STAFF))
        )
        return tuple(Sides(row[0], row[1], row[2], int(row[3])) for row in conn.execute(query))

    def fetch_colleagues(self, conn: Connection, window: Window) -> tuple[Colleagues, ...]:
        """Return where `COLLEAGUES` of one organisation or more ask about one person."""
        pairs = _build_pairs(window)
        staff = func.count()
        query = (
            select(pairs.c.partner, pairs.c.subject, staff, func.sum(pairs.c.count))
            .group_by(pairs.c.partner, pairs.c.subject)
            .having(staff >= COLLEAGUES)
        )
        found = conn.execute(query)
        return tuple(Colleagues(row[0], row[1], row[2], int(row[3])) for row in found)

    def fetch_quotas(self, conn: Connection, window: Window) -> tuple[Quota, ...]:
        """Return which partners sent more than their quota, as the log states it."""
        query = select(_LOG.document).where(
            _LOG.subject_id.is_(None),
            _LOG.document.is_not(None),
            _LOG.at >= window.lately_from,
            func.length(_LOG.document) <= _LONGEST_QUOTA,
        )
        counts: dict[str, tuple[int, int]] = {}
        for (document,) in conn.execute(query):
            stated = orjson.loads(bytes(document))
            if stated.get("type") == "over_quota":
                count, hours = counts.get(stated["partner"], (0, 0))
                counts[stated["partner"]] = count + stated["count"], hours + 1
        return tuple(Quota(partner, *found) for partner, found in sorted(counts.items()))

    def fetch_examples(
        self,
        conn: Connection,
        code: str,
        window: Window,
        *,
        professionals: Collection[int] = (),
        subjects: Collection[int] = (),
    ) -> dict[tuple[int | None, int | None], tuple[int, ...]]:
        """Return the newest entries of each professional, and about each person, for a list.

        The key is (professional, None) or (None, subject).
        """
        found: dict[tuple[int | None, int | None], tuple[int, ...]] = {}
        condition = _SHOWN.get(code, _ASKED)
        for number, indexes in _fetch_newest(
            conn, _A.professional, professionals, condition, window
        ):
            found[number, None] = indexes
        for number, indexes in _fetch_newest(conn, _A.subject, subjects, condition, window):
            found[None, number] = indexes
        return found

    def list_indexes(self, conn: Connection, first: int, size: int, now: datetime) -> list[int]:
        """Return the entries of log[first:size) that a sample may be drawn from, in order."""
        query = (
            select(_A.idx).where(_A.idx >= first, _A.idx < size, *_is_there(now)).order_by(_A.idx)
        )
        return list(conn.execute(query).scalars())


def _is_there(now: datetime) -> Sequence[ColumnElement[bool]]:
    return _A.shown_at.is_not(None), _A.retention_until > now


def _seen(now: datetime, since: datetime) -> Sequence[ColumnElement[bool]]:
    return _A.at >= since, _A.at <= now, *_is_there(now)


def _flag(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return case((and_(*conditions), literal(1, Integer)), else_=literal(0, Integer))


def _count(*conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(_flag(*conditions))


def _build_pairs(window: Window) -> Subquery:
    """Return who asked about whom lately, each pair once."""
    return (
        select(_A.subject, _A.partner, _A.professional, func.count().label("count"))
        .where(_ASKED, _A.professional.is_not(None), *_seen(window.now, window.lately_from))
        .group_by(_A.subject, _A.partner, _A.professional)
        .subquery()
    )


def _fetch_newest(
    conn: Connection,
    column: ColumnElement[Any],
    numbers: Collection[int],
    condition: ColumnElement[bool],
    window: Window,
) -> list[tuple[int, tuple[int, ...]]]:
    if not numbers:
        return []
    place = func.row_number().over(partition_by=column, order_by=_A.idx.desc()).label("place")
    ranked = (
        select(column.label("number"), _A.idx, place)
        .where(column.in_(sorted(numbers)), condition, *_seen(window.now, window.past_from))
        .subquery()
    )
    query: Select[Any] = (
        select(ranked.c.number, ranked.c.idx)
        .where(ranked.c.place <= _EXAMPLES)
        .order_by(ranked.c.number, ranked.c.idx.desc())
    )
    found: dict[int, list[int]] = {}
    for number, index in conn.execute(query):
        found.setdefault(number, []).append(index)
    return [(number, tuple(indexes)) for number, indexes in found.items()]
