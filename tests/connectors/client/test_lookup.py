"""The look-up at a real key holder, and every way in which its answer may not fit."""

# ruff: noqa: ANN401 - members of answers are of any type here
from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.client.exchange import Exchange, LogMemory
from connectors.client.lookup import Blinded, build_blinded, read_lookup
from connectors.client.outgoing import Draft, Person, draw_rid
from connectors.errors import LogForkError, LookupRefusedError
from datwat.party.http_out import HttpOut, PeerRefusedError, PeerUnreachableError
from datwat.party.ratchet import Ratchet
from datwat.party.trust_list import AcceptedList, Directory
from datwat.protocol import group
from datwat.protocol.blinding import ProofError, evaluate
from datwat.protocol.checkpoint import Checkpoint
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.messages import EvaluateAnswer
from datwat.protocol.signing import SignedMessage, part_content
from datwat.protocol.ticket import (
    TicketHeader,
    TicketUse,
    derive_ticket_key,
    open_ticket,
    parse_ticket_header,
    seal_ticket,
)
from datwat.protocol.trust import Epoch
from tests.connectors.client.written import ORIGIN, STATEMENT
from tests.keyholder.world import World
from tests.party.covenant import Member, TestCovenant, build_member, now
from tests.serving import serving

BSN, OTHER_BSN = "999990019", "999993653"
PARTNER = "00000099000000000001:youth-help"
SECRET = group.random_scalar()
EPOCHS = (Epoch(epoch=1, pk=group.multiply_base(SECRET)),)
HOLDER, BROKER = ExchangeKey.generate(), ExchangeKey.generate()
KEY = derive_ticket_key(HOLDER, holder=HOLDER.public, broker=BROKER.public)


def answer_lookup(blinded: Blinded, answered: bytes, **use: Any) -> EvaluateAnswer:
    """Return what an honest key holder answers; `use` changes what the ticket is for."""
    made = evaluate(SECRET, blinded.elements)
    base = {"partner": PARTNER, "ticket_class": "inquire", "rid": blinded.for_rid}
    purpose = TicketUse(**{**base, "n": len(blinded.elements), **use})
    header = TicketHeader.build(purpose, key=KEY, epoch=1, iat=now(), public=made.one_time_public)
    return EvaluateAnswer(
        v=1,
        rid=answered,
        epoch=1,
        pk_t=made.one_time_public,
        elements=made.elements,
        proof_c=made.proof.challenge,
        proof_s=made.proof.response,
        ticket=seal_ticket(header, made.one_time_scalar, KEY),
    )


def read(answer: EvaluateAnswer, blinded: Blinded, rid: bytes) -> Any:
    raw = answer.model_dump_json().encode()
    return read_lookup(raw, blinded, rid=rid, partner=PARTNER, epochs=EPOCHS)


def test_the_broker_finds_one_point_per_person_whatever_the_blinding() -> None:
    points = set()
    for _ in range(2):
        rid, blinded = draw_rid(), build_blinded("inquire", draw_rid(), [BSN, OTHER_BSN])
        found = read(answer_lookup(blinded, rid), blinded, rid)
        use = TicketUse(PARTNER, "inquire", blinded.for_rid, 2)
        opened = open_ticket(
            found.ticket, {KEY.kid: KEY}, use=use, epoch_keys={1: EPOCHS[0].pk}, now=now()
        )
        points.add(tuple(map(opened.derive_point, found.gammas)))
    assert len(points) == 1
    assert len(set(points.pop())) == 2


@pytest.mark.parametrize(
    "use",
    [
        {"partner": "00000099000000000002:youth-help"},
        {"ticket_class": "register"},
        {"rid": bytes(16)},
        {"n": 2},
    ],
    ids=["partner", "class", "message", "number"],
)
def test_a_ticket_for_something_else_is_refused(use: dict[str, Any]) -> None:
    rid, blinded = draw_rid(), build_blinded("inquire", draw_rid(), [BSN])
    with pytest.raises(LookupRefusedError):
        read(answer_lookup(blinded, rid, **use), blinded, rid)


