"""One card of the resident's log: a question or act, its outcome, and the proofs of both.

Rule: nothing on a card comes from elsewhere than the entries that it proves and the signed texts;
data and sentences are built by the very functions with which the portal checks and writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from broker.audit.payloads import Record
from broker.audit.ports import EntryRow
from broker.audit.proofs import Proofs
from datwat.protocol.access_log import AccessCard, EntryProof, Sentence
from datwat.protocol.card_data import build_card_data
from datwat.protocol.card_sentences import build_card_sentences
from datwat.protocol.texts import Texts

_Json = dict[str, Any]


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
) -> AccessCard:
    """Return the card of one entry, or of an outcome and, last, its question."""
    entries = tuple(_build_proof(line, size, proofs) for line in reversed(lines))
    data = build_card_data(entries)
    said = build_card_sentences(entries, texts, titles)
    members = {
        **dict.fromkeys(AccessCard.model_fields),
        **data,
        "summary": said.summary.model_dump(),
        "support": said.support.model_dump(),
        "findings": _add_texts(data["findings"], said.findings),
        "withheld": _add_texts(data["withheld"], said.withheld),
        "proofs": (),
    }
    card = AccessCard.model_validate_json(orjson.dumps(members))
    return card.model_copy(update={"proofs": entries})


def _add_texts(coded: Sequence[_Json], texts: Iterable[Sentence]) -> list[_Json]:
    """Return what is coded, each with its text."""
    return [{**one, "text": text.model_dump()} for one, text in zip(coded, texts, strict=True)]


def _build_proof(line: Line, size: int, proofs: Proofs) -> EntryProof:
    receipt = proofs.build_receipt(line.row.index, size)
    return EntryProof(
        index=receipt.index,
        path=receipt.path,
        audience="own" if line.row.audience == "own" else "open",
        tag=line.tag,
        core=line.core,
        salt=line.salt,
        payload=line.payload,
    )
