from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.purposes.catalogue import Catalogue, load_catalogue
from broker.purposes.sentences import describe_purpose
from datwat.protocol.catalogue import Language
from datwat.protocol.texts import LANGUAGES, Texts

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(POLICIES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_member_that_is_weighed_is_said(catalogue: Catalogue, language: Language) -> None:
    for purpose in catalogue.list_newest():
        said = "\n".join(describe_purpose(purpose, catalogue, Texts({}), language))
        expected = [purpose.id, purpose.owner, str(purpose.retention_days)]
        expected += [kind.replace("-", "_") for kind in purpose.sees]
        expected += [asker.function.replace("-", "_") for asker in purpose.requesters]
        for edge in purpose.edges:
            expected += [edge.giver_article, edge.taker_article, *edge.grounds.values()]
            expected += [item.why.nl if language == "nl" else item.why.en for item in edge.fields]
        assert not [member for member in expected if member not in said]


def test_one_changed_member_changes_the_sentences(catalogue: Catalogue) -> None:
    purpose = catalogue.purposes["debt_counselling"][-1]
    whole = describe_purpose(purpose, catalogue, Texts({}), "nl")
    edge = purpose.edges[0]
    fewer = edge.model_copy(update={"fields": edge.fields[1:]})
    changes: list[dict[str, Any]] = [
        {"legal_check": "confirmed"},
        {"not_for": ()},
        {"objection": "none"},
        {"retention_days": 1},
        {"occasions": {}},
        {"edges": (fewer, *purpose.edges[1:])},
        {"edges": (edge.model_copy(update={"mode": "may"}), *purpose.edges[1:])},
    ]
    for change in changes:
        changed = purpose.model_copy(update=change)
        assert describe_purpose(changed, catalogue, Texts({}), "nl") != whole
