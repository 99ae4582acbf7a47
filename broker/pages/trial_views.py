"""What a trial found, in words: cases, what no case notices, a replay. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from broker.pages.code_names import CodeNames, Say
from broker.pages.draft_text import find_labels, find_options
from broker.pages.model_form import Node
from broker.pages.trial_port import MutationJob
from broker.policy.mutating import MutantShown, SentenceShown
from broker.policy.replay_result import OutcomeShown, ReplayExample, ReplayResult, ReplayRow
from broker.policy.trial import CaseResult, CasesResult
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
_GONE: Final = {
    "removed": mark("%(what)s: ‘%(before)s’ was taken out."),
    "changed": mark("%(what)s: ‘%(before)s’ became ‘%(after)s’."),
}
# What a group of members is known by, in the JSON of a mutant, which may be cut off.
_KNOWN_BY: Final = re.compile(r'"(source|requester|product|function|field)":"([^"]+)"')
_LINE: Final = ("source", "requester", "product")


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

    def __init__(self, names: CodeNames, say: Say) -> None:
        """Keep what names codes."""
        self._names = names
        self._say = say

    def view_cases(self, result: CasesResult) -> CasesView:
        """Return the cases, those that fail first."""
        ordered = sorted(result.cases, key=lambda one: one.passed)
        return CasesView(result.total, result.failed, tuple(map(self._view_case, ordered)))

    def view_mutation(self, job: MutationJob, nodes: Sequence[Node]) -> MutationView:
        """Return a mutation check; `nodes` are the parts of the form that the draft fills."""
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
                    change=self._say_change(one, nodes),
                    case=one.proposal.yaml if one.proposal else "",
                )
                for one in unnoticed
            ),
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
        text = sentence.nl if self._names.language == "nl" else sentence.en
        return f"{sentence.number} {text}"

    def _view_case(self, case: CaseResult) -> CaseView:
        return CaseView(
            name=case.name,
            passed=case.passed,
            blades=tuple(
                BladeView(
                    self._names.code(one.blade),
                    tuple(map(self._names.code, one.expected)),
                    tuple(map(self._names.code, one.found)),
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
        names = self._names
        return names.member(member), names.value(member, expected), names.value(member, found)

    def _view_row(self, row: ReplayRow) -> tuple[str, ...]:
        return (
            self._names.purpose(row.purpose),
            self._names.partner(row.partner),
            self._say(EFFECTS[row.effect]),
            str(row.count),
            self._names.changes(row.gained.items()),
            self._names.changes(row.lost.items()),
        )

    def _view_example(self, one: ReplayExample) -> tuple[str, ...]:
        return (
            self._say(EFFECTS[one.effect]),
            self._names.partner(one.partner),
            self._names.occasion(one.occasion),
            self._say_outcome(one.before),
            self._say_outcome(one.after),
        )

    def _say_outcome(self, one: OutcomeShown) -> str:
        """Return what was decided: how far it may go, or why not."""
        if one.permit:
            return self._say(
                mark("Permitted, as far as: %(rung)s"), rung=self._names.rung(one.rung)
            )
        return self._say(mark("Refused. %(why)s"), why=self._names.conditions(one.unmet))

    def _say_change(self, one: MutantShown, nodes: Sequence[Node]) -> str:
        """Return what was taken out or changed, by the words of the form."""
        what = ", ".join(find_labels(nodes, one.member)) or one.member
        options = dict(find_options(nodes, one.member))
        before, after = (self._describe(text, options) for text in (one.before, one.after))
        return self._say(_GONE[one.kind], what=what, before=before, after=after)

    def _describe(self, text: str, options: dict[str, str]) -> str:
        """Return a value of a mutant: a code by its option, a group by what it is known by."""
        if not text.startswith("{"):
            return options.get(text, text)
        known = dict(reversed(_KNOWN_BY.findall(text)))  # the first of a name counts
        line = [self._names.holder(name, known[name]) for name in _LINE if name in known]
        if line:
            return ", ".join(line)
        return ", ".join(self._names.holder(name, held) for name, held in known.items()) or "…"

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
