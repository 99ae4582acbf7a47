"""A broker with its real registers, log, OPA and bundle; partners that sign.

The look-up runs the key holder's own functions without its process; what partners send and verify
is made and checked by the real client's functions.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.api.routes import Api
from broker.api_wiring import build_api
from broker.cli import app
from broker.exchange.admission import read_question
from broker.exchange.outbox import Outbox
from broker.policy.publication import build_publication, sign_publication
from broker.settings import BrokerSettings
from broker.wiring import Broker, open_broker
from connectors.client.outgoing import (
    Draft,
    Lookup,
    Person,
    Sent,
    build_envelope_members,
    build_sent,
    draw_rid,
    find_class,
)
from connectors.client.verification import VerifiedAnswer, verify_answer
from datwat.party.http_in import read_message
from datwat.party.settings import change_settings, load_settings
from datwat.protocol import blinding, group
from datwat.protocol.acts import (
    Contact,
    Conversation,
    Handler,
    Motivation,
    OccasionStatement,
    Professional,
    Registration,
    Statement,
)
from datwat.protocol.answers import ActPart, InquiryPart, ReleasePart
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.documents import sign_document
from datwat.protocol.keys import ExchangeKey, ExchangePublicKey, SigningKey
from datwat.protocol.messages import (
    ActObject,
    ContactRequestObject,
    InquiryObject,
    IntroduceObject,
    MessageObject,
    ReleaseObject,
)
from datwat.protocol.ticket import TicketHeader, TicketUse, derive_ticket_key, seal_ticket
from datwat.protocol.trust import (
    BsnRight,
    Card,
    Covenant,
    Epoch,
    KeyHolderEntry,
    Partner,
    PolicyKeys,
    PublicJwk,
    TrustList,
    Witness,
)
from tests.databases import EACH

BROKER = "00000099000000003000:broker"
HOLDER = "00000099000000002000:key-holder"
ORIGIN = "broker.example/log/1"
POLICIES = Path(__file__).parents[2] / "policies"
WORKER = Professional(id="j.jansen", role="regisseur")
_KINDS: tuple[type[MessageObject], ...] = (
    ActObject,
    InquiryObject,
    ReleaseObject,
    IntroduceObject,
    ContactRequestObject,
)


ON_EACH_DATABASE = pytest.mark.parametrize(
    "database",
    EACH,
    indirect=True,
    scope="module",
)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass
class Member:
    """A partner with its private key, and what it remembers of the last answer."""

    partner: Partner
    key: SigningKey

    @property
    def id(self) -> str:
        return self.partner.id


def build_member(
    number: int,
    function: str,
    domain: str,
    rights: Sequence[tuple[str, str, tuple[str, ...]]] = (),
    gateway_url: str | None = None,
) -> Member:
    key = SigningKey.generate()
    partner = Partner(
        id=f"{99 * 10**12 + number:020d}:{function}",
        name=f"Organisatie {function}",
        domain=domain,
        covenant_until=now() + timedelta(days=300),
        keys=(PublicJwk(kty="OKP", crv="Ed25519", x=key.public.raw),),
        gateway_url=gateway_url,
        bsn_rights=tuple(
            BsnRight.model_validate({"law": law, "whose": whose, "uses": uses})
            for law, whose, uses in rights
        ),
        contact="020 123 4567",
        profile="Helpt.",
    )
    return Member(partner, key)


_BOTH = ("register", "inquire")
_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)
MEMBERS: Mapping[str, tuple[str, Sequence[tuple[str, str, tuple[str, ...]]]]] = {
    "social-team": ("care", [("Wmo 2015", "resident", _BOTH), ("Jeugdwet", "youth", _BOTH)]),
    "debt-counselling": ("debt", [("Wgs", "resident", _BOTH)]),
    "youth-help": ("youth", [("Jeugdwet", "youth", _BOTH)]),
    "income": ("income", [("Participatiewet", "resident", _BOTH)]),
    "shelter": ("housing", [("Wmo 2015", "resident", _BOTH)]),
    "veilig-thuis": ("safety", [("Wmo 2015", "resident", _BOTH)]),
    "school": ("education", []),
    "portal": ("care", [("Wabb", "resident", ("self",))]),
}


@dataclass
class World:
    """Everything of a covenant, with a broker that is opened in the test's own loop."""

    folder: Path
    gateways: Mapping[str, str] = field(default_factory=dict)
    database_url: str = ""
    witnesses: tuple[Witness, ...] = ()
    witness_threshold: int = 0
    more_policy_keys: tuple[SigningKey, ...] = ()
    policy_threshold: int = 1
    members: dict[str, Member] = field(default_factory=dict)
    scalar: bytes = field(default_factory=group.random_scalar)
    epoch: int = 1
    holder_key: ExchangeKey = field(default_factory=ExchangeKey.generate)

    def __post_init__(self) -> None:
        for number, (function, (domain, rights)) in enumerate(MEMBERS.items(), 1):
            member = build_member(number, function, domain, rights, self.gateways.get(function))
            self.members[function] = member
        self.home = self.folder / "broker"
        self.covenant_key = SigningKey.generate()
        self.policy_key = SigningKey.generate()
        policy_keys = [self.policy_key, *self.more_policy_keys]
        sign_publication(build_publication(POLICIES), self.folder / "policy", policy_keys)
        run(
            "init", "--home", self.home, "--id", BROKER, "--name", "Broker",
            "--url", "http://127.0.0.1:1", "--origin", ORIGIN, "--bundle", self.folder / "policy",
            "--database-url", self.database_url,
        )  # fmt: skip
        self.card = Card.model_validate_json((self.home / "card.json").read_bytes())
        assert self.card.broker is not None
        assert self.card.log is not None
        self.policy_jwks = tuple(
            PublicJwk(kty="OKP", crv="Ed25519", x=key.public.raw) for key in policy_keys
        )
        self.write_list(1)

    @property
    def policy_jwk(self) -> PublicJwk:
        return self.policy_jwks[0]

    def list_epochs(self) -> tuple[Epoch, ...]:
        """Return the key holder's epochs as the list has them."""
        return (Epoch(epoch=self.epoch, pk=group.multiply_base(self.scalar)),)

    def write_list(self, seq: int) -> None:
        """Sign a list of the members as they are now, and pin the first one."""
        assert self.card.broker is not None
        assert self.card.log is not None
        covenant = PublicJwk(kty="OKP", crv="Ed25519", x=self.covenant_key.public.raw)
        trust = TrustList(
            v=1,
            seq=seq,
            valid_until=now() + timedelta(days=30),
            covenant=Covenant(threshold=1, keys=(covenant,)),
            partners=tuple(member.partner for member in self.members.values()),
            broker=self.card.broker,
            key_holder=KeyHolderEntry(
                id=HOLDER,
                name="Key holder",
                x25519=(self.holder_key.public.raw,),
                url="http://127.0.0.1:2",
                epochs=self.list_epochs(),
            ),
            policy=PolicyKeys(threshold=self.policy_threshold, keys=self.policy_jwks),
            log=self.card.log,
            witnesses=self.witnesses,
            witness_threshold=self.witness_threshold,
        )
        payload = encode_canonical(trust.model_dump(mode="json"))
        path = self.folder / "list.json"
        path.write_bytes(sign_document(payload, [self.covenant_key]).to_bytes())
        if seq == 1:
            pin = hashlib.sha256(payload).hexdigest()
            change_settings(self.home, {"trust_list": str(path), "trust_pin": pin})

    def look_up(self, member: Member, act: str, rid: bytes, bsns: Sequence[str]) -> Lookup:
        """Return what the key holder would give for these persons."""
        assert self.card.broker is not None
        pairs = [blinding.blind(bsn) for bsn in bsns]
        found = blinding.evaluate(self.scalar, [element for _, element in pairs])
        key = derive_ticket_key(
            self.holder_key,
            holder=self.holder_key.public,
            broker=ExchangePublicKey(self.card.broker.x25519[0]),
        )
        use = TicketUse(member.id, find_class(act), rid, len(bsns))
        header = TicketHeader.build(
            use, key=key, epoch=self.epoch, iat=now(), public=found.one_time_public
        )
        gammas = tuple(
            blinding.unblind(blind, element)
            for (blind, _), element in zip(pairs, found.elements, strict=True)
        )
        return Lookup(gammas, seal_ticket(header, found.one_time_scalar, key))

    def build(
        self,
        function: str,
        act: str,
        persons: Sequence[Person],
        statement: Statement | None = None,
        rid_of: bytes | None = None,
        **extra: Any,  # noqa: ANN401 - members of the object, as JSON
    ) -> Sent:
        """Return a signed message of a member, under the id `rid_of` if one is given."""
        member, rid = self.members[function], rid_of or draw_rid()
        bsns = [person.bsn for person in persons if person.bsn is not None]
        return build_sent(
            Draft(act, persons, statement, extra),
            self.look_up(member, act, rid, bsns) if bsns else None,
            envelope=build_envelope_members(act, member.id, BROKER, now(), rid),
            rid=rid,
            key=member.key,
        )


