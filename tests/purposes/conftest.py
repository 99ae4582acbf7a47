from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from broker.policy.decision import entry_point_of
from broker.policy.evaluation import Act
from broker.purposes.cases import Case, load_cases
from broker.purposes.catalogue import Catalogue, load_catalogue
from tests.mutate.__main__ import find_opa
from tests.mutate.engine import Engine

POLICIES = Path(__file__).resolve().parents[2] / "policies"


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(POLICIES)


@pytest.fixture(scope="session")
def cases(catalogue: Catalogue) -> tuple[Case, ...]:
    return load_cases(POLICIES, catalogue)


@pytest.fixture(scope="session")
def opa(catalogue: Catalogue) -> Iterator[Engine]:
    with Engine(find_opa(), POLICIES / "datwat") as engine:
        engine.put_data("datwat/catalogue", catalogue.to_data())
        yield engine


def weigh(opa: Engine, questions: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the decision on each question, in order, weighed by a real OPA in one query."""
    entries = [
        {"entry_point": entry_point_of(cast("Act", question["act"])), "question": question}
        for question in questions
    ]
    opa.put_data("cases", entries)
    decisions = opa.weigh(range(len(questions)))
    assert len(decisions) == len(questions), json.dumps(sorted(decisions))
    return [decisions[i] for i in range(len(questions))]
