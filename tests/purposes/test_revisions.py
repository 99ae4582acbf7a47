"""Revisions of a purpose: when each holds, in the officers' models, in OPA and elsewhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from broker.purposes.catalogue import Catalogue
from broker.purposes.errors import PolicyFileError
from broker.purposes.models import Purpose, derive_digest
from broker.purposes.revisions import list_ends
from datwat.protocol.bundle import BundleError
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.catalogue import GRACE_SECONDS, CatalogueView
from datwat.protocol.values import encode_moment
from tests.mutate.engine import Engine
from tests.purposes.conftest import weigh

PURPOSE = "debt_counselling"
NEXT = datetime(2026, 12, 1, tzinfo=UTC)
TODAY = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def next_of(catalogue: Catalogue, at: datetime = NEXT, **changes: object) -> Purpose:
    newest = catalogue.find_newest(PURPOSE)
    assert newest is not None
    return newest.model_copy(update={"valid_from": at, **changes})


def read_view(catalogue: Catalogue) -> CatalogueView:
    return CatalogueView.model_validate_json(encode_canonical(catalogue.to_data()))


def test_what_is_in_the_bundle_gives_the_catalogue_back(catalogue: Catalogue) -> None:
    two = catalogue.with_revision(next_of(catalogue), now=TODAY)
    for held in (catalogue, two):
        # As a bundle spells it: the members of an object in the order of their names.
        again = Catalogue.from_data(json.loads(encode_canonical(held.to_data())))
        assert again == held
        assert encode_canonical(again.to_data()) == encode_canonical(held.to_data())


def test_rubbish_gives_no_catalogue(catalogue: Catalogue) -> None:
    data = catalogue.to_data()
    revisions = data["purposes"][PURPOSE]["revisions"]
    broken: list[dict[str, Any]] = [
        {},
        {**data, "purposes": []},
        {**data, "guards": None},
        {**data, "code_order": []},
        {**data, "code_order": 7},
        {**data, "purposes": {PURPOSE: {"id": PURPOSE, "revisions": []}}},
        {**data, "purposes": {PURPOSE: {"id": PURPOSE, "revisions": [*revisions, *revisions]}}},
        {**data, "purposes": {"other": {"id": "other", "revisions": revisions}}},
    ]
    for one in broken:
        with pytest.raises(BundleError):
            Catalogue.from_data(one)


def test_a_revision_that_begins_later_leaves_the_present_one_in_force(catalogue: Catalogue) -> None:
    present, later = catalogue.find_newest(PURPOSE), next_of(catalogue)
    two = catalogue.with_revision(later, now=TODAY)
    assert two.purposes[PURPOSE] == (present, later)
    assert two.find_newest(PURPOSE) == later
    assert two.find_revision(PURPOSE, NEXT - SECOND) == present
    assert two.find_revision(PURPOSE, NEXT) == later
    assert two.find_revision(PURPOSE, datetime(2025, 12, 31, tzinfo=UTC)) is None
    assert two.find_revision("absent", NEXT) is None
    assert two.find_newest("absent") is None


def test_each_revision_begins_after_the_one_before_it(catalogue: Catalogue) -> None:
    two = catalogue.with_revision(next_of(catalogue), now=TODAY)
    for at in (NEXT, NEXT - SECOND):
        with pytest.raises(PolicyFileError) as caught:
            two.with_revision(next_of(catalogue, at), now=TODAY)
        assert caught.value.place == "valid_from"
    with pytest.raises(ValidationError):
        Catalogue.model_validate_json(
            two.model_copy(
                update={"purposes": {PURPOSE: (next_of(catalogue), next_of(catalogue))}}
            ).model_dump_json()
        )


def test_a_revision_that_does_not_fit_is_refused_with_its_place(catalogue: Catalogue) -> None:
    with pytest.raises(PolicyFileError, match="gossip is not known"):
        catalogue.with_revision(next_of(catalogue, sees={"gossip": "dat"}), now=TODAY)


def test_what_nobody_may_cite_any_more_is_dropped_a_day_later(catalogue: Catalogue) -> None:
    two = catalogue.with_revision(next_of(catalogue), now=TODAY)
    third = next_of(catalogue, NEXT + timedelta(days=30))
    within = NEXT + timedelta(days=1) - SECOND
    assert len(two.with_revision(third, now=within).purposes[PURPOSE]) == 3
    assert len(two.with_revision(third, now=within + SECOND).purposes[PURPOSE]) == 2


def test_a_revision_or_a_purpose_is_taken_back(catalogue: Catalogue) -> None:
    later = next_of(catalogue)
    two = catalogue.with_revision(later, now=TODAY)
    assert two.without_revision(PURPOSE, derive_digest(later)) == catalogue
    present = catalogue.purposes[PURPOSE][0]
    assert PURPOSE not in catalogue.without_revision(PURPOSE, derive_digest(present)).purposes
    assert PURPOSE not in two.without_purpose(PURPOSE).purposes
    with pytest.raises(PolicyFileError):
        catalogue.without_revision(PURPOSE, derive_digest(later))
    with pytest.raises(PolicyFileError):
        catalogue.without_purpose("absent")


def test_a_revision_ends_where_the_next_one_begins_or_at_its_own_end(catalogue: Catalogue) -> None:
    own_end = NEXT - timedelta(days=3)
    ended = catalogue.purposes[PURPOSE][0].model_copy(update={"valid_until": own_end})
    later = next_of(catalogue)
    assert list_ends([later]) == [None]
    assert list_ends([ended, later]) == [encode_moment(own_end), None]
    longer = ended.model_copy(update={"valid_until": NEXT + SECOND})
    assert list_ends([longer, later]) == [encode_moment(NEXT), None]


def test_a_gateway_takes_a_revision_for_as_long_as_the_broker(catalogue: Catalogue) -> None:
    present, later = catalogue.purposes[PURPOSE][0], next_of(catalogue)
    view = read_view(catalogue.with_revision(later, now=TODAY))
    old, new = derive_digest(present), derive_digest(later)
    grace = timedelta(seconds=GRACE_SECONDS)
    assert view.find_cited(PURPOSE, old, NEXT + grace - SECOND) is not None
    assert view.find_cited(PURPOSE, old, NEXT + grace) is None
    assert view.find_cited(PURPOSE, new, NEXT - SECOND) is None
    assert view.find_cited(PURPOSE, new, NEXT) is not None
    assert view.find_cited(PURPOSE, "0" * 64, NEXT) is None
    shown = view.find_shown(PURPOSE, NEXT - SECOND)
    assert shown is not None
    assert shown.digest == old
    assert [one.digest for one in view.list_in_force(NEXT) if one.id == PURPOSE] == [new]


def test_a_purpose_keeps_its_words_before_it_begins_and_after_it_ends(catalogue: Catalogue) -> None:
    ended = next_of(catalogue, valid_until=NEXT + SECOND)
    view = read_view(catalogue.with_revision(ended, now=TODAY))
    after = NEXT + timedelta(days=9)
    assert view.find_revision(PURPOSE, after) is None
    for now, digest in (
        (after, derive_digest(ended)),
        (datetime(2020, 1, 1, tzinfo=UTC), derive_digest(catalogue.purposes[PURPOSE][0])),
    ):
        shown = view.find_shown(PURPOSE, now)
        assert shown is not None
        assert shown.digest == digest
    assert view.find_shown("absent", after) is None


# OPA and the connectors' view must agree at every moment and for every digest.
OFFSETS = (-1_000, -1, 0, 1, 60, 119, 120, 121, 299, 300, 301, 1_000)
QUESTION: dict[str, Any] = {"act": "inquire", "purpose": PURPOSE}


def test_opa_and_python_choose_alike(catalogue: Catalogue, opa: Engine) -> None:
    later = next_of(catalogue, valid_until=NEXT + timedelta(seconds=300))
    third = next_of(catalogue, NEXT + timedelta(seconds=600))
    held = catalogue.with_revision(later, now=TODAY).with_revision(third, now=TODAY)
    view = read_view(held)
    digests = [derive_digest(one) for one in held.purposes[PURPOSE]]
    asked = [(NEXT + timedelta(seconds=n), digest) for n in OFFSETS for digest in digests]
    questions: list[dict[str, object]] = [
        {**QUESTION, "now": encode_moment(now), "purpose_digest": digest} for now, digest in asked
    ]
    opa.put_data("datwat/catalogue", held.to_data())
    try:
        decisions = weigh(opa, questions)
    finally:
        opa.put_data("datwat/catalogue", catalogue.to_data())
    seen = set()
    for (now, digest), decision in zip(asked, decisions, strict=True):
        found: dict[str, bool] = {
            one["code"]: one["satisfied"]
            for one in decision["findings"]  # type: ignore[attr-defined]
        }
        assert found["known_purpose"]
        expected = view.find_cited(PURPOSE, digest, now) is not None
        assert found["valid_purpose"] == expected, (now, digest)
        seen.add((digest, expected))
    assert len(seen) == 2 * len(digests)