def test_an_answer_that_does_not_fit_is_refused() -> None:
    rid, blinded = draw_rid(), build_blinded("inquire", draw_rid(), [BSN, OTHER_BSN])
    answer = answer_lookup(blinded, rid)
    other = answer_lookup(blinded, rid)
    first, second = answer.elements
    changes: list[dict[str, Any]] = [
        {"rid": draw_rid()},
        {"epoch": 2},
        {"elements": (first,)},
        {"elements": (first, second, second)},
        {"pk_t": other.pk_t},
        {"ticket": other.ticket},
        {"ticket": b"no ticket"},
    ]
    for change in changes:
        with pytest.raises(LookupRefusedError):
            read(answer.model_copy(update=change), blinded, rid)
    for change in ({"elements": (second, first)}, {"proof_c": other.proof_c}):
        with pytest.raises(ProofError):
            read(answer.model_copy(update=change), blinded, rid)
    with pytest.raises(LookupRefusedError):
        read_lookup(b"{}", blinded, rid=rid, partner=PARTNER, epochs=EPOCHS)
    raw = answer.model_dump_json().encode()
    with pytest.raises(LookupRefusedError):
        read_lookup(raw, blinded, rid=rid, partner=PARTNER, epochs=())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    members = (build_member(1, "register", "inquire"), build_member(2, "inquire"))
    made = World(tmp_path_factory.mktemp("lookup"), members)
    try:
        made.start()
        made.enable(members[0])
        yield made
    finally:
        made.close()


@pytest.fixture
def ratchet(tmp_path: Path) -> Iterator[Ratchet]:
    with Ratchet.open(tmp_path / "ratchet") as opened:
        yield opened


def build_exchange(
    world: World,
    member: Member,
    http: HttpOut,
    ratchet: Ratchet,
    more_epochs: tuple[Epoch, ...] = (),
) -> Exchange:
    trust = world.covenant.build()
    epochs = (*trust.key_holder.epochs, *more_epochs)
    holder = trust.key_holder.model_copy(update={"url": world.url, "epochs": epochs})
    trust = trust.model_copy(update={"key_holder": holder})
    directory = Directory(AcceptedList(document=b"", digest=bytes(32), trust=trust))
    return Exchange(
        party_id=member.id,
        key=member.key,
        directory=lambda: directory,
        http=http,
        memory=LogMemory(ratchet),
        patience=timedelta(milliseconds=300),
    )


@pytest.mark.processes
@pytest.mark.xdist_group("lookup")
async def test_a_message_is_prepared_with_a_real_key_holder(world: World, ratchet: Ratchet) -> None:
    member = world.members[0]
    async with HttpOut() as http:
        exchange = build_exchange(world, member, http, ratchet)
        handle = bytes(range(16))
        persons = [Person(bsn=BSN), Person(handle=handle), Person(bsn=OTHER_BSN)]
        sent = await exchange.prepare(Draft("open_session", persons[1:2]))
        assert SignedMessage.from_bytes(sent.wire).parts != ()
        sent = await exchange.prepare(Draft("end", persons, STATEMENT))
        with pytest.raises(PeerUnreachableError):
            await exchange.deliver(sent)
    message = SignedMessage.from_bytes(sent.wire)
    header = parse_ticket_header(part_content(message.parts[1]))
    assert (header.partner, header.rid, header.n) == (member.id, sent.rid, 2)
    assert header.ticket_class == "inquire"
    assert BSN.encode() not in sent.wire
    assert len(sent.person_hashes) == 3


