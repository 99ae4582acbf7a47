"""A decision in AuthZEN's words: true or false, and what explains it. Pure.

Rules: whoever asks about a known person learns what a signed question would tell it, and no more;
who stated the facts is told how each counted. Obligations go with every permit: who cannot comply
denies. Texts are those of the signed bundle, in both languages. Source: AuthZEN 1.0 section 5.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from broker.policy.decision import Decision
from datwat.protocol.answers import AnswerPart, Finding, ReleasePart, Weighing, WithheldField
from datwat.protocol.errors import DatwatError
from datwat.protocol.messages import LegalBasis
from datwat.protocol.texts import LANGUAGES, Texts

_Json = dict[str, Any]
OBLIGATION_TYPE = "urn:datwat:obligation"


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one decision; `facts` says whose they were."""

    id: str
    facts: Literal["registered", "stated"]
    revision: str
    weighing: Weighing
    fields: tuple[str, ...] = ()
    withheld: tuple[WithheldField, ...] = ()
    legal_basis: LegalBasis | None = None


def tell_part(part: AnswerPart, *, decision_id: str, revision: str) -> Told:
    """Return what a question about a known person was answered."""
    told = Told(decision_id, "registered", revision, part.weighing)
    if not isinstance(part, ReleasePart):
        return told
    return Told(
        told.id, told.facts, revision, part.weighing, part.fields, part.withheld, part.legal_basis
    )


def tell_decision(decision: Decision, *, decision_id: str, revision: str) -> Told:
    """Return what is told of a decision on facts that the caller itself stated."""
    weighing = Weighing(
        permitted=decision.permit,
        rung=decision.rung,
        open_rung=decision.open_rung,
        findings=tuple(
            Finding(blade=one.blade, code=one.code, satisfied=one.satisfied, params=one.params)
            for one in decision.findings
            if one.about != "internal"
        ),
        remedies=decision.remedies,
        alternatives=decision.alternatives,
        obligations=decision.obligations,
    )
    return Told(
        decision_id,
        "stated",
        revision,
        weighing,
        decision.fields,
        decision.withheld,
        decision.legal_basis,
    )


def build_answer(told: Told, texts: Texts) -> _Json:
    """Return the answer to one question."""
    weighing = told.weighing
    context: _Json = {
        "id": told.id,
        "facts": told.facts,
        "policies": told.revision,
        "rung": weighing.rung,
        "open_rung": weighing.open_rung,
        "findings": [
            {
                "blade": one.blade,
                "code": one.code,
                "satisfied": one.satisfied,
                "params": one.params,
                "text": _render(texts, one.code, one.params),
            }
            for one in weighing.findings
        ],
        "remedies": [_explain(texts, code) for code in weighing.remedies],
        "alternatives": [_explain(texts, code) for code in weighing.alternatives],
        "obligations": [
            {
                "id": one.code,
                "type": OBLIGATION_TYPE,
                "properties": one.params,
                "text": _render(texts, one.code, one.params),
            }
            for one in weighing.obligations
        ],
        "fields": list(told.fields),
        "withheld": [{"field": one.field, **_explain(texts, one.code)} for one in told.withheld],
        "legal_basis": told.legal_basis.model_dump() if told.legal_basis else None,
    }
    if not weighing.permitted:
        context |= _build_reasons(weighing, texts)
    return {"decision": weighing.permitted, "context": context}


def build_error(error: DatwatError, status: int) -> _Json:
    """Return the answer to one of several questions that could not be weighed: a denial."""
    told = {"status": status, "code": error.code, "message": error.detail}
    return {"decision": False, "context": {"error": told}}


def _build_reasons(weighing: Weighing, texts: Texts) -> _Json:
    unmet = [one for one in weighing.findings if not one.satisfied]
    codes = [one.code for one in unmet]
    return {
        "reason_admin": {"en": ", ".join(codes)},
        "reason_user": {
            language: " ".join(texts.render(one.code, language, one.params) for one in unmet)
            for language in LANGUAGES
        },
    }


def _explain(texts: Texts, code: str) -> _Json:
    return {"code": code, "text": _render(texts, code, {})}


def _render(texts: Texts, code: str, params: Mapping[str, Any]) -> _Json:
    return {language: texts.render(code, language, params) for language in LANGUAGES}


def is_over(answers: Iterable[_Json], semantic: str) -> bool:
    """Tell whether the last of these answers ends a row of questions."""
    *_, last = answers
    if semantic == "deny_on_first_deny":
        return not last["decision"]
    return semantic == "permit_on_first_permit" and bool(last["decision"])
