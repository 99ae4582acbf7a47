"""A partner that prepares signed messages beforehand, and reads what comes back.

It uses the connector's own client code (look-up at the real key holder, parts, signature,
verification), so that what is measured is what partners send. Messages live 60 seconds: prepare
them just before they are sent.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.load import build_request
from broker.policy.publication import read_publication
from connectors.client.exchange import Exchange, LogMemory
from connectors.client.opening import open_release
from connectors.client.outgoing import ROUTES, Draft, Person, Sent
from connectors.client.verification import VerifiedAnswer, verify_answer
from connectors.identity_key import load_signing_key
from datwat.party import clock
from datwat.party.http_out import HttpOut
from datwat.party.ratchet import Ratchet
from datwat.party.trust_list import Directory, parse_list, read_verify_keys
from datwat.protocol.acts import (
    Contact,
    Conversation,
    Handler,
    Motivation,
    OccasionStatement,
    Page,
    Professional,
    ProofRequest,
    Registration,
    Statement,
)
from datwat.protocol.answers import ActPart, InquiryPart
from datwat.protocol.bundle import Bundle, open_bundle
from datwat.protocol.keys import ExchangeKey, SigningKey
from datwat.protocol.values import encode_bytes
from tests.parties import Party

PURPOSE = "coordinate_family_help"
PRODUCT = "schuldregeling"
FIELDS = ("regeling.status", "regeling.soort")
_KNOWN = {"identity": "document"}
NOOR = Professional(id="noor", role="regisseur")
_WHY = "Because the plan of the family depends on knowing this now."
_MOTIVATION = Motivation(
    purpose=_WHY, subsidiarity=_WHY, proportionality=_WHY, efficiency=_WHY, transparency=_WHY
)


@dataclass(frozen=True)
class Case:
    """An occasion of the requester: who is in it, its reference, and the handle of each."""

    bsns: tuple[str, ...]
    occasion: bytes
    handles: tuple[bytes, ...]


class Partner:
    """One partner of the covenant, by the key in its home folder."""

    def __init__(self, party: Party, exchange: Exchange, key: SigningKey, bundle: Bundle) -> None:
        self.id = party.id
        self.key = key
        self.exchange = exchange
        self.bundle = bundle
        self._purpose = self._cite(PURPOSE)

    def _cite(self, purpose: str) -> dict[str, str]:
        return {"id": purpose, "digest": self.bundle.view.purposes[purpose].newest.digest}

    async def prepare_registration(self, bsns: Sequence[str], kind: str) -> Sent:
        """Return a registration of these persons, one message."""
        now = clock.now()
        registers = Registration(
            kind=kind,
            contact=Contact(role="Front desk", name="S. de Boer", phone="020 000 0000"),
            since_at=now - timedelta(days=30),
        )
        members = {"registers": registers, "identity": "document", "told_at": now}
        persons = [Person(bsn=bsn, members=members) for bsn in bsns]
        return await self._prepare("register", persons, Statement(professional=NOOR))

    async def prepare_occasion(self, bsns: Sequence[str]) -> Sent:
        """Return the opening of an occasion with these persons as its household."""
        now = clock.now()
        members = {
            "role": "father",
            "source": "told",
            "told_at": now,
            "may_look_up": True,
            "identity": "document",
            "age_band": "18+",
            "conversation": Conversation(at=now, told=_WHY, reaction="agrees", alternatives=_WHY),
        }
        opens = OccasionStatement(kind="help_request", team="team-north", handlers=(_handler(now),))
        persons = [Person(bsn=bsn, members=members) for bsn in bsns]
        statement = Statement(professional=NOOR, opens=opens)
        return await self._prepare("open_occasion", persons, statement)

    async def prepare_inquiry(
        self,
        case: Case,
        *,
        by_handle: bool = False,
        digest: str | None = None,
        purpose: str = PURPOSE,
    ) -> Sent:
        """Return the question who is involved with everybody in an occasion.

        With the `digest` of a purpose that nobody published it is refused.
        """
        if by_handle:
            persons = [Person(handle=handle, members=_KNOWN) for handle in case.handles]
        else:
            persons = [Person(bsn=bsn, members=_KNOWN) for bsn in case.bsns]
        statement = Statement(professional=NOOR, occasion=case.occasion)
        cited = self._cite(purpose)
        extra = {"purpose": {**cited, "digest": digest or cited["digest"]}, "rung": "dat"}
        return await self._prepare("inquire", persons, statement, extra)

    async def prepare_release(self, case: Case, involvement: bytes, source: str) -> Sent:
        """Return the question what the source knows of the first person of an occasion."""
        reply_key = ExchangeKey.generate()
        members = {"involvement": involvement}
        persons = [Person(handle=case.handles[0], members=members)]
        statement = Statement(professional=NOOR, occasion=case.occasion, motivation=_MOTIVATION)
        extra = {
            "purpose": self._purpose,
            "source": source,
            "product": PRODUCT,
            "fields": list(FIELDS),
            "reply_key": encode_bytes(reply_key.public.raw),
        }
        draft = Draft("release", persons, statement, extra, reply_key)
        return await self.exchange.prepare(draft)

    async def prepare_session(self, bsn: str) -> Sent:
        """Return the login of a resident at the portal that this partner is."""
        return await self._prepare("open_session", [Person(bsn=bsn, members=_KNOWN)])

    async def prepare_page(self, handle: bytes, limit: int) -> Sent:
        """Return the question for the newest cards of a resident's own log."""
        person = Person(handle=handle, members={"page": Page(limit=limit)})
        return await self._prepare("access_log", [person])

    async def prepare_proof(self, handle: bytes) -> Sent:
        """Return the question for a resident's completeness bundle, from the first entry on."""
        person = Person(handle=handle, members={"proof": ProofRequest()})
        return await self._prepare("access_log_proof", [person])

    async def _prepare(
        self,
        act: str,
        persons: Sequence[Person],
        statement: Statement | None = None,
        extra: dict[str, Any] | None = None,
    ) -> Sent:
        return await self.exchange.prepare(Draft(act, persons, statement, extra or {}))

    def read_case(self, bsns: Sequence[str], answer: bytes, sent: Sent) -> Case:
        """Return the occasion that was opened; raise RuntimeError where it was refused."""
        parts = [person.part for person in self.verify(answer, sent).persons]
        acts = [part for part in parts if isinstance(part, ActPart)]
        occasions = {part.occasion for part in acts if part.occasion is not None}
        handles = tuple(part.handle for part in acts if part.handle is not None)
        if len(occasions) != 1 or len(handles) != len(bsns):
            message = f"the occasion was not opened: {parts[0].weighing.findings}"
            raise RuntimeError(message)
        return Case(tuple(bsns), occasions.pop(), handles)

    def verify(self, answer: bytes, sent: Sent) -> VerifiedAnswer:
        """Return an answer whose every proof holds."""
        return verify_answer(answer, sent, self.exchange.directory.trust.log)

    def open_release(self, answer: bytes, sent: Sent, source: str) -> dict[str, Any] | None:
        """Return the facts that a source released, or None where it released none."""
        verified = self.verify(answer, sent)
        if verified.envelope is None or sent.reply_key is None:
            return None
        opened = open_release(
            verified,
            sent,
            source=source,
            recipient=sent.reply_key,
            directory=self.exchange.directory,
            now=clock.now(),
            bsn=None,
        )
        return dict(opened.values)


