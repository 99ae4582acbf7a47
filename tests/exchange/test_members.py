"""Every act with every member: what belongs, what is needed, what the document says of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from broker.exchange.members import (
    MEMBERS,
    MemberMissingError,
    MemberNotAllowedError,
    Members,
    PersonCountError,
)
from connectors.client.outgoing import ROUTES
from datwat.protocol import messages
from datwat.protocol.acts import ByHandle, PersonPart, Statement
from tests.protocol.act_samples import PERSON, STATEMENT, build_person_members, build_statement

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "protocol.md"
HANDLE = ByHandle(by="handle", handle=b"handle-123456789")


def person(members: frozenset[str]) -> PersonPart:
    return PersonPart(person=HANDLE, **build_person_members(members))


def statement(members: Members, names: frozenset[str]) -> Statement | None:
    return build_statement(names) if members.has_statement else None


def persons(members: Members, names: frozenset[str]) -> tuple[PersonPart, ...]:
    """Return one person with these members; nobody where the act is about nobody."""
    return (person(names),) if members.persons else ()


def test_there_is_a_sample_of_every_member() -> None:
    assert STATEMENT.keys() | {"professional"} == Statement.model_fields.keys()
    assert PERSON.keys() | {"person"} == PersonPart.model_fields.keys()


def test_every_act_that_can_be_sent_is_in_the_table() -> None:
    kinds = (
        messages.ActObject,
        messages.IntroduceObject,
        messages.InquiryObject,
        messages.ContactRequestObject,
        messages.ReleaseObject,
        messages.FiguresObject,
    )
    types = {name for kind in kinds for name in get_args(kind.model_fields["type"].annotation)}
    assert MEMBERS.keys() == types == ROUTES.keys()


@pytest.mark.parametrize("act", MEMBERS)
def test_all_that_belongs_is_taken_and_so_is_the_least(act: str) -> None:
    members = MEMBERS[act]
    members.require(statement(members, members.statement), persons(members, members.person))
    least = statement(members, members.statement & members.needed)
    members.require(least, persons(members, members.person & members.needed))


@pytest.mark.parametrize("name", STATEMENT)
@pytest.mark.parametrize("act", MEMBERS)
def test_a_member_of_the_statement_that_does_not_belong_is_refused(act: str, name: str) -> None:
    members = MEMBERS[act]
    if name in members.statement:
        return
    stated = build_statement(members.statement | {name})
    with pytest.raises(MemberNotAllowedError) as caught:
        members.require(stated, persons(members, members.person))
    expected = f"statement.{name}" if members.has_statement else "statement"
    assert (caught.value.code, caught.value.place) == ("member_not_allowed", expected)


@pytest.mark.parametrize("name", PERSON)
@pytest.mark.parametrize("act", MEMBERS)
def test_a_member_of_a_person_that_does_not_belong_is_refused(act: str, name: str) -> None:
    members = MEMBERS[act]
    if name in members.person or not members.persons:
        return
    told: tuple[PersonPart, ...] = (person(members.person | {name}),)
    if members.persons > 1:
        told = (person(members.person), *told)
    with pytest.raises(MemberNotAllowedError) as caught:
        members.require(statement(members, members.statement), told)
    assert caught.value.code == "member_not_allowed"
    assert caught.value.place == f"persons[{len(told) - 1}].{name}"


@pytest.mark.parametrize(
    ("act", "name"),
    [(act, name) for act, members in MEMBERS.items() for name in sorted(members.needed)],
)
def test_a_needed_member_may_not_be_missing(act: str, name: str) -> None:
    members = MEMBERS[act]
    stated = statement(members, members.statement - {name})
    with pytest.raises(MemberMissingError) as caught:
        members.require(stated, (person(members.person - {name}),))
    place = f"persons[0].{name}" if name in members.person else f"statement.{name}"
    assert (caught.value.code, caught.value.place) == ("member_missing", place)


@pytest.mark.parametrize("act", MEMBERS)
def test_an_act_has_its_statement_and_a_number_of_persons(act: str) -> None:
    members = MEMBERS[act]
    one = person(members.person)
    stated = statement(members, members.statement)
    if members.has_statement:
        with pytest.raises(MemberMissingError):
            members.require(None, (one,))
    members.require(stated, (one,) * members.persons)
    for count in {0, members.persons + 1} - {members.persons}:
        with pytest.raises(PersonCountError):
            members.require(stated, (one,) * count)


class Row(NamedTuple):
    """One row of the table in section 5: members, those without `?`, and how many persons."""

    statement: frozenset[str]
    person: frozenset[str]
    needed: frozenset[str]
    persons: int
    has_statement: bool


def read_table() -> dict[str, Row]:
    section = DOCUMENT.read_text(encoding="utf-8").split("\n## 5.")[1].split("\n## 6.")[0]
    rows: dict[str, Row] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `"):
            continue
        acts, stated, told, persons, _ = cells
        marked = [re.findall(r"`([a-z_]+)`(\??)", cell) for cell in (stated, told)]
        row = Row(
            statement=frozenset(name for name, _ in marked[0]),
            person=frozenset(name for name, _ in marked[1]),
            needed=frozenset(name for cell in marked for name, may in cell if not may),
            persons=int(persons.replace(",", "")),
            has_statement=stated != "no statement",
        )
        rows |= dict.fromkeys(re.findall(r"`([a-z_]+)`", acts), row)
    return rows


def test_the_document_has_the_same_table() -> None:
    code = {
        act: Row(
            members.statement,
            members.person,
            members.needed,
            members.persons,
            members.has_statement,
        )
        for act, members in MEMBERS.items()
    }
    assert read_table() == code
