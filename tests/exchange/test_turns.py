"""Partners take turns, and a flood is stated once an hour instead of message by message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from broker.exchange.errors import RateLimitedError
from broker.exchange.life import RELEASES_AT_ONCE, RELEASES_WAITING
from broker.exchange.overload import HELD_SECONDS, MOST_HELD, Overload
from broker.exchange.turns import AT_ONCE, MOST_WAITING, Turns
from connectors.client.outgoing import Sent
from datwat.party.gate import Limits
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.values import encode_bytes
from tests.audit.conftest import LogWorld
from tests.exchange.world import (
    MOTIVATION,
    Household,
    Running,
    World,
    bsns,
    by_handle,
    draw,
    open_household,
    open_world,
    say,
)

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class Asking:
    """Questions that wait for a turn, noted in the order in which they get it."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.order: list[str] = []
        self.running = self.most_running = 0

    async def ask(self, partner: str) -> None:
        async with self.turns.take(partner):
            self.order.append(partner)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            await asyncio.sleep(0)
            self.running -= 1


async def test_one_partners_flood_makes_nobody_wait_behind_it() -> None:
    asking = Asking(Turns(at_once=2))
    flood = [asyncio.create_task(asking.ask("flood")) for _ in range(50)]
    await asyncio.sleep(0)
    before = len(asking.order)
    await asking.ask("honest")
    assert asking.order.index("honest") - before <= 3
    await asyncio.gather(*flood)
    assert asking.order.count("flood") == 50
    assert asking.most_running == 2


async def test_one_partners_long_messages_leave_room_for_another() -> None:
    turns, over = Turns(at_once=4), asyncio.Event()

    async def hold(partner: str) -> None:
        async with turns.take(partner):
            await over.wait()

    long = [asyncio.create_task(hold("long")) for _ in range(9)]
    await asyncio.sleep(0)
    async with asyncio.timeout(1), turns.take("other"):
        pass
    others = [asyncio.create_task(hold(f"other {number}")) for number in range(3)]
    await asyncio.sleep(0)
    over.set()
    async with asyncio.timeout(1):
        await asyncio.gather(*long, *others)
    async with asyncio.timeout(1), turns.take("long"):
        pass


async def test_what_one_partner_has_at_once_is_less_than_a_party_takes_on() -> None:
    turns, refused = Turns(), 0
    over = asyncio.Event()

    async def hold() -> None:
        nonlocal refused
        try:
            async with turns.take("flood"):
                await over.wait()
        except RateLimitedError:
            refused += 1

    most = Limits().max_requests
    flood = [asyncio.create_task(hold()) for _ in range(most)]
    await asyncio.sleep(0)
    assert refused > most // 2
    over.set()
    await asyncio.gather(*flood)


async def test_releases_of_one_partner_leave_places_for_others(tmp_path: Path) -> None:
    world, bsn = World(tmp_path), next(bsns())
    most, count = RELEASES_AT_ONCE * 3 // 4 + RELEASES_WAITING, 5
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        home = await open_household(running, bsn)
        sent = [build_release(running, home, bsn) for _ in range(most + count)]
        outcomes = await asyncio.gather(*map(running.send, sent), return_exceptions=True)
    assert [isinstance(one, bytes) for one in outcomes] == [True] * most + [False] * count
    assert all(isinstance(one, RateLimitedError) for one in outcomes[most:])
    assert most + MOST_WAITING + AT_ONCE < Limits().max_requests


def build_release(running: Running, home: Household, bsn: str) -> Sent:
    """Return a release that cites an involvement by a guess: weighed, logged, and over."""
    return running.world.build(
        "social-team",
        "release",
        [by_handle(home.handles[bsn], involvement=draw())],
        say(occasion=home.occasion, motivation=MOTIVATION),
        purpose=running.purpose("coordinate_family_help"),
        source=running.world.members["debt-counselling"].id,
        product="schuldregeling",
        fields=["regeling.status"],
        reply_key=encode_bytes(ExchangeKey.generate().public.raw),
    )


async def test_more_than_may_wait_is_refused_and_the_rest_goes_on() -> None:
    asking = Asking(Turns(at_once=1, most_waiting=2))
    outcomes = await asyncio.gather(
        *(asking.ask("flood") for _ in range(5)), asking.ask("honest"), return_exceptions=True
    )
    assert sum(isinstance(outcome, RateLimitedError) for outcome in outcomes) == 2
    assert outcomes[-1] is None
    assert asking.order.count("flood") == 3


async def test_whoever_stops_waiting_keeps_no_turn() -> None:
    asking = Asking(Turns(at_once=1))
    waiting = [asyncio.create_task(asking.ask(name)) for name in ("a", "b", "c")]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert asking.order == ["a", "c"]
    await asyncio.wait_for(asking.ask("d"), 1)


async def test_an_error_gives_the_turn_back() -> None:
    turns = Turns(at_once=1)
    with pytest.raises(RuntimeError):
        async with turns.take("a"):
            raise RuntimeError
    async with asyncio.timeout(1), turns.take("b"):
        pass


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> Iterator[LogWorld]:
    apart = tmp_path / "apart"
    apart.mkdir()
    made = LogWorld(engine, apart)
    made.start()
    yield made
    made.stop()


async def test_a_refusal_is_held_but_only_for_so_many(world: LogWorld) -> None:
    overload = Overload(world.log)
    held = [asyncio.create_task(overload.refuse("a", NOON)) for _ in range(MOST_HELD)]
    await asyncio.sleep(0.1)
    assert not any(task.done() for task in held)
    await asyncio.wait_for(overload.refuse("b", NOON), 0.05)
    await asyncio.wait_for(asyncio.gather(*held), HELD_SECONDS + 1)
    waiting = asyncio.create_task(overload.refuse("a", NOON))
    await asyncio.sleep(0.05)
    assert not waiting.done(), "places are given back"
    waiting.cancel()


async def test_a_flood_is_one_statement_per_partner_and_hour(world: LogWorld) -> None:
    log, overload = world.log, Overload(world.log)
    refused = [("a", 0), ("a", 1), ("a", 59), ("b", 0), ("a", 61)]
    await asyncio.gather(
        *(overload.refuse(partner, NOON + timedelta(minutes=minute)) for partner, minute in refused)
    )
    assert await overload.state_ended(NOON + timedelta(minutes=59, seconds=59)) == 0
    assert await overload.state_ended(NOON + timedelta(hours=1)) == 2
    assert await overload.state_ended(NOON + timedelta(hours=1)) == 0
    with world.store.reading() as connection:
        rows = [world.store.find_entry(connection, index) for index in range(log.size)]
    stated = [json.loads(row.document or b"") for row in rows if row is not None]
    assert [(one["partner"], one["count"], one["from"]) for one in stated] == [
        ("a", 3, "2026-11-25T12:00:00Z"),
        ("b", 1, "2026-11-25T12:00:00Z"),
    ]
    assert await overload.state_ended(NOON + timedelta(hours=2)) == 1
