"""Many orders at once to one gateway: each is asked for another proof until it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from broker.adapters import gateways
from datwat.protocol.order import OrderEnvelope
from tests.exchange.source import Source, free_port, serve_app, serve_source
from tests.exchange.test_release import Asked
from tests.exchange.world import (
    World,
    bsns,
    inquire,
    inquiry_part,
    open_household,
    open_world,
    register,
    release_part,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("faults-orders")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def orders(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    folder, port, bsn = tmp_path_factory.mktemp("orders"), free_port(), next(bsns())
    world = World(folder, {"debt-counselling": f"http://127.0.0.1:{port}"})
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        part = await register(running, "debt-counselling", bsn, "debt_counselling")
        assert part.involvement is not None
        home = await open_household(running, bsn)
        pointer = inquiry_part(await inquire(running, home, bsn)).pointers[0]
        source = Source(folder / "source", running, bsn, part.involvement)
        yield Asked(running, source, port, bsn, home, pointer.involvement)


async def test_a_gateway_is_given_the_proof_that_it_needs_until_it_takes_the_order(
    orders: Asked,
) -> None:
    bases: list[int] = []

    async def answer(request: Request) -> Response:
        bases.append(OrderEnvelope.model_validate_json(await request.body()).consistency.from_size)
        if len(bases) < 4:
            return JSONResponse({"need_proof": len(bases)}, 409)
        return JSONResponse({})

    app = Starlette(routes=[Route("/v1/orders", answer, methods=["POST"])])
    async with serve_app(app, orders.port):
        answered = await orders.ask()
    assert bases == [0, 1, 2, 3]
    assert release_part(answered).failure == "source_answer_invalid"


async def test_a_gateway_that_asks_for_what_it_was_given_is_not_asked_for_ever(
    orders: Asked,
) -> None:
    count = 0

    async def answer(_request: Request) -> Response:
        nonlocal count
        count += 1
        return JSONResponse({"need_proof": 1}, 409)

    app = Starlette(routes=[Route("/v1/orders", answer, methods=["POST"])])
    async with serve_app(app, orders.port):
        answered = await orders.ask()
    assert count <= 2
    assert release_part(answered).failure == "source_refused_order"


async def test_an_order_whose_connection_broke_is_sent_once_more(orders: Asked) -> None:
    """The source may have closed it at this very moment; the same order again is taken once."""
    came: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        came.append(await reader.readexactly(length))
        if len(came) > 1:
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            writer.write(answer + b"Content-Length: 2\r\n\r\n{}")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", orders.port)
    async with server:
        answered = await orders.ask()
    assert len(came) == 2
    assert came[0] == came[1]
    assert release_part(answered).failure == "source_answer_invalid"


async def test_many_orders_at_once_are_all_taken(
    orders: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both sides share one loop here, and other tests the machine: this is not about the time.
    monkeypatch.setattr(gateways, "ORDER_SECONDS", 30.0)
    size = orders.running.broker.log.size
    async with serve_source(orders.source, orders.port):
        answers = await asyncio.gather(*(orders.ask() for _ in range(12)))
    assert [release_part(answer).failure for answer in answers] == [None] * 12
    assert all(answer.envelope is not None for answer in answers)
    assert len({answer.persons[0].index for answer in answers}) == 12
    assert orders.running.broker.log.size == size + 24
