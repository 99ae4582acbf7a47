"""What is known: the order, its envelope, its outcome; and what happens when the source fails."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.client.outgoing import Sent
from connectors.client.verification import VerifiedAnswer
from datwat.protocol.envelope import (
    EnvelopeObject,
    open_envelope,
    seal_envelope,
    subject_matches,
)
from datwat.protocol.keys import ExchangeKey, ExchangePublicKey
from datwat.protocol.messages import OutcomeCore
from datwat.protocol.order import OrderEnvelope, OrderObject
from datwat.protocol.signing import SignedMessage, build_message
from datwat.protocol.values import encode_bytes, encode_moment
from tests.exchange.source import Source, free_port, serve_app, serve_source
from tests.exchange.world import (
    MOTIVATION,
    ON_EACH_DATABASE,
    Household,
    Member,
    Running,
    World,
    bsns,
    by_handle,
    inquire,
    inquiry_part,
    now,
    open_household,
    open_world,
    register,
    release_part,
    say,
)
from tests.transparency.test_access_log import log_in

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
FIELDS = ["regeling.status", "regeling.soort"]
REPLY = ExchangeKey.generate()


@dataclass
class Asked:
    """A household of which one member has debt counselling, seen by the team."""

    running: Running
    source: Source
    port: int
    bsn: str
    home: Household
    involvement: bytes

    def build(self, **changes: object) -> Sent:
        extra: dict[str, Any] = {
            "purpose": self.running.purpose("coordinate_family_help"),
            "source": self.running.world.members["debt-counselling"].id,
            "product": "schuldregeling",
            "fields": FIELDS,
            "reply_key": encode_bytes(REPLY.public.raw),
            **changes,
        }
        return self.running.world.build(
            "social-team",
            "release",
            [by_handle(self.home.handles[self.bsn], involvement=self.involvement)],
            say(occasion=self.home.occasion, motivation=MOTIVATION, internal_reason="Intern."),
            **extra,
        )

    async def ask(self, **changes: object) -> VerifiedAnswer:
        sent = self.build(**changes)
        return self.running.verify(await self.running.send(sent), sent)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory, database: str) -> AsyncIterator[Asked]:
    folder, port, numbers = tmp_path_factory.mktemp("release"), free_port(), bsns()
    world = World(folder, {"debt-counselling": f"http://127.0.0.1:{port}"}, database)
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        bsn = next(numbers)
        part = await register(running, "debt-counselling", bsn, "debt_counselling")
        assert part.involvement is not None
        home = await open_household(running, bsn)
        pointer = inquiry_part(await inquire(running, home, bsn)).pointers[0]
        source = Source(folder / "source", running, bsn, part.involvement)
        yield Asked(running, source, port, bsn, home, pointer.involvement)


async def test_a_permitted_release_is_ordered_sealed_logged_and_opened(asked: Asked) -> None:
    async with serve_source(asked.source, asked.port):
        size = asked.running.broker.log.size
        answer = await asked.ask(fields=[*FIELDS, "totaal_schuld"])
    part, core = release_part(answer), answer.persons[0].core
    assert set(part.fields) == set(FIELDS)
    assert [one.field for one in part.withheld] == ["totaal_schuld"]
    assert isinstance(core, OutcomeCore)
    assert asked.running.broker.log.size == size + 2
    assert answer.envelope is not None
    message = SignedMessage.from_bytes(answer.envelope)
    body = EnvelopeObject.model_validate_json(message.object)
    opened = open_envelope(body, REPLY, core.core_hash, part.fields)
    assert opened.values == {"regeling.status": "lopend", "regeling.soort": "minnelijk"}
    assert subject_matches(opened, asked.bsn)


async def test_the_outcome_stands_on_the_card_of_its_question(asked: Asked) -> None:
    async with serve_source(asked.source, asked.port):
        for _ in range(2):
            await asked.ask()
    (resident,) = await log_in(asked.running, asked.bsn)
    first = await resident.read(limit=1)
    second = await resident.read(limit=1, before=first.next)
    for page in (first, second):
        (card,) = page.cards
        assert (card.event, len(card.proofs)) == ("release", 2)
        assert set(card.fields_given) == set(FIELDS)
    assert first.cards[0].number > second.cards[0].number


async def test_the_same_bytes_get_the_same_envelope_and_no_third_entry(asked: Asked) -> None:
    sent = asked.build()
    async with serve_source(asked.source.reopen(), asked.port):
        first = asked.running.verify(await asked.running.send(sent), sent)
    size = asked.running.broker.log.size
    second = asked.running.verify(await asked.running.send(sent), sent)
    assert first.envelope == second.envelope is not None
    assert asked.running.broker.log.size == size


async def test_a_source_that_is_down_is_a_typed_failure_that_is_logged(asked: Asked) -> None:
    size = asked.running.broker.log.size
    answer = await asked.ask()
    part = release_part(answer)
    assert (part.failure, part.fields) == ("source_unreachable", ())
    assert answer.envelope is None
    assert asked.running.broker.log.size == size + 2


@pytest.mark.parametrize("how", ["slow", "garbage", "more fields", "stranger", "refuses"])
async def test_what_a_source_answers_wrongly_never_passes(asked: Asked, how: str) -> None:
    expected = {
        "slow": "source_too_slow",
        "garbage": "source_answer_invalid",
        "more fields": "source_fields_differ",
        "stranger": "source_answer_invalid",
        "refuses": "source_refuses",
    }[how]
    member = asked.running.world.members["debt-counselling"]
    other = asked.running.world.members["youth-help"]

    async def answer_order(request: Request) -> Response:
        if how == "slow":
            await asyncio.sleep(3)
        if how == "refuses":
            problem = b'{"code":"source_refuses","status":403,"title":"-","detail":"-","type":"-"}'
            return Response(problem, 403, media_type="application/problem+json")
        return Response(
            _build_wrong(await request.body(), how, member, other), media_type="application/json"
        )

    app = Starlette(routes=[Route("/v1/orders", answer_order, methods=["POST"])])
    async with serve_app(app, asked.port):
        answer = await asked.ask()
    assert release_part(answer).failure == expected
    assert answer.envelope is None


def _build_wrong(body: bytes, how: str, member: Member, other: Member) -> bytes:
    if how in ("garbage", "slow"):
        return b"{}"
    envelope = OrderEnvelope.model_validate_json(body)
    order = OrderObject.model_validate_json(SignedMessage.from_bytes(envelope.message).object)
    request = json.loads(order.request_object)
    values = {"regeling.status": "lopend", "regeling.soort": "x"}
    if how == "more fields":
        values["totaal_schuld"] = "veel"
    sealed = seal_envelope(
        hashlib.sha256(order.core).digest(),
        ExchangePublicKey(REPLY.public.raw),
        values,
        dict.fromkeys(values, 64),
        None,
    )
    signer = other if how == "stranger" else member
    members = {
        "v": 1,
        "type": "envelope",
        "iss": signer.id,
        "aud": request["aud"],
        "iat": encode_moment(now()),
        "rid": request["rid"],
        "has_statement": False,
        "has_ticket": False,
        **sealed.model_dump(mode="json"),
    }
    return build_message(members, (), signer.key).to_bytes()


async def test_a_crash_after_the_order_resends_the_same_order(asked: Asked) -> None:
    """The broker dies between sending and the outcome; the same bytes resume."""
    running, sent = asked.running, asked.build()
    orders: list[bytes] = []
    arrived = asyncio.Event()

    async def note(request: Request) -> Response:
        orders.append(OrderEnvelope.model_validate_json(await request.body()).message)
        arrived.set()
        await asyncio.sleep(3)
        return Response(b"{}", media_type="application/json")

    app = Starlette(routes=[Route("/v1/orders", note, methods=["POST"])])
    size = running.broker.log.size
    async with serve_app(app, asked.port):
        task = asyncio.create_task(running.send(sent))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert running.broker.log.size == size + 1
    async with serve_source(asked.source.reopen(), asked.port):
        answer = running.verify(await running.send(sent), sent)
    assert answer.envelope is not None
    assert running.broker.log.size == size + 2


async def test_a_refused_release_has_a_core_that_can_order_nothing(asked: Asked) -> None:
    size = asked.running.broker.log.size
    answer = await asked.ask(fields=["totaal_schuld"])
    part, core = release_part(answer), answer.persons[0].core
    assert not part.weighing.permitted
    assert core is not None
    assert core.type == "refusal"
    assert asked.running.broker.log.size == size + 1
