from __future__ import annotations

from pathlib import Path

import pytest

from broker.policy.bundle import build_archive
from broker.purposes.catalogue import load_catalogue
from datwat.protocol.bundle import BundleError
from datwat.protocol.catalogue import CatalogueView, FieldUnknownError
from tests.policy.opa_world import make_bundle, write_policies

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture(scope="module")
def view() -> CatalogueView:
    return make_bundle(build_archive(POLICIES, load_catalogue(POLICIES).to_data(), {})).view


def test_a_gateway_finds_what_an_edge_may_carry(view: CatalogueView) -> None:
    purpose = load_catalogue(POLICIES).purposes["debt_counselling"][-1]
    found = view.find_purpose(purpose.id, view.purposes[purpose.id].newest.digest)
    assert found is not None
    for edge in purpose.edges:
        held = found.find_edge(source=edge.source, requester=edge.requester, product=edge.product)
        assert held is not None
        assert held.paths == {item.field for item in edge.fields}
        assert (held.giver_article, held.mode) == (edge.giver_article, edge.mode)
        assert set(view.products[edge.product].derive_size_classes(held.paths)) == held.paths


def test_another_digest_or_direction_is_nothing(view: CatalogueView) -> None:
    assert view.find_purpose("debt_counselling", "0" * 64) is None
    assert view.find_purpose("absent", view.purposes["debt_counselling"].newest.digest) is None
    edge = view.purposes["debt_counselling"].newest.edges[0]
    assert view.purposes["debt_counselling"].newest.find_edge(
        source=edge.requester, requester=edge.source, product=edge.product
    ) is None  # fmt: skip


def test_a_field_that_the_product_lacks_has_no_size(view: CatalogueView) -> None:
    product = view.products["schuldregeling"]
    assert product.find_field("creditors") is None
    with pytest.raises(FieldUnknownError):
        product.derive_size_classes(["creditors"])


def test_a_signed_catalogue_of_another_form_is_no_bundle(tmp_path: Path) -> None:
    folder = write_policies(tmp_path)
    for catalogue in ({}, {"purposes": {"a": {"id": "b"}}, "products": {}, "kinds": {}}):
        with pytest.raises(BundleError):
            make_bundle(build_archive(folder, catalogue, {}))
