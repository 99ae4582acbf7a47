"""Witnesses vouch for what a gateway accepted, or it stops in time; over real HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.gateway.coverage import WAITS_AT_MOST, Coverage
from datwat.party.http_out import HttpOut
from datwat.protocol.checkpoint import build_cosignature
from datwat.protocol.cosigning import add_lines
from datwat.protocol.merkle import derive_root
from datwat.protocol.notes import COSIGNATURE_TYPE, VerifierKey, parse_note
from datwat.protocol.tiles import TilePath
from datwat.protocol.trust import Witness
from tests.connectors.gateway.world import World, build_trust
from tests.party.web import serving
from tests.protocol.order_world import ORIGIN, LogStub, Order

KEY = Ed25519PrivateKey.generate()
NAME = "witness.test/one"
VKEY = VerifierKey(
    name=NAME, type=COSIGNATURE_TYPE, public_key=KEY.public_key().public_bytes_raw()
).text


class Shown:
    """What the public log shows: a checkpoint that a witness vouched for, and its tiles."""

    def __init__(self, log: LogStub) -> None:
        self.log = log
        self.note = b""
        self.asked = 0
        self.wrong = ""

    def cosign(self, size: int | None = None, *, seconds_ago: int = 0) -> None:
        note = self.log.note(size) if size else self.log.note()
        text = parse_note(note.encode()).text
        line = build_cosignature(text, NAME, KEY, int(time.time()) - seconds_ago)
        self.note = add_lines(note.encode(), [line])

    def build_app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/log/checkpoint", self._checkpoint),
                Route("/v1/log/{rest:path}", self._tile),
            ]
        )

    async def _checkpoint(self, _request: Request) -> Response:
        self.asked += 1
        return Response(self.note or b"none", 200 if self.note else 503)

    async def _tile(self, request: Request) -> Response:
        path = TilePath.parse(request.path_params["rest"])
        span = 256 ** (path.level or 0)
        start = path.index * 256
        leaves = self.log.leaves
        hashes = [
            derive_root(leaves[place * span : (place + 1) * span])
            for place in range(start, start + path.width)
        ]
        if self.wrong == "short":
            hashes.pop()
        elif self.wrong == "of another log":
            hashes = [bytes(32)] * len(hashes)
        elif self.wrong == "one hash":
            hashes[-1] = bytes(32)
        return Response(b"".join(hashes), media_type="application/octet-stream")


@pytest.fixture
def shown(world: World) -> Iterator[Shown]:
    """Let the trust list name a witness, and the broker's address."""
    made = Shown(world.log)
    with ExitStack() as stack:
        url = stack.enter_context(serving(made.build_app()))
        trust = build_trust()
        broker = trust.broker.model_copy(update={"url": url})
        witnesses = (Witness(name=NAME, vkey=VKEY),)
        changes: dict[str, Any] = {"broker": broker, "witnesses": witnesses, "witness_threshold": 1}
        world.set_trust(trust.model_copy(update=changes))
        yield made


def build(world: World, http: HttpOut) -> Coverage:
    return Coverage(world.gateway.memory, world.ratchet, http, lambda: world.directory.trust)


async def take(world: World, shown: Shown, number: int) -> int:
    """Let the gateway take an order whose cosigned checkpoint is older; return the size held."""
    order = Order(rid=bytes([number]) * 16, payload=bytes([number]), tag=bytes([number]) * 32)
    shown.cosign()
    cosigned = shown.note.decode()
    response = await world.order(order, cosigned=cosigned)
    assert response.status_code == 200, response.text
    shown.note = b""
    return len(world.log.leaves)


def find_reason(world: World) -> str | None:
    alarm = world.gateway.build_status()["alarm"]
    return alarm["reason"] if alarm else None


async def wait_out(coverage: Coverage, began: datetime) -> None:
    """Look at every half minute of the time that something may wait, and a little longer."""
    for step in range(33):
        await coverage.look(began + timedelta(seconds=30 * step))


