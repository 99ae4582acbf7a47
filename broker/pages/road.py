"""The road of a draft: what must be done before it is in force, by whom, and what is done already.

Rule: the page says what the broker will ask when the draft is proposed (`Authoring.propose`), so
that nobody learns it from a refusal.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from broker.pages.desk import OfficerDesk
from broker.pages.officer import Officer
from broker.policy.draft_reading import DraftRead
from broker.policy.replay_result import TrialState
from broker.policy.shown import DraftShown
from broker.policy.trial import CasesResult
from broker.purposes.models import derive_digest
from datwat.web.i18n import mark
from datwat.web.site import Visit

# How a step stands, as it is drawn (`macros/status.html`), and its word.
_DONE: Final = ("done", mark("Done"))
_NOW: Final = ("waiting", mark("Now"))
_RUNS: Final = ("later", mark("Runs"))
_LATER: Final = ("ended", mark("After that"))
_ADVISED: Final = ("info", mark("Advised"))
_FAILS: Final = ("refused", mark("Comes out otherwise"))
_NOT_NEEDED: Final = ("done", mark("Not needed"))
_PERHAPS: Final = ("ended", mark("Only if something is newly allowed"))


@dataclass(frozen=True)
class StepView:
    """One step: how it stands, what it is, and who does it."""

    kind: str
    word: str
    text: str
    who: str


@dataclass(frozen=True)
class DraftStanding:
    """What is known of a draft; `read` is None while it is not right, `cases` while not tried."""

    shown: DraftShown
    read: DraftRead | None
    cases: CasesResult | None = None


async def build_road(
    desk: OfficerDesk, visit: Visit[Officer], standing: DraftStanding
) -> list[StepView]:
    """Return the steps of a draft in their order; reads the newest replay of it."""
    read = standing.read
    state: TrialState = "none"
    is_running = False
    if read is not None:
        digest = derive_digest(read.purpose)
        state = await asyncio.to_thread(desk.replays.read_sign_off, digest)
        found = await asyncio.to_thread(desk.replays.find_replay, None, digest)
        is_running = found is not None and found.state == "running"
    author = visit.say(mark("you") if standing.shown.line.is_mine else mark("who wrote it"))
    other = visit.say(mark("an approver or a reviewer who did not write it"))
    needed = desk.authoring.ports.read_policy_keys().threshold
    approvers = visit.speech.ngettext(
        "one approver who did not write it", "%(num)s approvers who did not write it", needed
    )
    steps = (
        (
            _say_right(read),
            mark("Make the draft right, until nothing stands beside it that is wrong."),
            author,
        ),
        (
            _say_cases(standing.cases),
            mark("Try its cases, and see which condition none guards. Proposing tries them too."),
            author,
        ),
        (
            _say_replay(read, state, is_running=is_running),
            mark("Replay the past, with the draft as it is now."),
            author,
        ),
        (_say_sign_off(state), mark("Say that what is newly allowed is meant."), other),
        (_say_proposing(state), mark("Propose it. After that nobody changes it."), author),
        (
            _LATER,
            mark("Approve it, each with a key of their own."),
            approvers % {"num": needed},
        ),
        (
            _LATER,
            mark("Begin, at the moment that it says, by itself."),
            visit.say(mark("nobody")),
        ),
    )
    return [
        StepView(kind, visit.say(word), visit.say(text), who) for (kind, word), text, who in steps
    ]


def _say_right(read: DraftRead | None) -> tuple[str, str]:
    return _NOW if read is None else _DONE


def _say_cases(cases: CasesResult | None) -> tuple[str, str]:
    if cases is None:
        return _ADVISED
    return _FAILS if cases.failed else _DONE


def _say_replay(read: DraftRead | None, state: TrialState, *, is_running: bool) -> tuple[str, str]:
    if is_running:
        return _RUNS
    if state != "none":
        return _DONE
    return _LATER if read is None else _NOW


def _say_sign_off(state: TrialState) -> tuple[str, str]:
    said = {"none": _PERHAPS, "clean": _NOT_NEEDED, "newly_allowed": _NOW, "signed_off": _DONE}
    return said[state]


def _say_proposing(state: TrialState) -> tuple[str, str]:
    return _NOW if state in ("clean", "signed_off") else _LATER
