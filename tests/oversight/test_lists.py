"""Misuse that is planted among months of ordinary work is found, and nothing else is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Engine, update

from broker.adapters.log_tables import table_of
from broker.adapters.oversight_months import SqlMonthCounts
from broker.adapters.oversight_store import SqlOversightCounts
from broker.adapters.oversight_tables import ActRecord
from broker.pseudonyms.veil import build_label
from broker.transparency.figures import Month
from broker.transparency.oversight import LISTS, ListCode, ReviewRow
from broker.transparency.oversight_figures import Window
from broker.transparency.reviewing import Reviewing
from tests.oversight.planted import (
    NOW,
    build_act,
    build_partner,
    build_person,
    build_staff,
    build_work,
    write_acts,
)

_ACTS = table_of(ActRecord)
_OF_STAFF = ("volume", "hours", "nothing", "refused", "refused_person", "guessing")
_LIST_OF: dict[str, ListCode] = {
    "volume": "volume",
    "hours": "hours",
    "nothing": "nothing",
    "refused": "refused",
    "refused_person": "refused",
    "guessing": "guessing",
    "guessing_reference": "guessing",
    "sides": "sides",
    "colleagues": "relations",
    "blocked": "relations",
}


def build_reviewing(engine: Engine) -> Reviewing:
    """Return the service over a database, of which nothing but counting is used."""

    @contextmanager
    def reading() -> Iterator[Connection]:
        with engine.connect() as conn:
            yield conn

    nothing = cast("Any", None)
    return Reviewing(
        counts=SqlOversightCounts(),
        rows=nothing,
        log=nothing,
        proofs=nothing,
        reading=reading,
        clock=lambda: NOW,
    )


def _count_all(engine: Engine) -> dict[str, ReviewRow]:
    """Return every row of every list, by its reason; no reason twice."""
    reviewing, found = build_reviewing(engine), {}
    for code in LISTS:
        if code == "sample":
            continue
        for row in reviewing.count(code).rows:
            assert row.list == code
            assert row.why.code not in found, row
            found[row.why.code] = row
    return found


@pytest.mark.timeout(300)
def test_what_is_planted_is_found_and_nothing_else_is_named(engine: Engine, *, whole: bool) -> None:
    work = build_work(100_000 if whole else 20_000)
    write_acts(engine, work.rows)
    found = _count_all(engine)
    assert set(found) == set(work.planted)
    for name, number in work.planted.items():
        row = found[name]
        assert row.list == _LIST_OF[name]
        if name in (*_OF_STAFF, "guessing_reference"):
            assert row.partner == build_partner(number)
            assert row.who == build_label(build_staff(number, 0))
    assert found["blocked"].who == build_label(build_staff(0, 12))
    # About one resident no row names anybody.
    assert (found["sides"].partner, found["sides"].who) == (None, None)
    assert (found["colleagues"].partner, found["colleagues"].who) == (build_partner(0), None)
    for name, row in found.items():
        assert 1 <= len(row.entries) <= 5, name
        assert list(row.entries) == sorted(row.entries, reverse=True)
    planted = work.rows[found["hours"].entries[0]]
    assert planted["is_off_hours"]
    assert planted["professional"] == build_staff(work.planted["hours"], 0)
    for row in found.values():
        for hidden in (row.professional, row.subject):
            assert hidden is None or str(hidden) not in repr(row)


def test_ordinary_work_names_nobody(engine: Engine) -> None:
    write_acts(engine, build_work(20_000, seed=11, plant=False).rows)
    assert _count_all(engine) == {}


def test_what_waits_or_is_over_is_in_no_list_and_no_figure(engine: Engine) -> None:
    asked = [
        build_act(0, 1, 5, NOW - timedelta(hours=one), permit=False, blade="purpose")
        for one in range(1, 30)
    ]
    write_acts(engine, asked)
    assert set(_count_all(engine)) == {"refused_person", "refused"}
    counts, month = SqlMonthCounts(), Month(2026, 11)
    with engine.begin() as conn:
        assert sum(one.count for one in counts.fetch_month(conn, month, NOW).acts) == 29
        conn.execute(update(_ACTS).values(shown_at=None))
    assert _count_all(engine) == {}
    store, window = SqlOversightCounts(), Window(NOW)
    with engine.begin() as conn:
        assert counts.fetch_month(conn, month, NOW).acts == ()
        assert store.list_indexes(conn, 0, 100, NOW) == []
        number = [build_staff(0, 1)]
        assert store.fetch_examples(conn, "volume", window, professionals=number) == {}
        # Opened later: counted from then on, so that a month that was published does not change.
        opened = NOW + timedelta(days=30)
        conn.execute(update(_ACTS).values(shown_at=opened))
        assert counts.fetch_month(conn, month, opened).acts == ()
        later = counts.fetch_month(conn, Month(2026, 12), opened)
        assert sum(one.count for one in later.acts) == 29
        conn.execute(update(_ACTS).values(shown_at=NOW, retention_until=NOW))
        assert counts.fetch_month(conn, month, NOW).acts == ()
    assert _count_all(engine) == {}


def test_a_month_counts_occasions_once_whatever_the_household(engine: Engine) -> None:
    at = NOW - timedelta(days=1)
    opened = [
        build_act(0, 1, person, at, act="open_occasion", occasion=77, result="help_request")
        for person in (1, 2, 3)
    ]
    alone = build_act(0, 1, 9, at, act="open_occasion", occasion=78, result="signal")
    closed = [
        build_act(
            0, 1, person, at, act="close_occasion", occasion=77, result="completed", goals="yes",
            plan_made=True,
        )
        for person in (1, 2, 3)
    ]  # fmt: skip
    write_acts(engine, [*opened, alone, *closed])
    with engine.connect() as conn:
        found = SqlMonthCounts().fetch_month(conn, Month(2026, 11), NOW)
    assert found.opened == (("help_request", 1), ("signal", 1))
    assert found.households == 1
    assert [(one.reason, one.goals, one.plan_made, one.count) for one in found.closed] == [
        ("completed", "yes", True, 1)
    ]


def test_somebody_new_is_compared_with_colleagues(engine: Engine) -> None:
    rows = [
        build_act(0, staff, staff * 100 + one, NOW - timedelta(days=80 - one))
        for staff in range(1, 6)
        for one in range(70)
    ]
    rows += [build_act(0, 9, 900 + one, NOW - timedelta(hours=one)) for one in range(1, 60)]
    write_acts(engine, rows)
    (row,) = build_reviewing(engine).count("volume").rows
    assert (row.why.code, row.why.params["count"]) == ("volume_new", 59)
    assert row.who == build_label(build_staff(0, 9))
    assert build_person(900) not in (row.subject, row.professional)