@dataclass
class Running:
    """An opened broker, asked without HTTP: the life of a question from admission on."""

    world: World
    broker: Broker
    api: Api

    async def send(self, sent: Sent) -> bytes:
        """Admit and answer the bytes of a message."""
        moment = self.broker.rooms.clock()
        admitted = read_message(
            sent.wire, self.broker.keeper.directory, *_KINDS, aud=BROKER, now=moment
        )
        question = read_question(admitted, moment)
        return await self.api.life.answer(question, lambda: admitted.require_fresh(moment))

    async def ask(self, function: str, act: str, *arguments: Any, **extra: Any) -> VerifiedAnswer:  # noqa: ANN401
        """Send a message of a member and return its answer, verified as the client does."""
        sent = self.world.build(function, act, *arguments, **extra)
        return self.verify(await self.send(sent), sent)

    def verify(self, raw: bytes, sent: Sent) -> VerifiedAnswer:
        return verify_answer(raw, sent, self.broker.keeper.directory.trust.log)

    def purpose(self, name: str) -> dict[str, str]:
        digest = self.broker.policy.bundle.catalogue["purposes"][name]["revisions"][-1]["digest"]
        return {"id": name, "digest": digest}


async def open_world(world: World, stack: AsyncExitStack) -> Running:
    # What is tested here is not how fast OPA answers on a machine that runs other tests beside.
    settings = load_settings(BrokerSettings, world.home).model_copy(
        update={"opa_deadline_ms": 10_000}
    )
    broker = await open_broker(settings, stack)
    return Running(world, broker, build_api(broker, lambda: None))


