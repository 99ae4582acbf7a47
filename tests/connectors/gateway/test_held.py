"""What a source lists of the orders that it took about one client."""

from __future__ import annotations

from sqlalchemy import select

from connectors.client.store import ClientStore
from connectors.gateway.evidence import list_held, mark_told
from connectors.gateway_tables import gateway_orders
from tests.connectors.gateway.world import CLIENT, World
from tests.party.covenant import now
from tests.protocol.order_world import ORIGIN, Order


async def test_an_order_is_listed_under_the_clients_own_number(world: World) -> None:
    order = Order()
    assert (await world.order(order)).status_code == 200
    (held,) = list_held(world.engine, CLIENT, ORIGIN)
    assert (held.role, held.act, held.core) == ("source", "release", order.core_bytes)
    assert (held.payload_hash, held.tag) == (order.payload_hash, order.tag)
    assert list_held(world.engine, "another", ORIGIN) == []
    assert list_held(world.engine, CLIENT, "another/log/1") == []


async def test_an_order_that_is_told_later_is_listed_once_it_was_opened(world: World) -> None:
    order = Order(core={"notice": "later"})
    assert (await world.order(order)).status_code == 200
    assert list_held(world.engine, CLIENT, ORIGIN) == []
    with world.engine.begin() as connection:
        index = connection.execute(select(gateway_orders.c.log_index)).scalar_one()
        mark_told(connection, ORIGIN, index, b"c" * 32, now())
    (held,) = list_held(world.engine, CLIENT, ORIGIN)
    assert held.index == index


async def test_orders_about_the_wrong_person_are_listed_under_nobody(world: World) -> None:
    assert (await world.order(Order())).status_code == 200
    ClientStore(world.engine).forget_client(CLIENT, now())
    assert list_held(world.engine, CLIENT, ORIGIN) == []
