"""Guard rails: each has a draft that tries to switch it off, and is refused for that reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import broker.problems  # noqa: F401 - the rows of the broker's errors
from broker.purposes.catalogue import Catalogue
from broker.purposes.errors import PolicyFileError
from broker.purposes.guards import (
    NEVER_OFF,
    GuardRailError,
    find_breaches,
    require_guarded_catalogue,
    require_no_switch,
)
from broker.purposes.models import EdgeField, Purpose, Wording
from broker.purposes.phrases_guards import GUARDS, REASONS, SWITCHES
from datwat.party.problems import build_problem
from datwat.party.strict_yaml import read_yaml
from tests.purposes.conftest import POLICIES

Change = Callable[[Purpose], Purpose]
WHY = Wording(nl="Om het te weten.", en="To know it.")


def change(**members: Any) -> Change:  # noqa: ANN401 - members of a purpose
    return lambda purpose: purpose.model_copy(update=members)


def change_edge(number: int, **members: Any) -> Change:  # noqa: ANN401 - members of an edge
    def apply(purpose: Purpose) -> Purpose:
        edges = [*purpose.edges]
        edges[number] = edges[number].model_copy(update=members)
        return purpose.model_copy(update={"edges": tuple(edges)})

    return apply


def change_basis(**members: Any) -> Change:  # noqa: ANN401 - members of a basis
    return lambda purpose: purpose.model_copy(
        update={"basis": purpose.basis.model_copy(update=members)}
    )


def add_field(number: int, field: str, **grounds: str) -> Change:
    def apply(purpose: Purpose) -> Purpose:
        edge = purpose.edges[number]
        fields = (*edge.fields, EdgeField(field=field, why=WHY))
        return change_edge(number, fields=fields, grounds={**edge.grounds, **grounds})(purpose)

    return apply


# debt_counselling: edge 0 is income's (pw, suwi), edge 1 the ZRM's; coordinate_family_help: 5 is
# the family plan for school.
TRIES = [
    (
        "debt_counselling",
        change_edge(0, giver_article="-"),
        "both_articles",
        "edges.0.giver_article",
    ),
    (
        "debt_counselling",
        change_edge(1, taker_article="n.v.t."),
        "both_articles",
        "edges.1.taker_article",
    ),
    (
        "debt_counselling",
        change_edge(1, taker_article="Convenant 2026"),
        "both_articles",
        "edges.1.taker_article",
    ),
    ("debt_counselling", change_basis(taker_article=""), "both_articles", "basis.taker_article"),
    (
        "debt_counselling",
        change_basis(giver_article="toestemming"),
        "both_articles",
        "basis.giver_article",
    ),
    (
        "debt_counselling",
        change_edge(0, grounds={"suwi": "Wgs 8(1)"}),
        "secrecy",
        "edges.0.fields.0",
    ),
    (
        "debt_counselling",
        change_edge(0, grounds={"pw": "ja", "suwi": "Wgs 8(1)"}),
        "secrecy",
        "edges.0.grounds.pw",
    ),
    ("debt_counselling", add_field(1, "middelengebruik"), "secrecy", "edges.1.fields.2"),
    ("debt_counselling", add_field(1, "justitie"), "criminal_data", "edges.1.fields.2"),
    (
        "debt_counselling",
        add_field(1, "justitie", c="Wgs 8d"),
        "criminal_data",
        "edges.1.grounds.c",
    ),
    (
        "coordinate_family_help",
        change_edge(5, consent_by="avg"),
        "children_consent",
        "edges.5.consent_by",
    ),
    (
        "coordinate_family_help",
        change_edge(0, mode="explicit_consent", consent_by="avg"),
        "children_consent",
        "edges.0.consent_by",
    ),
    ("debt_counselling", change(not_for=()), "not_for_enforcement", "not_for"),
    ("own_access", change(id="own_access_too"), "not_for_enforcement", "not_for"),
    (
        "debt_counselling",
        change(sees={"shelter_stay": "contact"}),
        "guarded_kinds",
        "sees.shelter_stay",
    ),
    ("wmo_intake", change(sees={"addiction_care": "dat"}), "guarded_kinds", "sees.addiction_care"),
    ("income_support", change(sees={"youth_help": "contact"}), "guarded_kinds", "sees.youth_help"),
    ("debt_counselling", change(occasions={"crisis": "dat"}), "guarded_kinds", "occasions.crisis"),
    ("debt_counselling", change(retention_days=1), "log", "retention_days"),
    ("debt_counselling", change(retention_days=183), "log", "retention_days"),
    ("own_access", change(retention_days=31), "log", "retention_days"),
]


@pytest.mark.parametrize(("name", "attempt", "guard", "place"), TRIES)
def test_a_draft_that_tries_is_refused(
    catalogue: Catalogue, name: str, attempt: Change, guard: str, place: str
) -> None:
    purpose = catalogue.find_newest(name)
    assert purpose is not None
    assert find_breaches(purpose, catalogue) == ()
    error = GuardRailError(find_breaches(attempt(purpose), catalogue))
    assert (error.guard, error.place) == (guard, place)
    assert error.code == "guard_rail"
    assert error.detail.startswith(error.breaches[0].reason.en)
    assert error.breaches[0].reason.nl in {nl for nl, _ in REASONS.values()}


SWITCHED: list[tuple[dict[str, Any], str, str]] = [
    ({"allow": True}, "deny_by_default", "allow"),
    ({"sees": {"*": "wat"}}, "deny_by_default", "sees"),
    ({"edges": [{"fields": [{"field": "*"}]}]}, "deny_by_default", "edges.0.fields.0.field"),
    (
        {"requesters": [{"function": "*", "inquire": "dat"}]},
        "deny_by_default",
        "requesters.0.function",
    ),
    ({"blades": ["purpose"]}, "five_blades", "blades"),
    ({"Transparency": "off"}, "five_blades", "Transparency"),
    ({"edges": [{"covenant": "yes"}]}, "both_articles", "edges.0.covenant"),
    ({"edges": [{"fields": [{"field": "x", "labels": []}]}]}, "secrecy", "edges.0.fields.0.labels"),
    ({"criminal_data": True}, "criminal_data", "criminal_data"),
    ({"edges": [{"parents": "decide"}]}, "children_consent", "edges.0.parents"),
    ({"requesters": [{"enforcement": True}]}, "not_for_enforcement", "requesters.0.enforcement"),
    ({"caps": {"shelter_stay": "wat"}}, "guarded_kinds", "caps"),
    ({"log": "off"}, "log", "log"),
    ({"notice": "never"}, "log", "notice"),
]


@pytest.mark.parametrize(("raw", "guard", "place"), SWITCHED)
def test_a_member_that_would_switch_one_off_is_named_for_it(
    raw: dict[str, Any], guard: str, place: str
) -> None:
    with pytest.raises(GuardRailError) as caught:
        require_no_switch({"id": "x", **raw})
    assert (caught.value.guard, caught.value.place) == (guard, place)


def test_every_guard_rail_has_its_failing_counterpart() -> None:
    tried = {guard for _, _, guard, _ in TRIES} | {guard for _, guard, _ in SWITCHED}
    assert tried == set(GUARDS) == set(SWITCHES)


def test_what_is_typed_is_not_repeated() -> None:
    with pytest.raises(GuardRailError) as caught:
        require_no_switch({"900000001 jan": {"log": "900000001"}})
    assert caught.value.place == "?.log"
    assert "900000001" not in f"{caught.value.detail}{caught.value.breaches}"
    problem = build_problem(caught.value)
    assert problem.status == 400


def test_the_purposes_of_the_project_keep_to_them(catalogue: Catalogue) -> None:
    require_guarded_catalogue(catalogue)
    for purpose in catalogue.list_newest():
        assert find_breaches(purpose, catalogue) == ()
    for path in sorted((POLICIES / "purposes").glob("*.yaml")):
        require_no_switch(read_yaml(path, PolicyFileError))


def test_one_that_is_in_force_without_may_stay_so(catalogue: Catalogue) -> None:
    purpose = catalogue.find_newest("domestic_violence")
    assert purpose is not None
    assert not purpose.not_for
    assert find_breaches(purpose.model_copy(update={"owner": "Iemand"}), catalogue) == ()
    stricter = purpose.model_copy(update={"not_for": ("enforcement",)})
    held = catalogue.model_copy(update={"purposes": {purpose.id: (stricter,)}})
    assert [one.guard for one in find_breaches(purpose, held)] == ["not_for_enforcement"]


@pytest.mark.parametrize("act", ["inquire", "release", "register"])
def test_no_code_that_must_refuse_is_only_told(catalogue: Catalogue, act: str) -> None:
    for name in sorted(NEVER_OFF[act]):
        code = catalogue.codes[name]
        told = code.model_copy(update={"acts": (), "advises": (*code.acts, *code.advises)})
        weaker = catalogue.model_copy(update={"codes": {**catalogue.codes, name: told}})
        with pytest.raises(GuardRailError) as caught:
            require_guarded_catalogue(weaker)
        assert caught.value.place == f"codes.{name}"


def test_a_requester_never_learns_what_is_about_the_person(catalogue: Catalogue) -> None:
    code = catalogue.codes["no_objection"].model_copy(update={"about": "stated", "remedy": "later"})
    weaker = catalogue.model_copy(update={"codes": {**catalogue.codes, "no_objection": code}})
    with pytest.raises(GuardRailError) as caught:
        require_guarded_catalogue(weaker)
    assert caught.value.place == "codes.no_objection.about"


def test_a_child_is_asked_itself(catalogue: Catalogue) -> None:
    givers = catalogue.covenant.consent_givers
    rule = {**givers["youth_disclosure"], "12-15": ("representative", "both")}
    terms = catalogue.covenant.model_copy(
        update={"consent_givers": {**givers, "youth_disclosure": rule}}
    )
    with pytest.raises(GuardRailError) as caught:
        require_guarded_catalogue(catalogue.model_copy(update={"covenant": terms}))
    assert caught.value.guard == "children_consent"


def test_residents_always_see_what_is_recorded_about_them(catalogue: Catalogue) -> None:
    (own,) = catalogue.purposes["own_access"]
    without = {name: held for name, held in catalogue.purposes.items() if name != own.id}
    ends = own.model_copy(update={"valid_until": own.valid_from.replace(year=2028)})
    school = own.requesters[0].model_copy(update={"function": "school"})
    elsewhere = own.model_copy(update={"requesters": (school,)})
    histories = [without, *({**without, own.id: (one,)} for one in (ends, elsewhere))]
    for purposes in histories:
        with pytest.raises(GuardRailError, match="can always see what is recorded"):
            require_guarded_catalogue(catalogue.model_copy(update={"purposes": purposes}))
    for one, place in ((ends, "valid_until"), (elsewhere, "requesters")):
        (breach,) = find_breaches(one, catalogue)
        assert (breach.guard, breach.place) == ("log", place)
