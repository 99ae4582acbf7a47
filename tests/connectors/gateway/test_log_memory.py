"""What the log stated: proofs asked for, orders out of order, a fork that stops the gateway."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from connectors.gateway import memory as module
from connectors.gateway.errors import AlarmUnknownError
from connectors.gateway_tables import gateway_roots
from tests.connectors.gateway.world import World
from tests.databases import lose_database
from tests.protocol.order_world import ORIGIN, Order

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def make(number: int) -> Order:
    return Order(rid=bytes([number]) * 16, payload=bytes([number]), tag=bytes([number]) * 32)


def held(world: World) -> int:
    newest = world.gateway.memory.find_newest(ORIGIN)
    return newest.size if newest else 0


async def test_the_first_checkpoint_needs_no_proof_and_the_next_one_does(world: World) -> None:
    assert (await world.order(make(1))).status_code == 200
    before = held(world)
    world.log.grow(5)
    order = make(2)
    index = order.log(world.log)
    response = await world.post(order.wire(world.log, index, held=before - 1))
    assert (response.status_code, response.json()) == (409, {"need_proof": before})
    assert response.headers["content-type"] == "application/json"
    assert held(world) == before
    assert (await world.post(order.wire(world.log, index, held=before))).status_code == 200
    assert held(world) == len(world.log.leaves)


async def test_orders_arriving_out_of_order_are_accepted(world: World) -> None:
    await world.order(make(9))
    wires: list[dict[str, Any]] = []
    orders = [make(n) for n in range(1, 5)]
    places = []
    for order in orders:
        places.append((order.log(world.log), len(world.log.leaves)))
        world.log.grow()
    # The last one first: the others are then proved into what it made the newest.
    index, size = places[-1]
    last = orders[-1].wire(world.log, index, held=held(world), size=size)
    assert (await world.post(last)).status_code == 200
    newest = held(world)
    for order, (index, size) in list(zip(orders, places, strict=True))[-2::-1]:
        wires.append(order.wire(world.log, index, held=newest, size=size))
        assert (await world.post(wires[-1])).status_code == 200
        assert held(world) == newest
    # A size that was accepted needs no proof any more, whatever comes beside it.
    again = {**wires[0], "consistency": {"from_size": 0, "to_size": 0, "path": []}}
    assert (await world.post(again)).status_code == 200


async def test_a_smaller_log_may_be_proved_into_any_accepted_one(world: World) -> None:
    order = make(1)
    index, size = order.log(world.log), len(world.log.leaves)
    world.log.grow(2)
    await world.order(make(2))
    earlier = held(world)
    world.log.grow(2)
    await world.order(make(3))
    wire = order.wire(world.log, index, held=earlier, size=size)
    assert (await world.post(wire)).status_code == 200
    wire = order.wire(world.log, index, held=earlier + 1, size=size + 1)
    response = await world.post(wire)
    assert response.json() == {"need_proof": held(world)}


async def test_a_fork_stops_the_gateway_until_a_person_clears_it(world: World) -> None:
    await world.order(make(1))
    size = held(world)
    forked = world.log.fork(size - 1)
    order = make(2)
    index = order.log(forked)
    response = await world.post(order.wire(forked, index, held=size))
    assert response.json()["code"] == "order_log_forked"
    assert world.gateway.build_status()["state"] == "stopped"
    # A true order is not taken either, and a restart changes nothing.
    world.restart()
    true = await world.order(make(3))
    assert (true.status_code, true.json()["code"]) == (503, "gateway_stopped")
    alarm = world.gateway.memory.find_alarm()
    assert alarm is not None
    assert (alarm.held_size, alarm.checkpoint) == (size, forked.note().encode())
    world.gateway.clear_alarm(alarm.number, "officer")
    assert world.gateway.build_status()["state"] == "taking_orders"
    assert (await world.order(make(4))).status_code == 200
    # What was accepted stays: the fork is refused again.
    response = await world.post(order.wire(forked, index, held=held(world)))
    assert response.json()["code"] == "order_log_forked"


async def test_another_root_for_a_known_size_is_a_fork(world: World) -> None:
    await world.order(make(1))
    forked = world.log.fork(2)
    forked.grow(held(world) - len(forked.leaves) - 1)
    order = make(2)
    index = order.log(forked)
    assert len(forked.leaves) == held(world)
    response = await world.post(order.wire(forked, index))
    assert response.json()["code"] == "order_log_forked"


async def test_a_cosigned_checkpoint_of_another_log_is_a_fork(world: World) -> None:
    await world.order(make(1))
    forked = world.log.fork(2)
    forked.grow(held(world) - len(forked.leaves))
    world.log.grow()
    response = await world.order(make(2), cosigned=forked.note())
    assert response.json()["code"] == "order_log_forked"
    assert world.gateway.memory.find_alarm() is not None


async def test_a_fork_shown_after_a_restore_is_seen_by_the_ratchet(world: World) -> None:
    await world.order(make(1))
    size = held(world)
    world.close()
    # The database is gone, as after a backup of before: only the ratchet remembers.
    lose_database(world.url)
    world.engine = world.open_engine()
    world.open()
    assert held(world) == size
    forked = world.log.fork(2)
    forked.grow(size + 2)
    order = make(2)
    response = await world.post(order.wire(forked, order.log(forked)))
    assert response.json() == {"need_proof": size}
    response = await world.post(order.wire(forked, len(forked.leaves) - 1, held=size))
    assert response.json()["code"] == "order_log_forked"


async def test_only_so_many_roots_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOTS_KEPT", 3)
    for number in range(1, 6):
        assert (await world.order(make(number))).status_code == 200
    with world.engine.connect() as connection:
        sizes = connection.execute(select(gateway_roots.c.size)).scalars().all()
    assert sorted(sizes) == [6, 7, 8]


async def test_a_new_generation_of_the_log_begins_anew(world: World) -> None:
    await world.order(make(1))
    with world.engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(gateway_roots)).scalar() == 1
        connection.execute(delete(gateway_roots))
    assert world.gateway.memory.find_newest("broker.example/log/2") is None
    assert world.gateway.memory.find_newest(ORIGIN) is not None


def test_there_is_no_alarm_to_clear(world: World) -> None:
    with pytest.raises(AlarmUnknownError):
        world.gateway.memory.clear_alarm(1, "officer", NOW)
