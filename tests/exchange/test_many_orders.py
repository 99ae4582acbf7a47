"""Many orders at once to one gateway: each arrives in its time, whatever overtakes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from broker.adapters import gateways
from broker.audit.proofs import Proofs
from connectors.client.outgoing import Sent
from datwat.party.http_out import HttpOut
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.values import encode_bytes
from tests.exchange.source import Source, free_port, serve_source
from tests.exchange.world import (
    MOTIVATION,
    ON_EACH_DATABASE,
    Household,
    Running,
    World,
    bsns,
    by_handle,
    inquire,
    inquiry_part,
    open_household,
    open_world,
    register,
    release_part,
    say,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
AT_ONCE = 16


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested is how often an order is sent, not how fast a machine of other tests is."""
    monkeypatch.setattr(gateways, "ORDER_SECONDS", 20.0)


@dataclass
class Asked:
    """A member of a household of whom one partner asks again and again."""

    running: Running
    bsn: str
    home: Household
    involvement: bytes

    def build(self) -> Sent:
        reply = ExchangeKey.generate().public.raw
        return self.running.world.build(
            "social-team",
            "release",
            [by_handle(self.home.handles[self.bsn], involvement=self.involvement)],
            say(occasion=self.home.occasion, motivation=MOTIVATION),
            purpose=self.running.purpose("coordinate_family_help"),
            source=self.running.world.members["debt-counselling"].id,
            product="schuldregeling",
            fields=["regeling.status"],
            reply_key=encode_bytes(reply),
        )

    async def ask(self) -> str | None:
        """Return why nothing came, or None."""
        sent = self.build()
        return release_part(self.running.verify(await self.running.send(sent), sent)).failure


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory, database: str) -> AsyncIterator[Asked]:
    folder, port, bsn = tmp_path_factory.mktemp("orders"), free_port(), next(bsns())
    world = World(folder, {"debt-counselling": f"http://127.0.0.1:{port}"}, database)
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        part = await register(running, "debt-counselling", bsn, "debt_counselling")
        assert part.involvement is not None
        home = await open_household(running, bsn)
        pointer = inquiry_part(await inquire(running, home, bsn)).pointers[0]
        source = Source(folder / "source", running, bsn, part.involvement)
        async with serve_source(source, port):
            yield Asked(running, bsn, home, pointer.involvement)


@pytest.mark.parametrize("by", ["this process", "another process"])
async def test_an_order_that_is_always_overtaken_arrives_at_the_second_try(
    asked: Asked, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever it is about to go, another order goes first, under a newer head."""
    post, tries = HttpOut.post_message, 0
    own = asked.running.broker.gateways
    other = own
    if by == "another process":  # it knows nothing of what this one sent, nor this one of it
        broker = asked.running.broker
        other = gateways.HttpGateways(
            broker.http, Proofs(broker.log), broker.publishing.publication.read_vouched
        )
    send = own.send_order, other.send_order

    async def overtake(http: HttpOut, url: str, message: bytes, **limits: Any) -> bytes:  # noqa: ANN401 - passed on
        nonlocal tries
        tries += 1
        assert tries <= 2
        monkeypatch.setattr(HttpOut, "post_message", post)
        monkeypatch.setattr(own, "send_order", send[1])
        assert await asked.ask() is None
        monkeypatch.setattr(own, "send_order", send[0])
        monkeypatch.setattr(HttpOut, "post_message", overtake)
        return await post(http, url, message, **limits)

    monkeypatch.setattr(HttpOut, "post_message", overtake)
    assert await asked.ask() is None
    assert tries == 2


async def test_many_at_once_all_arrive(asked: Asked) -> None:
    async def ask_on() -> list[str | None]:
        return [await asked.ask() for _ in range(4)]

    found = await asyncio.gather(*(ask_on() for _ in range(AT_ONCE)))
    assert [failure for each in found for failure in each] == [None] * 4 * AT_ONCE
