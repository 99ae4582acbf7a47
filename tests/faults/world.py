"""A covenant of processes that can be disturbed, and a partner that signs by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from broker.policy.publication import read_publication
from connectors.client import requests as rq
from connectors.client.lookup import build_blinded, read_lookup
from connectors.client.outgoing import (
    ROUTES,
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
from connectors.identity_key import load_signing_key
from datwat.party.trust_list import parse_list, read_verify_keys
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
from datwat.protocol.bundle import Bundle, open_bundle
from datwat.protocol.jws import sign_object
from datwat.protocol.keys import ExchangeKey, SigningKey
from datwat.protocol.signing import SALT_SIZE, SignedMessage, build_message
from datwat.protocol.trust import TrustList
from datwat.protocol.values import decode_bytes, encode_bytes
from tests.connectors.client.bsns import BSNS
from tests.databases import list_tables, read_rows
from tests.parties import Covenant, Party
from tests.party.covenant import now

ROOT = Path(__file__).resolve().parents[2]
MARKER = "Verklapper"
NOOR = Professional(id="noor", role="regisseur")
PURPOSE = "coordinate_family_help"
BORN = date(2012, 5, 4)
WHY = "Because the plan of the family depends on knowing this now."
MOTIVATION = Motivation(
    purpose=WHY, subsidiarity=WHY, proportionality=WHY, efficiency=WHY, transparency=WHY
)
RIGHTS = ("Jeugdwet 7.2.1;youth;register,inquire", "Wmo 2015 5.2.9;resident;register,inquire")
FIELDS = ["status", "contact"]


@dataclass
class LaunchedParty(Party):
    """A party that a module of these tests starts."""

    module: str = "tests.faults.quick_refresh"

    @classmethod
    def of(cls, party: Party, module: str = "tests.faults.quick_refresh") -> Self:
        return cls(**{one.name: getattr(party, one.name) for one in fields(Party)}, module=module)

    def begin(self) -> None:
        command = [sys.executable, "-m", self.module, self.command, "serve"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--home", str(self.home), "--with-parent"],
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )


class FaultCovenant(Covenant):
    """All parties, the broker as one that can be told to die."""

    def __init__(self, *args: Any, **more: Any) -> None:  # noqa: ANN401 - those of Covenant
        super().__init__(*args, **more)
        self.kill_file = self.folder / "kill.json"
        self.key_holder = LaunchedParty.of(self.key_holder)
        self.broker = LaunchedParty.of(self.broker, "tests.faults.killing_broker")
        self.broker.environment["KILL_FILE"] = str(self.kill_file)
        self.partners = {name: LaunchedParty.of(one) for name, one in self.partners.items()}

    @property
    def trust_list(self) -> TrustList:
        return parse_list(self.list_path.read_bytes())[0].trust

    @property
    def bundle(self) -> Bundle:
        publication, policy = read_publication(self.policy), self.trust_list.policy
        keys = read_verify_keys(policy.keys).values()
        return open_bundle(publication.archive, publication.document, keys, policy.threshold)

    @property
    def log_size(self) -> int:
        """How many entries the tree has, by the database: the broker need not run."""
        return int(read_rows(self.broker.home, "SELECT size FROM log_head")[0][0])

    @property
    def entry_count(self) -> int:
        """How many of them are no roots over the tags, which come when their time has come."""
        query = "SELECT count(*) FROM log_entries WHERE number IS NOT NULL OR document IS NOT NULL"
        return int(read_rows(self.broker.home, query)[0][0])

    def count_rows(self) -> dict[str, int]:
        """Return how many rows each table of each party has: what changes when state does."""
        return {
            f"{party.home.name}.{table}": read_rows(party.home, f"SELECT count(*) FROM {table}")[0][
                0
            ]
            for party in self.parties
            for table in list_tables(party.home)
        }

    def find_marker(self, marker: str = MARKER) -> list[str]:
        """Return the logs of processes that hold a marker."""
        return [one.log.name for one in self.parties if marker in one.log.read_text("utf-8")]


class Direct:
    """A partner that signs and sends by itself, with the key of its connector's home."""

    def __init__(self, covenant: FaultCovenant, function: str) -> None:
        self.covenant = covenant
        self.id = covenant.partners[function].id
        self.key = load_signing_key(covenant.partners[function].home)
        self.http = httpx.Client(trust_env=False, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()

    def build_lookup_message(
        self, elements: Sequence[bytes], request_class: str, for_rid: bytes, **changes: object
    ) -> SignedMessage:
        members = {
            **build_envelope_members(
                "evaluate", self.id, self.covenant.key_holder.id, now(), draw_rid()
            ),
            "has_statement": False,
            "has_ticket": False,
            "request_class": request_class,
            "for_rid": encode_bytes(for_rid),
            "elements": [encode_bytes(element) for element in elements],
            **changes,
        }
        return build_message(members, (), self.key)

    def look_up(self, act: str, rid: bytes, bsns: Sequence[str]) -> Lookup:
        blinded = build_blinded(act, rid, bsns)
        message = self.build_lookup_message(blinded.elements, find_class(act), rid)
        response = self.post(self.covenant.key_holder, "/v1/evaluations", message.to_bytes())
        assert response.status_code == 200, response.text
        sent = json.loads(message.object)["rid"]
        return read_lookup(
            response.content,
            blinded,
            rid=decode_bytes(sent),
            partner=self.id,
            epochs=self.covenant.trust_list.key_holder.epochs,
        )

    def build(
        self,
        act: str,
        persons: Sequence[Person],
        statement: Statement | None = None,
        *,
        iat: datetime | None = None,
        rid: bytes | None = None,
        **extra: Any,  # noqa: ANN401 - members of the object, as JSON
    ) -> Sent:
        rid = rid or draw_rid()
        bsns = [person.bsn for person in persons if person.bsn is not None]
        envelope = build_envelope_members(act, self.id, self.covenant.broker.id, iat or now(), rid)
        lookup = self.look_up(act, rid, bsns) if bsns else None
        draft = Draft(act, persons, statement, extra)
        return build_sent(draft, lookup, envelope=envelope, rid=rid, key=self.key)

    def post(self, party: Party, path: str, body: bytes, **headers: str) -> httpx.Response:
        sent = {"Content-Type": "application/json", **headers}
        return self.http.post(party.url() + path, content=body, headers=sent)

    def send(self, sent: Sent) -> httpx.Response:
        return self.post(self.covenant.broker, ROUTES[sent.act], sent.wire)

    def ask(self, act: str, *args: Any, **more: Any) -> VerifiedAnswer:  # noqa: ANN401 - of build
        sent = self.build(act, *args, **more)
        return self.verify(self.send(sent), sent)

    def verify(self, response: httpx.Response, sent: Sent) -> VerifiedAnswer:
        assert response.status_code == 200, response.text
        return verify_answer(response.content, sent, self.covenant.trust_list.log)

    def purpose(self, name: str = PURPOSE) -> dict[str, str]:
        digest = self.covenant.bundle.catalogue["purposes"][name]["revisions"][-1]["digest"]
        return {"id": name, "digest": digest}


@dataclass(frozen=True)
class Seen:
    """An occasion of one child, and the involvement that was shown on it."""

    occasion: bytes
    handle: bytes
    involvement: bytes | None


def open_child(team: Direct, bsn: str, *, must_see: bool = True) -> Seen:
    """Open an occasion about one child and ask who is involved."""
    opened = team.ask(
        "open_occasion", [build_member(bsn)], Statement(professional=NOOR, opens=opens())
    )
    part: Any = opened.persons[0].part
    assert part.occasion is not None, part.weighing
    asked = inquire(team, part.occasion, part.handle)
    pointers = asked.persons[0].part.pointers
    assert pointers or not must_see, asked.persons[0].part
    return Seen(part.occasion, part.handle, pointers[0].involvement if pointers else None)


def inquire(team: Direct, occasion: bytes, handle: bytes, **changes: Any) -> Any:  # noqa: ANN401
    extra = {"purpose": team.purpose(), "rung": "dat", **changes}
    statement = Statement(professional=NOOR, occasion=occasion)
    return team.ask("inquire", [Person(handle=handle)], statement, **extra)


def build_release(team: Direct, seen: Seen, source: str, **changes: Any) -> Sent:  # noqa: ANN401
    extra = {
        "purpose": team.purpose(),
        "source": source,
        "product": "jeugdhulp",
        "fields": FIELDS,
        "reply_key": encode_bytes(REPLY.public.raw),
        **changes,
    }
    members = {"involvement": seen.involvement} if seen.involvement else {}
    statement = Statement(professional=NOOR, occasion=seen.occasion, motivation=MOTIVATION)
    return team.build("release", [Person(handle=seen.handle, members=members)], statement, **extra)


REPLY = ExchangeKey.generate()


def opens(**changes: Any) -> OccasionStatement:  # noqa: ANN401 - members
    handler = Handler(professional="noor", role="coordinator", from_at=now() - timedelta(minutes=5))
    members = {"kind": "help_request", "team": "team-north", "handlers": (handler,), **changes}
    return OccasionStatement.model_validate(members)


def build_conversation() -> Conversation:
    return Conversation(at=now(), told=WHY, reaction="agrees", alternatives=WHY)


def build_member(bsn: str) -> Person:
    members = {
        "role": "son",
        "source": "told",
        "told_at": now(),
        "may_look_up": True,
        "identity": "document",
        "age_band": "12-15",
        "conversation": build_conversation(),
    }
    return Person(bsn=bsn, members=members)


def build_registers(kind: str = "youth_help") -> Registration:
    contact = Contact(role="Front desk", phone="020 000 0000")
    return Registration(kind=kind, contact=contact, since_at=now() - timedelta(days=3))


def local_member(client: str, place: int) -> rq.Member:
    record = rq.BsnRecord(bsn=BSNS[place], family_name=f"Jansen{place}", birth_date=BORN)
    return rq.Member(
        client=client,
        family_name=f"Jansen{place}",
        birth_date=BORN,
        record=record,
        identity="document",
        role="son",
        source="told",
        told_at=now(),
        age_band="12-15",
        conversation=build_conversation(),
    )


def local_opening(occasion: str, *members: rq.Member, **changes: Any) -> rq.OpenOccasion:  # noqa: ANN401
    return rq.OpenOccasion(
        professional=NOOR, occasion=occasion, opens=opens(**changes), members=members
    )


def unmet(weighing: Any) -> set[str]:  # noqa: ANN401 - the weighing of any part or result
    return {finding.code for finding in weighing.findings if not finding.satisfied}


Change = Callable[[bytes], bytes]


def sign_again(
    wire: bytes,
    key: SigningKey,
    *,
    of_object: Change | None = None,
    of_parts: Mapping[int, Change] | None = None,
) -> bytes:
    """Return a message whose object or parts were changed as bytes, signed and hashed anew."""
    message = SignedMessage.from_bytes(wire)
    parts = list(message.parts)
    for place, change in (of_parts or {}).items():
        parts[place] = parts[place][:SALT_SIZE] + change(parts[place][SALT_SIZE:])
    members = json.loads(message.object)
    members.pop("parts")
    object_bytes = build_message(members, parts, key).object
    if of_object is not None:
        object_bytes = of_object(object_bytes)
    signed = sign_object(object_bytes, key)
    return SignedMessage(
        object=object_bytes,
        protected=signed.protected,
        signature=signed.signature,
        parts=tuple(parts),
    ).to_bytes()
