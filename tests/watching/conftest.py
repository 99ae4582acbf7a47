"""The demo's covenant, which is the one process group in which every kind of party runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demo.world import World, acquire, release


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    yield acquire()
    release()
