"""What the requester learns of a decision, and the bytes of its answer.

Rules: findings on what the requester itself stated are explained; findings on facts of the person
are never told in an inquiry or a contact request, and share one code elsewhere; internal ones stay
in the log. An inquiry says *permitted* on the stated facts alone, so that *nobody*, *unknown* and
*not for you to know* are one shape and one size.
"""

from __future__ import annotations

from functools import lru_cache

import orjson

from broker.involvement.involvements import Involvement
from broker.policy.decision import Decision, KindCap, WeighedFinding
from datwat.protocol.acts import Contact
from datwat.protocol.answers import (
    ACT_SIZE,
    INQUIRY_SIZE,
    ActPart,
    AnswerPart,
    Finding,
    InquiryPart,
    Pointer,
    Scope,
    Weighing,
)
from datwat.protocol.messages import RUNGS, Blade, Rung
from datwat.protocol.trust import Partner

SHARED_CODE = "person_facts"
MOST_POINTERS = 64
_LONGEST_CONTACT = 200


def build_silent_weighing(decision: Decision) -> Weighing:
    """Return what an inquiry or a contact request tells: the stated facts, and nothing else."""
    permitted = decision.stated_permit
    return Weighing(
        permitted=permitted,
        rung=decision.open_rung if permitted else "none",
        open_rung=decision.open_rung,
        findings=_build_stated(decision),
        remedies=decision.remedies,
        alternatives=decision.alternatives,
        obligations=decision.obligations,
    )


def build_open_weighing(decision: Decision) -> Weighing:
    """Return what an act or release tells: the verdict; the person's facts as one code."""
    person = [finding for finding in decision.findings if finding.about == "person"]
    failed = [finding for finding in person if not finding.satisfied]
    shared = (
        (Finding(blade="purpose", code=SHARED_CODE, satisfied=False, params={}),) if failed else ()
    )
    return Weighing(
        permitted=decision.permit,
        rung=decision.rung,
        open_rung=decision.open_rung,
        findings=_build_stated(decision) + shared,
        remedies=decision.remedies,
        alternatives=decision.alternatives,
        obligations=decision.obligations,
    )


def build_refused_weighing(decision: Decision) -> Weighing:
    """Return what is told where the register, not the policy, has no ground: the shared code."""
    finding = Finding(blade="purpose", code=SHARED_CODE, satisfied=False, params={})
    told = build_open_weighing(decision)
    findings = tuple(one for one in told.findings if one.code != SHARED_CODE)
    return told.model_copy(
        update={"permitted": False, "rung": "none", "findings": (*findings, finding)}
    )


def build_logged_findings(decision: Decision) -> list[orjson.Fragment]:
    """Return the findings that the resident reads, as JSON: all but internal ones."""
    return [
        _write_plainly(one.blade, one.code, one.satisfied) if not one.params else _write(one)
        for one in decision.findings
        if one.about != "internal"
    ]


def _build_stated(decision: Decision) -> tuple[Finding, ...]:
    return tuple(_tell(one) for one in decision.findings if one.about == "stated")


def _tell(one: WeighedFinding) -> Finding:
    # The members were validated with the decision: doing it again costs 50 µs a question.
    if not one.params:
        return _tell_plainly(one.blade, one.code, one.satisfied)
    return Finding.model_construct(
        blade=one.blade, code=one.code, satisfied=one.satisfied, params=one.params
    )


@lru_cache(maxsize=2_048)
def _tell_plainly(blade: Blade, code: str, satisfied: bool) -> Finding:  # noqa: FBT001 - a member
    """Return a finding without parameters: there are a few hundred, and each is frozen."""
    return Finding.model_construct(blade=blade, code=code, satisfied=satisfied, params={})


def _write(one: WeighedFinding) -> orjson.Fragment:
    members = {
        "blade": one.blade,
        "code": one.code,
        "satisfied": one.satisfied,
        "params": one.params,
    }
    return orjson.Fragment(orjson.dumps(members))


@lru_cache(maxsize=2_048)
def _write_plainly(blade: Blade, code: str, satisfied: bool) -> orjson.Fragment:  # noqa: FBT001 - a member
    """Return the JSON of a finding without parameters, of which there are a few hundred."""
    members = {"blade": blade, "code": code, "satisfied": satisfied, "params": {}}
    return orjson.Fragment(orjson.dumps(members))


def find_cap(caps: tuple[KindCap, ...], involvement: Involvement) -> Rung:
    """Return the rung that the decision's table gives an involvement; none without a row."""
    for cap in caps:
        if cap.function == involvement.function and cap.kind == involvement.kind:
            return cap.shielded if involvement.shielded else cap.plain
    return "none"


def lower(one: Rung, other: Rung) -> Rung:
    """Return the lower of two rungs."""
    return min(one, other, key=RUNGS.index)


def select_shown(decision: Decision, found: list[Involvement]) -> list[tuple[Involvement, Rung]]:
    """Return what this decision lets be shown, each with its rung, the newest first."""
    if not decision.permit:
        return []
    capped = [(held, lower(decision.rung, find_cap(decision.caps, held))) for held in found]
    shown = [(held, lower(rung, "dat")) for held, rung in capped if rung != "none"]
    shown.sort(key=lambda one: (one[0].since_at, one[0].source), reverse=True)
    return shown[:MOST_POINTERS]


def build_pointer(
    involvement: Involvement, rung: Rung, reference: bytes, source: Partner | None
) -> Pointer:
    """Return an involvement as far as its rung lets it be seen.

    Below *dat*, and wherever it is shielded, the contact is the organisation's public one: a role's
    or a colleague's name would tell the kind of help.
    """
    full = rung == "dat"
    plain = full and not involvement.shielded
    central = source.contact[:_LONGEST_CONTACT] if source else ""
    return Pointer(
        rung=rung,
        involvement=reference,
        contact=involvement.contact if plain else Contact(role="central", phone=central or None),
        domain=involvement.domain,
        source=involvement.source if full else None,
        source_name=source.name if full and source else None,
        kind=involvement.kind if full else None,
        since_at=involvement.since_at if full else None,
        as_of=involvement.reconfirmed_at if full else None,
    )


def build_inquiry_part(
    decision: Decision, handle: bytes, pointers: tuple[Pointer, ...], scope: Scope
) -> InquiryPart:
    """Return the answer to *who is involved*."""
    return InquiryPart(
        type="inquiry",
        weighing=build_silent_weighing(decision),
        handle=handle,
        scope=scope,
        pointers=pointers,
    )


def pad(part: AnswerPart) -> bytes:
    """Return the bytes of a part in the size class of its type, as `build_part` pads them.

    Members stand in the order of the model: sorting them costs more than all the rest.
    """
    size_class = ACT_SIZE if isinstance(part, ActPart) else INQUIRY_SIZE
    raw = part.model_dump_json().encode()
    return raw + b" " * (-len(raw) % size_class)
