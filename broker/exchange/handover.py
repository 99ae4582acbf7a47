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
from dataclasses import dataclass
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
from broker.exchange.recorded import Ledger, Person, Receipted, Recorded
from broker.exchange.release import (
    DeliveryFailedError,
    Gateways,
    Order,
    build_failed_part,
    require_answering,
)
from broker.exchange.writing import build_occasion_mark
from broker.involvement.special_situations import SpecialSituations
from datwat.party.trust_list import Directory, IssuerRefusedError
from datwat.protocol.answers import ReleasePart
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.entry import Audience
from datwat.protocol.keys import SigningKey
from datwat.protocol.messages import FailureCode, OutcomeCore, ReleaseCore, ReleaseObject
from datwat.protocol.order import OrderObject
from datwat.protocol.signing import SignedMessage, build_message
from datwat.protocol.values import decode_bytes, encode_bytes

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of an order."""

    envelope: bytes | None
    failure: FailureCode | None


class HandOver:
    """Sends orders and logs outcomes."""

    def __init__(  # noqa: PLR0913 - each is a room of its own
        self,
        *,
        key: SigningKey,
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
            "part": prepared.part.model_dump(mode="json"),
            "involvement": encode_bytes(prepared.ordered_by),
            "retention_days": decision.retention_days,
            "replay": build_occasion_mark(occasion_id, situation, prepared.audience),
        }

    async def deliver(
        self, question: Question, recorded: Recorded
    ) -> tuple[Recorded, tuple[Appended, list[Receipted]] | None]:
        """Send the recorded order, log what came of it, and return the final answer."""
        pending, (person,) = recorded.order, recorded.persons
        message = question.object
        assert pending is not None  # noqa: S101 - an order is recorded with it
        assert isinstance(message, ReleaseObject)  # noqa: S101 - only a release has an order
        outcome = await self._send(question, message, person, pending)
        part = ReleasePart.model_validate_json(encode_canonical(pending["part"]))
        if outcome.failure is not None:
            part = build_failed_part(part, outcome.failure)
        return await self._log_outcome(question, person, pending, part, outcome)

    async def _send(
        self,
        question: Question,
        message: ReleaseObject,
        person: Person,
        pending: Mapping[str, Any],
    ) -> _Outcome:
        directory = self._read_directory()
        try:
            source = directory.require_partner(message.source, self._clock())
            if source.gateway_url is None:
                return _Outcome(None, "source_not_named")
        except IssuerRefusedError:
            return _Outcome(None, "source_not_named")
        order = self._build_order(question, person, decode_bytes(pending["involvement"]))
        try:
            envelope = await self._gateways.send_order(source, order)
            require_answering(envelope, person.core, message, directory, self._clock())
        except DeliveryFailedError as error:
            return _Outcome(None, error.failure)
        return _Outcome(envelope, None)

    def _build_order(self, question: Question, person: Person, involvement: bytes) -> Order:
        """Return the order of a written entry; the same bytes each time (RFC 8032 signatures)."""
        head = self._proofs.read_head()
        with self._reading() as conn:
            (receipted,) = self._ledger.add_receipts(conn, [person], head.size)
        assert receipted.tag is not None  # noqa: S101 - an order has an entry
        assert receipted.receipt is not None  # noqa: S101 - as above
        assert person.payload_hash is not None  # noqa: S101 - as above
        core = ReleaseCore.model_validate_json(person.core)
        found = OrderObject(
            v=1,
            type="order",
            iss=question.object.aud,
            aud=ReleaseObject.model_validate_json(question.message.object).source,
            iat=core.iat,
            rid=question.object.rid,
            request_object=question.message.object,
            request_protected=question.message.protected,
            request_signature=question.message.signature,
            core=person.core,
            payload_hash=person.payload_hash,
            tag=receipted.tag,
        )
        members = found.model_dump(mode="json", exclude={"parts"})
        signed: SignedMessage = build_message(members, (), self._key)
        return Order(signed.to_bytes(), involvement, receipted.receipt.index)

    async def _log_outcome(
        self,
        question: Question,
        person: Person,
        pending: Mapping[str, Any],
        part: ReleasePart,
        outcome: _Outcome,
    ) -> tuple[Recorded, tuple[Appended, list[Receipted]] | None]:
        for _ in range(_ATTEMPTS):
            try:
                return await self._append_outcome(question, person, pending, part, outcome)
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
        part: ReleasePart,
        outcome: _Outcome,
    ) -> tuple[Recorded, tuple[Appended, list[Receipted]]]:
        now = self._clock().replace(microsecond=0)
        padded = pad(part)
        core = _build_core(question, person, padded, outcome)
        with self._reading() as conn:
            keys = self._sealing.fetch_keys(conn, [person.subject_id], now)[person.subject_id]
            audience = self._choose_audience(conn, person, pending)
        draft = EntryDraft(
            chain=ChainRef(person.subject_id, audience),
            core=core,
            payload=build_payload(_build_record(question, person, part, outcome, now)),
            at=now,
            retention_until=now + timedelta(days=pending["retention_days"]),
            replay_input=pending["replay"].encode(),
        )
        entry = self._sealing.prepare_entry(keys, draft)
        final = Recorded(
            "answer",
            (
                Person(
                    part=padded,
                    core=core,
                    payload_hash=entry.payload_hash,
                    commit=entry.commit,
                    subject_id=person.subject_id,
                    audience=audience,
                ),
            ),
            envelope=outcome.envelope,
        )

        def work(conn: Connection) -> Sequence[Appendable]:
            held = self._ledger.find(conn, question, 0, now)
            if held is None or held.kind != "order":
                raise LostRaceError
            if self._choose_audience(conn, person, pending) != audience:
                raise LostRaceError  # it was opened just now: an outcome that waits would stay so
            self._ledger.replace(conn, question, final)
            return [entry]

        appended = await self._log.append(Job(work, [keys]))
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


def _build_core(question: Question, person: Person, padded: bytes, outcome: _Outcome) -> bytes:
    envelope = outcome.envelope
    core = OutcomeCore(
        v=1,
        type="outcome",
        request_hash=question.request_hash,
        core_hash=hashlib.sha256(person.core).digest(),
        answer_hash=hashlib.sha256(padded).digest(),
        envelope_hash=hashlib.sha256(envelope).digest() if envelope is not None else None,
        failure=outcome.failure,
        notice=ReleaseCore.model_validate_json(person.core).notice,
    )
    return encode_canonical(core.model_dump(mode="json"))


def _build_record(
    question: Question, person: Person, part: ReleasePart, outcome: _Outcome, now: datetime
) -> Record:
    return Record(
        v=1,
        event="outcome",
        at=now,
        rid=question.object.rid,
        requester=Organisation(id=question.partner.id, name=question.partner.name),
        notice=ReleaseCore.model_validate_json(person.core).notice,
        delivered=Delivered(fields=part.fields, failure=outcome.failure),
    )
