"""How each part of the system is, from facts about it: one model for the page and the command.

Rules: nothing of a person is in it, no reference, no number of an entry; a part that is as it
should be says so and asks nothing; of every other it is said what to do. Pure: `watching.py`
gathers the facts, `pages/part_words.py` has the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from datwat.party.parts import LIST_ENDS_SOON, SLOW_DATABASE, State

PartName = Literal[
    "policy",
    "policy_engine",
    "key_holder",
    "database",
    "log",
    "witnesses",
    "housekeeping",
    "partners",
    "trust_list",
    "keys",
    "processing_log",
    "answers",
    "processes",
]
# So long before an end it is said that it comes: an organisation has time to sign anew.
ENDS_SOON: Final = timedelta(days=30)
_QUIET_HOUSEKEEPING: Final = timedelta(minutes=2)
# A twelfth of what the log takes on: one batch more than is written at once.
_MANY_WAITING: Final = 256
# A gateway stops when it is a quarter of an hour.
_OLD_COSIGNATURES: Final = timedelta(minutes=5)
_MANY_TO_END: Final = 10_000
# A sixth of what messages between parties bear (`freshness.CLOCK_SKEW`).
CLOCK_OFF: Final = timedelta(seconds=5)
_MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Refused:
    """A published bundle that is not in force: its number if it has one, and the code of why."""

    seq: int | None
    code: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """How it went with one other party when it was last asked; `since_at`: its last good answer."""

    name: str
    is_failing: bool = False
    since_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """Something with an end: whose or what it is, and when."""

    name: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found, at `now`; a time or duration that is None was not found: no answer came."""

    now: datetime
    policy_seq: int
    policy_revision: str
    policy_since: datetime | None
    policy_refused: Refused | None
    is_engine_ready: bool
    is_key_holder_there: bool
    database_took: timedelta | None
    log_size: int
    tag_root_failure: str | None
    witnesses: tuple[Asked, ...]
    witness_threshold: int
    cosigned_at: datetime | None
    housekeeping_at: datetime | None
    housekeeping_failed: tuple[str, ...]
    partners: tuple[Asked, ...]
    list_seq: int
    list_ends_at: datetime
    endings: tuple[Ending, ...]
    is_kek_overdue: bool
    # What the processing log waits with; None: it is switched off.
    processing_waiting: int | None = None
    is_processing_overdue: bool = False
    # Jobs that wait for the writer of the log.
    log_waiting: int = 0
    # Contents whose end has come and that are still there.
    contents_to_end: int = 0
    # What residents wait for beyond its term, of every kind.
    answers_overdue: int = 0
    # Of several processes of one broker: how many run; whether this one knows what they changed.
    processes: int = 1
    is_current: bool = True
    keeps_house: bool = True
    # How far this machine's clock is ahead of the database server's, or behind it.
    clock_off: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Part:
    """One part: `code` says which sentence about it is true, `values` are what stands in it."""

    part: PartName
    state: State
    code: str
    values: Mapping[str, str | int] = field(default_factory=dict)
    since_at: datetime | None = None


def derive_parts(facts: Facts) -> tuple[Part, ...]:
    """Return every part in the order of an operator's look; `since_at` where a fact has it."""
    return tuple(derive(facts) for derive in _PARTS)


def _derive_policy(facts: Facts) -> Part:
    values: dict[str, str | int] = {"seq": facts.policy_seq, "revision": facts.policy_revision[:12]}
    refused = facts.policy_refused
    if refused is not None:
        values |= {"refused": refused.seq or "–", "code": refused.code}
        return Part("policy", "attention", "policy_refused", values, refused.at)
    return Part("policy", "ok", "policy_in_force", values, facts.policy_since)


def _derive_engine(facts: Facts) -> Part:
    if facts.is_engine_ready:
        return Part("policy_engine", "ok", "engine_ready")
    return Part("policy_engine", "failed", "engine_not_ready")


def _derive_key_holder(facts: Facts) -> Part:
    if facts.is_key_holder_there:
        return Part("key_holder", "ok", "key_holder_answers")
    return Part("key_holder", "failed", "key_holder_away")


def _derive_database(facts: Facts) -> Part:
    took = facts.database_took
    if took is None:
        return Part("database", "failed", "database_away")
    if took > SLOW_DATABASE:
        values: dict[str, str | int] = {"num": round(took.total_seconds() * 1_000)}
        return Part("database", "attention", "database_slow", values)
    if abs(facts.clock_off) > CLOCK_OFF:
        off: dict[str, str | int] = {"num": round(abs(facts.clock_off).total_seconds())}
        return Part("database", "attention", "database_clock", off)
    return Part("database", "ok", "database_answers")


def _derive_log(facts: Facts) -> Part:
    if facts.tag_root_failure is not None:
        return Part("log", "failed", "log_tag_root", {"code": facts.tag_root_failure})
    if facts.log_waiting > _MANY_WAITING:
        return Part("log", "attention", "log_waits", {"num": facts.log_waiting})
    return Part("log", "ok", "log_grows", {"num": facts.log_size})


