"""A draft's cases replace all of its purpose: who approves reads what that takes out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from broker.commands.approval_check import NotAsShownError, require_as_shown
from broker.policy.authoring_ports import open_archive
from broker.policy.bundle import rebuild_archive
from broker.policy.candidate import Candidate, build_revision, build_roll_back, build_withdrawal
from broker.policy.draft_reading import Ground, read_draft
from broker.policy.publication import build_publication
from broker.purposes.bundled_cases import read_bases, read_cases
from broker.purposes.case_texts import write_case_text
from broker.purposes.drafts import DraftRow, DraftWords
from datwat.party.strict_yaml import read_yaml_text, write_yaml
from datwat.protocol.errors import DatwatError
from tests.authoring.test_as_shown import BY, KEYS, NOW, show, smuggle
from tests.authoring.world import PURPOSE, Office, number
from tests.exchange.world import POLICIES

Cases = list[dict[str, Any]]


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground.of(open_archive(build_publication(POLICIES), 1))


def write_cases(ground: Ground, change: Callable[[Cases], Cases]) -> str:
    """Return the cases in force of the purpose, changed, as an officer's file."""
    own = [one for one in read_cases(ground.bundle.cases) if one.purpose == PURPOSE]
    text = write_case_text(own, read_bases(ground.bundle.cases))
    read = read_yaml_text(text, "cases", DatwatError)
    return write_yaml({**read, "cases": change(read["cases"])})


def revise(ground: Ground, cases: str, value: int = 1) -> Candidate:
    newest = ground.catalogue.find_newest(PURPOSE)
    assert newest is not None
    members = newest.model_dump(mode="json", exclude_defaults=True)
    when = (newest.valid_from + timedelta(days=400)).strftime("%Y-%m-%dT00:00:00Z")
    text = write_yaml({**members, "valid_from": when, "sentence": number(value)})
    words = DraftWords(
        author="a", organisation="o", purpose=PURPOSE, text=text, cases=cases, base_digest=None
    )
    row = DraftRow(b"1" * 16, words, NOW, NOW)
    return build_revision(ground, read_draft(text, cases, ground, NOW), row, ground.bundle.seq + 1)


def change_some(cases: Cases) -> Cases:
    """Take the first two out, rename nothing, expect less of the third, and add one."""
    first, second, third, *rest = cases
    del first, second
    expect = {name: third["expect"][name] for name in ("permit", "unmet")}
    return [{**third, "expect": expect}, *rest, {**third, "name": "one more"}]


def count(ground: Ground) -> int:
    return sum(one.purpose == PURPOSE for one in read_cases(ground.bundle.cases))


def test_what_goes_comes_and_changes_is_said_and_signed(ground: Ground) -> None:
    made = revise(ground, write_cases(ground, change_some)).words
    stay = count(ground) - 3
    dutch = f"Gevallen die dit doel bewaken: 2 vervallen, 1 nieuw, 1 anders, {stay} blijven zo."
    english = f"Cases that guard this purpose: 2 go, 1 new, 1 changed, {stay} stay as they are."
    gone = "“a help request”, “who is involved”"
    told = (dutch, f"Let op, dit wordt niet meer bewaakt: {gone}.")
    assert made.changes_nl[-2:] == told
    assert made.text_nl.endswith("\n".join(told) + "\n")
    told = (english, f"Mind, this is guarded no more: {gone}.")
    assert made.changes_en[-2:] == told
    assert made.text_en.endswith("\n".join(told) + "\n")


def test_cases_that_stay_as_they_are_are_not_worth_a_line(ground: Ground) -> None:
    """A later beginning and another digest move every case along, and change none."""
    untouched = revise(ground, write_cases(ground, lambda cases: cases)).words
    kept = revise(ground, "").words
    assert untouched.text_nl == kept.text_nl
    assert untouched.changes_en == kept.changes_en
    assert "bewaken" not in kept.text_nl
    # So does the next revision, which begins later still.
    later = Ground.of(open_archive(revise(ground, write_cases(ground, change_some)).archive, 2))
    again = revise(later, write_cases(later, lambda cases: cases), 2).words
    assert "bewaken" not in again.text_nl


def test_many_that_go_are_counted_and_ten_are_named(ground: Ground) -> None:
    made = revise(ground, write_cases(ground, lambda cases: cases[-2:])).words
    assert count(ground) > 12
    assert made.changes_en[-1].count("“") == 10
    assert made.changes_en[-1].endswith(f" and {count(ground) - 12} more.")


def test_two_cases_of_one_name_are_two(ground: Ground) -> None:
    twice = revise(ground, write_cases(ground, lambda cases: [*cases, cases[0]]))
    assert "0 go, 1 new, 0 changed" in twice.words.changes_en[-1]
    later = Ground.of(open_archive(twice.archive, 2))
    once = revise(later, write_cases(later, lambda cases: cases[:-1]), 2)
    assert "1 go, 0 new, 0 changed" in once.words.changes_en[-2]


def test_an_approvers_own_machine_finds_the_same_or_signs_nothing(ground: Ground) -> None:
    made = revise(ground, write_cases(ground, change_some))
    require_as_shown(show(made, ground), KEYS)
    quiet = revise(ground, "")
    require_as_shown(show(quiet, ground), KEYS)
    # A broker that says nothing of the cases that go, or of other ones than those that do.
    bundle = open_archive(made.archive, 2)
    others = [one for one in read_cases(bundle.cases) if one.purpose != PURPOSE]
    lies = (
        {**show(made, ground), "changes_nl": list(quiet.words.changes_nl)},
        smuggle(quiet, made.archive, ground),
        smuggle(made, rebuild_archive(bundle, cases=others), ground),
    )
    for lie in lies:
        with pytest.raises(NotAsShownError):
            require_as_shown(lie, KEYS)


def test_a_withdrawal_and_a_roll_back_say_it_too(ground: Ground) -> None:
    gone = build_withdrawal(ground, PURPOSE, None, BY, 2)
    lines = [one for one in gone.words.changes_en if one.startswith(f"{PURPOSE}: Cases")]
    assert [f"{count(ground)} go, 0 new" in one for one in lines] == [True]
    require_as_shown(show(gone, ground), KEYS)
    later = Ground.of(open_archive(revise(ground, write_cases(ground, change_some)).archive, 2))
    back = build_roll_back(later, ground.bundle, 1, BY, 3)
    assert any("1 go, 2 new, 1 changed" in one for one in back.words.changes_en)
    assert f"{PURPOSE}: Mind, this is guarded no more: “one more”." in back.words.changes_en
    assert back.words.text_en.endswith(back.words.changes_en[-1])
    require_as_shown(show(back, later), KEYS)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_author_sees_it_before_anybody_approves(office: Office) -> None:
    ground = office.authoring.grounds.read()
    cases = write_cases(ground, change_some)
    text = office.write(PURPOSE, sentence=number(840))
    seen = office.authoring.preview(text, cases, "nl")
    assert any("2 vervallen, 1 nieuw" in one for one in seen.changes)
    assert not any("bewaken" in one for one in office.authoring.preview(text, "", "nl").changes)
