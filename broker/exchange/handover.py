"""Step 6 of a release: order to the source, envelope back, outcome logged.

Rules: the order's authority is the receipt of its entry, so there is no order before step 5;
whatever the source answers, an outcome entry is written before anything passes on. A crash in
between leaves the order recorded: within ten minutes the same bytes send the same order again,
after that the outcome is unknown and the client asks anew. Source: "Answers and the sealed
release", steps 3 to 6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection

from broker.audit.log import Log
from broker.audit.payloads import Delivered, Organisation, Record, build_payload
from broker.audit.proofs import Proofs
from broker.audit.records import Appendable, Appended, ChainRef, EntryDraft, Job, LostRaceError
from broker.audit.sealing import Sealing
from broker.exchange.answers import pad
from broker.exchange.question import Prepared, Question
from broker.exchange.recorded import NONE_KNOWN, Ledger, Person, Receipted, Recorded
from broker.exchange.release import (
    DeliveryFailedError,
    Gateways,
    Order,
    build_failed_part,
    read_core,
    require_answering,
)
from broker.exchange.writing import build_occasion_mark
from broker.involvement.special_situations import SpecialSituations
from datwat.party.trust_list import Directory, IssuerRefusedError
from datwat.protocol.answers import ReleasePart
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.entry import Audience
from datwat.protocol.keys import Signer
from datwat.protocol.messages import FailureCode, ReleaseObject
from datwat.protocol.signing import SignedMessage, build_message
from datwat.protocol.values import decode_bytes, encode_bytes, encode_moment

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of an order."""

    envelope: bytes | None
    failure: FailureCode | None


@dataclass(frozen=True, slots=True)
class _Answered:
    """What the requester is told of it: the padded part, and the fields that passed."""

    part: bytes = field(repr=False)
    fields: tuple[str, ...]
    outcome: _Outcome


