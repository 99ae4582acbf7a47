"""Answers as a broker writes them: real cores, entries, tree and signed checkpoint, in memory."""

# ruff: noqa: ANN401 - members of models are of any type here
from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.client.outgoing import (
    Draft,
    Lookup,
    Person,
    Sent,
    build_envelope_members,
    build_sent,
    draw_rid,
)
from datwat.protocol.acts import Professional, Statement
from datwat.protocol.answers import (
    ACT_SIZE,
    INQUIRY_SIZE,
    RELEASE_SIZE,
    ActPart,
    AnswerPart,
    InquiryPart,
    ReleasePart,
    Scope,
    Weighing,
    build_part,
)
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.checkpoint import CheckpointSigner
from datwat.protocol.entry import build_person_entry, derive_commit, derive_leaf_hash
from datwat.protocol.keys import SigningKey
from datwat.protocol.merkle import build_inclusion_proof, derive_root, hash_node
from datwat.protocol.messages import Answer, Core, OutcomeCore, PersonAnswer, ReceiptPath
from datwat.protocol.trust import LogEntry
from tests.party.covenant import BROKER_ID, now

ORIGIN = "log.example/log/1"
PARTNER_ID = "00000099000000000001:youth-help"
STATEMENT = Statement(professional=Professional(id="staff-1", role="coordinator"))


def weighing(*, permitted: bool = True) -> Weighing:
    return Weighing(
        permitted=permitted,
        rung="dat" if permitted else "none",
        open_rung="dat",
        findings=(),
        remedies=(),
        alternatives=(),
        obligations=(),
    )


def act_part(**members: Any) -> ActPart:
    return ActPart(type="act", weighing=members.pop("weighing", weighing()), **members)


def inquiry_part(**members: Any) -> InquiryPart:
    scope = Scope(domains=("youth",), partners_asked=1, as_of=now(), cannot_see=())
    return InquiryPart(type="inquiry", weighing=weighing(), scope=scope, pointers=(), **members)


def release_part(**members: Any) -> ReleasePart:
    base: dict[str, Any] = {"fields": ("status",), "withheld": (), "legal_basis": None}
    return ReleasePart(type="release", weighing=weighing(), **{**base, "failure": None, **members})


def build_request(
    act: str, persons: int = 1, extra: dict[str, Any] | None = None, key: SigningKey | None = None
) -> Sent:
    """Return a signed message of a partner about persons by ticket."""
    rid = draw_rid()
    draft = Draft(act, [Person(bsn="999990019") for _ in range(persons)], STATEMENT, extra or {})
    lookup = Lookup(gammas=tuple(os.urandom(32) for _ in range(persons)), ticket=b"ticket")
    envelope = build_envelope_members(act, PARTNER_ID, BROKER_ID, now(), rid)
    return build_sent(draft, lookup, envelope=envelope, rid=rid, key=key or SigningKey.generate())


@dataclass
class Log:
    """A log whose entries are all leaves; `answer` writes and answers, as a broker does."""

    signer: CheckpointSigner = field(
        default_factory=lambda: CheckpointSigner(ORIGIN, Ed25519PrivateKey.generate())
    )
    leaves: list[bytes] = field(default_factory=list)

    @property
    def pinned(self) -> LogEntry:
        return LogEntry(origin=ORIGIN, vkeys=(self.signer.vkey,))

    def node(self, level: int, index: int) -> bytes:
        if level == 0:
            return self.leaves[index]
        return hash_node(self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1))

    def append(self, core: bytes) -> tuple[bytes, bytes, int]:
        payload_hash, tag = os.urandom(32), os.urandom(32)
        entry = build_person_entry(tag, derive_commit(core, payload_hash))
        self.leaves.append(derive_leaf_hash(entry))
        return payload_hash, tag, len(self.leaves) - 1

    def checkpoint(self) -> str:
        return self.signer.sign(len(self.leaves), derive_root(self.leaves))

    def prove(self, index: int) -> ReceiptPath:
        path = build_inclusion_proof(self.node, index, len(self.leaves))
        return ReceiptPath(index=index, path=tuple(path))

    def answer(
        self, sent: Sent, parts: list[AnswerPart], envelope: bytes | None = None, **core: Any
    ) -> Answer:
        """Write an entry per part and return the answer; `core` replaces members of each core."""
        size = {"inquire": INQUIRY_SIZE, "release": RELEASE_SIZE}.get(sent.act, ACT_SIZE)
        written = []
        for person_hash, part in zip(sent.person_hashes, parts, strict=True):
            raw = build_part(part, size)
            made = encode_canonical(
                build_core(sent, person_hash, raw, envelope, **core).model_dump(mode="json")
            )
            written.append((raw, made, *self.append(made)))
        answers = tuple(
            PersonAnswer(
                part=raw, core=made, payload_hash=payload, tag=tag, receipt=self.prove(index)
            )
            for raw, made, payload, tag, index in written
        )
        return Answer(
            v=1, rid=sent.rid, checkpoint=self.checkpoint(), answers=answers, envelope=envelope
        )


def build_core(
    sent: Sent, person_hash: bytes, part: bytes, envelope: bytes | None, **changes: Any
) -> Core | OutcomeCore:
    answer_hash = hashlib.sha256(part).digest()
    kind = {"inquire": "inquiry", "release": "outcome"}.get(sent.act, "act")
    if changes.get("type", kind) == "outcome":
        hashed = hashlib.sha256(envelope).digest() if envelope is not None else None
        members = {
            "v": 1,
            "type": "outcome",
            "request_hash": sent.request_hash,
            "core_hash": bytes(32),
            "answer_hash": answer_hash,
            "envelope_hash": hashed,
            "failure": None,
            "notice": "now",
        }
        return OutcomeCore.model_validate({**members, **changes})
    members = {
        "v": 1,
        "type": kind,
        "request_hash": sent.request_hash,
        "person_hash": person_hash,
        "answer_hash": answer_hash,
        "revision": "a" * 64,
        "notice": "now",
    }
    return Core.model_validate({**members, **changes})


def to_bytes(answer: Answer, **changes: Any) -> bytes:
    return answer.model_copy(update=changes).model_dump_json().encode()
