"""One card of the resident's log: a question or act, its outcome, and the proofs of both.

Rule: nothing on a card comes from elsewhere than the entries that it proves and the signed texts;
all but the texts is built by the function with which the portal checks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from broker.audit.payloads import Record
from broker.audit.ports import EntryRow
from broker.audit.proofs import Proofs
from broker.purposes.wording import Texts
from broker.transparency.sentences import SUPPORT, build_summary, build_text
from datwat.protocol.access_log import AccessCard, EntryProof, Sentence
from datwat.protocol.card_data import build_card_data

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
    first = lines[-1]
    record = first.told
    entries = tuple(_build_proof(line, size, proofs) for line in reversed(lines))
    data = build_card_data(entries)
    members = {
        **dict.fromkeys(AccessCard.model_fields),
        **data,
        "summary": build_summary(
            record, texts, dict(titles), later=first.record.reopened is not None
        ).model_dump(),
        "support": SUPPORT.model_dump(),
        "findings": _add_texts(data["findings"], _render_findings(record, texts)),
        "withheld": _add_texts(data["withheld"], _render_withheld(record, texts)),
        "proofs": (),
    }
    card = AccessCard.model_validate_json(orjson.dumps(members))
    return card.model_copy(update={"proofs": entries})


def _add_texts(coded: Sequence[_Json], texts: Iterable[Sentence]) -> list[_Json]:
    """Return what is coded, each with its text."""
    return [{**one, "text": text.model_dump()} for one, text in zip(coded, texts, strict=True)]


def _render_findings(record: Record, texts: Texts) -> list[Sentence]:
    findings = record.said.findings if record.said else ()
    return [build_text(texts, one.code, one.params) for one in findings]


def _render_withheld(record: Record, texts: Texts) -> list[Sentence]:
    withheld = record.said.withheld if record.said else ()
    return [build_text(texts, one.code, {}) for one in withheld]


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
