"""What came out, held against what a case says must come out. Pure.

Rule: a difference is said in one sentence with both sides; nothing of a difference is swallowed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from connectors.client.results import ActResult, InquiryResult, ReleaseResult, ShownPointer
from datwat.protocol.access_log import AccessCard
from datwat.protocol.answers import Weighing
from demo.model import Line, LogExpected
from demo.parts import Expected, SeenPointer
from demo.resident import OwnLog

PartnerId = Callable[[str], str]


class Opening(NamedTuple):
    """Why somebody was told later, by the code of the ground, and who decided to tell."""

    ground: str
    role: str


def check_act(expected: Expected, result: ActResult) -> Iterator[str]:
    """Yield what differs in the answer to an act."""
    yield from _check_weighing(expected, result.weighing)
    if expected.state is not None and result.state != expected.state:
        yield f"state is {result.state}, must be {expected.state}"


def check_inquiry(
    expected: Expected, result: InquiryResult, partner_id: PartnerId
) -> Iterator[str]:
    """Yield what differs in who was shown."""
    yield from _check_weighing(expected, result.weighing)
    if expected.pointers is None:
        return
    seen = sorted(_describe(pointer) for pointer in result.pointers)
    wanted = sorted(_wanted(pointer, partner_id) for pointer in expected.pointers)
    if seen != wanted:
        yield f"shown is {seen}, must be {wanted}"


def check_release(expected: Expected, result: ReleaseResult) -> Iterator[str]:
    """Yield what differs in what was released."""
    yield from _check_weighing(expected, result.weighing)
    values = dict(result.values) if result.values is not None else None
    if values != expected.values:
        yield f"released is {values} ({result.failure}), must be {expected.values}"
    withheld = {one.field: one.code for one in result.withheld}
    if expected.withheld is not None and withheld != expected.withheld:
        yield f"withheld is {withheld}, must be {expected.withheld}"


def check_log(expected: LogExpected, log: OwnLog, partner_id: PartnerId) -> Iterator[str]:
    """Yield what differs in somebody's log, and what should never be in it."""
    seen = [card.event for card in log.cards]
    wanted = [line.event for line in expected.lines]
    if seen != wanted:
        yield f"the log has {seen}, must have {wanted}"
        return
    for number, (line, card) in enumerate(zip(expected.lines, log.cards, strict=True), 1):
        for difference in _check_card(line, card, partner_id):
            yield f"entry {number} ({card.event}): {difference}"
    text = build_readable(log)
    for word in expected.never:
        if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text):
            yield f"the log must never hold {word!r}"


def find_unmet(weighing: Weighing) -> list[str]:
    """Return the codes of the conditions that were told as not met."""
    return [finding.code for finding in weighing.findings if not finding.satisfied]


def build_readable(log: OwnLog) -> str:
    """Return all that can be read in a log, what its proofs hold included."""
    lines = []
    for card in log.cards:
        lines.append(card.model_dump_json(exclude={"proofs"}))
        for proof in card.proofs:
            lines += [half.decode(errors="replace") for half in (proof.core, proof.payload)]
    return "\n".join(lines)


def find_opening(card: AccessCard) -> Opening | None:
    """Return why a card waited and in which role somebody opened it, from its own proof."""
    for proof in card.proofs:
        payload = json.loads(proof.payload)
        detail = payload.get("detail", {})
        if payload.get("event") == "opened" and "ground" in detail and "decider_role" in detail:
            return Opening(detail["ground"], detail["decider_role"])
    return None


def describe_view(log: OwnLog) -> str:
    """Return all that somebody can read of a log, without the paths that grow with the tree."""
    return "\n".join(
        card.model_dump_json(exclude={"proofs": {"__all__": {"path"}}}) for card in log.cards
    )


def _check_weighing(expected: Expected, weighing: Weighing) -> Iterator[str]:
    unmet = find_unmet(weighing)
    if weighing.permitted != expected.permitted:
        yield f"permitted is {weighing.permitted} (unmet: {unmet}), must be {expected.permitted}"
    missing = [code for code in expected.unmet if code not in unmet]
    if missing:
        yield f"not met is {unmet}, must include {missing}"
    if expected.open is not None and weighing.open_rung != expected.open:
        yield f"open is {weighing.open_rung}, must be {expected.open}"
    absent = [one for one in expected.alternatives if one not in weighing.alternatives]
    if absent:
        yield f"offered is {list(weighing.alternatives)}, must include {absent}"


def _check_card(line: Line, card: AccessCard, partner_id: PartnerId) -> Iterator[str]:
    if card.requester != partner_id(line.by):
        yield f"by {card.requester_name}, must be by {line.by}"
    if card.permitted is not None and card.permitted != line.permitted:
        yield f"permitted is {card.permitted}, must be {line.permitted}"
    if (card.told_later_at is not None) != line.later:
        yield f"told later at {card.told_later_at}, must {'' if line.later else 'not '}be later"
    if line.later and find_opening(card) is None:
        yield "no entry tells on what ground it waited, and who opened it"
    yield from _check_part("shown", line.pointers, [one.kind for one in card.pointers])
    yield from _check_part("given", line.given, card.fields_given)
    yield from _check_part("withheld", line.withheld, [one.field for one in card.withheld])
    unmet = {finding.code for finding in card.findings if not finding.satisfied}
    missing = [code for code in line.unmet if code not in unmet]
    if missing:
        yield f"not met is {sorted(unmet)}, must include {missing}"
    if not card.summary.nl or not card.summary.en or not card.support.nl:
        yield "a sentence is missing"


def _check_part(name: str, wanted: Sequence[str] | None, seen: Sequence[str]) -> Iterator[str]:
    if wanted is not None and sorted(wanted) != sorted(seen):
        yield f"{name} is {sorted(seen)}, must be {sorted(wanted)}"


def _describe(pointer: ShownPointer) -> str:
    return f"{pointer.source} {pointer.kind} {pointer.rung}"


def _wanted(pointer: SeenPointer, partner_id: PartnerId) -> str:
    source = partner_id(pointer.source) if pointer.source else None
    return f"{source} {pointer.kind} {pointer.rung}"
