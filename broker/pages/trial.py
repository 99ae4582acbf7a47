"""Trying a draft: its cases, what no case would notice, and what the past would have been.

Rule: nothing of a trial runs where partners are answered; what takes long goes on while the page is
closed, and is found again by the digest of what was tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from starlette.responses import Response
from starlette.routing import Route

from broker.pages.case_taking import CasesUnreadableError, accept_outcomes, add_cases
from broker.pages.code_names import CodeNames
from broker.pages.desk import OfficerDesk
from broker.pages.draft_text import SHAPES, build_face
from broker.pages.drafts import LIMITS, FaultView
from broker.pages.drafts import PATH as DRAFTS
from broker.pages.fault_words import TOLD, attempt, say_error, say_fault, say_place
from broker.pages.guards import build_guard
from broker.pages.model_form import Node, build_nodes
from broker.pages.officer import Officer
from broker.pages.purpose_words import PurposeWords
from broker.pages.road import DraftStanding, build_road
from broker.pages.trial_views import TrialWords
from broker.policy.asked import DraftAsked
from broker.policy.draft_reading import DraftRead, read_draft
from broker.policy.replay_result import ReplayResult
from broker.policy.shown import DraftShown
from broker.policy.trial import CasesResult
from broker.purposes.life_errors import DraftInvalidError
from broker.purposes.models import derive_digest
from broker.purposes.naming import Namer, choose
from broker.purposes.roles import DRAFT_READERS
from datwat.party.errors import PartyError
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

_T = TypeVar("_T")
_KEPT: Final = "trial"
_UNREADABLE: Final = mark("These cases cannot be read. Mend them first.")
# Where on the page stands what a button did.
_PLACES: Final = {
    **dict.fromkeys(("cases", "accept"), "tried"),
    "mutate": "conditions",
    **dict.fromkeys(("replay", "stop", "resume"), "past"),
}
_TAKEN: Final = mark(
    "It stands under the cases now, and they were tried. Read what it expects: you say it is so."
)


@dataclass(frozen=True)
class _Tried:
    """A draft as it was read, or what is wrong with it."""

    shown: DraftShown
    read: DraftRead | None
    faults: tuple[FaultView, ...] = ()

    @property
    def digest(self) -> str:
        return derive_digest(self.read.purpose) if self.read is not None else ""


class _Trial:
    def __init__(self, desk: OfficerDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Officer]) -> Response:
        """Show what was tried, and how far what runs is."""
        await self._desk.roles.require_role(visit, *DRAFT_READERS)
        tried = await self._read(visit)
        form = visit.new_form()
        if not form.values:
            form.values = {"cases": (tried.shown.cases,)}
        return await self._show(visit, form, tried)

    async def act(self, visit: Visit[Officer], form: Form) -> Response:
        """Save the cases, try them, begin the mutation check or a replay."""
        await self._desk.roles.require_role(visit, "author")
        tried = await self._read(visit)
        what, _, which = form.value("do").partition(":")
        # Each button has a form of its own: what another one holds is not sent with it.
        form.values = {"cases": (tried.shown.cases,), **form.values}
        if what in ("take", "accept"):
            self._change_cases(visit, form, tried, (what, which))
        if what in ("cases", "take", "accept") and not form.errors:
            kept = await attempt(form, visit, "cases", self._keep_cases(visit, form, tried))
            if kept is None:
                return await self._show(visit, form, tried)
            tried = await self._read(visit)
        if tried.read is not None and not form.errors:
            await attempt(form, visit, "all", self._begin(visit, what, tried, tried.read))
        if form.errors:
            return await self._show(visit, form, tried)
        path = f"{DRAFTS}/{tried.shown.line.id}/trial"
        if what == "take":
            return visit.redirect(path, notice=visit.say(_TAKEN))
        return visit.redirect(f"{path}#{_PLACES.get(what, 'main')}")

    def _change_cases(
        self, visit: Visit[Officer], form: Form, tried: _Tried, do: tuple[str, str]
    ) -> None:
        """Put proposed cases under those that stand there, or take over what came out."""
        what, which = do
        try:
            if what == "take":
                text = self._take(tried, which)
            else:
                text = _accept(visit.session.held, tried, which)
        except CasesUnreadableError:
            form.refuse("cases", visit.say(_UNREADABLE))
            return
        if text is None:
            form.refuse("all", visit.say(TOLD["trial_failed"]))
            return
        form.values = {**form.values, "cases": (text,)}

    def _take(self, tried: _Tried, which: str) -> str | None:
        """Return the cases with one proposed case, or all of them, or None where there is none."""
        job = self._desk.trials.find_mutation(tried.digest) if tried.digest else None
        found = job.result.unnoticed if job is not None and job.result is not None else ()
        proposed = [one.proposal.yaml for one in _choose(found, which) if one.proposal is not None]
        if tried.read is None or not proposed:
            return None
        return add_cases(tried.shown.cases, tried.read.purpose.id, proposed)

    async def sign_off(self, visit: Visit[Officer], form: Form) -> Response:
        """Say that what would newly be allowed is meant."""
        role = await self._desk.roles.require_role(visit, "approver", "reviewer")
        tried = await self._read(visit)
        if form.value("meant") != "yes":
            form.refuse("meant", visit.say(mark("Say that you looked at what is newly allowed.")))
            return await self._show(visit, form, tried)
        found = await self._find_replay(tried)
        if found is None:
            form.refuse("all", visit.say(TOLD["replay_unknown"]))
        else:
            staff = visit.session.held.acting.staff
            signing = self._desk.replays.sign_off(found.number, role, staff)
            await attempt(form, visit, "all", signing)
        if form.errors:
            return await self._show(visit, form, tried)
        return visit.redirect(
            f"{DRAFTS}/{tried.shown.line.id}/trial",
            notice=visit.say(mark("You signed off what is newly allowed. It is in the log.")),
        )

    async def _begin(
        self, visit: Visit[Officer], what: str, tried: _Tried, read: DraftRead
    ) -> None:
        replays, by = self._desk.replays, visit.session.held.acting.staff
        found = await self._find_replay(tried)
        match what:
            case "cases" | "take" | "accept":
                result = await self._desk.trials.try_cases(read.purpose, read.cases, by=by)
                visit.session.held.kept[_KEPT] = (tried.digest, result)
            case "mutate":
                self._desk.trials.mutate(read.purpose, read.cases, by=by)
            case "replay":
                await replays.start_replay(read.purpose, by=by)
            case "stop" if found is not None:
                await replays.stop_replay(found.number)
            case "resume" if found is not None:
                await replays.resume_replay(found.number, by=by)

    async def _keep_cases(self, visit: Visit[Officer], form: Form, tried: _Tried) -> DraftShown:
        shown = tried.shown
        asked = DraftAsked(
            draft_id=shown.line.id,
            text=shown.text,
            cases=form.value("cases"),
            base_digest=shown.base_digest,
        )
        return await self._desk.authoring.save_draft(visit.session.held.acting, asked)

    async def _read(self, visit: Visit[Officer]) -> _Tried:
        shown = await asyncio.to_thread(
            self._desk.authoring.show_draft,
            visit.session.held.acting,
            visit.request.path_params["id"],
            visit.speech.code,
        )
        ground = await self._desk.grounds.fetch()
        try:
            read = await asyncio.to_thread(read_draft, shown.text, shown.cases, ground, visit.now)
        except DraftInvalidError as error:
            faults = tuple(
                FaultView(
                    say_fault(visit, one.sentence),
                    say_place(visit, one.place or one.member),
                    "",
                    build_guard(visit, one.guard) if one.guard is not None else None,
                )
                for one in error.faults
            )
            return _Tried(shown, None, faults)
        except PartyError as error:
            return _Tried(shown, None, (FaultView(say_error(visit, error), "", ""),))
        return _Tried(shown, read)

    async def _find_replay(self, tried: _Tried) -> ReplayResult | None:
        """Return the newest replay of this very draft; one that cannot be read has none."""
        if tried.read is None:
            return None
        return await asyncio.to_thread(self._desk.replays.find_replay, None, tried.digest)

    async def _show(self, visit: Visit[Officer], form: Form, tried: _Tried) -> Response:
        ground = await self._desk.grounds.fetch()
        namer = Namer(ground.catalogue, ground.texts, visit.speech.code)
        names = CodeNames(namer, ground.texts, visit.say, self._desk.oversight.name)
        words, officer = TrialWords(names, visit.say), visit.session.held
        job = self._desk.trials.find_mutation(tried.digest) if tried.digest else None
        replay = await self._find_replay(tried)
        cases = _find_cases(officer, tried.digest)
        context: dict[str, Any] = {
            "form": form,
            "signing": visit.new_form(),
            "path": f"{DRAFTS}/{tried.shown.line.id}",
            "purpose": _name_draft(visit, tried, names),
            "faults": tried.faults,
            "cases": words.view_cases(cases) if cases is not None else None,
            "mutation": words.view_mutation(job, _build_nodes(tried, namer, visit))
            if job is not None
            else None,
            "replay": words.view_replay(replay) if replay is not None else None,
            "is_stale": replay is not None and replay.base_revision != ground.bundle.revision,
            "is_running": (job is not None and job.state == "running")
            or (replay is not None and replay.state == "running"),
            "may_change": tried.shown.line.is_mine and officer.has("author"),
            "may_sign_off": officer.has("approver", "reviewer") and not tried.shown.line.is_mine,
            "is_mine": tried.shown.line.is_mine,
            "road": await build_road(
                self._desk, visit, DraftStanding(tried.shown, tried.read, cases)
            ),
        }
        if form.errors:
            return visit.render_refused("trial.html", context)
        return visit.render("trial.html", context)


def _name_draft(visit: Visit[Officer], tried: _Tried, names: CodeNames) -> str:
    """Return what the purpose of a draft is called: by the draft itself where it is right."""
    if tried.read is not None:
        return choose(tried.read.purpose.title, visit.speech.code)
    found = tried.shown.line.purpose
    return names.purpose(found) if found else visit.say(mark("A new purpose"))


def _build_nodes(tried: _Tried, namer: Namer, visit: Visit[Officer]) -> tuple[Node, ...]:
    """Return the parts of the form that a draft fills; none for what the form cannot show."""
    face = build_face(tried.shown.text)
    if face.is_yaml:
        return ()
    return build_nodes(SHAPES, face.values, PurposeWords(namer, visit.say))


def _find_cases(officer: Officer, digest: str) -> CasesResult | None:
    """Return how the cases of this very draft came out in this session."""
    match officer.kept.get(_KEPT):
        case (str() as tried, CasesResult() as result) if tried == digest:
            return result
    return None


def _accept(officer: Officer, tried: _Tried, which: str) -> str | None:
    """Return the cases with what came out of one, or of all that fail; None where there is none."""
    found = _find_cases(officer, tried.digest)
    failing = [one for one in found.cases if not one.passed] if found is not None else []
    chosen = _choose(failing, which)
    return accept_outcomes(tried.shown.cases, chosen) if chosen else None


def _choose(found: Sequence[_T], which: str) -> list[_T]:
    """Return what a button means: `all`, or the one of this number; else nothing."""
    return [one for number, one in enumerate(found) if which in ("all", str(number))]


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Trial(desk)
    path = f"{DRAFTS}/{{id}}/trial"
    return (
        site.get(path, screen.show),
        site.post(path, screen.act, limits=LIMITS),
        site.post(f"{path}/sign-off", screen.sign_off),
    )
