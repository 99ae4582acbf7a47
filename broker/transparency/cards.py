"""One card of the resident's log: the entries of a question or act and its outcome, proved.

Rule: the broker says nothing about them; what a card says the portal writes from its entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.audit.payloads import Record
from broker.audit.ports import EntryRow
from broker.audit.proofs import Proofs
from datwat.protocol.values import encode_bytes


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as it was opened: `record` is its own payload, `told` the one that it reopens."""

    row: EntryRow = field(repr=False)
    tag: bytes
    record: Record = field(repr=False)
    told: Record = field(repr=False)
    core: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    payload: bytes = field(repr=False)

    @property
    def told_core(self) -> bytes:
        """The partner's half of the entry that is told."""
        return self.record.reopened.core if self.record.reopened else self.core


def build_card(lines: Sequence[Line], size: int, proofs: Proofs) -> dict[str, Any]:
    """Return the card of one entry, or of an outcome and, last, its question.

    It is a `ProvedCard` as JSON has it: all of it comes from records that were read strictly, so
    that no model is made of it here; whoever is shown it makes one, and checks it.
    """
    return {"proofs": [_build_proof(line, size, proofs) for line in lines[::-1]]}


def _build_proof(line: Line, size: int, proofs: Proofs) -> dict[str, Any]:
    """Return an `EntryProof` as JSON has it."""
    receipt = proofs.build_receipt(line.row.index, size)
    return {
        "index": receipt.index,
        "path": [encode_bytes(digest) for digest in receipt.path],
        "audience": "own" if line.row.audience == "own" else "open",
        "tag": encode_bytes(line.tag),
        "core": encode_bytes(line.core),
        "salt": encode_bytes(line.salt),
        "payload": encode_bytes(line.payload),
    }
