"""*Nobody*, *unknown* and *not for you* take the same time; 2 ms more on one path is noticed.

Paths run in turn, in another order each round, and only differences within a round count, so that
what slows the machine slows all of them. Rounds go on until the interval in which the median lies
(three sigma, by rank) is on one side of the threshold, and at most so many.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from connectors.client.outgoing import Person, Sent
from tests.exchange.world import (
    Household,
    Running,
    bsns,
    by_bsn,
    by_handle,
    inquiry_part,
    open_household,
    register,
    say,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
ALLOWED = 0.001
ADDED = 0.002
BATCH = 25
MOST_ROUNDS = 300
Path = Callable[[], Awaitable[float]]


@dataclass
class Inquiry:
    """One way of asking; each call asks anew and returns how long the broker took."""

    running: Running
    home: Household
    draw_person: Callable[[], Person]
    added: float = 0.0

    async def __call__(self) -> float:
        sent = self._build()
        start = time.perf_counter()
        raw = await self.running.send(sent)
        if self.added:
            await asyncio.sleep(self.added)
        taken = time.perf_counter() - start
        assert inquiry_part(self.running.verify(raw, sent)).pointers == ()
        return taken

    def _build(self) -> Sent:
        return self.running.world.build(
            "social-team",
            "inquire",
            [self.draw_person()],
            say(occasion=self.home.occasion),
            purpose=self.running.purpose("coordinate_family_help"),
            rung="dat",
        )


def judge(differences: Sequence[float]) -> bool | None:
    """Tell whether the median difference is allowed; None while it can be either."""
    ranked, count = sorted(differences), len(differences)
    aside = math.ceil(1.5 * math.sqrt(count))
    low, high = ranked[max(0, count // 2 - aside)], ranked[min(count - 1, count // 2 + aside)]
    if low > -ALLOWED and high < ALLOWED:
        return True
    if low > ALLOWED or high < -ALLOWED:
        return False
    return None


async def find_slower(first: Path, others: Mapping[str, Path]) -> set[str]:
    """Return which of the paths take another time than the first."""
    order = random.Random(20260302)  # noqa: S311 - an order, no secret
    differences: dict[str, list[float]] = {name: [] for name in others}
    paths = {"": first, **others}
    for path in paths.values():
        await path()
    verdicts: dict[str, bool | None] = {}
    for number in range(1, MOST_ROUNDS + 1):
        taken = {}
        for name in order.sample(list(paths), len(paths)):
            taken[name] = await paths[name]()
        for name, found in differences.items():
            found.append(taken[name] - taken[""])
        if number % BATCH == 0:
            verdicts = {name: judge(found) for name, found in differences.items()}
            if None not in verdicts.values():
                break
    for name, found in differences.items():
        if verdicts[name] is None:
            verdicts[name] = abs(sorted(found)[len(found) // 2]) < ALLOWED
    return {name for name, alike in verdicts.items() if not alike}


async def _build_in_household(running: Running) -> dict[str, Inquiry]:
    nobody, not_for_you = next(NUMBERS), next(NUMBERS)
    assert (await register(running, "shelter", not_for_you, "shelter_stay")).state == "registered"
    home = await open_household(running, nobody, not_for_you)
    return {
        name: Inquiry(running, home, lambda handle=home.handles[bsn]: by_handle(handle))  # type: ignore[misc]
        for name, bsn in (("nobody", nobody), ("not for you", not_for_you))
    }


async def _build_by_ticket(running: Running) -> dict[str, Inquiry]:
    known = next(NUMBERS)
    await register(running, "debt-counselling", known, "debt_counselling")
    home = await open_household(running, next(NUMBERS))
    return {
        "known": Inquiry(running, home, lambda: by_bsn(known, identity="document")),
        "unknown": Inquiry(running, home, lambda: by_bsn(next(NUMBERS), identity="document")),
    }


@pytest.mark.parametrize("build", [_build_in_household, _build_by_ticket])
async def test_paths_that_find_nothing_take_the_same_time(
    broker: Running, build: Callable[[Running], Awaitable[dict[str, Inquiry]]]
) -> None:
    paths = await build(broker)
    first, *others = paths
    assert await find_slower(paths[first], {name: paths[name] for name in others}) == set()


@pytest.mark.parametrize("build", [_build_in_household, _build_by_ticket])
async def test_two_milliseconds_more_on_one_path_are_noticed(
    broker: Running, build: Callable[[Running], Awaitable[dict[str, Inquiry]]]
) -> None:
    paths = await build(broker)
    first, *others = paths
    for name in others:
        paths[name].added = ADDED
    assert await find_slower(paths[first], {name: paths[name] for name in others}) == set(others)