class Overheard(HttpOut):
    """The way out, with what went over it."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: list[dict[str, Any]] = []

    async def post_message(self, url: str, message: bytes, **limits: Any) -> bytes:
        self.objects.append(json.loads(SignedMessage.from_bytes(message).object))
        return await super().post_message(url, message, **limits)


@pytest.mark.processes
@pytest.mark.xdist_group("lookup")
async def test_while_the_list_has_two_epochs_it_says_which_it_knows(
    world: World, ratchet: Ratchet
) -> None:
    other = Epoch(epoch=2, pk=group.multiply_base(group.random_scalar()))
    persons = [Person(bsn=BSN)]
    async with Overheard() as http:
        for more in ((), (other,)):
            exchange = build_exchange(world, world.members[0], http, ratchet, more)
            sent = await exchange.prepare(Draft("end", persons, STATEMENT))
            ticket = part_content(SignedMessage.from_bytes(sent.wire).parts[1])
            assert parse_ticket_header(ticket).epoch == 1  # the key holder's own list has no other
    assert [one.get("epochs") for one in http.objects] == [None, [1, 2]]


class Waiting(BaseHTTPRequestHandler):
    """A broker of which a process cannot answer just now: it refuses once, and then answers."""

    bodies: ClassVar[list[bytes]] = []
    code = "rotation_waits"

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        is_first = len(self.bodies) == 1
        body = json.dumps({"status": 503, "code": self.code} if is_first else {}).encode()
        kind = "application/problem+json" if is_first else "application/json"
        self.send_response(503 if is_first else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    "code",
    ["rotation_waits", "process_not_current", "process_outdated", "database_away", "ratchet_away"],
)
async def test_what_passes_by_itself_is_sent_the_same_bytes_again(
    ratchet: Ratchet, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(Waiting, "code", code)
    monkeypatch.setattr(Waiting, "bodies", [])
    member = build_member(1, "inquire")
    trust = TestCovenant(members=(member,)).build()
    with serving(Waiting) as port:
        url = f"http://127.0.0.1:{port}"
        trust = trust.model_copy(update={"broker": trust.broker.model_copy(update={"url": url})})
        directory = Directory(AcceptedList(document=b"", digest=bytes(32), trust=trust))
        async with HttpOut() as http:
            exchange = Exchange(
                party_id=member.id,
                key=member.key,
                directory=lambda: directory,
                http=http,
                memory=LogMemory(ratchet),
            )
            sent = await exchange.prepare(Draft("end", [Person(handle=bytes(16))], STATEMENT))
            assert await exchange.deliver(sent) == b"{}"
    assert Waiting.bodies == [sent.wire, sent.wire]


@pytest.mark.processes
@pytest.mark.xdist_group("lookup")
async def test_a_partner_that_is_not_open_at_the_key_holder_gets_nothing(
    world: World, ratchet: Ratchet
) -> None:
    async with HttpOut() as http:
        exchange = build_exchange(world, world.members[1], http, ratchet)
        with pytest.raises(PeerRefusedError) as caught:
            await exchange.prepare(Draft("end", [Person(bsn=BSN)], STATEMENT))
    assert caught.value.status == 403


def test_two_logs_of_one_size_are_a_fork_also_after_a_restart(tmp_path: Path) -> None:
    first = Checkpoint(origin=ORIGIN, size=9, root=bytes(32))
    with Ratchet.open(tmp_path / "ratchet") as ratchet:
        memory = LogMemory(ratchet)
        memory.accept(first)
        memory.accept(first)
        memory.accept(Checkpoint(origin=ORIGIN, size=7, root=bytes(32)))
        for size in (7, 9):
            with pytest.raises(LogForkError):
                memory.accept(Checkpoint(origin=ORIGIN, size=size, root=b"\1" * 32))
        memory.accept(Checkpoint(origin=ORIGIN[:-1] + "2", size=9, root=b"\1" * 32))
    with Ratchet.open(tmp_path / "ratchet") as ratchet, pytest.raises(LogForkError):
        LogMemory(ratchet).accept(first.model_copy(update={"root": b"\2" * 32}))