def _derive_witnesses(facts: Facts) -> Part:
    if not facts.witnesses:
        return Part("witnesses", "off", "witnesses_none")
    failing = [one for one in facts.witnesses if one.is_failing]
    values: dict[str, str | int] = {
        "num": len(facts.witnesses) - len(failing),
        "all": len(facts.witnesses),
        "names": _name(failing),
    }
    since = _find_first(failing)
    if len(facts.witnesses) - len(failing) < facts.witness_threshold:
        return Part("witnesses", "failed", "witnesses_too_few", values, since)
    if failing:
        return Part("witnesses", "attention", "witnesses_failing", values, since)
    at = facts.cosigned_at
    if facts.witness_threshold and at is not None and facts.now - at > _OLD_COSIGNATURES:
        old: dict[str, str | int] = {"num": int((facts.now - at).total_seconds() // 60)}
        return Part("witnesses", "attention", "witnesses_old", old, at)
    return Part("witnesses", "ok", "witnesses_vouch", values)


def _derive_housekeeping(facts: Facts) -> Part:
    if not facts.keeps_house:
        return Part("housekeeping", "off", "housekeeping_elsewhere")
    last = facts.housekeeping_at
    if facts.housekeeping_failed:
        values: dict[str, str | int] = {"steps": ", ".join(facts.housekeeping_failed)}
        return Part("housekeeping", "attention", "housekeeping_failed", values)
    if last is None or facts.now - last > _QUIET_HOUSEKEEPING:
        return Part("housekeeping", "attention", "housekeeping_quiet", since_at=last)
    if facts.contents_to_end > _MANY_TO_END:
        values = {"num": facts.contents_to_end}
        return Part("housekeeping", "attention", "housekeeping_behind", values)
    return Part("housekeeping", "ok", "housekeeping_works")


def _derive_partners(facts: Facts) -> Part:
    failing = [one for one in facts.partners if one.is_failing]
    if not failing:
        return Part("partners", "ok", "partners_answer")
    values: dict[str, str | int] = {"num": len(failing), "names": _name(failing)}
    since = _find_first(failing)
    return Part("partners", "attention", "partners_failing", values, since)


def _derive_list(facts: Facts) -> Part:
    values: dict[str, str | int] = {
        "seq": facts.list_seq,
        "until": f"{facts.list_ends_at:%Y-%m-%d}",
    }
    if facts.list_ends_at < facts.now:
        return Part("trust_list", "failed", "list_ended", values, facts.list_ends_at)
    if facts.list_ends_at - facts.now < LIST_ENDS_SOON:
        return Part("trust_list", "attention", "list_ends", values)
    return Part("trust_list", "ok", "list_in_force", values)


def _derive_keys(facts: Facts) -> Part:
    if facts.is_kek_overdue:
        return Part("keys", "failed", "kek_overdue")
    soon = [one for one in facts.endings if one.ends_at - facts.now < ENDS_SOON]
    if not soon:
        return Part("keys", "ok", "keys_hold")
    soon.sort(key=lambda one: one.ends_at)
    values: dict[str, str | int] = {
        "num": len(soon),
        "names": ", ".join(f"{one.name} ({one.ends_at:%Y-%m-%d})" for one in soon[:_MOST_NAMED]),
    }
    return Part("keys", "attention", "keys_end", values)


def _derive_processing(facts: Facts) -> Part:
    if facts.processing_waiting is None:
        return Part("processing_log", "off", "processing_off")
    values: dict[str, str | int] = {"num": facts.processing_waiting}
    if facts.is_processing_overdue:
        return Part("processing_log", "failed", "processing_overdue", values)
    return Part("processing_log", "ok", "processing_works", values)


def _derive_processes(facts: Facts) -> Part:
    values: dict[str, str | int] = {"num": facts.processes}
    if not facts.is_current:
        return Part("processes", "failed", "processes_behind", values)
    return Part("processes", "ok", "processes_run", values)


def _derive_answers(facts: Facts) -> Part:
    if facts.answers_overdue:
        return Part("answers", "attention", "answers_overdue", {"num": facts.answers_overdue})
    return Part("answers", "ok", "answers_in_time")


def _find_first(failing: list[Asked]) -> datetime | None:
    return min((one.since_at for one in failing if one.since_at is not None), default=None)


def _name(asked: list[Asked]) -> str:
    return ", ".join(one.name for one in asked[:_MOST_NAMED])


_PARTS: Final[tuple[Callable[[Facts], Part], ...]] = (
    _derive_policy,
    _derive_engine,
    _derive_key_holder,
    _derive_database,
    _derive_log,
    _derive_witnesses,
    _derive_housekeeping,
    _derive_partners,
    _derive_list,
    _derive_keys,
    _derive_processing,
    _derive_answers,
    _derive_processes,
)


class Since:
    """Since when each part is as it is, as far as this process saw it."""

    def __init__(self) -> None:
        """Start without having seen anything."""
        self._seen: dict[PartName, tuple[State, str, datetime]] = {}

    def note(self, parts: tuple[Part, ...], now: datetime) -> tuple[Part, ...]:
        """Return the parts, each with the moment from which it was so; a fact's own moment wins."""
        return tuple(self._note(part, now) for part in parts)

    def _note(self, part: Part, now: datetime) -> Part:
        state, code, at = self._seen.get(part.part, (part.state, part.code, now))
        if (state, code) != (part.state, part.code):
            at = now
        self._seen[part.part] = (part.state, part.code, at)
        if part.since_at is not None:
            return part
        return Part(part.part, part.state, part.code, part.values, at)
