"""Answers as they are recorded with a spent request, and as they leave with their receipts.

Rules: the answer is recorded in the transaction that writes the entries, sealed; the same bytes get
it again for ten minutes, with receipts made anew from the log. Of a release that is on its way the
order is recorded instead: it is resumed, never weighed twice. Source: "One id".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import orjson
from sqlalchemy import Connection

from broker.audit.ports import LogStore
from broker.audit.proofs import Proofs
from broker.audit.records import AppendedEntry
from broker.exchange.question import Question
from broker.exchange.writing import Written
from datwat.party.spent import Spent, SpentRequests
from datwat.protocol.entry import parse_entry
from datwat.protocol.messages import ReceiptPath
from datwat.protocol.sealing import derive_key, seal, unseal
from datwat.protocol.values import decode_bytes, encode_bytes

_SEARCHED = 200
_RID_SIZE = 16


@dataclass(frozen=True, slots=True)
class Person:
    """One person's recorded answer, and where its entry is to be looked for."""

    part: bytes = field(repr=False)
    core: bytes = field(repr=False)
    payload_hash: bytes | None
    commit: bytes | None
    subject_id: bytes = field(repr=False)
    audience: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded of some persons of a message: their answers, or the order underway."""

    kind: Literal["answer", "order"]
    persons: tuple[Person, ...]
    envelope: bytes | None = field(default=None, repr=False)
    order: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Receipted:
    """A person's answer with its receipt, as it leaves."""

    person: Person
    tag: bytes | None
    receipt: ReceiptPath | None


_NONE_KNOWN: Mapping[bytes, Receipted] = {}


def derive_chunk_rid(rid: bytes, number: int) -> bytes:
    """Return the id under which chunk `number` of a message is spent; the first has its own."""
    if number == 0:
        return rid
    return hashlib.sha256(b"dw-chunk/v1\0" + rid + number.to_bytes(4, "big")).digest()[:_RID_SIZE]


def build_person(written: Written) -> Person:
    """Return what is recorded of one person."""
    entry = written.entry
    return Person(
        part=written.part,
        core=written.core,
        payload_hash=entry.payload_hash if entry else None,
        commit=entry.commit if entry else None,
        subject_id=written.prepared.weighed.subject_id,
        audience=entry.chain.audience if entry else "",
    )


