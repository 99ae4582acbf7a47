"""Contact requests: only forward, overdue after five days, the same where nobody is reached."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from broker.adapters.tables import ContactRequestRecord, table_of
from broker.exchange.registers import Registers
from broker.involvement.contacts import (
    AskedContact,
    ContactFacts,
    Contacts,
    State,
    derive_contact_facts,
    derive_shown_state,
    is_forward,
)
from broker.pseudonyms.errors import RowMismatch
from broker.pseudonyms.subjects import draw_id
from tests.adapters.registers import DAY, NOW, TEAM, build_contact_request

T = table_of(ContactRequestRecord)
SECOND = timedelta(seconds=1)
states: st.SearchStrategy[State] = st.sampled_from(["sent", "seen", "answered"])
days = st.integers(0, 40).map(lambda n: NOW + n * DAY)


@pytest.fixture
def contacts(registers: Registers) -> Contacts:
    return registers.contacts


@given(state=states, now=days)
def test_what_nobody_answered_in_five_days_is_overdue(state: State, now: datetime) -> None:
    shown = derive_shown_state(build_contact_request(state=state), now)
    assert (shown == "overdue") == (state != "answered" and now >= NOW + 5 * DAY)
    assert shown in {state, "overdue"}


@given(present=states, stated=states)
def test_a_request_never_goes_back(present: State, stated: State) -> None:
    assert not (is_forward(present, stated) and is_forward(stated, present))
    assert is_forward(present, stated) != (present == stated or is_forward(stated, present))


@given(st.lists(st.tuples(days, st.booleans()), max_size=8))
def test_facts_are_dates_of_what_was_asked(asked: list[tuple[datetime, bool]]) -> None:
    requests = [AskedContact(*one) for one in asked]
    facts = derive_contact_facts(requests)
    assert facts.asked_at == max((one.asked_at for one in requests), default=None)
    answered = [one.asked_at for one in requests if one.answered]
    open_since = [
        one.asked_at
        for one in requests
        if not one.answered and all(one.asked_at > at for at in answered)
    ]
    assert facts.unanswered_since == min(open_since, default=None)


def test_a_request_goes_from_sent_to_seen_to_answered(conn: Connection, contacts: Contacts) -> None:
    request = build_contact_request()
    contacts.add(conn, request)
    assert contacts.find(conn, request.id, NOW) == request
    assert contacts.move(conn, request.id, "seen", NOW + DAY)
    assert not contacts.move(conn, request.id, "seen", NOW + 2 * DAY)
    assert contacts.move(conn, request.id, "answered", NOW + 3 * DAY)
    assert not contacts.move(conn, request.id, "seen", NOW + 4 * DAY)
    assert contacts.find(conn, request.id, NOW + 4 * DAY) == replace(
        request, state="answered", seen_at=NOW + DAY, answered_at=NOW + 3 * DAY
    )


def test_answered_at_once_is_seen_too(conn: Connection, contacts: Contacts) -> None:
    request = build_contact_request()
    contacts.add(conn, request)
    assert contacts.move(conn, request.id, "answered", NOW + DAY)
    found = contacts.find(conn, request.id, NOW + DAY)
    assert found is not None
    assert (found.seen_at, found.answered_at) == (NOW + DAY, NOW + DAY)


def test_after_thirty_days_a_request_is_over(conn: Connection, contacts: Contacts) -> None:
    request = build_contact_request()
    contacts.add(conn, request)
    assert contacts.find(conn, request.id, NOW + 30 * DAY - timedelta(seconds=1)) is not None
    over = NOW + 30 * DAY
    assert contacts.find(conn, request.id, over) is None
    assert not contacts.move(conn, request.id, "answered", over)
    assert contacts.list_undelivered(conn, over, 10) == []
    assert contacts.count_overdue(conn, over) == 0
    facts = contacts.contact_facts(conn, request.requester, request.subject_id, over)
    assert facts == ContactFacts(None, None)


def test_one_that_reaches_nobody_looks_the_same_to_its_requester(
    conn: Connection, contacts: Contacts
) -> None:
    relayed, kept = build_contact_request(), build_contact_request(relayed=False)
    seen = []
    for request in (relayed, kept):
        contacts.add(conn, request)
        seen.append(contacts.contact_facts(conn, request.requester, request.subject_id, NOW))
    assert seen == [ContactFacts(NOW, NOW)] * 2
    assert contacts.list_undelivered(conn, NOW, 10) == [relayed]
    assert contacts.count_overdue(conn, NOW + 6 * DAY) == 1


def test_facts_are_the_requesters_own(conn: Connection, contacts: Contacts) -> None:
    request = build_contact_request()
    contacts.add(conn, request)
    nothing = ContactFacts(None, None)
    assert contacts.contact_facts(conn, TEAM, request.subject_id, NOW) == nothing
    assert contacts.contact_facts(conn, request.requester, draw_id(), NOW) == nothing
    contacts.move(conn, request.id, "answered", NOW + DAY)
    facts = contacts.contact_facts(conn, request.requester, request.subject_id, NOW + DAY)
    assert facts == ContactFacts(NOW, None)


def test_a_request_is_relayed_until_it_arrived(conn: Connection, contacts: Contacts) -> None:
    request = build_contact_request()
    contacts.add(conn, request)
    contacts.mark_delivered(conn, request.id, NOW + DAY)
    contacts.mark_delivered(conn, request.id, NOW + 2 * DAY)
    assert contacts.list_undelivered(conn, NOW + DAY, 10) == []
    found = contacts.find(conn, request.id, NOW + DAY)
    assert found is not None
    assert found.delivered_at == NOW + DAY


def test_overdue_is_counted_from_the_fifth_day_until_answered(
    conn: Connection, contacts: Contacts
) -> None:
    requests = [build_contact_request(due_at=NOW + days * DAY) for days in (5, 3, 9)]
    for request in requests:
        contacts.add(conn, request)
    assert contacts.count_overdue(conn, NOW + 5 * DAY) == 2
    contacts.move(conn, requests[1].id, "answered", NOW + 5 * DAY)
    assert contacts.count_overdue(conn, NOW + 5 * DAY) == 1


def test_a_request_about_another_person_is_an_alarm(conn: Connection, contacts: Contacts) -> None:
    request = build_contact_request()
    contacts.add(conn, request)
    conn.execute(update(T).values(subject_id=draw_id()))
    with pytest.raises(RowMismatch):
        contacts.find(conn, request.id, NOW)


def test_what_failed_is_put_off_ever_longer_and_others_come_first(
    conn: Connection, contacts: Contacts
) -> None:
    failing, other = build_contact_request(), build_contact_request(asked_at=NOW + 3 * SECOND)
    contacts.add(conn, failing)
    contacts.add(conn, other)
    contacts.put_off(conn, failing, NOW)
    assert contacts.list_undelivered(conn, NOW + 4 * SECOND, 10) == [other]
    again = contacts.list_undelivered(conn, NOW + 5 * SECOND, 10)
    assert again == [other, replace(failing, tries=1)]
    contacts.put_off(conn, again[1], NOW + 5 * SECOND)
    assert contacts.list_undelivered(conn, NOW + 14 * SECOND, 10) == [other]
    assert len(contacts.list_undelivered(conn, NOW + 15 * SECOND, 10)) == 2


def test_one_that_cannot_be_relayed_looks_as_it_did_to_its_requester(
    conn: Connection, contacts: Contacts
) -> None:
    request = build_contact_request(occasion_id=draw_id(), audience="own")
    contacts.add(conn, request)
    before = contacts.contact_facts(conn, request.requester, request.subject_id, NOW)
    contacts.end_relaying(conn, request.id)
    assert contacts.list_undelivered(conn, NOW + DAY, 10) == []
    assert contacts.contact_facts(conn, request.requester, request.subject_id, NOW) == before
    assert contacts.find(conn, request.id, NOW) == replace(request, relayed=False)
