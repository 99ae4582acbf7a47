"""The demo's covenant with a case opened on it, and somebody of its staff who is logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.connectors.pages.staffer import CASE, TEAM, Staffer
from tests.demo.world import World, acquire, release


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Return the demo's covenant, on which a case was played: its occasion is open."""
    covenant = acquire()
    differences, _ = covenant.play(covenant.cases[CASE])
    assert not differences
    yield covenant
    release()


@pytest.fixture
def log_in(world: World) -> Iterator[Callable[..., Staffer]]:
    """Return what logs somebody in at the pages of a partner."""
    with ExitStack() as stack:

        def enter(who: str, function: str = TEAM, language: str = "en") -> Staffer:
            staffer = Staffer(world.covenant.pages_url(function), language)
            stack.callback(staffer.client.close)
            staffer.log_in(who)
            return staffer

        yield enter
