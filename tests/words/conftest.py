from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.purposes.catalogue import Catalogue
from broker.purposes.wording import load_texts
from datwat.protocol.texts import Texts
from tests.mutate.__main__ import find_opa
from tests.mutate.engine import Engine
from tests.purposes.conftest import POLICIES, cases, catalogue
from tests.words.deciding import HARNESS

__all__ = ["cases", "catalogue"]  # fixtures


@pytest.fixture(scope="session")
def texts() -> Texts:
    return Texts(load_texts(POLICIES))


@pytest.fixture(scope="session")
def opa(catalogue: Catalogue) -> Iterator[Engine]:
    """A real OPA that weighs questions under purposes that are handed over with them."""
    with Engine(find_opa(), POLICIES / "datwat") as engine:
        engine.put_data("datwat/catalogue", catalogue.to_data())
        engine.put_module("harness.rego", HARNESS)
        yield engine
