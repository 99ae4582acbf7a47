"""The mutation check of a draft: what no case notices, with its sentence and a case that would.

Rule enforced: a mutant is noticed only by a case that passes without it; one that no longer loads
is noticed by the guard rails. The engine weighs everything; nothing here says what a mutant does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson

from broker.policy.proposing import (
    Candidate,
    ProposedCase,
    build_candidates,
    build_proposal,
    is_told_apart,
)
from broker.policy.trial import TrialEngine, find_failures
from broker.purposes.bundled_cases import shift_moments
from broker.purposes.cases import Case, merge
from broker.purposes.catalogue import Catalogue
from broker.purposes.index import build_index
from broker.purposes.models import Purpose, derive_digest
from broker.purposes.mutation import (
    Mutant,
    MutantKind,
    build_mutated,
    build_purpose_mutants,
)
from broker.purposes.sentences import Sentence, find_sentence, write_sentences
from datwat.protocol.catalogue import Language
from datwat.protocol.texts import Texts
from datwat.protocol.values import Slug, Value

_AT_ONCE = 40
_FIRST = 6
_LONGEST = 200
_LANGUAGES: tuple[Language, Language] = ("nl", "en")


class SentenceShown(Value):
    """The numbered sentence of the controlled language that says a member."""

    number: str
    nl: str
    en: str


class MutantShown(Value):
    """A mutant that no case notices. `sentence`: what of the purpose would not hold any more."""

    member: str
    kind: MutantKind
    before: str
    after: str
    sentence: SentenceShown | None
    proposal: ProposedCase | None


class MutationResult(Value):
    """The mutation check. `refused`: no longer loads, so guard rails or form notice it.

    `failing`: cases of the purpose that fail already and so notice nothing.
    """

    purpose: Slug
    digest: str
    total: int
    noticed: int
    refused: int
    failing: tuple[str, ...]
    unnoticed: tuple[MutantShown, ...]


@dataclass(frozen=True, slots=True)
class MutationGround:
    """What a mutation check works on. `data`: what Rego reads of this catalogue.

    `cases`: bound to this catalogue, of any purpose; `bases`: complete questions by name, written
    at moments that are `moved_by` before those at which the purpose holds.
    """

    purpose: Purpose
    catalogue: Catalogue = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    cases: Sequence[Case] = field(repr=False)
    bases: Mapping[str, Mapping[str, Any]] = field(repr=False)
    texts: Texts = field(repr=False)
    moved_by: timedelta = timedelta(0)

    def list_own(self) -> list[Case]:
        """Return the cases of the purpose."""
        return [case for case in self.cases if case.purpose == self.purpose.id]

    def build_data(self, mutated: Purpose) -> dict[str, Any]:
        """Return the data of the purpose with its newest revision mutated, its digest as it was."""
        held = self.data["purposes"][self.purpose.id]
        *earlier, newest = held["revisions"]
        dumped = mutated.model_dump(mode="json")
        index = build_index(mutated, self.catalogue.kinds, self.catalogue.covenant)
        changed = {**newest, **dumped, "index": index, "until_at": dumped["valid_until"]}
        return {**held, "revisions": [*earlier, changed]}


OnProgress = Callable[[int, int], None]


async def check_mutants(
    engine: TrialEngine, ground: MutationGround, on_progress: OnProgress | None = None
) -> MutationResult:
    """Return what of the purpose no case notices.

    1. the cases as they are: those that fail notice nothing; 2. each mutant that loads is weighed
    on the others; 3. for each that goes unnoticed, a question that tells it apart is looked for.
    """
    checker = _Checker(engine, ground)
    failing = await checker.prepare()
    mutants = build_purpose_mutants(ground.purpose)
    refused, unnoticed = 0, []
    for number, mutant in enumerate(mutants):
        mutated = build_mutated(mutant, ground.purpose, ground.catalogue)
        if mutated is None:
            refused += 1
        elif not await checker.notices(mutated):
            unnoticed.append(await checker.show(mutant, mutated))
        if on_progress is not None:
            on_progress(number + 1, len(mutants))
    return MutationResult(
        purpose=ground.purpose.id,
        digest=derive_digest(ground.purpose),
        total=len(mutants),
        noticed=len(mutants) - refused - len(unnoticed),
        refused=refused,
        failing=tuple(failing),
        unnoticed=tuple(unnoticed),
    )


class _Checker:
    def __init__(self, engine: TrialEngine, ground: MutationGround) -> None:
        self._engine = engine
        self._ground = ground
        self._passing: list[Case] = []
        self._candidates: list[Candidate] | None = None
        self._decisions: list[dict[str, Any] | None] = []
        self._sentences: tuple[Sequence[Sentence], Sequence[Sentence]] | None = None

    async def prepare(self) -> list[str]:
        """Weigh the cases as they are; return the names of those that fail."""
        own = self._ground.list_own()
        decisions = await self._engine.weigh([case.question for case in own])
        failing = []
        for case, decision in zip(own, decisions, strict=True):
            if find_failures(case, decision):
                failing.append(case.name)
            else:
                self._passing.append(case)
        return failing

    async def notices(self, mutated: Purpose) -> bool:
        """Return whether a case comes out otherwise under the mutant."""
        data = self._ground.build_data(mutated)
        start, count = 0, _FIRST
        while start < len(self._passing):
            some = self._passing[start : start + count]
            decisions = await self._engine.weigh([case.question for case in some], data)
            found = [
                case
                for case, decision in zip(some, decisions, strict=True)
                if find_failures(case, decision)
            ]
            if found:
                # What noticed this one is likely to notice the next, which is of its neighbour.
                self._passing.remove(found[0])
                self._passing.insert(0, found[0])
                return True
            start, count = start + count, _AT_ONCE
        return False

    async def show(self, mutant: Mutant, mutated: Purpose) -> MutantShown:
        """Return an unnoticed mutant with its sentence and a case that would notice it."""
        return MutantShown(
            member=mutant.member,
            kind=mutant.kind,
            before=_spell(mutant.before),
            after="" if mutant.kind == "removed" else _spell(mutant.after),
            sentence=self._find_sentence(mutant.member),
            proposal=await self._propose(mutant, mutated),
        )

    def _find_sentence(self, member: str) -> SentenceShown | None:
        ground = self._ground
        if self._sentences is None:
            dutch, english = (
                write_sentences(ground.purpose, ground.catalogue, ground.texts, language)
                for language in _LANGUAGES
            )
            self._sentences = dutch, english
        nl, en = (find_sentence(one, member) for one in self._sentences)
        if nl is None or en is None or nl.number is None:
            return None
        return SentenceShown(number=nl.number, nl=nl.text, en=en.text)

    async def _propose(self, mutant: Mutant, mutated: Purpose) -> ProposedCase | None:
        if self._candidates is None:
            await self._weigh_candidates()
        candidates = self._candidates or []
        data = self._ground.build_data(mutated)
        for start in range(0, len(candidates), _AT_ONCE):
            some = candidates[start : start + _AT_ONCE]
            changed = await self._engine.weigh([one.question for one in some], data)
            for number, (candidate, other) in enumerate(zip(some, changed, strict=True)):
                decision = self._decisions[start + number]
                if decision is not None and is_told_apart(decision, other):
                    name = f"proposed: {mutant.member} {mutant.kind}"
                    return self._write(name, candidate, (decision, other))
        return None

    def _write(
        self,
        name: str,
        candidate: Candidate,
        decisions: tuple[dict[str, Any], dict[str, Any] | None],
    ) -> ProposedCase:
        """Return a case at the moments of the bases, from which whoever reads it moves it along."""
        ground, back = self._ground, -self._ground.moved_by
        question, *own = (
            shift_moments(one, back)
            for one in (candidate.question, *(case.question for case in ground.list_own()))
        )
        written = Candidate(question, candidate.changes)
        decision, other = shift_moments(list(decisions), back)
        return build_proposal(name, written, (decision, other), ground.bases, own)

    async def _weigh_candidates(self) -> None:
        """Weigh every candidate by the purpose as it is, once for all mutants."""
        ground = self._ground
        self._candidates = build_candidates(ground.purpose, ground.catalogue, self._list_seeds())
        self._decisions = []
        for start in range(0, len(self._candidates), _AT_ONCE):
            some = self._candidates[start : start + _AT_ONCE]
            self._decisions += await self._engine.weigh([one.question for one in some])

    def _list_seeds(self) -> list[Mapping[str, Any]]:
        """Return complete questions for the purpose: permitted cases first, then the bases."""
        ground = self._ground
        permitted = [case.question for case in self._passing if case.expect.permit]
        rest = [case.question for case in self._passing if not case.expect.permit]
        digest = ground.data["purposes"][ground.purpose.id]["revisions"][-1]["digest"]
        named = {"purpose": ground.purpose.id, "purpose_digest": digest}
        held = (shift_moments(base, ground.moved_by) for base in ground.bases.values())
        bases = [merge(base, named) for base in held if base.get("act")]
        return [*permitted[:14], *bases, *permitted[14:], *rest]


def _spell(value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
