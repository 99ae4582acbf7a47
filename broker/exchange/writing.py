"""Step 5, the texts: both halves of the entry about each person, and what replay reads.

Rule: the core ties the entry to what is answered; a core of type release is written for a permit
only, for a refused one with its receipt would be an order. The internal reason goes where replay
and the reviewing officer read, never into the resident's half. Source: "Entry: 66 bytes".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import orjson
from pydantic import BaseModel

from broker.audit.records import ChainRef, EntryDraft, PreparedEntry
from broker.audit.sealing import Sealing
from broker.exchange.acts import name_party
from broker.exchange.answers import build_logged_findings, pad
from broker.exchange.question import Prepared, Question
from broker.exchange.seeing import build_seen
from broker.involvement.special_situations import SpecialSituationRow
from broker.policy.decision import Decision
from broker.pseudonyms.veil import Veil
from datwat.party.trust_list import Directory
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.entry import Audience
from datwat.protocol.log_cores import Term
from datwat.protocol.values import encode_bytes, encode_moment

_KINDS: dict[str, Literal["inquiry", "act", "refusal"]] = {
    "inquire": "inquiry",
    "release": "refusal",
}


@dataclass(frozen=True, slots=True)
class Written:
    """One person's answer and entry, sealed and ready for the log; `entry` is None for no entry."""

    prepared: Prepared
    part: bytes = field(repr=False)
    core: bytes = field(repr=False)
    entry: PreparedEntry | None = field(repr=False)


def build_written(  # noqa: PLR0917 - what an entry is made from
    question: Question,
    prepared: Prepared,
    revision: str,
    directory: Directory,
    sealing: Sealing,
    veil: Veil,
) -> Written:
    """Return the answer, both halves, what oversight counts, and the sealed entry."""
    part = pad(prepared.part)
    if not prepared.logs:
        return Written(prepared, part, b"", None)
    core = _build_core(question, prepared, revision, part)
    decision = prepared.weighed.decision
    draft = EntryDraft(
        chain=ChainRef(prepared.weighed.subject_id, choose_audience(prepared)),
        core=core,
        payload=_build_payload(question, prepared, revision, directory),
        at=question.now,
        retention_until=question.now + timedelta(days=decision.retention_days),
        replay_input=_build_replay(question, prepared, revision),
        seen=build_seen(question, prepared, veil),
    )
    entry = sealing.prepare_entry(prepared.weighed.gathered.keys, draft)
    return Written(prepared, part, core, entry)


def choose_audience(prepared: Prepared) -> Audience:
    """Return the chain of an entry: the auditor's where it is told later, else as decided."""
    return "delayed" if prepared.notice == "later" else prepared.audience


def _build_core(question: Question, prepared: Prepared, revision: str, part: bytes) -> bytes:
    """Return the partner's half: of a permitted release its order, else a core that orders nothing.

    Of checked values, so no `Core` is built only to be written down.
    """
    if prepared.orders is not None:
        return encode_canonical(prepared.orders.model_dump(mode="json"))
    members: dict[str, object] = {
        "v": 1,
        "type": "act" if question.weighs_only else _KINDS.get(question.object.type, "act"),
        "request_hash": encode_bytes(question.request_hash),
        "person_hash": encode_bytes(prepared.weighed.gathered.person_hash),
        "answer_hash": encode_bytes(hashlib.sha256(part).digest()),
        "revision": revision,
        "notice": prepared.notice,
    }
    if prepared.declared is not None and prepared.notice == "later":
        # Of its own statement the partner learns nothing; the auditor sees until when it waits.
        stated = prepared.declared.stated
        term = Term(at=question.now, until_at=stated.until_at, opening=stated.opening)
        members["term"] = term.model_dump(mode="json")
    return encode_canonical(members)


def _build_payload(
    question: Question, prepared: Prepared, revision: str, directory: Directory
) -> bytes:
    """Return the resident's half: the JSON of a `Record`, as `build_payload` writes it.

    Its values were checked when they came in, all by the types that `Record` has for them.
    """
    message, partner, detail = question.object, question.partner, prepared.detail
    members = {
        "v": 1,
        "event": "weighed" if question.weighs_only else message.type,
        "at": encode_moment(question.now),
        "rid": encode_bytes(message.rid),
        "requester": {"id": partner.id, "name": partner.name},
        "notice": prepared.notice,
        "asked": _build_asked(question, prepared, directory),
        "said": _build_said(prepared.weighed.decision, revision),
        "pointers": [
            {"source": dict(one.source), "kind": one.kind, "rung": one.rung}
            for one in prepared.pointers
        ],
        "fields": prepared.fields,
    }
    if detail is not None:
        members["detail"] = _write(detail)
    return orjson.dumps(members)


def _write(value: BaseModel) -> orjson.Fragment:
    return orjson.Fragment(value.model_dump_json(exclude_none=True))


def _drop_nothing_said(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}


def _build_said(decision: Decision, revision: str) -> dict[str, object]:
    basis = decision.legal_basis
    members = {
        "permit": decision.permit,
        "rung": decision.rung,
        "findings": build_logged_findings(decision),
        "withheld": [dict(one) for one in decision.withheld],
        "obligations": [dict(one) for one in decision.obligations],
        "legal_basis": dict(basis) if basis else None,
        "revision": revision,
    }
    return _drop_nothing_said(members)


def _build_asked(question: Question, prepared: Prepared, directory: Directory) -> dict[str, object]:
    evaluation, statement = prepared.weighed.evaluation, question.statement
    ask = evaluation.ask
    return _drop_nothing_said(
        {
            "role": statement.professional.role if statement else None,
            "purpose": evaluation.purpose,
            "purpose_digest": evaluation.purpose_digest,
            "occasion_kind": evaluation.occasion.kind if evaluation.occasion else None,
            "rung": ask.rung if ask.rung != "none" else None,
            "source": dict(name_party(directory, ask.source)) if ask.source else None,
            "product": ask.product,
            "fields": ask.fields,
            "motivation": _write(statement.motivation)
            if statement and statement.motivation
            else None,
        }
    )


def _build_replay(question: Question, prepared: Prepared, revision: str) -> bytes:
    """Return what replay and a reviewing officer read: question, decision, internal reasons."""
    statement = question.statement
    occasion_id, situation = prepared.occasion_id, prepared.situation
    special = None
    if statement is not None:
        special = statement.special_situation or (
            statement.opens.special_situation if statement.opens else None
        )
    return orjson.dumps(
        {
            "v": 1,
            "revision": revision,
            "evaluation": orjson.Fragment(prepared.weighed.evaluation.as_json),
            "decision": orjson.Fragment(prepared.weighed.decision.model_dump_json()),
            "occasion": encode_bytes(occasion_id) if occasion_id else None,
            "situation": encode_bytes(situation.id) if situation else None,
            "audience": prepared.audience,
            "internal_reason": statement.internal_reason if statement else None,
            "special_reason": special.reason if special else None,
        }
    )


def build_occasion_mark(
    occasion_id: bytes | None, situation: SpecialSituationRow | None, audience: str
) -> str:
    """Return the replay half of a later entry: its occasion, and with what and where it opens."""
    mark = {
        "v": 1,
        "occasion": encode_bytes(occasion_id) if occasion_id else None,
        "situation": encode_bytes(situation.id) if situation else None,
        "audience": audience,
    }
    return orjson.dumps(mark).decode()