class HandOver:
    """Sends orders and logs outcomes."""

    def __init__(  # noqa: PLR0913 - each is a room of its own
        self,
        *,
        key: Signer,
        gateways: Gateways,
        sealing: Sealing,
        log: Log,
        proofs: Proofs,
        ledger: Ledger,
        read_directory: Callable[[], Directory],
        reading: Callable[[], AbstractContextManager[Connection]],
        situations: SpecialSituations,
        clock: Callable[[], datetime],
    ) -> None:
        self._key = key
        self._gateways = gateways
        self._sealing = sealing
        self._log = log
        self._proofs = proofs
        self._ledger = ledger
        self._read_directory = read_directory
        self._reading = reading
        self._situations = situations
        self._clock = clock

    def build_pending(self, prepared: Prepared) -> Mapping[str, Any] | None:
        """Return what must be recorded to send the order again; None without an order."""
        if prepared.orders is None or prepared.ordered_by is None:
            return None
        decision = prepared.weighed.decision
        occasion_id, situation = prepared.occasion_id, prepared.situation
        return {
            "involvement": encode_bytes(prepared.ordered_by),
            "retention_days": decision.retention_days,
            "replay": build_occasion_mark(occasion_id, situation, prepared.audience),
        }

    async def deliver(
        self,
        question: Question,
        recorded: Recorded,
        known: Mapping[bytes, Receipted] = NONE_KNOWN,
    ) -> tuple[Recorded, tuple[Appended, list[Receipted]] | None]:
        """Send the recorded order, log what came of it, and return the final answer.

        `known`, by commit: what was written just now, and need not be looked for.
        """
        pending, (person,) = recorded.order, recorded.persons
        message = question.object
        assert pending is not None  # noqa: S101 - an order is recorded with it
        assert isinstance(message, ReleaseObject)  # noqa: S101 - only a release has an order
        outcome = await self._send(question, message, person, pending, known)
        part, fields = person.part, read_core(person.core).fields
        if outcome.failure is not None:
            recorded_part = ReleasePart.model_validate_json(part)
            part, fields = pad(build_failed_part(recorded_part, outcome.failure)), ()
        answered = _Answered(part, fields, outcome)
        return await self._log_outcome(question, person, pending, answered)

    async def _send(
        self,
        question: Question,
        message: ReleaseObject,
        person: Person,
        pending: Mapping[str, Any],
        known: Mapping[bytes, Receipted],
    ) -> _Outcome:
        directory = self._read_directory()
        try:
            source = directory.require_partner(message.source, self._clock())
            if source.gateway_url is None:
                return _Outcome(None, "source_not_named")
        except IssuerRefusedError:
            return _Outcome(None, "source_not_named")
        involvement = decode_bytes(pending["involvement"])
        order = self._build_order(question, message, person, involvement, known)
        try:
            envelope = await self._gateways.send_order(source, order)
            require_answering(envelope, person.core, message, directory, self._clock())
        except DeliveryFailedError as error:
            return _Outcome(None, error.failure)
        return _Outcome(envelope, None)

    def _build_order(
        self,
        question: Question,
        message: ReleaseObject,
        person: Person,
        involvement: bytes,
        known: Mapping[bytes, Receipted],
    ) -> Order:
        """Return the order of a written entry; the same bytes each time (RFC 8032 signatures)."""
        receipted = known.get(person.commit or b"")
        if receipted is None:
            head = self._proofs.read_committed_head()
            with self._reading() as conn:
                (receipted,) = self._ledger.add_receipts(conn, [person], head.size)
        assert receipted.tag is not None  # noqa: S101 - an order has an entry
        assert receipted.receipt is not None  # noqa: S101 - as above
        assert person.payload_hash is not None  # noqa: S101 - as above
        assert question.message is not None  # noqa: S101 - of a signed question only
        members = {
            "v": 1,
            "type": "order",
            "iss": message.aud,
            "aud": message.source,
            "iat": encode_moment(read_core(person.core).iat),
            "rid": encode_bytes(message.rid),
            "has_statement": False,
            "has_ticket": False,
            "request_object": encode_bytes(question.message.object),
            "request_protected": encode_bytes(question.message.protected),
            "request_signature": encode_bytes(question.message.signature),
            "core": encode_bytes(person.core),
            "payload_hash": encode_bytes(person.payload_hash),
            "tag": encode_bytes(receipted.tag),
        }
        signed: SignedMessage = build_message(members, (), self._key)
        return Order(signed.to_bytes(), involvement, receipted.receipt.index)

    async def _log_outcome(
        self,
        question: Question,
        person: Person,
        pending: Mapping[str, Any],
        answered: _Answered,
    ) -> tuple[Recorded, tuple[Appended, list[Receipted]] | None]:
        for _ in range(_ATTEMPTS):
            try:
                return await self._append_outcome(question, person, pending, answered)
            except LostRaceError:
                with self._reading() as conn:
                    held = self._ledger.find(conn, question, 0, self._clock())
                if held is not None and held.kind == "answer":
                    return held, None
        raise LostRaceError

    async def _append_outcome(
        self,
        question: Question,
        person: Person,
        pending: Mapping[str, Any],
        answered: _Answered,
    ) -> tuple[Recorded, tuple[Appended, list[Receipted]]]:
        now = self._clock().replace(microsecond=0)
        core = _build_core(question, person, answered)
        with self._reading() as conn:
            keys = self._sealing.fetch_keys(conn, [person.subject_id], now)[person.subject_id]
            audience = self._choose_audience(conn, person, pending)
        draft = EntryDraft(
            chain=ChainRef(person.subject_id, audience),
            core=core,
            payload=_build_payload(question, person, answered, now),
            at=now,
            retention_until=now + timedelta(days=pending["retention_days"]),
            replay_input=pending["replay"].encode(),
        )
        entry = self._sealing.prepare_entry(keys, draft)
        told = Person(
            answered.part, core, entry.payload_hash, entry.commit, person.subject_id, audience
        )
        final = Recorded("answer", (told,), envelope=answered.outcome.envelope)

        def work(conn: Connection) -> Sequence[Appendable]:
            held = self._ledger.find(conn, question, 0, now)
            if held is None or held.kind != "order":
                raise LostRaceError
            if self._choose_audience(conn, person, pending) != audience:
                raise LostRaceError  # it was opened just now: an outcome that waits would stay so
            self._ledger.replace(conn, question, final)
            return [entry]

        appended = await self._log.append(Job(work, [keys], is_short=True))
        return final, (appended, self._ledger.add_fresh(final.persons, appended.entries))

    def _choose_audience(
        self, conn: Connection, person: Person, pending: Mapping[str, Any]
    ) -> Audience:
        """Return the chain of the outcome: its question's, or where that has opened since."""
        if person.audience != "delayed":
            return _as_audience(person.audience)
        mark = orjson.loads(pending["replay"])
        held = self._situations.find_situation(conn, decode_bytes(mark["occasion"]))
        waits = held is not None and held.opened_at is None
        if waits and held is not None and encode_bytes(held.id) == mark["situation"]:
            return "delayed"
        return _as_audience(mark["audience"])


def _as_audience(text: str) -> Audience:
    return "delayed" if text == "delayed" else "own" if text == "own" else "open"


def _build_core(question: Question, person: Person, answered: _Answered) -> bytes:
    envelope, failure = answered.outcome.envelope, answered.outcome.failure
    core = {
        "v": 1,
        "type": "outcome",
        "request_hash": encode_bytes(question.request_hash),
        "core_hash": _encode_hash(person.core),
        "answer_hash": _encode_hash(answered.part),
        "envelope_hash": _encode_hash(envelope) if envelope is not None else None,
        "failure": failure,
        "notice": read_core(person.core).notice,
    }
    return encode_canonical(core)


def _encode_hash(data: bytes) -> str:
    return encode_bytes(hashlib.sha256(data).digest())


def _build_payload(question: Question, person: Person, answered: _Answered, now: datetime) -> bytes:
    record = Record(
        v=1,
        event="outcome",
        at=now,
        rid=question.object.rid,
        requester=Organisation(id=question.partner.id, name=question.partner.name),
        notice=read_core(person.core).notice,
        delivered=Delivered(fields=answered.fields, failure=answered.outcome.failure),
    )
    return build_payload(record)
