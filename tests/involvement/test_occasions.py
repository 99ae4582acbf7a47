"""Occasions: hand-over dates, closing, households; nothing of one member in another's row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from broker.adapters.tables import MemberRecord, table_of
from broker.exchange.registers import Registers
from broker.involvement.occasions import (
    KEPT_CLOSED,
    LONGEST_OPEN,
    MOST_HANDLERS,
    Occasions,
    build_handed_over,
    choose_conversation,
    derive_occasion_end,
)
from broker.involvement.special_situations import SpecialSituationRow
from broker.pseudonyms.errors import RaceLost, RowMismatch
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import CloseOccasion, Handler
from tests.adapters.registers import (
    COORDINATOR,
    DAY,
    NOW,
    SCHOOL,
    SPECIAL,
    TOLD,
    build_member,
    build_occasion,
)

M = table_of(MemberRecord)
CLOSING = CloseOccasion(reason="completed", goals_reached="partly", plan_made=True)
NEXT = Handler(professional="medewerker-visdief", role="coordinator", from_at=NOW + DAY)
days = st.integers(-50, 50).map(lambda n: NOW + n * DAY)
handlers = st.builds(
    Handler,
    professional=st.sampled_from(["a", "b"]),
    role=st.sampled_from(["coordinator", "second", "replacement", "consulted"]),
    from_at=days,
    until_at=st.none() | days,
)


@pytest.fixture
def occasions(registers: Registers) -> Occasions:
    return registers.occasions


@given(present=st.lists(handlers, max_size=8), stated=st.lists(handlers, max_size=8))
def test_a_hand_over_rewrites_no_past_and_ends_the_present(
    present: list[Handler], stated: list[Handler]
) -> None:
    after = build_handed_over(present, stated, NOW)
    assert list(after[len(after) - len(stated) :]) == stated
    past = after[: len(after) - len(stated)]
    assert len(past) == sum(row.from_at < NOW for row in present)
    for moment in (NOW - 30 * DAY, NOW - DAY):
        assert handling(past, moment) == handling(present, moment)
    assert not handling(past, NOW)
    assert not handling(past, NOW + DAY)


def handling(rows: Iterable[Handler], moment: datetime) -> list[tuple[str, str]]:
    return [
        (row.professional, row.role)
        for row in rows
        if row.from_at <= moment and (row.until_at is None or row.until_at > moment)
    ]


def test_handlers_are_bounded() -> None:
    many = [COORDINATOR.model_copy(update={"until_at": NOW - DAY})] * (2 * MOST_HANDLERS)
    after = build_handed_over(many, [NEXT], NOW)
    assert len(after) == MOST_HANDLERS
    assert after[-1] == NEXT


@given(opened=days, closed=st.none() | days)
def test_an_occasion_always_lapses(opened: datetime, closed: datetime | None) -> None:
    end = derive_occasion_end(opened, closed)
    assert end <= opened + LONGEST_OPEN
    assert closed is None or end <= closed + KEPT_CLOSED


@given(first=days, second=days)
def test_the_later_conversation_counts(first: datetime, second: datetime) -> None:
    present, stated = (TOLD.model_copy(update={"at": at}) for at in (first, second))
    assert choose_conversation(present, stated).at == max(first, second)
    assert choose_conversation(None, stated) is stated


def test_what_is_opened_is_found_again(conn: Connection, occasions: Occasions) -> None:
    occasion = build_occasion(inform_by=NOW + 14 * DAY, introduced_by=SCHOOL, confidential=True)
    members = [build_member(occasion), build_member(occasion, role="child", conversation=None)]
    occasions.open_occasion(conn, occasion, members)
    assert occasions.find_occasion(conn, occasion.id, NOW) == occasion
    for member in members:
        assert occasions.find_member(conn, occasion.id, member.subject_id, NOW) == member
    named = tuple(member.subject_id for member in members)
    assert occasions.list_members(conn, occasion.id, NOW) == named


def test_what_is_not_there_is_absent(conn: Connection, occasions: Occasions) -> None:
    occasion = build_occasion()
    occasions.open_occasion(conn, occasion, [build_member(occasion)])
    assert occasions.find_occasion(conn, draw_id(), NOW) is None
    assert occasions.find_member(conn, occasion.id, draw_id(), NOW) is None
    assert occasions.list_members(conn, draw_id(), NOW) == ()


def test_an_occasion_that_lapsed_is_absent_with_its_members(
    conn: Connection, occasions: Occasions
) -> None:
    occasion = build_occasion()
    member = build_member(occasion)
    occasions.open_occasion(conn, occasion, [member])
    last = occasion.until_at - timedelta(seconds=1)
    assert occasions.find_member(conn, occasion.id, member.subject_id, last) is not None
    assert occasions.find_occasion(conn, occasion.id, occasion.until_at) is None
    assert occasions.find_member(conn, occasion.id, member.subject_id, occasion.until_at) is None
    assert occasions.list_members(conn, occasion.id, occasion.until_at) == ()


def test_the_same_occasion_is_opened_once(conn: Connection, occasions: Occasions) -> None:
    occasion = build_occasion()
    occasions.open_occasion(conn, occasion, [])
    with pytest.raises(RaceLost):
        occasions.open_occasion(conn, occasion, [])


def test_a_hand_over_ends_the_old_handlers_dates(conn: Connection, occasions: Occasions) -> None:
    occasion = build_occasion()
    occasions.open_occasion(conn, occasion, [])
    occasions.hand_over(conn, occasion.id, [NEXT], NOW + DAY)
    found = occasions.find_occasion(conn, occasion.id, NOW + DAY)
    assert found is not None
    old, new = found.handlers
    assert old == COORDINATOR.model_copy(update={"until_at": NOW + DAY})
    assert new == NEXT


def test_closing_ends_an_occasion(conn: Connection, occasions: Occasions) -> None:
    occasion = build_occasion()
    member = build_member(occasion)
    occasions.open_occasion(conn, occasion, [member])
    closed_at = NOW + 3 * DAY
    occasions.close_occasion(conn, occasion.id, CLOSING, closed_at)
    found = occasions.find_occasion(conn, occasion.id, closed_at)
    assert found is not None
    assert (found.closed_at, found.closing) == (closed_at, CLOSING)
    assert [row.until_at for row in found.handlers] == [closed_at]
    assert found.until_at == closed_at + KEPT_CLOSED
    assert occasions.list_members(conn, occasion.id, found.until_at) == ()
    with pytest.raises(RaceLost):
        occasions.close_occasion(conn, occasion.id, CLOSING, closed_at)
    with pytest.raises(RaceLost):
        occasions.hand_over(conn, occasion.id, [NEXT], closed_at)


def test_the_newest_conversation_is_the_members_own(conn: Connection, occasions: Occasions) -> None:
    occasion = build_occasion()
    told, other = build_member(occasion), build_member(occasion, conversation=None)
    occasions.open_occasion(conn, occasion, [told, other])
    later = TOLD.model_copy(update={"at": NOW + DAY, "reaction": "objects"})
    occasions.add_conversation(conn, occasion.id, told.subject_id, later)
    earlier = TOLD.model_copy(update={"at": NOW - DAY})
    occasions.add_conversation(conn, occasion.id, told.subject_id, earlier)
    found = occasions.find_member(conn, occasion.id, told.subject_id, NOW)
    assert found == replace(told, conversation=later)
    assert occasions.find_member(conn, occasion.id, other.subject_id, NOW) == other


def test_a_wrong_person_leaves_the_occasion(conn: Connection, occasions: Occasions) -> None:
    occasion = build_occasion()
    wrong, right = build_member(occasion), build_member(occasion)
    occasions.open_occasion(conn, occasion, [wrong, right])
    occasions.remove_member(conn, occasion.id, wrong.subject_id)
    assert occasions.find_member(conn, occasion.id, wrong.subject_id, NOW) is None
    assert occasions.list_members(conn, occasion.id, NOW) == (right.subject_id,)
    with pytest.raises(RaceLost):
        occasions.add_conversation(conn, occasion.id, wrong.subject_id, TOLD)


def test_what_is_said_of_one_member_does_not_open_for_another(
    conn: Connection, occasions: Occasions
) -> None:
    occasion = build_occasion()
    first, second = build_member(occasion), build_member(occasion, role="child")
    occasions.open_occasion(conn, occasion, [first, second])
    of_first = conn.execute(
        select(M.c.sealed).where(M.c.subject_id == first.subject_id)
    ).scalar_one()
    conn.execute(update(M).where(M.c.subject_id == second.subject_id).values(sealed=of_first))
    with pytest.raises(RowMismatch):
        occasions.find_member(conn, occasion.id, second.subject_id, NOW)


def test_a_special_situation_comes_with_its_occasion(
    conn: Connection, occasions: Occasions
) -> None:
    plain = build_occasion()
    special = SpecialSituationRow(plain.id, SPECIAL, NOW)
    occasion = replace(plain, special_situation=special)
    occasions.open_occasion(conn, occasion, [])
    assert occasions.find_occasion(conn, occasion.id, NOW) == occasion