@contextlib.asynccontextmanager
async def open_partner(party: Party, trust_list: Path, policy: Path) -> AsyncIterator[Partner]:
    """Yield a partner whose connector does not run; raise where its home cannot be read."""
    directory = _read_directory(trust_list)
    key = load_signing_key(party.home)
    with tempfile.TemporaryDirectory() as folder:
        ratchet = Ratchet.open(Path(folder) / "ratchet")
        async with HttpOut() as http:
            exchange = Exchange(
                party_id=party.id,
                key=key,
                directory=lambda: directory,
                http=http,
                memory=LogMemory(ratchet),
            )
            yield Partner(party, exchange, key, _open_bundle(policy, directory))
        ratchet.close()


def _read_directory(trust_list: Path) -> Directory:
    accepted, _, _ = parse_list(trust_list.read_bytes())
    return Directory(accepted)


def build_requests(messages: Sequence[Sent]) -> list[bytes]:
    """Return the bytes to send for prepared messages."""
    return [build_request(ROUTES[sent.act], sent.wire) for sent in messages]


def find_pointer(answer: VerifiedAnswer, source: str) -> bytes:
    """Return the requester's reference to the involvement of a source; raise StopIteration."""
    part = answer.persons[0].part
    if not isinstance(part, InquiryPart):
        raise TypeError
    return next(p.involvement for p in part.pointers if p.source == source)


def _open_bundle(policy: Path, directory: Directory) -> Bundle:
    """Return the signed bundle in which purposes have their digests."""
    held = read_publication(policy)
    keys = directory.trust.policy
    verify_keys = read_verify_keys(keys.keys).values()
    return open_bundle(held.archive, held.document, verify_keys, keys.threshold)


def _handler(now: datetime) -> Handler:
    return Handler(professional=NOOR.id, role="coordinator", from_at=now - timedelta(minutes=5))
