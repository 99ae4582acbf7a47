"""What changed, in words: all that is weighed and nothing as though it were."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.purposes.cases import Case
from broker.purposes.catalogue import Catalogue
from broker.purposes.diff import (
    Change,
    describe_bundle_changes,
    describe_changes,
    find_unnamed_fields,
)
from broker.purposes.models import EdgeField, Product, ProductField, Purpose, Wording
from broker.purposes.sentences import list_rules, render_text, write_sentences
from datwat.protocol.catalogue import Language
from datwat.protocol.texts import LANGUAGES, Texts
from datwat.protocol.values import decode_moment
from tests.mutate.engine import Engine
from tests.words.deciding import decide
from tests.words.leaves import change_each
from tests.words.test_sentences_decide import draw_reworded, has_no_effect

NOTHING = "Aan wat wordt besloten verandert niets."
WORDS = Wording(nl="Om het te weten.", en="To know it.")


def find(catalogue: Catalogue, name: str = "debt_counselling") -> Purpose:
    purpose = catalogue.find_newest(name)
    assert purpose is not None
    return purpose


def with_field(purpose: Purpose, number: int, field: str) -> Purpose:
    edge = purpose.edges[number]
    edge = edge.model_copy(update={"fields": (*edge.fields, EdgeField(field=field, why=WORDS))})
    edges = [*purpose.edges]
    edges[number] = edge
    return purpose.model_copy(update={"edges": tuple(edges)})


def find_edge(purpose: Purpose, product: str) -> int:
    return next(i for i, edge in enumerate(purpose.edges) if edge.product == product)


def test_a_field_that_is_shared_from_now_on(catalogue: Catalogue, texts: Texts) -> None:
    old = find(catalogue, "coordinate_family_help")
    number = find_edge(old, "schuldregeling")
    new = with_field(old, number, "totaal_schuld")
    (change,) = describe_changes(old, new, catalogue, texts, "nl")
    assert change == Change(
        kind="wider",
        place=f"edges.{number}.fields",
        text="Wie de taak ‘schuldhulp’ heeft deelt voortaan ook *totaal_schuld* uit "
        "‘Schuldregeling’ met wie de taak ‘sociaal team’ heeft.",
    )
    (back,) = describe_changes(new, old, catalogue, texts, "en")
    assert back.kind == "narrower"
    assert "no longer shares *totaal_schuld*" in back.text


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"objection": "none"}, "wider", "houdt een vraag niet tegen"),
        ({"objection": "suspend_unless_danger"}, "wider", "gevaar loopt"),
        ({"retention_days": 700}, "narrower", "700 dagen, eerst 730"),
        ({"not_for": ()}, "wider", "ook een organisatie die handhaaft"),
        ({"occasions": {"help_request": "dat"}}, "narrower", "aanleiding ‘hulpvraag’"),
        ({"domain": "care"}, "other", "voortaan over ‘zorg en ondersteuning’"),
        ({"sees": {"debt_counselling": "contact"}}, "narrower", "‘schuldhulp’ is voortaan"),
    ],
)
def test_which_way_it_goes(
    catalogue: Catalogue, texts: Texts, change: dict[str, object], kind: str, said: str
) -> None:
    old = find(catalogue)
    new = old.model_copy(update=change)
    found = describe_changes(old, new, catalogue, texts, "nl")
    fitting = [one for one in found if said in one.text]
    assert [one.kind for one in fitting] == [kind]
    back = describe_changes(new, old, catalogue, texts, "nl")
    opposite = {"wider": "narrower", "narrower": "wider", "other": "other"}[kind]
    assert opposite in {one.kind for one in back}


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_said_exactly_where_something_is_weighed_otherwise(
    catalogue: Catalogue, texts: Texts, language: Language
) -> None:
    wrong = []
    for purpose in catalogue.list_newest():
        rules = render_text(list_rules(write_sentences(purpose, catalogue, texts, language)))
        for changed in change_each(purpose, catalogue):
            new = changed.purpose
            said = render_text(list_rules(write_sentences(new, catalogue, texts, language)))
            changes = describe_changes(purpose, new, catalogue, texts, language)
            assert changes
            if any(one.kind != "words" for one in changes) != (said != rules):
                wrong.append(f"{purpose.id}: {changed.place}")
    assert not wrong


def test_one_change_hides_no_other(catalogue: Catalogue, texts: Texts) -> None:
    silent = []
    for purpose in catalogue.list_newest():
        old = purpose.model_copy(update={"retention_days": purpose.retention_days - 1})
        for changed in change_each(purpose, catalogue):
            if not changed.is_weighed or changed.path[0] == "retention_days":
                continue
            if has_no_effect(changed, purpose, catalogue):
                continue
            changes = describe_changes(old, changed.purpose, catalogue, texts, "nl")
            said = {one.place for one in changes if one.kind != "words"}
            if "retention_days" not in said or len(said) < 2:
                silent.append(f"{purpose.id}: {changed.place}")
    assert not silent


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_words_and_order_change_nothing(
    catalogue: Catalogue, texts: Texts, data: st.DataObject
) -> None:
    old = find(catalogue)
    changes = describe_changes(old, draw_reworded(data, old), catalogue, texts, "nl")
    assert changes[0].text == NOTHING
    assert {one.kind for one in changes} == {"words"}


def test_only_the_other_language_differs(catalogue: Catalogue, texts: Texts) -> None:
    old = find(catalogue)
    title = old.title.model_copy(update={"en": "Something else"})
    new = old.model_copy(update={"title": title})
    _, change = describe_changes(old, new, catalogue, texts, "nl")
    assert "“Something else”" in change.text


def test_a_purpose_comes_and_goes(catalogue: Catalogue, texts: Texts) -> None:
    purpose = find(catalogue)
    without = catalogue.without_purpose(purpose.id)
    comes = describe_bundle_changes(without, catalogue, texts, "nl")
    assert set(comes.added) == {purpose.id}
    assert comes.added[purpose.id][0].text.startswith("Nieuw doel: “Hulp bij schulden”")
    assert any("*inkomensband*" in line for line in comes.lines())
    goes = describe_bundle_changes(catalogue, without, texts, "en")
    assert [one.kind for one in goes.withdrawn[purpose.id]] == ["narrower"]
    assert comes.has_effect
    assert goes.has_effect
    same = describe_bundle_changes(catalogue, catalogue, texts, "nl")
    assert not same.has_effect
    assert same.lines() == [NOTHING]


def test_a_revision_that_had_still_to_begin_is_taken_back(
    catalogue: Catalogue, texts: Texts
) -> None:
    purpose = find(catalogue)
    later = purpose.model_copy(
        update={"valid_from": purpose.valid_from + timedelta(days=400), "objection": "none"}
    )
    both = catalogue.with_revision(later, now=purpose.valid_from)
    ahead = describe_bundle_changes(catalogue, both, texts, "nl")
    assert {one.place for one in ahead.changed[purpose.id]} == {"valid_from", "objection"}
    only_later = both.model_copy(update={"purposes": {**both.purposes, purpose.id: (later,)}})
    (gone,) = describe_bundle_changes(both, only_later, texts, "nl").changed[purpose.id]
    assert gone.text.startswith("De versie die geldt vanaf 1 januari 2026")
    back = describe_bundle_changes(both, catalogue, texts, "nl").changed[purpose.id]
    assert back[0].text.startswith("De versie die geldt vanaf 5 februari 2027")
    assert {one.place for one in back[1:]} == {"valid_from", "objection"}


@pytest.fixture
def changed_opa(opa: Engine, catalogue: Catalogue) -> Iterator[Engine]:
    """The engine, whose products a test may change."""
    yield opa
    opa.put_data("datwat/catalogue", catalogue.to_data())


def offer(catalogue: Catalogue, name: str) -> Catalogue:
    product: Product = catalogue.products["schuldregeling"]
    field = ProductField(field=name, title=Wording(nl="Iets nieuws", en="Something new"))
    more = product.model_copy(update={"fields": (*product.fields, field)})
    return catalogue.model_copy(update={"products": {**catalogue.products, product.id: more}})


def test_a_field_that_a_source_newly_offers_goes_nowhere(
    catalogue: Catalogue, texts: Texts, cases: tuple[Case, ...], changed_opa: Engine
) -> None:
    offered = offer(catalogue, "schuldeisers")
    changes = describe_bundle_changes(catalogue, offered, texts, "nl")
    assert not changes.has_effect
    assert not changes.changed
    assert not changes.shared
    (said,) = changes.offered
    assert "*schuldeisers*" in said.text
    assert "Geen doel noemt het: het gaat niet mee." in said.text
    assert "schuldeisers" in find_unnamed_fields(offered)["schuldregeling"]

    old = find(offered, "coordinate_family_help")
    number = find_edge(old, "schuldregeling")
    named = with_field(old, number, "schuldeisers")
    (change,) = describe_changes(old, named, offered, texts, "nl")
    assert change.kind == "wider"
    question = next(
        case.question
        for case in cases
        if case.purpose == old.id
        and case.question["act"] == "release"
        and case.question["ask"]["product"] == "schuldregeling"
        and case.expect.permit
    )
    question = {
        **question,
        "ask": {**question["ask"], "fields": ["regeling.soort", "schuldeisers"]},
    }
    withheld = {"schuldeisers": "field_not_in_purpose"}
    assert decide_release(changed_opa, offered, old, question) == withheld
    assert decide_release(changed_opa, offered, named, question) == {}


def decide_release(
    opa: Engine, catalogue: Catalogue, purpose: Purpose, question: dict[str, Any]
) -> dict[str, str]:
    """Ask the engine for the new field beside one that is named; return what is withheld, why."""
    opa.put_data("datwat/catalogue", catalogue.to_data())
    ((decision,),) = decide(opa, catalogue, [purpose], [question])
    assert decision["permit"], decision["findings"]
    return {one["field"]: one["code"] for one in decision["withheld"]}


def test_what_all_purposes_share(catalogue: Catalogue, texts: Texts) -> None:
    terms = catalogue.covenant.model_copy(update={"least_motivation": 1})
    changed = catalogue.model_copy(update={"covenant": terms})
    found = describe_bundle_changes(catalogue, changed, texts, "en")
    assert found.has_effect
    assert [one.place for one in found.shared] == ["covenant.least_motivation"]
    assert found.shared[0].text == (
        "For all purposes covenant.least_motivation changes: now “1”, before “20”."
    )


def test_a_kind_that_more_functions_register_changes_the_purposes_that_see_it(
    catalogue: Catalogue, texts: Texts
) -> None:
    kind = catalogue.kinds["income_support"]
    more = kind.model_copy(update={"functions": (*kind.functions, "immigration")})
    changed = catalogue.model_copy(update={"kinds": {**catalogue.kinds, "income_support": more}})
    found = describe_bundle_changes(catalogue, changed, texts, "nl")
    assert {"debt_counselling", "income_support", "coordinate_family_help"} <= set(found.changed)
    assert "wmo_intake" not in found.changed
    assert any("immigratiedienst" in one.text for one in found.changed["debt_counselling"])


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("2026-11-27T00:00:00Z", "27 november 2026 om 01:00 uur"),
        ("2026-11-27T00:00:07Z", "27 november 2026 om 01:00:07 uur"),
        # The hour in which summer time ends comes twice.
        ("2026-10-25T00:30:00Z", "25 oktober 2026 om 02:30 uur (2026-10-25T00:30:00Z)"),
        ("2026-10-25T01:30:00Z", "25 oktober 2026 om 02:30 uur (2026-10-25T01:30:00Z)"),
    ],
)
def test_a_change_says_moments_as_people_do_where_that_is_enough(
    catalogue: Catalogue, texts: Texts, moment: str, said: str
) -> None:
    old = find(catalogue)
    new = old.model_copy(update={"valid_from": decode_moment(moment)})
    (change, *_) = describe_changes(old, new, catalogue, texts, "nl")
    begins = "1 januari 2026 om 01:00 uur"
    assert change.text == f"Dit geldt vanaf {said}; de vorige versie vanaf {begins}."
