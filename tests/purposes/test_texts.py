"""Everything that people read has a text in plain Dutch and in English, and nothing else has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import get_args

import pytest

from broker.involvement.contacts import ShownState
from broker.involvement.involvements import EndReason
from broker.policy.decision import Decision
from broker.purposes.acts import ACTS
from broker.purposes.cases import Case
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Domain
from broker.purposes.wording import load_texts
from datwat.protocol.acts import Authority, CloseOccasion, Handler, Reaction, SpecialSituation
from datwat.protocol.messages import BLADES, RUNGS, FailureCode, LegalBasis
from datwat.protocol.texts import LANGUAGES, Param, Texts
from datwat.protocol.values import Value
from tests.mutate.engine import Engine
from tests.purposes.conftest import POLICIES, weigh

PLACE = re.compile(r"\{([a-z_]+)\}")
SENTENCE = re.compile(r"(?<=[.?!])\s+")
LONGEST_SENTENCE = 15
AIM = 10
# A role in a household is free text on the wire; these are the usual ones, for a page to offer.
MEMBER_ROLES = {
    *("father", "mother", "parent", "child", "son", "daughter", "pupil", "adult", "adult_child"),
    *("partner", "ex_partner", "carer", "resident"),
}
VERDICTS = {"meets_conditions", "does_not_meet_conditions", "condition_met", "condition_unmet"}
# What the broker notes of an act besides the reasons that a partner may state.
NOTED = {"registered", "reconfirmed", "annulled", "noted"}
# What a card of the broker's own says (who acts, why contents are gone): the portal's entry page.
PORTAL_READS = {"broker", "reason_on_request", "reason_failure"}
# What an officer decided, and the remedy that the answer names: the portal's entry page too.
ANSWERS = {
    *("upheld", "rejected", "administrative", "court"),
    *("review_justified", "review_unjustified", "dispute_stands", "dispute_fallen"),
    *("no_breach", "breach"),
}
STIFF = re.compile(
    r"\b(je|jij|jouw|indien|middels|conform|derhalve|teneinde|alsmede|betreffende|inzake"
    r"|geschiedt|dient|dienen|voornoemde|AVG|UAVG|BSN|artikel \d)\b"
)


@pytest.fixture(scope="module")
def texts() -> dict[str, dict[str, str]]:
    return load_texts(POLICIES)


@pytest.fixture(scope="module")
def decisions(opa: Engine, cases: tuple[Case, ...]) -> list[Decision]:
    """What a real OPA decides on every case of the policies."""
    decided = weigh(opa, [case.question for case in cases])
    return [Decision.model_validate_json(json.dumps(one)) for one in decided]


def list_emitted(decision: Decision) -> Iterator[tuple[str, dict[str, Param]]]:
    """Yield every code of a decision that somebody reads, with its parameters."""
    for finding in decision.findings:
        yield finding.code, dict(finding.params)
    for obligation in decision.obligations:
        yield obligation.code, dict(obligation.params)
    plain = [*decision.remedies, *decision.alternatives]
    plain += [one.code for one in decision.withheld]
    plain += [*decision.scope.domains, *decision.scope.cannot_see]
    plain += [name.replace("-", "_") for name in decision.scope.functions]
    for code in plain:
        yield code, {}


def read_rego() -> str:
    sources = sorted(POLICIES.glob("datwat/**/*.rego"))
    return "\n".join(
        path.read_text(encoding="utf-8") for path in sources if not path.stem.endswith("_test")
    )


def find_rego_codes() -> set[str]:
    """Return the codes that Rego writes itself: obligations, reasons to withhold, alternatives."""
    rego = read_rego()
    listed = re.search(r"^alternatives := \[(.*?)\]", rego, re.MULTILINE | re.DOTALL)
    assert listed
    return {
        *re.findall(r'"code": "([a-z_]+)"', rego),
        *re.findall(r'"(field_[a-z_]+)"', rego),
        *re.findall(r'^(?:default )?otherwise := "([a-z_]+)"', rego, re.MULTILINE),
        *re.findall(r'"([a-z_]+)"', listed[1]),
        *re.findall(r'"remedies": \["([a-z_]+)"\]', rego),
    }


def list_values(model: type[Value], member: str) -> set[str]:
    return set(get_args(model.model_fields[member].annotation))


def name(prefix: str, values: set[str]) -> set[str]:
    return {f"{prefix}_{value}" for value in values}


def list_catalogue_codes(catalogue: Catalogue) -> set[str]:
    covenant = catalogue.covenant
    return {
        *catalogue.codes,
        *(code.remedy for code in catalogue.codes.values() if code.remedy),
        *catalogue.kinds,
        *catalogue.purposes,
        *catalogue.products,
        *(function.replace("-", "_") for function in covenant.functions),
        *covenant.occasions,
        *covenant.grounds,
    }


def list_protocol_codes() -> set[str]:
    modes = list_values(LegalBasis, "mode") - {"no_objection"}  # which is a finding of that name
    return {
        *BLADES,
        *name("question", set(BLADES)),
        *RUNGS,
        *ACTS,
        *get_args(Domain),
        *get_args(FailureCode),
        *modes,
        "no_objection_written",
        *list_values(Handler, "role"),
        *name("goals_reached", list_values(CloseOccasion, "goals_reached")),
        *name("reaction", set(get_args(Reaction))),
        *name("authority_kind", list_values(Authority, "kind")),
        *name("opening", list_values(SpecialSituation, "opening")),
        *name("contact_state", {*get_args(ShownState), "relayed", "not_relayed"}),
        *name("reason", {*get_args(EndReason), *list_values(CloseOccasion, "reason"), *NOTED}),
        *PORTAL_READS,
    }


def split_sentences(text: str) -> list[str]:
    return [one for one in SENTENCE.split(text) if one]


def is_sentence(text: str) -> bool:
    return text[0].isupper() and len(text.split()) > 2


def test_every_code_that_is_read_has_a_text_and_no_text_is_unused(
    catalogue: Catalogue, texts: dict[str, dict[str, str]]
) -> None:
    read = list_catalogue_codes(catalogue) | find_rego_codes() | list_protocol_codes()
    read |= MEMBER_ROLES | VERDICTS | ANSWERS
    for language in LANGUAGES:
        assert sorted(read - set(texts[language])) == []
        assert sorted(set(texts[language]) - read) == []


def test_whatever_is_decided_can_be_said_in_both_languages(
    catalogue: Catalogue, decisions: list[Decision], texts: dict[str, dict[str, str]]
) -> None:
    say = Texts(texts)
    said: set[str] = set()
    for decision in decisions:
        for code, params in list_emitted(decision):
            for language in LANGUAGES:
                assert "{" not in say.require_text(code, language, params)
            said.add(code)
    # The cases reach what is written, so that the loop above proves something.
    assert {"asked_rung_open", "delete_after", "inform_by", "inform_later"} <= said
    assert len(said) > len(catalogue.codes)


def test_parameters_are_those_that_the_policies_give(
    decisions: list[Decision], texts: dict[str, dict[str, str]]
) -> None:
    given: dict[str, set[str]] = {}
    for decision in decisions:
        for code, params in list_emitted(decision):
            given[code] = given.get(code, set(params)) & set(params)
    for code in texts["nl"]:
        asked = {language: set(PLACE.findall(texts[language][code])) for language in LANGUAGES}
        assert asked["nl"] == asked["en"], code
        assert asked["nl"] <= given.get(code, set()), code


def test_dutch_sentences_are_short_and_plain(texts: dict[str, dict[str, str]]) -> None:
    lengths = []
    for code, text in texts["nl"].items():
        assert not STIFF.search(text), code
        for sentence in split_sentences(text):
            words = len(sentence.split())
            assert words <= LONGEST_SENTENCE, f"{code}: {sentence}"
            lengths += [words] if is_sentence(sentence) else []
    assert sum(lengths) / len(lengths) <= AIM


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_is_a_whole_sentence_or_a_name(
    texts: dict[str, dict[str, str]], language: str
) -> None:
    for code, text in texts[language].items():
        assert text == " ".join(text.split()), code
        if text[0].isupper() and text != "Veilig Thuis" and not text.startswith("Wmo"):
            assert text[-1] in ".?", code
        else:
            assert "." not in text, code


def test_findings_remedies_and_failures_are_sentences(
    catalogue: Catalogue, texts: dict[str, dict[str, str]]
) -> None:
    codes = set(catalogue.codes) | find_rego_codes() | set(get_args(FailureCode))
    codes |= {code.remedy for code in catalogue.codes.values() if code.remedy}
    for language in LANGUAGES:
        assert sorted(code for code in codes if texts[language][code][-1] not in ".?") == []
