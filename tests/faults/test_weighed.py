"""What is stated wrongly is weighed, explained and logged, like any other refusal."""

from __future__ import annotations

from typing import Any

import pytest

from datwat.protocol.answers import InquiryPart, ReleasePart
from datwat.protocol.messages import Core, OutcomeCore
from tests.connectors.client.bsns import BSNS
from tests.faults.conftest import LATER
from tests.faults.world import (
    FIELDS,
    PURPOSE,
    Direct,
    FaultCovenant,
    Seen,
    build_release,
    inquire,
    open_child,
    unmet,
)

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("faults-asked")]


@pytest.fixture(scope="module")
def child(asked: FaultCovenant) -> Seen:
    with Direct(asked, "social-team") as team:
        return open_child(team, BSNS[5])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": "no_such_purpose"}, "known_purpose"),
        ({"digest": "0" * 64}, "known_purpose"),
        ({"id": LATER}, "valid_purpose"),
    ],
)
def test_a_purpose_that_is_unknown_or_not_in_force_is_a_refusal_with_its_entry(
    asked: FaultCovenant, asked_team: Direct, child: Seen, change: dict[str, str], code: str
) -> None:
    known = asked_team.purpose(LATER if change.get("id") == LATER else PURPOSE)
    purpose = {**known, **change}
    size = asked.entry_count
    answer = inquire(asked_team, child.occasion, child.handle, purpose=purpose)
    require_refused(asked, answer, size, code)
    sent = build_release(asked_team, child, asked.partners["youth-help"].id, purpose=purpose)
    refused = asked_team.verify(asked_team.send(sent), sent)
    part, core = refused.persons[0].part, refused.persons[0].core
    assert isinstance(part, ReleasePart)
    assert isinstance(core, Core)
    assert (part.fields, core.type, refused.envelope) == ((), "refusal", None)
    assert code in unmet(part.weighing)
    assert asked.entry_count == size + 2


def require_refused(asked: FaultCovenant, answer: Any, size: int, code: str) -> None:  # noqa: ANN401
    (person,) = answer.persons
    assert isinstance(person.part, InquiryPart)
    assert not person.part.weighing.permitted
    assert person.part.pointers == ()
    assert code in unmet(person.part.weighing)
    assert person.part.weighing.remedies
    assert (person.core.type, person.index) == ("inquiry", size)
    assert asked.entry_count == size + 1


def test_another_team_s_occasion_is_a_refusal_with_its_entry(
    asked: FaultCovenant, asked_team: Direct, child: Seen
) -> None:
    with Direct(asked, "school") as other:
        own = open_child(other, BSNS[5], must_see=False)
        size = asked.entry_count
        answer = inquire(other, child.occasion, own.handle)
        require_refused(asked, answer, size, "occasion_own")
        size = asked.entry_count
        invented = inquire(other, bytes(16), own.handle)
        require_refused(asked, invented, size, "occasion_own")
    # A guessed occasion and another team's cannot be told apart.
    assert answer.persons[0].part.weighing == invented.persons[0].part.weighing


def test_fields_outside_the_purpose_are_withheld_and_those_inside_given(
    asked: FaultCovenant, asked_team: Direct, child: Seen
) -> None:
    size = asked.entry_count
    fields = [*FIELDS, "start", "no_such_field"]
    sent = build_release(asked_team, child, asked.partners["youth-help"].id, fields=fields)
    answer = asked_team.verify(asked_team.send(sent), sent)
    part, core = answer.persons[0].part, answer.persons[0].core
    assert isinstance(part, ReleasePart)
    assert isinstance(core, OutcomeCore)
    assert (set(part.fields), core.failure) == (set(FIELDS), None)
    assert {one.field for one in part.withheld} == {"start", "no_such_field"}
    assert all(one.code for one in part.withheld)
    assert answer.envelope is not None
    assert asked.entry_count == size + 2


def test_a_release_by_a_guessed_involvement_is_a_refusal_with_its_entry(
    asked: FaultCovenant, asked_team: Direct, child: Seen
) -> None:
    size = asked.entry_count
    guessed = Seen(child.occasion, child.handle, bytes(16))
    sent = build_release(asked_team, guessed, asked.partners["youth-help"].id)
    answer = asked_team.verify(asked_team.send(sent), sent)
    core = answer.persons[0].core
    assert isinstance(core, Core)
    assert (core.type, answer.envelope) == ("refusal", None)
    assert asked.entry_count == size + 1
