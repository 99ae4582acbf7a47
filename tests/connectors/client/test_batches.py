"""How rows become messages: each row once, nobody twice in one, and none too large to be heard."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.client.outgoing import (
    Draft,
    Lookup,
    Person,
    build_envelope_members,
    build_sent,
    draw_rid,
)
from connectors.client.registrations import build_registration, split_batches
from connectors.client.requests import RegistrationRow
from datwat.protocol.acts import Contact
from datwat.protocol.canonical import MAX_BYTES
from datwat.protocol.keys import SigningKey
from tests.connectors.client.written import PARTNER_ID, STATEMENT
from tests.party.covenant import BROKER_ID, now

KEY = SigningKey.generate()


def row(contact: Contact) -> RegistrationRow:
    return RegistrationRow(client="K-1", kind="youth_help", contact=contact, since_at=now())


def ready(names: Sequence[bytes], contact: Contact) -> list[tuple[int, RegistrationRow, Person]]:
    registered = row(contact)
    members = build_registration(registered)
    return [
        (place, registered, Person(handle=name, members=members))
        for place, name in enumerate(names)
    ]


@given(st.lists(st.integers(0, 5), max_size=12))
def test_every_row_goes_out_once_and_nobody_twice_in_one_message(names: list[int]) -> None:
    rows = ready([bytes([name]) * 16 for name in names], Contact(role="Desk"))
    batches = list(split_batches(rows))
    assert sorted(place for batch in batches for place, _, _ in batch) == list(range(len(names)))
    for batch in batches:
        handles = [person.handle for _, _, person in batch]
        assert len(set(handles)) == len(handles)
        assert [place for place, _, _ in batch] == sorted(place for place, _, _ in batch)
    assert len(batches) == max((names.count(name) for name in names), default=0)


def test_a_message_has_at_most_a_thousand_persons() -> None:
    rows = ready([os.urandom(16) for _ in range(1_001)], Contact(role="Desk"))
    assert [len(batch) for batch in split_batches(rows)] == [1_000, 1]


@pytest.mark.parametrize("length", [40, 50, 60, 70, 200])
def test_rows_of_every_length_fit_into_what_a_broker_hears(length: int) -> None:
    """Persons by BSN: what stands for one in the message is longer than a handle."""
    text = "é" * length
    contact = Contact(role=text, name=text, phone=text, email=text)
    members = build_registration(row(contact))
    rows = [(place, None, Person(bsn=f"{place:09}", members=members)) for place in range(1_000)]
    batches = list(split_batches(rows))
    assert len(batches) < 10  # full, and not a row each
    for batch in batches:
        persons = [person for _, _, person in batch]
        sent = build_sent(
            Draft("register", persons, STATEMENT),
            Lookup(tuple(os.urandom(32) for _ in persons), os.urandom(600)),
            envelope=build_envelope_members("register", PARTNER_ID, BROKER_ID, now(), draw_rid()),
            rid=os.urandom(16),
            key=KEY,
        )
        assert len(sent.wire) <= MAX_BYTES
