"""Cases travel in the bundle, and are put to the newest revision at moments at which it holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from broker.policy.decision import Decision
from broker.purposes.bundled_cases import (
    bind_cases,
    build_cases_data,
    read_bases,
    read_cases,
    shift_moments,
)
from broker.purposes.cases import Case, compare, load_bases
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import derive_digest
from datwat.protocol.bundle import BundleError
from tests.mutate.engine import Engine
from tests.purposes.conftest import POLICIES, weigh

TODAY = datetime(2026, 11, 25, tzinfo=UTC)


def test_cases_come_back_as_they_were(catalogue: Catalogue, cases: tuple[Case, ...]) -> None:
    bases = load_bases(POLICIES)
    data = json.loads(json.dumps(build_cases_data(cases, bases)))
    assert read_cases(data) == cases
    assert read_bases(data) == bases
    assert bind_cases(read_cases(data), catalogue) == cases


def test_rubbish_holds_no_cases() -> None:
    for rubbish in ({}, {"v": 2, "bases": {}, "cases": []}, {"v": 1, "bases": {}, "cases": [{}]}):
        with pytest.raises(BundleError):
            read_cases(rubbish)


def test_moments_move_and_nothing_else() -> None:
    by = timedelta(days=334, hours=1)
    value = {"a": ["2026-01-01T00:00:00Z", "2026-01-01", 3, None, True], "b": {"c": "tomorrow"}}
    assert shift_moments(value, by) == {
        "a": ["2026-12-01T01:00:00Z", "2026-01-01", 3, None, True],
        "b": {"c": "tomorrow"},
    }


def test_every_case_holds_of_a_revision_that_is_yet_to_begin(
    catalogue: Catalogue, cases: tuple[Case, ...], opa: Engine
) -> None:
    later = catalogue
    for purpose in catalogue.list_newest():
        begin = {"valid_from": datetime(2027, 5, 1, tzinfo=UTC), "owner": "Another"}
        later = later.with_revision(purpose.model_copy(update=begin), now=TODAY)
    bound = bind_cases(cases, later)
    newest = {derive_digest(one) for one in later.list_newest()}
    cited = {case.question["purpose_digest"] for case in bound} - {None, "0" * 64}
    assert cited == newest - {derive_digest(later.purposes["own_access"][-1])}
    opa.put_data("datwat/catalogue", later.to_data())
    try:
        decisions = weigh(opa, [case.question for case in bound])
    finally:
        opa.put_data("datwat/catalogue", catalogue.to_data())
    assert [
        failure
        for case, decision in zip(bound, decisions, strict=True)
        for failure in compare(case, Decision.model_validate_json(json.dumps(decision)))
    ] == []


def test_a_case_of_a_purpose_that_is_gone_is_left_out(
    catalogue: Catalogue, cases: tuple[Case, ...]
) -> None:
    left = bind_cases(cases, catalogue.without_purpose("wmo_intake"))
    assert {case.purpose for case in cases} - {case.purpose for case in left} == {"wmo_intake"}
