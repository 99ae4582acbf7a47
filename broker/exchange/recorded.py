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
from broker.pseudonyms.row_keys import SPENT, RowKeys
from datwat.party.spent import RidReusedError, Spent, SpentRequests
from datwat.protocol.entry import TAG_PLACE
from datwat.protocol.messages import ReceiptPath
from datwat.protocol.values import encode_bytes

_RID_SIZE = 16
# What is recorded lives for ten minutes: an earlier form need not be readable.
_VERSION = b"\x02"
_KINDS: Mapping[int, Literal["answer", "order"]] = {ord("a"): "answer", ord("o"): "order"}
_LENGTH_SIZE = 4
_NOTHING = b"\xff" * _LENGTH_SIZE
_MEMBERS = 6


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


NONE_KNOWN: Mapping[bytes, Receipted] = {}


def build_spent_aad(iss: str, rid: bytes) -> bytes:
    """Return what binds a recorded answer to its request."""
    return iss.encode() + rid


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


def read_revision(recorded: Recorded) -> str | None:
    """Return the revision of the policy by which these persons were weighed.

    None where no core says so, as at a log-in or of what became of an order: such an act is about
    one person, and is weighed in one part.
    """
    core = next((person.core for person in recorded.persons if person.core), b"{}")
    revision: str | None = orjson.loads(core).get("revision")
    return revision


class Ledger:
    """Reads and writes recorded answers, and makes their receipts."""

    def __init__(
        self, spent: SpentRequests, row_key: RowKeys | bytes, store: LogStore, proofs: Proofs
    ) -> None:
        self._spent = spent
        self._keys = RowKeys.of(row_key)
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
        known: Mapping[bytes, Receipted] = NONE_KNOWN,
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
        found = self._store.find_committed(conn, person.subject_id, person.audience, person.commit)
        if found is None:
            msg = "a recorded answer has no entry"
            raise LookupError(msg)
        index, entry = found
        return Receipted(person, entry[TAG_PLACE], self._proofs.build_receipt(index, size))

    def _seal(self, question: Question, rid: bytes, recorded: Recorded) -> bytes:
        aad = build_spent_aad(question.object.iss, rid)
        return self._keys.seal(SPENT, _dump(recorded), aad)

    def _open(self, question: Question, rid: bytes, found: Spent) -> Recorded:
        answer = found.answer
        assert answer is not None  # noqa: S101 - the broker always records with the spending
        aad = build_spent_aad(question.object.iss, rid)
        return _load(self._keys.unseal(SPENT, answer, aad))


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
    """Return version, kind and parts, each behind its length: the answers are bytes already."""
    parts = [orjson.dumps(recorded.order) if recorded.order else None, recorded.envelope]
    for one in recorded.persons:
        parts += (one.part, one.core, one.payload_hash, one.commit, one.subject_id)
        parts.append(one.audience.encode())
    pieces = [_VERSION + recorded.kind[:1].encode()]
    for part in parts:
        pieces.append(_NOTHING if part is None else len(part).to_bytes(_LENGTH_SIZE, "big"))
        pieces.append(part or b"")
    return b"".join(pieces)


def _load(blob: bytes) -> Recorded:
    """Return what `_dump` wrote; raise RidReusedError for the form of an earlier version.

    Such a record is at most ten minutes old, and only its sender asks for it: once more, anew.
    """
    if blob[: len(_VERSION)] != _VERSION:
        raise RidReusedError
    place, end = len(_VERSION) + 1, len(blob)
    parts: list[bytes | None] = []
    while place < end:
        length, place = blob[place : place + _LENGTH_SIZE], place + _LENGTH_SIZE
        if length == _NOTHING:
            parts.append(None)
            continue
        size = int.from_bytes(length, "big")
        parts.append(blob[place : place + size])
        place += size
    order, envelope, *members = parts
    return Recorded(
        kind=_KINDS[blob[len(_VERSION)]],
        persons=tuple(
            _load_person(members[start : start + _MEMBERS])
            for start in range(0, len(members), _MEMBERS)
        ),
        envelope=envelope,
        order=orjson.loads(order) if order is not None else None,
    )


def _load_person(members: Sequence[bytes | None]) -> Person:
    part, core, payload_hash, commit, subject_id, audience = members
    return Person(
        part=part or b"",
        core=core or b"",
        payload_hash=payload_hash,
        commit=commit,
        subject_id=subject_id or b"",
        audience=(audience or b"").decode(),
    )
