"""One card of the resident's log: a question or act, its outcome, and the proofs of both.

Rule: nothing on a card comes from elsewhere than the entries that it proves and the signed texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from broker.audit.payloads import Detail, Record
from broker.audit.ports import EntryRow
from broker.audit.proofs import Proofs
from broker.purposes.wording import Texts
from broker.transparency.sentences import SUPPORT, build_summary, build_text
from datwat.protocol.access_log import (
    AccessCard,
    EntryProof,
    LoggedField,
    LoggedFinding,
    LoggedPointer,
    Sentence,
)

_MOST_PROOFS = 8


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


def build_card(
    lines: Sequence[Line],
    size: int,
    proofs: Proofs,
    texts: Texts,
    titles: Mapping[str, Sentence],
) -> AccessCard:
    """Return the card of the entries of one `rid`, newest first; the oldest is the question."""
    first = lines[-1]
    record, said = first.told, first.told.said
    delivered = next((line.told.delivered for line in lines if line.told.delivered), None)
    later = first.record.reopened is not None
    asked = record.asked
    return AccessCard(
        number=first.row.index,
        rid=record.rid,
        event=record.event,
        at=record.at,
        requester=record.requester.id,
        requester_name=record.requester.name,
        role=asked.role if asked else None,
        purpose=asked.purpose if asked else None,
        summary=build_summary(record, texts, dict(titles), later=later),
        motivation=asked.motivation if asked else None,
        permitted=said.permit if said else None,
        rung=said.rung if said else None,
        findings=_build_findings(record, texts),
        pointers=tuple(
            LoggedPointer(
                source=one.source.id, source_name=one.source.name, kind=one.kind, rung=one.rung
            )
            for one in record.pointers
        ),
        fields_asked=asked.fields if asked else (),
        fields_given=delivered.fields if delivered else (),
        withheld=_build_withheld(record, texts),
        failure=delivered.failure if delivered else None,
        legal_basis=said.legal_basis if said else None,
        told_later_at=first.record.at if later else None,
        support=SUPPORT,
        # Told later: why, until when and by whose decision stands in the entry that opened it.
        details=_build_details(record.detail)
        | (_build_details(first.record.detail) if later else {}),
        reason=record.detail.objection_reason if record.detail else None,
        proofs=tuple(_build_proof(line, size, proofs) for line in reversed(lines))[:_MOST_PROOFS],
    )


def _build_findings(record: Record, texts: Texts) -> tuple[LoggedFinding, ...]:
    if record.said is None:
        return ()
    return tuple(
        LoggedFinding(
            blade=one.blade,
            code=one.code,
            satisfied=one.satisfied,
            text=build_text(texts, one.code, one.params),
        )
        for one in record.said.findings
    )


def _build_withheld(record: Record, texts: Texts) -> tuple[LoggedField, ...]:
    if record.said is None:
        return ()
    return tuple(
        LoggedField(field=one.field, code=one.code, text=build_text(texts, one.code, {}))
        for one in record.said.withheld
    )


def _build_details(detail: Detail | None) -> dict[str, str | int | bool | tuple[str, ...]]:
    """Return what an act says of the person as plain members, for a page to list."""
    if detail is None:
        return {}
    found: dict[str, str | int | bool | tuple[str, ...]] = {}
    for name, value in detail.model_dump(mode="json", exclude_none=True).items():
        match value:
            case str() | int() | bool():
                found[name] = value
            case list() if value:
                found[name] = tuple(str(item) for item in value)
            case dict():
                found[name] = str(value.get("name") or value.get("purpose") or "")
    found.pop("objection_reason", None)
    return found


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
