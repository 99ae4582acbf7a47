"""What a trial found, in words: no codes, no ids, no moments of computers; cases that are taken."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

import broker.pages
from broker.exchange.reading_entry import LookedEntry
from broker.pages.case_taking import CasesUnreadableError, accept_outcomes, add_cases
from broker.pages.code_names import MEMBERS, CodeNames
from broker.pages.draft_text import SHAPES, build_face
from broker.pages.model_form import Node, build_nodes
from broker.pages.oversight_port import OversightPort
from broker.pages.oversight_views import build_looked
from broker.pages.purpose_words import PurposeWords
from broker.pages.trial_views import TrialWords
from broker.policy.mutating import MutantShown, MutationResult
from broker.policy.replay_result import OutcomeShown, ReplayExample, ReplayResult, ReplayRow
from broker.policy.trial import CaseResult, MemberResult
from broker.purposes.cases import Expectation
from broker.purposes.catalogue import Catalogue
from broker.purposes.mutation import build_purpose_mutants
from broker.purposes.naming import Namer
from broker.purposes.wording import load_texts
from broker.trying.trials import MutationJob
from datwat.party.strict_yaml import read_yaml_text, write_yaml
from datwat.protocol.errors import DatwatError
from datwat.protocol.texts import Texts
from datwat.protocol.values import decode_moment
from datwat.web.i18n import Speech, load_speeches
from tests.purposes.conftest import POLICIES, catalogue

__all__ = ["catalogue"]  # a fixture
PARTNER = "00000099000000001000:social-team"
AT = decode_moment("2026-11-26T00:00:00Z")
_MACHINE = re.compile(r"\d{4}-\d\d-\d\dT|[a-z]+_[a-z_]+|[a-z]+-[a-z]+/|\b0000009|[{}\[\]]|\bTrue\b")


@pytest.fixture(scope="module")
def dutch() -> Speech:
    return load_speeches([Path(broker.pages.__file__).parent / "locale"])["nl"]


@pytest.fixture
def names(catalogue: Catalogue, dutch: Speech) -> CodeNames:
    texts = Texts(load_texts(POLICIES))
    known = {PARTNER: "Wijkteam Noord"}
    namer = Namer(catalogue, texts, "nl")
    return CodeNames(namer, texts, dutch.say, lambda party: known.get(party, "–"))


def nodes_of(catalogue: Catalogue, purpose: str, dutch: Speech) -> tuple[Node, ...]:
    held = catalogue.find_newest(purpose)
    assert held is not None
    face = build_face(write_yaml(held.model_dump(mode="json", exclude_defaults=True)))
    assert not face.is_yaml
    words = PurposeWords(Namer(catalogue, Texts(load_texts(POLICIES)), "nl"), dutch.say)
    return build_nodes(SHAPES, face.values, words)


def replay(**members: Any) -> ReplayResult:  # noqa: ANN401 - members of the result
    plain: dict[str, Any] = {
        "number": 1, "state": "done", "purpose": "debt_counselling", "digest": "0" * 64,
        "is_withdrawal": False, "base_seq": 1, "base_revision": "r", "from_index": 0,
        "at_index": 9, "to_index": 9, "started_at": AT, "ended_at": AT, "weighed": 9, "same": 8,
        "newly_allowed": 1, "newly_refused": 0, "changed": 0, "drifted": 0, "mapped": 0,
        "other": 0, "erased": 0, "damaged": 0, "damaged_at": (), "rows": (), "waiting": None,
        "examples": (), "needs_sign_off": True, "signed_off_at": None,
    }  # fmt: skip
    return ReplayResult.model_validate({**plain, **members})


def test_a_row_of_a_replay_says_titles_and_texts(
    catalogue: Catalogue, names: CodeNames, dutch: Speech
) -> None:
    row = ReplayRow(
        purpose="debt_counselling",
        partner=PARTNER,
        effect="newly_allowed",
        count=3,
        gained={
            "field:totaal_schuld": 2,
            "kind:income/income_support": 1,
            "obligation:delete_after": 3,
            "obligation:keep_confidential": 3,
        },
        lost={},
    )
    gone = row.model_copy(update={"partner": "00000099000000001000:school", "purpose": "no_more"})
    (said, other) = TrialWords(names, dutch.say).view_replay(replay(rows=(row, gone))).rows
    purpose = catalogue.find_newest("debt_counselling")
    assert purpose is not None
    assert said[0] == purpose.title.nl
    assert said[1] == "Wijkteam Noord"
    assert not any(_MACHINE.search(cell) for cell in said)
    assert "Verwijder de gegevens na … dagen." in said[4]
    assert other[:2] == ("no_more", "school")  # in no force any more: only its id is left


def test_an_example_says_why_not_and_how_far(names: CodeNames, dutch: Speech) -> None:
    example = ReplayExample(
        purpose="debt_counselling",
        partner=PARTNER,
        effect="newly_allowed",
        act="inquire",
        occasion="help_request",
        asked_rung="dat",
        product=None,
        before=OutcomeShown(permit=False, rung="none", unmet=("requester_in_purpose",)),
        after=OutcomeShown(permit=True, rung="dat", unmet=()),
        gained=(),
        lost=(),
    )
    (said,) = TrialWords(names, dutch.say).view_replay(replay(examples=(example,))).examples
    assert said[1:3] == ("Wijkteam Noord", "hulpvraag")
    assert said[3] == "Geweigerd. De vrager moet voor dit doel mogen vragen."
    assert said[4] == "Mag, tot en met: dat (wie betrokken is)"


@pytest.mark.parametrize("purpose", ["debt_counselling", "coordinate_family_help", "own_access"])
def test_every_change_of_a_mutant_is_said_by_the_words_of_the_form(
    catalogue: Catalogue, names: CodeNames, dutch: Speech, purpose: str
) -> None:
    held = catalogue.find_newest(purpose)
    assert held is not None

    def spell(value: object) -> str:
        return value if isinstance(value, str) else orjson.dumps(value).decode()

    shown = tuple(
        MutantShown(
            member=one.member,
            kind=one.kind,
            before=spell(one.before),
            after="" if one.kind == "removed" else spell(one.after),
            sentence=None,
            proposal=None,
        )
        for one in build_purpose_mutants(held)
        # A moment, a code with an x behind it: no purpose any more, so never shown.
        if one.member not in ("valid_from", "valid_until") and not str(one.after).endswith("x")
    )
    result = MutationResult(
        purpose=purpose, digest="0" * 64, total=len(shown), noticed=0, refused=0, failing=(),
        unnoticed=shown,
    )  # fmt: skip
    job = MutationJob("0" * 64, result=result)
    nodes = nodes_of(catalogue, purpose, dutch)
    view = TrialWords(names, dutch.say).view_mutation(job, nodes)
    assert len(view.unnoticed) > 5
    for one in view.unnoticed:
        assert not _MACHINE.search(one.change), one.change


def test_every_member_of_an_expectation_has_a_name() -> None:
    members = set(Expectation.model_fields) - {"unmet"}  # that is what stands blade by blade
    assert members <= set(MEMBERS)


def test_what_a_case_expects_is_said_in_words(names: CodeNames) -> None:
    assert names.value("notice", "'later'") == "later"
    assert names.value("audience", "'own'") == "alleen de inwoner zelf"
    assert names.value("permit", "False") == "nee"
    caps = names.value("caps", "{'income/income_support': 'dat/category'}")
    assert caps.endswith("uitkering: dat (wie betrokken is) / soort (welke soort hulp)")
    withheld = names.value("withheld", "{'totaal_schuld': 'field_not_in_purpose'}")
    assert "totaal_schuld" not in withheld
    assert withheld.startswith("Dit gegeven is niet nodig voor het doel. (")
    assert names.value("fields", "[]") == "–"


ONE = "- name: 'proposed: a'\n  base: inquire\n  expect: {permit: true}\n"
TWO = "- name: 'proposed: b'\n  base: release\n  expect:\n    permit: false\n"


@pytest.mark.parametrize(
    "text",
    [
        "purpose: p\ncases:\n- name: one # mine\n  base: inquire\n  expect: {permit: true}\n",
        "purpose: p\ncases:\n  - name: one # mine\n    base: inquire\n    expect: {permit: true}",
        "purpose: p\ncases: [{name: one, base: inquire, expect: {permit: true}}]\n",
        "cases:\n  - name: one\n    base: inquire\n    expect: {permit: true}\npurpose: p\n",
        "",
        "\n",
    ],
)
def test_proposed_cases_stand_below_what_was_typed(text: str) -> None:
    held = read_yaml_text(text, "t", DatwatError) or {"cases": []}
    added = add_cases(text, "p", [ONE, TWO])
    read = read_yaml_text(added, "t", DatwatError)
    assert read["purpose"] == "p"
    assert read["cases"][: len(held["cases"])] == held["cases"]
    assert [one["name"] for one in read["cases"][-2:]] == ["proposed: a", "proposed: b"]
    assert ("# mine" in text) == ("# mine" in added)  # what was typed stays, remarks too


@pytest.mark.parametrize("text", ["cases: [", "- one\n", "cases: none\n", "just words"])
def test_proposed_cases_are_not_put_under_what_cannot_be_read(text: str) -> None:
    with pytest.raises(CasesUnreadableError):
        add_cases(text, "p", [ONE])


def result(name: str, *members: tuple[str, str]) -> CaseResult:
    return CaseResult(
        file="p",
        name=name,
        purpose="p",
        passed=not members,
        blades=(),
        members=tuple(
            MemberResult(member=one, expected="?", found=found) for one, found in members
        ),
    )


def test_what_came_out_is_taken_over_where_it_was_asked_for() -> None:
    text = (
        "purpose: p\ncases:\n"
        "- {name: a, base: inquire, expect: {permit: true, fields: [x], params: {one: {n: 1}}}}\n"
        "- {name: b, base: inquire, expect: {permit: true}}\n"
    )
    came = result(
        "a",
        ("fields", "['x', 'y']"),
        ("unmet", "['some_code']"),
        ("params", "{'one': {'n': 2}, 'two': {'n': 3}}"),
    )
    first, second = read_yaml_text(accept_outcomes(text, [came]), "t", DatwatError)["cases"]
    assert first["expect"] == {
        "permit": True,
        "fields": ["x", "y"],
        "params": {"one": {"n": 2}},  # what the case did not name, it does not name now
        "unmet": ["some_code"],
    }
    assert second == {"name": "b", "base": "inquire", "expect": {"permit": True}}


@pytest.mark.parametrize("text", ["", "cases: [", "purpose: p\ncases: [{name: b, expect: {}}]\n"])
def test_nothing_is_taken_over_into_other_cases(text: str) -> None:
    with pytest.raises(CasesUnreadableError):
        accept_outcomes(text, [result("a", ("permit", "True"))])


def test_what_a_professional_wrote_stands_at_the_name_of_its_blade(
    catalogue: Catalogue, names: CodeNames, dutch: Speech
) -> None:
    entry = LookedEntry(
        number=7, at=AT, waits=False, act="release", partner=PARTNER, staff="s", role="r",
        purpose="debt_counselling", occasion=None, source=PARTNER, product="inkomenssituatie",
        rung="wat", permit=True, fields_asked=("contact", "beslag"), fields_given=(), shown=(),
        findings=(), motivation={"proportionality": "Alleen dit."}, internal_reason=None,
        special_reason=None,
    )  # fmt: skip
    visit: Any = SimpleNamespace(speech=dutch, say=dutch.say)  # all that words need of a visit
    port = OversightPort(
        service=cast("Any", None), name=str, say=lambda code, _language: code, list_partners=list
    )
    looked = build_looked(visit, port, entry, catalogue.products, names)
    assert looked.texts == [("proportionaliteit", "Alleen dit.")]
    assert ("Gevraagde velden", "Contactpersoon, Beslag") in looked.facts
    assert ("Toegestane velden", "–") in looked.facts
