"""The registers on each kind of database, and two epochs."""

from __future__ import annotations

import pytest

from tests.adapters.registers import conn, registers
from tests.rotation.scalars import Scalars

__all__ = ["conn", "registers"]


@pytest.fixture
def scalars() -> Scalars:
    return Scalars()
