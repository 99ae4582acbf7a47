"""What is tried of a bundle before it is in force, and what a bundle in force has settled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from broker.policy.bundle import build_archive, rebuild_archive
from broker.policy.proving import find_settled, list_cases, require_proven
from broker.policy.publication import build_publication
from broker.purposes.bundled_cases import read_cases
from broker.purposes.catalogue import Catalogue
from broker.purposes.guards import GuardRailError
from datwat.protocol.bundle import Bundle, BundleError
from tests.policy.opa_world import make_bundle

POLICIES = Path(__file__).parents[2] / "policies"
PURPOSE = "debt_counselling"


@pytest.fixture(scope="module")
def held() -> Bundle:
    return make_bundle(build_publication(POLICIES))


def change(held: Bundle, **parts: Any) -> Bundle:  # noqa: ANN401 - parts of the catalogue
    catalogue = Catalogue.from_bundle(held)
    return make_bundle(rebuild_archive(held, catalogue=catalogue.model_copy(update=parts)), seq=2)


def change_purpose(held: Bundle, name: str) -> Bundle:
    purposes = Catalogue.from_bundle(held).purposes
    changed = purposes[name][0].model_copy(update={"owner": "Another"})
    return change(held, purposes={**purposes, name: (changed,)})


def change_case(held: Bundle, name: str) -> Bundle:
    cases = list(read_cases(held.cases))
    number = next(n for n, case in enumerate(cases) if case.purpose == name)
    cases[number] = cases[number].model_copy(update={"name": "another name"})
    return make_bundle(rebuild_archive(held, cases=cases), seq=2)


def with_rego(held: Bundle, folder: Path, text: str) -> Bundle:
    (folder / "more.rego").write_text(text, encoding="utf-8")
    return make_bundle(build_archive(folder, held.catalogue, held.texts, held.cases), seq=2)


def test_all_is_tried_of_a_first_bundle(held: Bundle) -> None:
    assert list_cases(held) == read_cases(held.cases)
    assert list_cases(held, held) == ()


@pytest.mark.parametrize("build", [change_purpose, change_case])
def test_only_what_changed_is_tried_anew(held: Bundle, build: Any) -> None:  # noqa: ANN401 - above
    new = build(held, PURPOSE)
    tried = list_cases(new, held)
    assert {case.purpose for case in tried} == {PURPOSE}
    every = [case for case in list_cases(new) if case.purpose == PURPOSE]
    assert list(tried) == every


def test_what_decisions_share_settles_nothing_when_it_changes(held: Bundle, tmp_path: Path) -> None:
    catalogue = Catalogue.from_bundle(held)
    kinds = dict(catalogue.kinds)
    kinds["rent_arrears"] = kinds["rent_arrears"].model_copy(update={"expires_days": 1})
    covenant = catalogue.covenant.model_copy(update={"least_motivation": 1})
    for new in (
        change(held, kinds=kinds),
        change(held, covenant=covenant),
        change_purpose(held, "own_access"),
        with_rego(held, tmp_path, "package datwat.more\n"),
    ):
        assert find_settled(new, held) == frozenset()


def test_a_decision_depends_on_one_purpose_and_on_the_residents_own_access() -> None:
    """What `find_settled` rests on: no rule reads any other purpose."""
    read = [
        line.strip()
        for path in sorted((POLICIES / "datwat").rglob("*.rego"))
        if not path.name.endswith("_test.rego")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "purposes" in line and not line.lstrip().startswith("#")
    ]
    assert read == [
        "some revision in data.datwat.catalogue.purposes[input.purpose].revisions",
        "some revision in data.datwat.catalogue.purposes.own_access.revisions",
    ]
    whole = [
        path.name
        for path in sorted((POLICIES / "datwat").rglob("*.rego"))
        if not path.name.endswith("_test.rego")
        and "import data.datwat.catalogue" in path.read_text(encoding="utf-8")
    ]
    assert whole == []


@pytest.mark.parametrize("cases", [{}, {"v": 1, "bases": {}, "cases": [7]}, []])
async def test_cases_that_cannot_be_read_are_no_proof(
    held: Bundle, tmp_path: Path, cases: Mapping[str, Any]
) -> None:
    rego = (POLICIES / "datwat" / "ask" / "ask.rego").read_text(encoding="utf-8")
    (tmp_path / "ask.rego").write_text(rego, encoding="utf-8")
    odd = make_bundle(build_archive(tmp_path, held.catalogue, held.texts, cases or {"v": 2}), seq=2)
    for proven in (None, held, odd):
        with pytest.raises(BundleError):
            list_cases(odd, proven)


async def test_a_guard_rail_holds_whoever_signed(held: Bundle) -> None:
    codes = dict(Catalogue.from_bundle(held).codes)
    codes["not_for_enforcement"] = codes["not_for_enforcement"].model_copy(update={"acts": ()})
    with pytest.raises(GuardRailError):
        await require_proven(lambda *_: pytest.fail("nothing is asked"), change(held, codes=codes))