def outbox(running: Running, later: timedelta = timedelta(0)) -> Outbox:
    """Return the outbox as it is, or as it will be when what failed is due again."""
    broker = running.broker
    clock = broker.rooms.clock

    def late() -> datetime:
        return clock() + later

    rooms = replace(broker.rooms, clock=late)
    return Outbox(rooms, broker.gateways, broker.secrets.signing, BROKER)


def run(*arguments: object) -> None:
    """Run a command of the broker."""
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception:
        raise result.exception


def by_bsn(bsn: str, **members: Any) -> Person:  # noqa: ANN401 - members of the person part
    return Person(bsn=bsn, members=members)


def by_handle(handle: bytes, **members: Any) -> Person:  # noqa: ANN401 - as above
    return Person(handle=handle, members=members)


def registers(kind: str, **changes: Any) -> Registration:  # noqa: ANN401 - members
    contact = Contact(role="Schuldhulpverlener", name="A. Bakker", phone="020 765 4321")
    members = {"kind": kind, "contact": contact, "since_at": now() - timedelta(days=30)}
    return Registration.model_validate({**members, **changes})


def say(**members: Any) -> Statement:  # noqa: ANN401 - members of the statement
    return Statement(professional=WORKER, **members)


def act_part(answer: VerifiedAnswer, number: int = 0) -> ActPart:
    part = answer.persons[number].part
    assert isinstance(part, ActPart)
    return part


