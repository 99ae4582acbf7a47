"""What the log of processing activities (Logboek Dataverwerkingen) is told of a question.

Rules: one record per data subject, written in the transaction of the entries, so that none is lost
or sampled; what is told later is written as somebody else's, for a reader of that log must not find
what waits under the person it is about, nor tell that it waits (promise 5). The way out is another
one and holds nothing up (`broker/adapters/ldv_delivery.py`). Source: Logboek Dataverwerkingen 0.8.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from sqlalchemy import Connection

from broker.exchange.question import Question, write_nothing
from broker.exchange.writing import Written
from datwat.party.tracing import Trace, draw_span_id, require_trace

# One name for all that is done to an occasion: which of them it was would tell that it waits.
_OCCASION: Final = "occasion"
_OF_OCCASIONS: Final = frozenset(
    {"open_occasion", "hand_over", "close_occasion", "declare_special_situation"}
)
Status = Literal["Unset", "Ok", "Error"]
Write = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Processing:
    """One span: times in milliseconds since 1970; `subject_id` is None where it is about nobody.

    `is_delayed`: whoever it is about hears of it later.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    purpose: str | None
    caller: str
    began_ms: int
    ended_ms: int
    subject_id: bytes | None = field(default=None, repr=False)
    is_delayed: bool = False
    status: Status = "Ok"


class ProcessingLog(Protocol):
    """Keeps what is to be told, until it was acknowledged."""

    @property
    def is_on(self) -> bool:
        """Whether anybody is told at all."""

    def prepare(self, records: Sequence[Processing]) -> Write:
        """Return what keeps records in the transaction that it is given."""


class NoProcessingLog:
    """Nobody is told: no target was set."""

    is_on = False

    def prepare(self, records: Sequence[Processing]) -> Write:
        """Return what keeps nothing."""
        del records
        return write_nothing


def build_processing(question: Question, written: Sequence[Written]) -> list[Processing]:
    """Return the records of some persons of a question, for the trace that it belongs to.

    One person is the request's own span; several are children of it, beside a record about nobody.
    """
    trace = require_trace()
    name = "weigh" if question.weighs_only else _name_act(question.object.type)
    purpose = getattr(question.object, "purpose", None)
    told = _Told(trace, name, purpose.id if purpose else None, question.partner.id)
    logged = [one for one in written if one.entry is not None]
    if len(question.persons) == 1:
        return [_build(told, trace.span_id, trace.parent_span_id, one) for one in logged]
    return [
        *(_build(told, draw_span_id(), trace.span_id, one) for one in logged),
        *([_build(told, trace.span_id, trace.parent_span_id, None)] if logged else []),
    ]


def build_decision_processing(trace: Trace, purpose: str, caller: str) -> Processing:
    """Return the record of a decision on stated facts, which is about nobody that is known here."""
    told = _Told(trace, "weigh", purpose, caller)
    return _build(told, draw_span_id(), trace.span_id, None)


def _name_act(act: str) -> str:
    return _OCCASION if act in _OF_OCCASIONS else act


@dataclass(frozen=True, slots=True)
class _Told:
    trace: Trace
    name: str
    purpose: str | None
    caller: str


def _build(told: _Told, span_id: str, parent: str | None, written: Written | None) -> Processing:
    prepared = written.prepared if written else None
    return Processing(
        trace_id=told.trace.trace_id,
        span_id=span_id,
        parent_span_id=parent,
        name=told.name,
        purpose=told.purpose,
        caller=told.caller,
        began_ms=told.trace.began_ms,
        ended_ms=time.time_ns() // 1_000_000,
        subject_id=prepared.weighed.subject_id if prepared else None,
        is_delayed=prepared is not None and prepared.notice == "later",
    )
