"""One card of the resident's log: a question or act, its outcome, and the proofs of both.

Rule: nothing on a card comes from elsewhere than the entries that it proves and the signed texts;
data and sentences are built by the very functions with which the portal checks and writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.audit.payloads import Record
from broker.audit.ports import EntryRow
from broker.audit.proofs import Proofs
from datwat.protocol.access_log import AccessCard, Sentence
from datwat.protocol.card_data import build_told_data, read_told
from datwat.protocol.card_sentences import build_told_sentences
from datwat.protocol.texts import Texts
from datwat.protocol.values import encode_bytes

_Json = dict[str, Any]
_MEMBERS: _Json = dict.fromkeys(AccessCard.model_fields)


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


def build_card(
    lines: Sequence[Line],
    size: int,
    proofs: Proofs,
    texts: Texts,
    titles: Mapping[str, Sentence],
) -> dict[str, Any]:
    """Return the card of one entry, or of an outcome and, last, its question.

    It is an `AccessCard` as JSON has it: all of it comes from records that were read strictly, so
    that no model is made of it here; whoever is shown it makes one, and checks it.
    """
    oldest_first = lines[::-1]
    told = [read_told(line.row.index, line.core, line.payload) for line in oldest_first]
    data = build_told_data(told)
    said = build_told_sentences(told, texts, titles)
    return {
        **_MEMBERS,
        **data,
        "summary": _build_text(said.summary),
        "support": _build_text(said.support),
        "findings": _add_texts(data["findings"], said.findings),
        "withheld": _add_texts(data["withheld"], said.withheld),
        "proofs": [_build_proof(line, size, proofs) for line in oldest_first],
    }


def _add_texts(coded: Sequence[_Json], texts: Iterable[Sentence]) -> list[_Json]:
    """Return what is coded, each with its text."""
    return [{**one, "text": _build_text(text)} for one, text in zip(coded, texts, strict=True)]


def _build_text(text: Sentence) -> _Json:
    return {"nl": text.nl, "en": text.en}


def _build_proof(line: Line, size: int, proofs: Proofs) -> _Json:
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
