"""The editor of a draft: the form, and beside it what residents will read and what is weighed.

Rules: without JavaScript every button sends the form and gets it back; with it the part beside the
form follows what is typed. A draft is kept by the broker and not by the session; only its author
changes it. Nothing is kept that holds a citizen service number.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from broker.pages.desk import OfficerDesk
from broker.pages.draft_text import (
    SHAPES,
    VIEW,
    build_face,
    find_labels,
    find_name,
    read_text,
)
from broker.pages.fault_words import attempt, say_error, say_fault, say_place
from broker.pages.guards import GuardView, build_guard
from broker.pages.model_form import Node, build_nodes
from broker.pages.model_values import add_row, remove_row
from broker.pages.officer import Officer
from broker.pages.purpose_words import PurposeWords
from broker.pages.purposes import show_changes
from broker.pages.road import DraftStanding, build_road
from broker.policy.asked import DraftAsked
from broker.policy.draft_reading import DraftRead, Ground, read_draft
from broker.policy.shown import DraftShown, Preview
from broker.purposes.naming import Namer
from broker.purposes.roles import DRAFT_READERS
from datwat.party.errors import PartyError
from datwat.party.strict_yaml import write_yaml
from datwat.web.forms import Form, FormLimits
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/drafts"
LIMITS: Final = FormLimits(most_bytes=1_000_000, most_fields=4_000, longest_value=262_144)
_SAVED: Final = mark("The draft is saved.")


@dataclass(frozen=True)
class FaultView:
    """One thing that is wrong: a sentence, where (in words), and the field it stands in.

    `guard` is the guard rail that the draft would break there, if it is one.
    """

    sentence: str
    place: str
    field: str
    guard: GuardView | None = None


@dataclass(frozen=True)
class Beside:
    """What stands beside the form: what residents read, what is weighed, what changes."""

    title: str
    sentence: str
    sentences: tuple[str, ...]
    changes: tuple[Markup, ...]
    warnings: tuple[tuple[str, str], ...]
    faults: tuple[FaultView, ...]


class _Drafts:
    def __init__(self, desk: OfficerDesk) -> None:
        self._desk = desk

    async def begin(self, visit: Visit[Officer]) -> Response:
        """Show how a draft can begin."""
        await self._desk.roles.require_role(visit, "author")
        return await self._show_begin(visit, visit.new_form())

    async def create(self, visit: Visit[Officer], form: Form) -> Response:
        """Begin a draft: of a purpose in force, or of a new one."""
        await self._desk.roles.require_role(visit, "author")
        asked = await self._read_begin(visit, form)
        if asked is None:
            return await self._show_begin(visit, form)
        acting = visit.session.held.acting
        made = await attempt(form, visit, "id", self._desk.authoring.save_draft(acting, asked))
        if made is None:
            return await self._show_begin(visit, form)
        return visit.redirect(f"{PATH}/{made.line.id}")

    async def show(self, visit: Visit[Officer]) -> Response:
        """Show the editor of a draft."""
        await self._desk.roles.require_role(visit, *DRAFT_READERS)
        draft = await self._read_draft(visit)
        form = visit.new_form()
        face = build_face(draft.text, as_yaml=visit.query("as") == "yaml")
        if not form.values:
            form.values = face.values
        return await self._show(visit, form, draft, face.unshown)

    async def act(self, visit: Visit[Officer], form: Form) -> Response:
        """Do what a button of the editor asks; all but saving and proposing change nothing."""
        await self._desk.roles.require_role(visit, "author")
        draft = await self._read_draft(visit)
        what, _, rest = form.value("do").partition(":")
        unshown = ""
        match what:
            case "add":
                form.values = add_row(form.values, rest)
            case "remove":
                form.values = remove_row(form.values, *rest.rpartition(":")[::2])
            case "yaml" | "form":
                face = build_face(read_text(form.values), as_yaml=what == "yaml")
                form.values, unshown = face.values, face.unshown
            case "look":
                return await self._show(visit, form, draft, unshown)
            case "propose":
                return await self._propose(visit, form, draft)
            case _:
                return await self._save(visit, form, draft)
        return await self._show(visit, form, draft, unshown)

    async def drop(self, visit: Visit[Officer], _form: Form) -> Response:
        """Throw a draft away."""
        await self._desk.roles.require_role(visit, "author")
        await self._desk.authoring.drop_draft(
            visit.session.held.acting, visit.request.path_params["id"]
        )
        return visit.redirect("/purposes", notice=visit.say(mark("The draft was thrown away.")))

    async def _save(self, visit: Visit[Officer], form: Form, draft: DraftShown) -> Response:
        if await self._keep(visit, form, draft) is None:
            return await self._show(visit, form, draft, "")
        path = f"{PATH}/{draft.line.id}"
        as_yaml = "?as=yaml" if form.value(VIEW) == "yaml" else ""
        return visit.redirect(path + as_yaml, notice=visit.say(_SAVED))

    async def _propose(self, visit: Visit[Officer], form: Form, draft: DraftShown) -> Response:
        if await self._keep(visit, form, draft) is None:
            return await self._show(visit, form, draft, "")
        acting = visit.session.held.acting
        proposed = await attempt(
            form, visit, "all", self._desk.authoring.propose(acting, draft.line.id)
        )
        if proposed is None:
            return await self._show(visit, form, draft, "")
        return visit.redirect(
            f"/proposals/{proposed.line.id}",
            notice=visit.say(mark("Your proposal waits for your colleagues.")),
        )

    async def _keep(
        self, visit: Visit[Officer], form: Form, draft: DraftShown
    ) -> DraftShown | None:
        asked = DraftAsked(
            draft_id=draft.line.id,
            text=read_text(form.values),
            cases=draft.cases,
            base_digest=draft.base_digest,
        )
        saving = self._desk.authoring.save_draft(visit.session.held.acting, asked)
        return await attempt(form, visit, "all", saving)

    async def _read_draft(self, visit: Visit[Officer]) -> DraftShown:
        return await asyncio.to_thread(
            self._desk.authoring.show_draft,
            visit.session.held.acting,
            visit.request.path_params["id"],
            visit.speech.code,
        )

    async def _show_begin(self, visit: Visit[Officer], form: Form) -> Response:
        purposes = await asyncio.to_thread(self._desk.authoring.list_purposes, visit.speech.code)
        context = {
            "form": form,
            "purposes": [("", "–"), *((one.id, one.title) for one in purposes)],
        }
        if form.errors:
            return visit.render_refused("draft_new.html", context)
        if not form.values and visit.query("of"):
            form.values = {"of": (visit.query("of"),)}
        return visit.render("draft_new.html", context)

    async def _read_begin(self, visit: Visit[Officer], form: Form) -> DraftAsked | None:
        of = form.value("of")
        if of:
            text, cases, digest = await asyncio.to_thread(self._desk.authoring.begin_draft, of)
            return DraftAsked(draft_id=None, text=text, cases=cases, base_digest=digest)
        name = form.text("id", most=64, missing=visit.say(mark("Choose a purpose, or name one.")))
        if form.errors:
            return None
        return DraftAsked(draft_id=None, text=write_yaml({"id": name}), cases="", base_digest=None)

    async def _show(
        self, visit: Visit[Officer], form: Form, draft: DraftShown, unshown: str
    ) -> Response:
        ground = await self._desk.grounds.fetch()
        preview = await self._preview(visit, form, draft)
        words = PurposeWords(Namer(ground.catalogue, ground.texts, visit.speech.code), visit.say)
        is_yaml = form.value(VIEW) == "yaml"
        nodes = () if is_yaml else build_nodes(SHAPES, form.values, words)
        beside = build_beside(visit, form, preview, nodes)
        if visit.request.headers.get("hx-request") == "true":
            return visit.render("draft_beside.html", {"beside": beside, "form": form})
        context = {
            "form": form,
            "draft": draft.line,
            "path": f"{PATH}/{draft.line.id}",
            "nodes": nodes,
            "is_yaml": is_yaml,
            "unshown": say_place(visit, unshown),
            "outdated": show_changes(draft.changes, {}),
            "beside": beside,
            "road": await build_road(
                self._desk, visit, DraftStanding(draft, self._read(ground, draft, visit.now))
            ),
            "may_change": draft.line.is_mine and visit.session.held.has("author"),
        }
        if form.errors:
            return visit.render_refused("draft.html", context)
        return visit.render("draft.html", context)

    def _read(self, ground: Ground, draft: DraftShown, now: datetime) -> DraftRead | None:
        """Return a draft as it is kept, None while it is not right."""
        try:
            return read_draft(draft.text, draft.cases, ground, now)
        except PartyError:
            return None

    async def _preview(self, visit: Visit[Officer], form: Form, draft: DraftShown) -> Preview | str:
        try:
            return await asyncio.to_thread(
                self._desk.authoring.preview,
                read_text(form.values),
                draft.cases,
                visit.speech.code,
            )
        except PartyError as error:
            return say_error(visit, error)


def build_beside(
    visit: Visit[Officer], form: Form, preview: Preview | str, nodes: tuple[Node, ...]
) -> Beside:
    """Return what stands beside the form; a preview that was refused is one fault."""
    code = visit.speech.code
    title, sentence = form.value(f"title-{code}"), form.value(f"sentence-{code}")
    if isinstance(preview, str):
        return Beside(title, sentence, (), (), (), (FaultView(preview, "", ""),))
    faults = tuple(
        FaultView(
            say_fault(visit, one.sentence),
            ", ".join(find_labels(nodes, one.member))
            if nodes
            else say_place(visit, one.place or ""),
            find_name(nodes, one.member),
            build_guard(visit, one.guard) if one.guard is not None else None,
        )
        for one in preview.faults
    )
    warnings = tuple((find_name(nodes, one.member), one.sentence) for one in preview.warnings)
    changes = show_changes(preview.changes, {})
    return Beside(title, sentence, preview.sentences, changes, warnings, faults)


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Drafts(desk)
    return (
        site.get(f"{PATH}/new", screen.begin),
        site.post(f"{PATH}/new", screen.create),
        site.get(f"{PATH}/{{id}}", screen.show),
        site.post(f"{PATH}/{{id}}", screen.act, limits=LIMITS),
        site.post(f"{PATH}/{{id}}/drop", screen.drop),
    )