@pytest.mark.parametrize("grown", [0, 1, 400])
async def test_what_witnesses_vouch_for_covers_what_was_accepted(
    world: World, shown: Shown, grown: int
) -> None:
    size = await take(world, shown, 1)
    async with HttpOut() as http:
        coverage = build(world, http)
        now = datetime.now(UTC)
        await coverage.look(now)
        assert [coverage.waiting_since] == [now]
        world.log.grow(grown)
        shown.cosign()
        await coverage.look(datetime.now(UTC))
        assert coverage.waiting_since is None
        newest = world.gateway.memory.find_newest(ORIGIN)
        assert newest is not None
        assert newest.size == size + grown
        asked = shown.asked
        await coverage.look(datetime.now(UTC))
        assert shown.asked == asked  # all is covered: nobody is asked
    assert find_reason(world) is None


@pytest.mark.parametrize("shows", ["nothing", "older", "old words", "unsigned"])
async def test_not_covered_for_fifteen_minutes_the_gateway_stops(
    world: World, shown: Shown, shows: str
) -> None:
    size = await take(world, shown, 1)
    async with HttpOut() as http:
        coverage = build(world, http)
        if shows == "older":
            shown.cosign(size - 1)
        elif shows == "old words":
            shown.cosign(seconds_ago=3_600)
        elif shows == "unsigned":
            shown.note = world.log.note().encode()
        began = datetime.now(UTC)
        for step in range(30):
            await coverage.look(began + timedelta(seconds=30 * step))
        assert find_reason(world) is None
        await coverage.look(began + WAITS_AT_MOST)
        assert find_reason(world) == "log_not_cosigned"
        refused = await world.order(Order(rid=b"z" * 16))
        assert refused.json()["code"] == "gateway_stopped"
        alarm = world.gateway.memory.find_alarm()
        assert alarm is not None
        # A person looks: what waits has its time again.
        world.gateway.clear_alarm(alarm.number, "A. Smit")
        coverage.begin_anew(began + WAITS_AT_MOST)
        await coverage.look(began + WAITS_AT_MOST + timedelta(minutes=14))
        assert find_reason(world) is None
        for step in range(4):
            await coverage.look(began + 2 * WAITS_AT_MOST + timedelta(seconds=30 * step))
        assert find_reason(world) == "log_not_cosigned"


async def test_a_restart_does_not_begin_the_time_anew(world: World, shown: Shown) -> None:
    await take(world, shown, 1)
    began = datetime.now(UTC)
    async with HttpOut() as http:
        await build(world, http).look(began)
        world.restart()
        coverage = build(world, http)
        for step in range(3):
            await coverage.look(began + WAITS_AT_MOST + timedelta(seconds=step))
    assert find_reason(world) == "log_not_cosigned"


async def test_later_orders_do_not_push_the_time_on(world: World, shown: Shown) -> None:
    began = datetime.now(UTC)
    async with HttpOut() as http:
        coverage = build(world, http)
        for number in range(1, 5):
            await take(world, shown, number)
            await coverage.look(began + timedelta(minutes=4 * number))
            assert find_reason(world) is None
        await coverage.look(began + timedelta(minutes=20))
    assert find_reason(world) == "log_not_cosigned"


async def test_witnesses_that_saw_another_log_stop_the_gateway(world: World, shown: Shown) -> None:
    size = await take(world, shown, 1)
    shown.log = world.log.fork(size - 1)
    shown.log.grow(5)
    shown.cosign()
    async with HttpOut() as http:
        await build(world, http).look(datetime.now(UTC))
    assert find_reason(world) == "log_forked"


@pytest.mark.parametrize("wrong", ["short", "of another log", "one hash"])
async def test_tiles_that_do_not_lead_to_the_signed_root_are_no_fork(
    world: World, shown: Shown, wrong: str
) -> None:
    await take(world, shown, 1)
    world.log.grow(9)
    shown.cosign()
    shown.wrong = wrong
    async with HttpOut() as http:
        coverage = build(world, http)
        await coverage.look(datetime.now(UTC))
        assert find_reason(world) is None
        assert coverage.waiting_since is not None
        shown.wrong = ""
        await coverage.look(datetime.now(UTC))
        assert coverage.waiting_since is None


async def test_without_a_threshold_nobody_is_asked(world: World, shown: Shown) -> None:
    await take(world, shown, 1)
    trust = world.directory.trust.model_copy(update={"witness_threshold": 0})
    world.set_trust(trust)
    async with HttpOut() as http:
        coverage = build(world, http)
        await asyncio.wait_for(wait_out(coverage, datetime.now(UTC)), 20)
    assert (shown.asked, find_reason(world)) == (0, None)
