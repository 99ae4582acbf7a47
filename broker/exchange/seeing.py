"""Step 5, beside the entry: what oversight counts of an act, without any of its words.

Rules: it follows from the question, the decision and what was prepared, and from nothing else, so
that it costs the same for everybody; a later entry is counted from its opening on, never before.
Working hours are 7:00 to 19:00 on a working day, in the country's own time.
Source: AVG 5(2), 32; docs/decisions/0021.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from broker.audit.payloads import Detail
from broker.audit.seen import SeenAct
from broker.consent.working_days import HERE, is_working_day
from broker.exchange.question import Prepared, Question
from broker.policy.decision import Decision
from broker.policy.evaluation import Evaluation
from broker.pseudonyms.veil import Veil

FIRST_HOUR: Final = 7
LAST_HOUR: Final = 19
_HOUR: Final = 3_600
# What a resident wished for, by the member of the entry that says so.
_WISHES: Final = (
    ("objection_id", "objection"),
    ("question_id", "question"),
    ("erases", "erasure"),
    ("block_id", "block"),
    ("shields", "shield"),
    ("lifts", "taken_back"),
    ("withdraws", "withdrawal"),
    ("consent_id", "consent"),
)


def build_seen(question: Question, prepared: Prepared, veil: Veil) -> SeenAct:
    """Return what oversight counts of the act about one person."""
    weighed, partner, now = prepared.weighed, question.partner.id, question.now
    evaluation, decision, detail = weighed.evaluation, weighed.decision, prepared.detail
    staff = evaluation.professional
    occasion = prepared.occasion_id
    return SeenAct(
        at=now,
        retention_until=now + timedelta(days=decision.retention_days),
        shown_at=None if prepared.notice == "later" else now,
        act="weighed" if question.weighs_only else evaluation.act,
        partner=partner,
        professional=veil.hide_professional(partner, staff.id) if staff is not None else None,
        subject=veil.hide("subject", weighed.subject_id),
        occasion=veil.hide("occasion", occasion) if occasion is not None else None,
        purpose=evaluation.purpose,
        source=evaluation.ask.source,
        permit=decision.permit,
        is_stated=decision.stated_permit,
        blade=find_blade(decision),
        found_nothing=not question.weighs_only and _found_nothing(evaluation, prepared),
        is_off_hours=is_off_hours(now),
        is_blocked=any(one.organisation == partner for one in evaluation.blocks),
        result=_find_result(question, evaluation, detail),
        goals=detail.goals_reached if detail is not None else None,
        plan_made=detail.plan_made if detail is not None else None,
    )


def find_blade(decision: Decision) -> str | None:
    """Return the first blade that denied; None where the question was permitted."""
    if decision.permit:
        return None
    return next((one.blade for one in decision.findings if not one.satisfied), None)


def is_off_hours(moment: datetime) -> bool:
    """Tell whether a moment lies outside working hours in the Netherlands."""
    return _is_off_hours(int(moment.timestamp()) // _HOUR)


@lru_cache(64)
def _is_off_hours(hour: int) -> bool:
    # Every change of the clock here is at a whole hour: one answer holds for the hour.
    local = datetime.fromtimestamp(hour * _HOUR, UTC).astimezone(HERE)
    return not (is_working_day(local.date()) and FIRST_HOUR <= local.hour < LAST_HOUR)


def _found_nothing(evaluation: Evaluation, prepared: Prepared) -> bool:
    """Tell whether an inquiry showed nobody, or a release cites what was never shown."""
    if evaluation.act == "inquire":
        return not prepared.pointers
    return evaluation.act == "release" and evaluation.ask.involvement is None


def _find_result(question: Question, evaluation: Evaluation, detail: Detail | None) -> str | None:
    """Return what kind of act it was, by a code of twenty signs at most."""
    if question.weighs_only:
        return evaluation.act
    statement = question.statement
    if evaluation.act == "open_occasion":
        return statement.opens.kind if statement is not None and statement.opens else None
    if detail is None:
        return None
    if evaluation.act == "close_occasion":
        return detail.reason
    if evaluation.act in {"wish", "record_objection", "record_consent"}:
        return next((code for name, code in _WISHES if getattr(detail, name) is not None), None)
    return None
