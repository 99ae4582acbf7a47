"""What a trial found, in words: cases, what no case notices, a replay. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from broker.pages.purpose_words import bare
from broker.pages.trial_port import MutationJob
from broker.policy.mutating import SentenceShown
from broker.policy.replay_result import ReplayExample, ReplayResult, ReplayRow
from broker.policy.trial import CaseResult, CasesResult
from broker.purposes.naming import Namer
from datwat.protocol.texts import Texts
from datwat.web.i18n import mark

EFFECTS: Final[dict[str, str]] = {
    "newly_allowed": mark("Newly allowed"),
    "newly_refused": mark("Newly refused"),
    "rung": mark("Goes less or more far"),
    "fields": mark("Other data"),
    "kinds": mark("Other kinds of help"),
    "obligations": mark("Other duties"),
    "other": mark("Something else"),
}
# What a case expects, beside the conditions of each blade.
MEMBERS: Final[dict[str, str]] = {
    "permit": mark("Permitted"),
    "rung": mark("How far it goes"),
    "fields": mark("What is given"),
    "withheld": mark("What is withheld, and why"),
    "obligations": mark("Duties"),
    "remedies": mark("What is possible instead"),
    "basis": mark("What it rests on"),
}
_GONE: Final = {
    "removed": mark("Taken out: %(before)s."),
    "changed": mark("Changed: %(before)s became %(after)s."),
}
Say = Callable[..., str]


@dataclass(frozen=True)
class BladeView:
    """One blade of a case: what was expected not to be met, and what was found."""

    name: str
    expected: tuple[str, ...]
    found: tuple[str, ...]
    differs: bool


@dataclass(frozen=True)
class CaseView:
    """One case: whether it came out as written, blade by blade, and member by member."""

    name: str
    passed: bool
    blades: tuple[BladeView, ...]
    members: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class CasesView:
    """All cases of a draft; those that fail first."""

    total: int
    failed: int
    cases: tuple[CaseView, ...]


@dataclass(frozen=True)
class MutantView:
    """What nobody would notice: the sentence that would not hold any more, and a case for it."""

    sentence: str
    change: str
    case: str


@dataclass(frozen=True)
class MutationView:
    """The mutation check as far as it is."""

    state: str
    done: int
    total: int
    noticed: int
    refused: int
    failing: tuple[str, ...]
    unnoticed: tuple[MutantView, ...]
    detail: str


@dataclass(frozen=True)
class ReplayView:
    """A replay as far as it is."""

    number: int
    state: str
    percent: int
    done: int
    all: int
    weighed: int
    same: int
    newly_allowed: int
    newly_refused: int
    changed: int
    drifted: int
    erased: int
    damaged: int
    waiting: str
    rows: tuple[tuple[str, ...], ...]
    examples: tuple[tuple[str, ...], ...]
    needs_sign_off: bool
    is_signed_off: bool


class TrialWords:
    """The words of trials in one language."""

    def __init__(self, namer: Namer, texts: Texts, say: Say) -> None:
        """Keep what names codes and functions."""
        self._namer = namer
        self._texts = texts
        self._say = say

    def view_cases(self, result: CasesResult) -> CasesView:
        """Return the cases, those that fail first."""
        ordered = sorted(result.cases, key=lambda one: one.passed)
        return CasesView(result.total, result.failed, tuple(map(self._view_case, ordered)))

    def view_mutation(self, job: MutationJob) -> MutationView:
        """Return a mutation check."""
        found = job.result
        unnoticed = () if found is None else found.unnoticed
        return MutationView(
            state=job.state,
            done=job.done,
            total=job.total,
            noticed=found.noticed if found else 0,
            refused=found.refused if found else 0,
            failing=found.failing if found else (),
            unnoticed=tuple(
                MutantView(
                    sentence=self._say_sentence(one.sentence),
                    change=self._say(_GONE[one.kind], before=one.before, after=one.after),
                    case=one.proposal.yaml if one.proposal else "",
                )
                for one in unnoticed
            ),
            detail=job.detail,
        )

    def view_replay(self, result: ReplayResult) -> ReplayView:
        """Return a replay; of who waits to be told only whether there are any."""
        size = max(1, result.to_index - result.from_index)
        done = result.at_index - result.from_index
        return ReplayView(
            number=result.number,
            state=result.state,
            percent=100 * done // size,
            done=done,
            all=result.to_index - result.from_index,
            weighed=result.weighed,
            same=result.same,
            newly_allowed=result.newly_allowed,
            newly_refused=result.newly_refused,
            changed=result.changed,
            drifted=result.drifted,
            erased=result.erased,
            damaged=result.damaged,
            waiting=self._say_waiting(result),
            rows=tuple(map(self._view_row, result.rows)),
            examples=tuple(map(self._view_example, result.examples)),
            needs_sign_off=result.needs_sign_off,
            is_signed_off=result.signed_off_at is not None,
        )

    def _say_sentence(self, sentence: SentenceShown | None) -> str:
        if sentence is None:
            return ""
        text = sentence.nl if self._namer.language == "nl" else sentence.en
        return f"{sentence.number} {text}"

    def _view_case(self, case: CaseResult) -> CaseView:
        return CaseView(
            name=case.name,
            passed=case.passed,
            blades=tuple(
                BladeView(
                    self._say_code(one.blade),
                    tuple(map(self._say_code, one.expected)),
                    tuple(map(self._say_code, one.found)),
                    one.differs,
                )
                for one in case.blades
            ),
            members=tuple(
                self._view_member(one.member, one.expected, one.found)
                for one in case.members
                if one.member != "unmet"  # that is what stands blade by blade
            ),
        )

    def _view_member(self, member: str, expected: str, found: str) -> tuple[str, str, str]:
        name = self._say(MEMBERS[member]) if member in MEMBERS else member
        return name, self._say_value(member, expected), self._say_value(member, found)

    def _say_value(self, member: str, shown: str) -> str:
        """Return a value of an expectation, which is handed over as Python writes it, in words."""
        try:
            value = ast.literal_eval(shown)
        except (ValueError, SyntaxError):
            return shown
        if isinstance(value, bool):
            return self._say(mark("yes")) if value else self._say(mark("no"))
        if member == "rung" and isinstance(value, str):
            return self._namer.rung(value)
        if isinstance(value, dict):
            lines = (f"{key}: {self._say_part(one)}" for key, one in value.items())
            return "; ".join(lines) or "–"
        if isinstance(value, list | tuple):
            return ", ".join(map(self._say_part, value)) or "–"
        return "–" if value in (None, "") else self._say_part(value)

    def _say_part(self, value: object) -> str:
        return self._say_code(value) if isinstance(value, str) else str(value)

    def _view_row(self, row: ReplayRow) -> tuple[str, ...]:
        return (
            row.purpose or "–",
            self._name_partner(row.partner),
            self._say(EFFECTS[row.effect]),
            str(row.count),
            self._list_counts(row.gained.items()),
            self._list_counts(row.lost.items()),
        )

    def _view_example(self, one: ReplayExample) -> tuple[str, ...]:
        unmet = ", ".join(map(self._say_code, one.before.unmet)) or "–"
        after = ", ".join(map(self._say_code, one.after.unmet)) or "–"
        return (
            self._say(EFFECTS[one.effect]),
            self._name_partner(one.partner),
            bare(self._namer.occasion(one.occasion)) if one.occasion else "–",
            f"{self._namer.rung(one.before.rung)}: {unmet}",
            f"{self._namer.rung(one.after.rung)}: {after}",
        )

    def _list_counts(self, counts: Iterable[tuple[str, int]]) -> str:
        return ", ".join(f"{name.partition(':')[2]} ({count})" for name, count in counts) or "–"

    def _say_waiting(self, result: ReplayResult) -> str:
        waiting = result.waiting
        if waiting is None:
            return ""
        if waiting.is_few:
            return self._say(
                mark(
                    "Fewer than ten decisions that residents are told later may come out otherwise."
                )
            )
        return self._say(
            mark("At least %(num)s decisions that are told later come out otherwise."),
            num=waiting.at_least,
        )

    def _name_partner(self, partner: str) -> str:
        function = partner.rpartition(":")[2]
        return bare(self._namer.function(function)) if function else partner

    def _say_code(self, code: str) -> str:
        return self._texts.find_text(code, self._namer.language) or code