def inquiry_part(answer: VerifiedAnswer, number: int = 0) -> InquiryPart:
    part = answer.persons[number].part
    assert isinstance(part, InquiryPart)
    return part


def release_part(answer: VerifiedAnswer) -> ReleasePart:
    part = answer.persons[0].part
    assert isinstance(part, ReleasePart)
    return part


def draw(size: int = 16) -> bytes:
    return os.urandom(size)


def bsns() -> Iterator[str]:
    """Yield test BSNs, each once: nine digits from 99999 that pass the eleven-test."""
    for tail in range(10_000):
        digits = [int(digit) for digit in f"99999{tail:04d}"]
        weighed = sum(weight * digit for weight, digit in zip(_WEIGHTS, digits, strict=True))
        if weighed % 11 == 0:
            yield "".join(map(str, digits))


def conversation(**changes: Any) -> Conversation:  # noqa: ANN401 - members
    members = {
        "at": now() - timedelta(hours=1),
        "told": "Verteld wat wij willen vragen, aan wie en waarvoor.",
        "reaction": "agrees",
        "alternatives": "Zelf bellen is besproken.",
    }
    return Conversation.model_validate({**members, **changes})


def opens(**changes: Any) -> OccasionStatement:  # noqa: ANN401 - members
    coordinator = Handler(
        professional=WORKER.id, role="coordinator", from_at=now() - timedelta(days=1)
    )
    members = {"kind": "help_request", "team": "wijkteam", "handlers": (coordinator,)}
    return OccasionStatement.model_validate({**members, **changes})


def member(bsn: str, **changes: Any) -> Person:  # noqa: ANN401 - members of the person part
    members = {
        "role": "parent",
        "source": "told",
        "told_at": now(),
        "may_look_up": True,
        "identity": "document",
        "age_band": "18+",
        "conversation": conversation(),
    }
    return by_bsn(bsn, **{**members, **changes})


MOTIVATION = Motivation(
    purpose="Zonder deze gegevens botsen de plannen in dit gezin.",
    subsidiarity="Zelf vragen en bellen hielp niet; dat is geprobeerd.",
    proportionality="Twee velden, geen bedragen, voor het eigen plan.",
    efficiency="De bron weet dit zeker en heeft het actueel.",
    transparency="Besproken met betrokkene, die het ermee eens is.",
)


@dataclass
class Household:
    """An occasion that a social team opened, and its handles by BSN."""

    occasion: bytes
    handles: dict[str, bytes]


async def open_household(
    running: Running,
    *persons: str,
    function: str = "social-team",
    **changes: Any,  # noqa: ANN401
) -> Household:
    answer = await running.ask(
        function, "open_occasion", [member(bsn) for bsn in persons], say(opens=opens(**changes))
    )
    parts = [act_part(answer, number) for number in range(len(persons))]
    occasion = parts[0].occasion
    assert occasion is not None, parts[0]
    handles = {bsn: part.handle for bsn, part in zip(persons, parts, strict=True) if part.handle}
    return Household(occasion, handles)


async def register(
    running: Running,
    function: str,
    bsn: str,
    kind: str,
    **changes: Any,  # noqa: ANN401
) -> ActPart:
    person = by_bsn(bsn, registers=registers(kind, **changes), identity="document", told_at=now())
    return act_part(await running.ask(function, "register", [person], say()))


async def inquire(running: Running, home: Household, *bsns: str) -> VerifiedAnswer:
    return await running.ask(
        "social-team",
        "inquire",
        [by_handle(home.handles[bsn]) for bsn in bsns or home.handles],
        say(occasion=home.occasion),
        purpose=running.purpose("coordinate_family_help"),
        rung="dat",
    )
