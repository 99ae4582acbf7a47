"""The controlled language against the real OPA: what reads the same decides the same.

And the other way round: each numbered sentence says something that some question notices.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from broker.purposes.cases import Case
from broker.purposes.catalogue import Catalogue
from broker.purposes.index import derive_visible
from broker.purposes.models import Edge, Purpose, Wording
from broker.purposes.sentences import Sentence, find_sentence, list_rules, write_sentences
from datwat.protocol.catalogue import Language
from datwat.protocol.texts import LANGUAGES, Param, Texts
from tests.mutate.engine import Engine
from tests.words.deciding import decide
from tests.words.leaves import (
    Changed,
    apply_change,
    change_each,
    find_other_edge,
    list_changes,
)
from tests.words.questions import OCCASIONS, draw_question

NAMES = ("coordinate_family_help", "debt_counselling", "school_attendance", "wmo_intake")
QUESTIONS = 12
# Quotes that close, ends of sentences, and what formatting could read as a place.
STRANGE = st.text("”“’.,;: 1{}[]()Wgs\\", min_size=1, max_size=12)


class Blind(Texts):
    """Texts in which everything has one name: nothing is told apart by it."""

    def render(
        self, code: str, language: Language, params: Mapping[str, Param] | None = None
    ) -> str:
        return "iets"


def read(purpose: Purpose, catalogue: Catalogue, texts: Texts, language: Language) -> list[str]:
    return [one.line for one in list_rules(write_sentences(purpose, catalogue, texts, language))]


def draw_reworded(data: st.DataObject, purpose: Purpose) -> Purpose:
    """The purpose with nothing changed that is weighed: words, and the order of everything."""
    words = Wording(nl=data.draw(STRANGE), en=data.draw(STRANGE))
    edges = []
    for edge in data.draw(st.permutations(purpose.edges)):
        fields = tuple(
            item.model_copy(update={"why": words})
            for item in data.draw(st.permutations(edge.fields))
        )
        grounds = dict(data.draw(st.permutations(list(edge.grounds.items()))))
        edges.append(edge.model_copy(update={"fields": fields, "grounds": grounds}))
    change: dict[str, Any] = {
        "title": words,
        "sentence": words,
        "owner": data.draw(STRANGE),
        "legal_check": data.draw(st.sampled_from(["open", "confirmed"])),
        "articles": tuple(data.draw(st.permutations(purpose.articles)))[:1],
        "edges": tuple(edges),
        "requesters": tuple(data.draw(st.permutations(purpose.requesters))),
        "sees": dict(data.draw(st.permutations([*purpose.sees.items(), ("shelter_stay", "none")]))),
        "occasions": dict(data.draw(st.permutations(list(purpose.occasions.items())))),
    }
    return purpose.model_copy(update=change)


def draw_variant(data: st.DataObject, purpose: Purpose, catalogue: Catalogue) -> Purpose:
    """The purpose after a few changes of any member, articles with strange signs among them."""
    for _ in range(data.draw(st.integers(0, 2))):
        changes = list_changes(purpose, catalogue)
        path, value = changes[data.draw(st.integers(0, len(changes) - 1))]
        purpose = apply_change(purpose, path, value) or purpose
    if len(purpose.edges) > 0 and data.draw(st.booleans()):
        first: Edge = purpose.edges[0]
        locks = {"giver_article": data.draw(STRANGE), "taker_article": data.draw(STRANGE)}
        purpose = purpose.model_copy(
            update={"edges": (first.model_copy(update=locks), *purpose.edges[1:])}
        )
    return draw_reworded(data, purpose) if data.draw(st.booleans()) else purpose


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_what_reads_the_same_decides_the_same(
    opa: Engine, catalogue: Catalogue, cases: tuple[Case, ...], texts: Texts, data: st.DataObject
) -> None:
    held = catalogue.find_newest(data.draw(st.sampled_from(NAMES)))
    assert held is not None
    one = draw_variant(data, held, catalogue)
    other = draw_variant(data, one, catalogue)
    names = [texts, Texts({}), Blind({})][data.draw(st.integers(0, 2))]
    language = data.draw(st.sampled_from(LANGUAGES))
    same = read(one, catalogue, names, language) == read(other, catalogue, names, language)
    event("same text" if same else "other text")
    questions = [draw_question(data, one, catalogue, cases) for _ in range(QUESTIONS)]
    decided = decide(opa, catalogue, [one, other], questions)
    if same:
        assert decided[0] == decided[1]


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_words_and_order_are_neither_said_nor_decided(
    opa: Engine, catalogue: Catalogue, cases: tuple[Case, ...], texts: Texts, data: st.DataObject
) -> None:
    held = catalogue.find_newest(data.draw(st.sampled_from(NAMES)))
    assert held is not None
    other = draw_reworded(data, held)
    for language in LANGUAGES:
        assert read(held, catalogue, texts, language) == read(other, catalogue, texts, language)
    questions = [draw_question(data, held, catalogue, cases) for _ in range(QUESTIONS)]
    decided = decide(opa, catalogue, [held, other], questions)
    assert decided[0] == decided[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_weighed_member_changes_the_text_and_no_other_does(
    catalogue: Catalogue, texts: Texts, language: Language
) -> None:
    silent: list[str] = []
    loud: list[str] = []
    members: set[str] = set()
    for purpose in catalogue.list_newest():
        said = read(purpose, catalogue, texts, language)
        for changed in change_each(purpose, catalogue):
            members.update(step for step in changed.path if isinstance(step, str))
            differs = read(changed.purpose, catalogue, texts, language) != said
            if differs != changed.is_weighed and not has_no_effect(changed, purpose, catalogue):
                (loud if differs else silent).append(f"{purpose.id}: {changed.place}")
    assert not silent
    assert not loud
    assert {*Purpose.model_fields, *Edge.model_fields} <= members


@pytest.mark.parametrize("names", [Blind({}), Texts({})], ids=["one name", "no names"])
def test_names_that_are_alike_hide_nothing(catalogue: Catalogue, names: Texts) -> None:
    purpose = catalogue.find_newest("debt_counselling")
    assert purpose is not None
    said = read(purpose, catalogue, names, "nl")
    silent = [
        changed.place
        for changed in change_each(purpose, catalogue)
        if changed.is_weighed
        and not has_no_effect(changed, purpose, catalogue)
        and read(changed.purpose, catalogue, names, "nl") == said
    ]
    assert not silent


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_article_can_say_what_another_member_says(
    catalogue: Catalogue, texts: Texts, language: Language
) -> None:
    purpose = catalogue.find_newest("debt_counselling")
    assert purpose is not None
    between = {"nl": "”, krijgen volgens “", "en": "”, the other may take by “"}[language]
    said = set()
    for giver, taker in ((f"a{between}b", "c"), ("a", f"b{between}c"), ("a\\u000a", "c")):
        first = purpose.edges[0].model_copy(update={"giver_article": giver, "taker_article": taker})
        changed = purpose.model_copy(update={"edges": (first, *purpose.edges[1:])})
        said.add("\n".join(read(changed, catalogue, texts, language)))
    basis = purpose.basis.model_copy(update={"giver_article": "a\n1. Alles mag."})
    lines = read(purpose.model_copy(update={"basis": basis}), catalogue, texts, language)
    assert len(said) == 3
    assert not [line for line in lines if "\n" in line]


def has_no_effect(changed: Changed, purpose: Purpose, catalogue: Catalogue) -> bool:
    """A kind that stays as visible as it was, because of its own cap or of the domain."""
    seen = [derive_visible(one, catalogue.kinds) for one in (purpose, changed.purpose)]
    return changed.path[0] == "sees" and seen[0] == seen[1]


# Said of every purpose alike, or only of what no file of a folder can have.
ALIKE = {"closing", "superseded", "superseded_own", "edge_most"}


@pytest.mark.parametrize("name", ["coordinate_family_help", "school_attendance"])
def test_every_numbered_sentence_says_something_that_is_decided(
    opa: Engine, catalogue: Catalogue, cases: tuple[Case, ...], texts: Texts, name: str
) -> None:
    purpose = catalogue.find_newest(name)
    assert purpose is not None
    purpose = purpose.model_copy(update={"valid_until": purpose.valid_from + timedelta(days=90)})
    questions = build_probes(purpose, catalogue, cases)
    sentences = list_rules(write_sentences(purpose, catalogue, texts, "nl"))
    waiting = {one.number: one.text for one in sentences if one.phrase not in ALIKE}
    for purposes in take_turns(purpose, catalogue, sentences):
        tried = {number: one for number, one in purposes.items() if number in waiting}
        decided = decide(opa, catalogue, [purpose, *tried.values()], questions)
        for number, found in zip(tried, decided[1:], strict=True):
            if found != decided[0]:
                del waiting[number]
        if not waiting:
            break
    assert not waiting


def take_turns(
    purpose: Purpose, catalogue: Catalogue, sentences: Sequence[Sentence]
) -> Iterator[dict[str | None, Purpose]]:
    """Yield in each turn, by the number of a sentence, the purpose with its member changed."""
    by_number: dict[str | None, list[Purpose]] = {}
    for changed in change_each(purpose, catalogue):
        sentence = find_sentence(sentences, changed.place)
        if sentence is not None:
            by_number.setdefault(sentence.number, []).append(changed.purpose)
    for turn in range(max(map(len, by_number.values()))):
        yield {number: ones[turn] for number, ones in by_number.items() if turn < len(ones)}


def build_probes(
    purpose: Purpose, catalogue: Catalogue, cases: tuple[Case, ...]
) -> list[dict[str, Any]]:
    """Some questions for the purpose by everybody, on every occasion, over every edge."""
    own = [case for case in cases if case.purpose == purpose.id]
    inquiry = next(case.question for case in own if case.question["act"] == "inquire")
    release = next(case.question for case in own if case.question["act"] == "release")
    enforcing = {**inquiry, "requester": {**inquiry["requester"], "enforcement": True}}
    objected = {**inquiry, "objections": [OBJECTION]}
    more = find_other_edge(purpose.model_dump(mode="json"), catalogue)
    edges = [
        *((edge.source, edge.requester, edge.product) for edge in purpose.edges),
        (more["source"], more["requester"], more["product"]),
    ]
    fields = {edge: [item.field for item in catalogue.products[edge[2]].fields] for edge in edges}
    askers = {one.function for one in purpose.requesters}
    other = next(one for one in sorted(catalogue.covenant.functions) if one not in askers)
    asker = purpose.requesters[0].function
    return [
        *(enforcing, objected),
        *(build_inquiry(inquiry, one, "help_request") for one in (*askers, other)),
        *(build_inquiry(inquiry, asker, occasion) for occasion in OCCASIONS),
        *(
            build_release(release, edge, fields[edge], person)
            for edge in edges
            for person in itertools.product(PEOPLE, ("explicit", "no_objection"))
        ),
    ]


OBJECTION = {"purpose": None, "made_at": "2026-02-20T09:00:00Z", "state": "open"}
PEOPLE = (("0-11", "representative"), ("12-15", "representative"), ("12-15", "self"))


def build_inquiry(base: dict[str, Any], function: str, occasion: str) -> dict[str, Any]:
    party = f"00000099000000002000:{function}"
    told = {"inform_by": "2026-04-01T09:00:00Z"}
    return {
        **base,
        "requester": {**base["requester"], "id": party, "function": function},
        "occasion": {**base["occasion"], "holder": party, "kind": occasion, **told},
    }


def build_release(
    base: dict[str, Any],
    edge: tuple[str, str, str],
    fields: list[str],
    person: tuple[tuple[str, str], str],
) -> dict[str, Any]:
    source, requester, product = edge
    (age, giver), kind = person
    party = f"00000099000000002000:{requester}"
    consent = {
        "kind": kind,
        "purpose": base["purpose"],
        "product": None,
        "fields": [],
        "source": None,
        "requester": None,
        "given_by": giver,
        "written": True,
        "given_at": "2026-01-05T09:00:00Z",
        "until_at": "2026-12-01T09:00:00Z",
        "withdrawn_at": None,
    }
    return {
        **base,
        "requester": {**base["requester"], "id": party, "function": requester},
        "occasion": {**base["occasion"], "holder": party, "kind": "help_request"},
        "member": {**base["member"], "age_band": age},
        "consents": [consent],
        "ask": {
            **base["ask"],
            "source": f"00000099000000003000:{source}",
            "source_function": source,
            "product": product,
            "fields": fields,
        },
    }