class Ledger:
    """Reads and writes recorded answers, and makes their receipts."""

    def __init__(
        self, spent: SpentRequests, row_key: bytes, store: LogStore, proofs: Proofs
    ) -> None:
        self._spent = spent
        self._key = derive_key(row_key, b"spent")
        self._store = store
        self._proofs = proofs

    def find(
        self, conn: Connection, question: Question, number: int, now: datetime
    ) -> Recorded | None:
        """Return what is recorded of a chunk of these bytes; raise RidReusedError for others."""
        rid = derive_chunk_rid(question.object.rid, number)
        found = self._spent.find(conn, question.object.iss, rid, question.request_hash, now=now)
        return self._open(question, rid, found) if found else None

    def spend(
        self, conn: Connection, question: Question, number: int, recorded: Recorded
    ) -> Recorded | None:
        """Record a chunk's answer and return None, or return what another request recorded."""
        rid = derive_chunk_rid(question.object.rid, number)
        blob = self._seal(question, rid, recorded)
        found = self._spent.spend(
            conn,
            question.object.iss,
            rid,
            question.request_hash,
            answer=blob,
            now=question.now,
        )
        return self._open(question, rid, found) if found else None

    def replace(self, conn: Connection, question: Question, recorded: Recorded) -> None:
        """Record the answer of a release whose order was recorded before."""
        rid = question.object.rid
        self._spent.record(conn, question.object.iss, rid, self._seal(question, rid, recorded))

    def add_fresh(
        self, persons: Sequence[Person], entries: Sequence[AppendedEntry]
    ) -> list[Receipted]:
        """Return answers with the receipts that the log has just given, in order."""
        left = list(entries)
        receipted = []
        for person in persons:
            if person.commit is None:
                receipted.append(Receipted(person, None, None))
                continue
            entry = left.pop(0)
            receipted.append(Receipted(person, entry.tag, entry.receipt))
        return receipted

    def add_receipts(
        self,
        conn: Connection,
        persons: Sequence[Person],
        size: int,
        known: Mapping[bytes, Receipted] = _NONE_KNOWN,
    ) -> list[Receipted]:
        """Return recorded answers with receipts made anew, under the head of `size` entries.

        `known`, by commit: those of which the log gave a receipt just now; none is looked for.
        """
        return [self._add_receipt(conn, person, size, known) for person in persons]

    def _add_receipt(
        self, conn: Connection, person: Person, size: int, known: Mapping[bytes, Receipted]
    ) -> Receipted:
        if person.commit is None:
            return Receipted(person, None, None)
        fresh = known.get(person.commit)
        if fresh is not None and fresh.receipt is not None:
            receipt = self._proofs.build_receipt(fresh.receipt.index, size)
            return Receipted(person, fresh.tag, receipt)
        before: int | None = None
        while True:
            rows = self._store.fetch_entries_of(
                conn, person.subject_id, [person.audience], limit=_SEARCHED, before=before
            )
            for row in rows:
                entry = parse_entry(row.entry)
                if entry.hash == person.commit:
                    receipt = self._proofs.build_receipt(row.index, size)
                    return Receipted(person, entry.ref, receipt)
            if not rows:
                msg = "a recorded answer has no entry"
                raise LookupError(msg)
            before = rows[-1].index

    def _seal(self, question: Question, rid: bytes, recorded: Recorded) -> bytes:
        return seal(self._key, _dump(recorded), question.object.iss.encode() + rid)

    def _open(self, question: Question, rid: bytes, found: Spent) -> Recorded:
        answer = found.answer
        assert answer is not None  # noqa: S101 - the broker always records with the spending
        return _load(unseal(self._key, answer, question.object.iss.encode() + rid))


def build_answer(
    rid: bytes, checkpoint: str, receipted: Sequence[Receipted], envelope: bytes | None
) -> bytes:
    """Return the bytes of `Answer`, built straight from its members."""
    answer = {
        "v": 1,
        "rid": encode_bytes(rid),
        "checkpoint": checkpoint,
        "answers": [_build_person_answer(one) for one in receipted],
        "envelope": encode_bytes(envelope) if envelope is not None else None,
    }
    return orjson.dumps(answer)


def _build_person_answer(one: Receipted) -> dict[str, Any]:
    person = one.person
    return {
        "part": encode_bytes(person.part),
        "core": encode_bytes(person.core),
        "payload_hash": encode_bytes(person.payload_hash) if person.payload_hash else None,
        "tag": encode_bytes(one.tag) if one.tag else None,
        "receipt": {
            "index": one.receipt.index,
            "path": [encode_bytes(node) for node in one.receipt.path],
        }
        if one.receipt
        else None,
    }


def _dump(recorded: Recorded) -> bytes:
    return orjson.dumps(
        {
            "kind": recorded.kind,
            "persons": [
                [
                    encode_bytes(one.part),
                    encode_bytes(one.core),
                    encode_bytes(one.payload_hash) if one.payload_hash else None,
                    encode_bytes(one.commit) if one.commit else None,
                    encode_bytes(one.subject_id),
                    one.audience,
                ]
                for one in recorded.persons
            ],
            "envelope": encode_bytes(recorded.envelope) if recorded.envelope else None,
            "order": recorded.order,
        }
    )


def _load(blob: bytes) -> Recorded:
    held = orjson.loads(blob)
    return Recorded(
        kind=held["kind"],
        persons=tuple(
            Person(
                part=decode_bytes(part),
                core=decode_bytes(core),
                payload_hash=decode_bytes(payload_hash) if payload_hash else None,
                commit=decode_bytes(commit) if commit else None,
                subject_id=decode_bytes(subject_id),
                audience=audience,
            )
            for part, core, payload_hash, commit, subject_id, audience in held["persons"]
        ),
        envelope=decode_bytes(held["envelope"]) if held["envelope"] else None,
        order=held["order"],
    )
