"""A purpose spelt out: exactly what its file, the kinds and the guard rails say, and no more."""

from __future__ import annotations

import pytest

from broker.purposes.catalogue import Catalogue
from broker.purposes.index import build_index, derive_visible
from datwat.protocol.messages import RUNGS

PURPOSE = "coordinate_family_help"


def _lower(*rungs: str) -> str:
    return RUNGS[min(RUNGS.index(rung) for rung in rungs)]


def test_a_kind_is_seen_up_to_its_own_cap_and_the_purposes(catalogue: Catalogue) -> None:
    purpose = catalogue.purposes[PURPOSE][-1]
    for kind, rung in derive_visible(purpose, catalogue.kinds).items():
        assert rung == _lower(catalogue.kinds[kind].cap, purpose.sees[kind])


@pytest.mark.parametrize("change", [{"never_for": ("care",)}, {"cap": "none"}])
def test_a_guarded_kind_stays_away_whatever_the_purpose_says(
    catalogue: Catalogue, change: dict[str, object]
) -> None:
    purpose = catalogue.purposes[PURPOSE][-1]
    kinds = dict(catalogue.kinds)
    assert "wmo_support" in derive_visible(purpose, kinds)
    kinds["wmo_support"] = kinds["wmo_support"].model_copy(update=change)
    index = build_index(purpose, kinds, catalogue.covenant)
    assert "wmo_support" not in index["visible"]
    assert all(row["kind"] != "wmo_support" for rows in index["caps"].values() for row in rows)
    assert "wmo-provider" not in index["scope"]["functions"]
    assert "wmo_support" in index["scope"]["cannot_see"]


def test_no_row_shows_more_than_is_granted_nor_a_shielded_address(catalogue: Catalogue) -> None:
    for purpose in catalogue.list_newest():
        index = build_index(purpose, catalogue.kinds, catalogue.covenant)
        assert tuple(index["caps"]) == RUNGS
        for granted, rows in index["caps"].items():
            for row in rows:
                assert row["plain"] == _lower(index["visible"][row["kind"]], granted)
                assert row["shielded"] == _lower(row["plain"], "category")


def test_the_scope_names_every_kind_once(catalogue: Catalogue) -> None:
    for purpose in catalogue.list_newest():
        index = build_index(purpose, catalogue.kinds, catalogue.covenant)
        seen, scope = index["visible"], index["scope"]
        assert sorted([*seen, *scope["cannot_see"]]) == sorted(catalogue.kinds)
        functions = {name for kind in seen for name in catalogue.kinds[kind].functions}
        assert scope["functions"] == sorted(functions)
        domains = {catalogue.covenant.functions[name].domain for name in functions}
        assert set(scope["domains"]) == domains


def test_every_edge_and_requester_is_found_by_its_key(catalogue: Catalogue) -> None:
    for purpose in catalogue.list_newest():
        index = build_index(purpose, catalogue.kinds, catalogue.covenant)
        held = [
            edge
            for requesters in index["edges"].values()
            for products in requesters.values()
            for edge in products.values()
        ]
        assert len(held) == len(purpose.edges)
        for edge in purpose.edges:
            found = index["edges"][edge.source][edge.requester][edge.product]
            whole = edge.model_dump(mode="json")
            whole["fields"] = [{"field": one["field"]} for one in whole["fields"]]
            assert found == whole
        assert list(index["requesters"].values()) == [
            item.model_dump(mode="json") for item in purpose.requesters
        ]
