"""The words about each part of the system: what it is called, how it is, and what to do.

The command prints them in English, the page in the visitor's language. `values` of a part stand in
its sentence (`broker/status.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from broker.status import Part, PartName
from datwat.party.parts import State
from datwat.protocol.values import encode_moment
from datwat.web.i18n import mark

PART_NAMES: Final[dict[PartName, str]] = {
    "policy": mark("Purposes in force"),
    "policy_engine": mark("Policy engine (OPA)"),
    "key_holder": mark("Key holder"),
    "database": mark("Database"),
    "log": mark("Log"),
    "witnesses": mark("Witnesses"),
    "housekeeping": mark("Housekeeping"),
    "partners": mark("Partners"),
    "trust_list": mark("Trust list"),
    "keys": mark("Keys and terms"),
    "processing_log": mark("Processing log (LDV)"),
    "answers": mark("What residents wait for"),
    "processes": mark("Processes of this broker"),
}
# How a state is drawn (`macros/status.html`), the icon that this gives, and its word.
STATES: Final[dict[State, tuple[str, str, str]]] = {
    "ok": ("done", "circle-check", mark("Works")),
    "attention": ("warning", "alert-triangle", mark("Look at this")),
    "failed": ("refused", "circle-x", mark("Does not work")),
    "off": ("ended", "flag", mark("Not in use")),
}
# By code: how it is, and what to do about it.
SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "policy_in_force": (mark("Publication %(seq)s is in force (revision %(revision)s)."), ""),
    "policy_refused": (
        mark("Publication %(refused)s was not taken up (%(code)s). Publication %(seq)s stays."),
        mark("Ask the approvers to publish again. Nobody is refused because of this."),
    ),
    "engine_ready": (mark("It answers, and has the rules in force."), ""),
    "engine_not_ready": (
        mark("It does not answer. Every question is refused until it does."),
        mark("Look whether OPA runs, and at the log of the broker. Restart the broker if need be."),
    ),
    "key_holder_answers": (mark("It answers."), ""),
    "key_holder_away": (
        mark("It cannot be reached from here. New persons cannot be looked up."),
        mark("Call who runs the key holder. Look at the network between the two."),
    ),
    "database_answers": (mark("It answers in time."), ""),
    "database_slow": (
        mark("It answers in %(num)s milliseconds: too slow for many questions at once."),
        mark("Look at the load, the disk and long transactions of the database."),
    ),
    "database_clock": (
        mark("Its clock and that of this machine are %(num)s seconds apart."),
        mark("Set both clocks by the same time servers: at 30 seconds messages are refused."),
    ),
    "database_away": (
        mark("It does not answer. Nothing can be asked or written down."),
        mark("Look whether the database runs and whether its disk is full."),
    ),
    "log_grows": (mark("%(num)s entries; each one is covered by the checkpoint."), ""),
    "log_tag_root": (
        mark("No root over the new tags can be stated (%(code)s)."),
        mark("Do not restart yet: keep the log file of the broker, and call support."),
    ),
    "log_waits": (
        mark("%(num)s entries wait to be written: more than is written at once."),
        mark("Look at the load and the disk of the database. Partners wait meanwhile."),
    ),
    "witnesses_old": (
        mark("What enough witnesses vouched for last is of %(num)s minutes ago."),
        mark("Look at the log of the broker. After 15 minutes gateways stop."),
    ),
    "witnesses_vouch": (mark("%(num)s of %(all)s vouch for the log."), ""),
    "witnesses_failing": (
        mark("%(num)s of %(all)s vouch for the log. Without answer: %(names)s."),
        mark("Call who runs the witness that does not answer."),
    ),
    "witnesses_too_few": (
        mark("%(num)s of %(all)s vouch for the log: too few. Without answer: %(names)s."),
        mark("Call who runs the witnesses now: residents wait for their proofs."),
    ),
    "witnesses_none": (
        mark("The trust list names no witness."),
        mark("Agree with others that they vouch for the log, and put them in the list."),
    ),
    "housekeeping_works": (mark("It goes round, and what was over is destroyed."), ""),
    "housekeeping_failed": (
        mark("A step failed: %(steps)s. It is tried again."),
        mark("Look at the log of the broker if it stays so for an hour."),
    ),
    "housekeeping_quiet": (
        mark("It has not gone round for a while."),
        mark("Look at the log of the broker: the database may be busy."),
    ),
    "housekeeping_behind": (
        mark("%(num)s contents whose end has come are still there."),
        mark("Run `datwat housekeep` at a quiet hour, until nothing more is due."),
    ),
    "housekeeping_elsewhere": (mark("Another process of this broker keeps house."), ""),
    "partners_answer": (mark("Whoever was asked last answered."), ""),
    "partners_failing": (
        mark("Without answer: %(names)s."),
        mark("Call their administrator. What waits for them is sent again by itself."),
    ),
    "list_in_force": (mark("List %(seq)s is in force until %(until)s."), ""),
    "list_ends": (
        mark("List %(seq)s ends on %(until)s."),
        mark("Have the covenant sign the next list before that day."),
    ),
    "list_ended": (
        mark("List %(seq)s ended on %(until)s. Nobody is let in."),
        mark("Have the covenant sign the next list now."),
    ),
    "keys_hold": (mark("Nothing ends within a month."), ""),
    "keys_end": (
        mark("Ends within a month: %(names)s."),
        mark("Renew it in the next trust list, or let it end on purpose."),
    ),
    "kek_overdue": (
        mark("An old key of the stored data was not destroyed in time."),
        mark("Run `datwat housekeep`, and look at what it says."),
    ),
    "answers_in_time": (mark("Nothing waits beyond its term."), ""),
    "answers_overdue": (
        mark("Beyond their term: %(num)s."),
        mark("Tell the officers: `datwat answers lists` says which wait."),
    ),
    "processes_run": (mark("Running: %(num)s."), ""),
    "processes_behind": (
        mark("This process does not know what the others changed. It answers nobody."),
        mark("Look whether the database answers this process. Else restart it."),
    ),
    "processing_off": (mark("No collector is set."), ""),
    "processing_works": (mark("Records are taken in. Waiting: %(num)s."), ""),
    "processing_overdue": (
        mark("The collector takes nothing in. Waiting: %(num)s."),
        mark("Look whether the collector runs. Nothing is lost: it is sent again."),
    ),
}

Say = Callable[..., str]


@dataclass(frozen=True)
class PartView:
    """One part in words; `kind` is how its state is drawn, with the icon of that name."""

    part: str
    name: str
    kind: str
    icon: str
    word: str
    sentence: str
    what_to_do: str
    since_at: Any


def build_view(part: Part, say: Say) -> PartView:
    """Return a part in the words of a language; pure."""
    kind, icon, word = STATES[part.state]
    sentence, advice = SENTENCES[part.code]
    return PartView(
        part=part.part,
        name=say(PART_NAMES[part.part]),
        kind=kind,
        icon=icon,
        word=say(word),
        sentence=say(sentence, **part.values),
        what_to_do=say(advice) if advice else "",
        since_at=part.since_at,
    )


def describe_part(part: Part) -> dict[str, Any]:
    """Return a part as `datwat status --json` shows it, in English."""
    view = build_view(part, _say_english)
    return {
        "part": view.part,
        "state": part.state,
        "word": view.word,
        "icon": view.icon,
        "since_at": encode_moment(part.since_at) if part.since_at else None,
        "what": view.sentence,
        "what_to_do": view.what_to_do,
        "code": part.code,
    }


def _say_english(text: str, **values: str | int) -> str:
    return text % values if values else text
