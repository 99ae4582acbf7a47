"""What is counted of a month (port: `broker.transparency.figures.MonthCounts`).

Rules: an act counts in the month from which it may be counted (`shown_at`); what is over counts no
more; of answers only how many days they took.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, select, union_all

from broker.adapters.log_tables import table_of
from broker.adapters.oversight_tables import ActRecord
from broker.adapters.tables import ObjectionRecord, QuestionRecord
from broker.adapters.tables import table_of as register_of
from broker.transparency.figures import ActCount, Closed, Month, MonthFigures

_A: Final = table_of(ActRecord).c
_Q, _O = register_of(QuestionRecord).c, register_of(ObjectionRecord).c
_DAY: Final = 86_400
_GROUP: Final = (
    *(_A.partner, _A.source, _A.act, _A.purpose, _A.permit, _A.is_stated, _A.blade),
    *(_A.found_nothing, _A.is_off_hours, _A.result),
)


class SqlMonthCounts:
    """Implements `MonthCounts` for SQLite and PostgreSQL alike."""

    def fetch_month(self, conn: Connection, month: Month, now: datetime) -> MonthFigures:
        """Return what may be counted of a month."""
        within = _within(month, now)
        acts = select(*_GROUP, func.count()).where(*within).group_by(*_GROUP)
        return MonthFigures(
            month=month,
            acts=tuple(ActCount(*row) for row in conn.execute(acts)),
            opened=_fetch_opened(conn, within),
            households=_count_households(conn, within),
            closed=_fetch_closed(conn, within),
            answer_days=_fetch_days(conn, month),
        )


def _within(month: Month, now: datetime) -> Sequence[ColumnElement[bool]]:
    return (
        _A.shown_at >= month.from_at,
        _A.shown_at < month.until_at,
        _A.retention_until > now,
    )


def _opened(within: Sequence[ColumnElement[bool]]) -> Sequence[ColumnElement[bool]]:
    opens = (_A.act == "open_occasion", _A.permit.is_(True), _A.occasion.is_not(None))
    return (*opens, *within)


def _fetch_opened(
    conn: Connection, within: Sequence[ColumnElement[bool]]
) -> tuple[tuple[str, int], ...]:
    query = (
        select(_A.result, func.count(_A.occasion.distinct()))
        .where(_A.result.is_not(None), *_opened(within))
        .group_by(_A.result)
        .order_by(_A.result)
    )
    return tuple((row[0], row[1]) for row in conn.execute(query))


def _count_households(conn: Connection, within: Sequence[ColumnElement[bool]]) -> int:
    """Return how many occasions were opened for more than one person."""
    each = (
        select(_A.occasion)
        .where(*_opened(within))
        .group_by(_A.occasion)
        .having(func.count(_A.subject.distinct()) > 1)
        .subquery()
    )
    return int(conn.execute(select(func.count()).select_from(each)).scalar_one())


def _fetch_closed(conn: Connection, within: Sequence[ColumnElement[bool]]) -> tuple[Closed, ...]:
    how = (_A.result, _A.goals, _A.plan_made)
    query = (
        select(*how, func.count(_A.occasion.distinct()))
        .where(_A.act == "close_occasion", _A.permit.is_(True), *within)
        .group_by(*how)
    )
    return tuple(Closed(*row) for row in conn.execute(query))


def _fetch_days(conn: Connection, month: Month) -> tuple[int, ...]:
    """Return in how many days each objection and question was answered in the month."""
    answered = union_all(
        *(
            select(asked.label("asked"), answer.label("answered")).where(
                answer >= month.from_at, answer < month.until_at
            )
            for asked, answer in ((_Q.asked_at, _Q.answered_at), (_O.made_at, _O.answered_at))
        )
    )
    found = conn.execute(answered)
    return tuple(int((row.answered - row.asked).total_seconds()) // _DAY for row in found)
