"""The first page: the way in; for who is logged in, who they are here and what waits for them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from broker.pages.desk import OfficerDesk
from broker.pages.officer import READERS, Officer
from broker.pages.purposes import describe_proposal, list_titles, name_draft
from broker.policy.draft_reading import read_draft
from broker.purposes.models import derive_digest
from broker.purposes.roles import RoleName
from datwat.party.errors import PartyError
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

ROLE_NAMES: Final[dict[RoleName, str]] = {
    "author": mark("Author of purposes"),
    "approver": mark("Approver of purposes"),
    "reviewer": mark("Reviewer"),
    "auditor": mark("Auditor"),
    "operator": mark("Operator"),
    "data_protection_officer": mark("Data protection officer"),
}
ROLE_HINTS: Final[dict[RoleName, str]] = {
    "author": mark("You write purposes, try them, and propose them to your colleagues."),
    "approver": mark("You read what a colleague proposes, and sign it with your own key."),
    "reviewer": mark("You answer residents, and look where something may be wrong."),
    "auditor": mark("You look whether what was done fits the rules."),
    "operator": mark("You keep the system running. You see nothing of residents."),
    "data_protection_officer": mark("You read everything here, and change nothing."),
}


@dataclass(frozen=True)
class RoleView:
    """One role of who is logged in, as a line."""

    name: str
    organisation: str
    hint: str


@dataclass(frozen=True)
class WorkView:
    """Something that waits for who is logged in; `late` of it is overdue."""

    path: str
    text: str
    late: int


class _Start:
    def __init__(self, desk: OfficerDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Officer]) -> Response:
        """Show the way in, or what somebody is here for."""
        if visit.found is None:
            return visit.render("welcome.html")
        await self._desk.roles.require_role(visit, *READERS)
        context = {"roles": list_roles(visit), "work": await self._list_work(visit)}
        return visit.render("start.html", context)

    async def _list_work(self, visit: Visit[Officer]) -> list[WorkView]:
        """Return what waits for who is here, by their roles."""
        officer, found = visit.session.held, []
        if officer.has("approver", "author"):
            found += await self._list_purposes(visit)
        if officer.has("approver", "reviewer"):
            found += await self._list_sign_offs(visit)
        if officer.has("reviewer"):
            counts = await asyncio.to_thread(self._desk.answers.desk.lists.count)
            waiting = sum(one.waiting for one in counts.values())
            late = sum(one.overdue for one in counts.values())
            text = visit.speech.ngettext("One answer", "%(num)s answers", waiting)
            if waiting:
                found.append(WorkView("/answers", text % {"num": waiting}, late))
        if officer.has("operator"):
            bad = sum(part.state in ("failed", "attention") for part in self._desk.list_parts())
            text = visit.speech.ngettext("One part needs you", "%(num)s parts need you", bad)
            if bad:
                found.append(WorkView("/system", text % {"num": bad}, 0))
        return found

    async def _list_purposes(self, visit: Visit[Officer]) -> list[WorkView]:
        officer, life = visit.session.held, self._desk.authoring
        titles = list_titles(await self._desk.grounds.fetch(), visit)
        found = []
        if officer.has("approver"):
            for one in await asyncio.to_thread(life.list_proposals):
                text = describe_proposal(one, visit, titles)
                if one.state == "proposed":
                    found.append(WorkView(f"/proposals/{one.id}", text, 0))
        if officer.has("author"):
            for draft in await asyncio.to_thread(life.list_drafts, officer.acting):
                name = name_draft(draft, visit, titles)
                text = visit.say(mark("Draft: %(name)s"), name=name)
                if draft.is_mine:
                    found.append(WorkView(f"/drafts/{draft.id}", text, 0))
        return found

    async def _list_sign_offs(self, visit: Visit[Officer]) -> list[WorkView]:
        """Return others' drafts whose newest replay found what would newly be allowed."""
        replays = await asyncio.to_thread(self._desk.replays.list_replays)
        newest = {one.digest: one for one in reversed(replays)}
        wanted = {
            digest
            for digest, one in newest.items()
            if one.state == "done" and one.needs_sign_off and one.signed_off_at is None
        }
        if not wanted:
            return []
        ground = await self._desk.grounds.fetch()
        titles, acting, life = (
            list_titles(ground, visit),
            visit.session.held.acting,
            self._desk.authoring,
        )
        found = []
        for line in await asyncio.to_thread(life.list_drafts, acting):
            if line.is_mine:
                continue  # nobody signs their own off
            try:
                shown = await asyncio.to_thread(life.show_draft, acting, line.id)
                read = await asyncio.to_thread(
                    read_draft, shown.text, shown.cases, ground, visit.now
                )
            except PartyError:
                continue  # what is not right yet, or was dropped just now, has nothing to sign off
            if derive_digest(read.purpose) in wanted:
                name = name_draft(line, visit, titles)
                text = visit.say(mark("Sign off what is newly allowed: %(name)s"), name=name)
                found.append(WorkView(f"/drafts/{line.id}/trial", text, 0))
        return found


def list_roles(visit: Visit[Officer]) -> list[RoleView]:
    """Return the roles of who is here, in the order of the list of roles."""
    held = sorted(
        visit.session.held.roles, key=lambda role: (READERS.index(role.name), role.organisation)
    )
    return [
        RoleView(
            name=visit.say(ROLE_NAMES[role.name]),
            organisation=role.organisation,
            hint=visit.say(ROLE_HINTS[role.name]),
        )
        for role in held
    ]


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    return (site.get("/", _Start(desk).show, needs_login=False),)
