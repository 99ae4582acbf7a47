"""The gateway's own stores on PostgreSQL: an order, its replay, a fork, contacts and notices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.gateway.evidence import list_orders
from tests.conftest import open_database
from tests.connectors.gateway.test_relayed import CONTACTS, NOTICES, delivery, ended, message
from tests.connectors.gateway.world import World
from tests.protocol.order_world import Order

pytestmark = pytest.mark.postgres


@pytest.fixture
def world(postgres_url: str, tmp_path: Path) -> Iterator[World]:
    with open_database(postgres_url) as url:
        opened = World(tmp_path, url)
        yield opened
        opened.close()


async def test_an_order_lives_the_same_on_postgresql(world: World) -> None:
    order = Order()
    wire = order.wire(world.log, order.log(world.log))
    answers = await asyncio.gather(*(world.post(wire) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    world.restart()
    assert (await world.post(wire)).content == answers[0].content
    assert [taken.outcome for taken in list_orders(world.engine)] == ["released"]
    other = Order(payload=b"another decision")
    assert (await world.order(other)).json()["code"] == "rid_reused"


async def test_contacts_and_notices_live_the_same_on_postgresql(world: World) -> None:
    body = message("contact_request", delivery())
    for _ in range(2):
        assert (await world.send(CONTACTS, body)).status_code == 204
    (wish,) = world.gateway.contacts.list_open(datetime.now(UTC))
    world.gateway.contacts.mark(wish.number, "answered")
    assert world.gateway.contacts.list_open(datetime.now(UTC)) == []
    assert (await world.send(NOTICES, message("ended", ended(), rid=b"e" * 16))).status_code == 204
    assert (await world.order(Order())).json()["code"] == "order_involvement_unknown"


async def test_a_fork_stops_it_on_postgresql_too(world: World) -> None:
    await world.order(Order())
    size = len(world.log.leaves)
    forked = world.log.fork(2)
    forked.grow(size)
    order = Order(rid=b"f" * 16)
    index = order.log(forked)
    response = await world.post(order.wire(forked, index, held=size))
    assert response.json()["code"] == "order_log_forked"
    world.restart()
    assert (await world.order(Order(rid=b"g" * 16))).json()["code"] == "gateway_stopped"
