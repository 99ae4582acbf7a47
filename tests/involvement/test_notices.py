"""Notices: due at once, tried ever less often, gone when they arrived or are over."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from broker.exchange.registers import Registers
from broker.involvement.notices import (
    FIRST_WAIT,
    KEPT_FOR,
    LONGEST_WAIT,
    OpenedEntry,
    derive_next_try,
)
from broker.pseudonyms.subjects import draw_id
from tests.adapters.registers import NOW, TEAM, build_notice


@given(st.integers(min_value=0, max_value=30_000))
def test_the_next_try_is_later_each_time_and_never_later_than_hourly(tries: int) -> None:
    wait = derive_next_try(tries, NOW) - NOW
    assert FIRST_WAIT <= wait <= LONGEST_WAIT
    assert derive_next_try(tries + 1, NOW) - NOW in (2 * wait, LONGEST_WAIT)


def test_a_notice_is_due_until_it_arrived(conn: Connection, registers: Registers) -> None:
    notice = build_notice()
    registers.notices.add(conn, notice, NOW)
    assert registers.notices.list_due(conn, NOW, 10) == [notice]
    registers.notices.remove(conn, notice.id)
    assert registers.notices.list_due(conn, NOW, 10) == []


def test_what_failed_waits_and_lets_others_go_first(conn: Connection, registers: Registers) -> None:
    failing, other = build_notice(to=TEAM), build_notice()
    registers.notices.add(conn, failing, NOW)
    registers.notices.put_off(conn, failing, NOW)
    registers.notices.add(conn, other, NOW)
    assert registers.notices.list_due(conn, NOW, 10) == [other]
    later = NOW + FIRST_WAIT
    (first, second) = registers.notices.list_due(conn, later, 10)
    assert (first.id, second.id, second.tries) == (other.id, failing.id, 1)
    assert registers.notices.list_due(conn, later, 1) == [other]


def test_a_notice_is_not_tried_for_ever(conn: Connection, registers: Registers) -> None:
    registers.notices.add(conn, build_notice(), NOW)
    assert registers.notices.list_due(conn, NOW + KEPT_FOR - timedelta(seconds=1), 10)
    assert registers.notices.list_due(conn, NOW + KEPT_FOR, 10) == []


def test_an_opening_is_kept_with_its_entry(conn: Connection, registers: Registers) -> None:
    opened = OpenedEntry(
        core=b"{}", payload_hash=bytes(32), commit=b"c" * 32, subject_id=draw_id(), audience="own"
    )
    notice = build_notice(type="opened", content=opened)
    registers.notices.add(conn, notice, NOW)
    assert registers.notices.list_due(conn, NOW, 10) == [notice]
