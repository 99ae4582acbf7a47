"""What comes into force or ends, and what was published: from here one goes back one step."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from broker.pages.desk import OfficerDesk
from broker.pages.fault_words import attempt
from broker.pages.officer import READERS, Officer
from broker.pages.purposes import build_history, list_titles
from broker.policy.asked import RollBackAsked
from broker.policy.shown import CalendarLine
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/calendar"
_LONGEST_NUMBER: Final = 9
_WHAT: Final = {"begins": mark("begins"), "ends": mark("ends")}


@dataclass(frozen=True)
class MomentView:
    """Something that comes by itself."""

    at: datetime
    title: str
    what: str
    path: str
    is_proposed: bool


class _Calendar:
    def __init__(self, desk: OfficerDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Officer]) -> Response:
        """Show what comes, and what was published."""
        await self._desk.roles.require_role(visit, *READERS)
        return await self._show(visit, visit.new_form())

    async def roll_back(self, visit: Visit[Officer], form: Form) -> Response:
        """Propose that an earlier publication is in force again."""
        await self._desk.roles.require_role(visit, "author")
        number = form.value("seq")
        if not (number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER):
            form.refuse("seq", visit.say(mark("Choose the publication to go back to.")))
        reason = form.text(
            "reason",
            most=200,
            missing=visit.say(mark("Write why it goes back.")),
            too_long=visit.say(mark("Make the reason shorter: at most 200 signs.")),
        )
        if form.errors:
            return await self._show(visit, form)
        asked = RollBackAsked(seq=int(number), reason=reason)
        proposing = self._desk.authoring.propose_roll_back(visit.session.held.acting, asked)
        proposal = await attempt(form, visit, "seq", proposing)
        if proposal is None:
            return await self._show(visit, form)
        return visit.redirect(
            f"/proposals/{proposal.line.id}",
            notice=visit.say(mark("The roll-back waits for your colleagues.")),
        )

    async def _show(self, visit: Visit[Officer], form: Form) -> Response:
        life, code = self._desk.authoring, visit.speech.code
        coming = await asyncio.to_thread(life.calendar, code)
        history = await asyncio.to_thread(life.history, None, code)
        titles = list_titles(await self._desk.grounds.fetch(), visit)
        lines = [build_history(one, visit, titles) for one in history]
        context = {
            "form": form,
            "coming": [build_moment(one, visit) for one in coming],
            "history": lines,
            "earlier": [
                (str(one.seq), f"{one.seq}: {one.what}") for one in lines if not one.is_in_force
            ],
            "is_author": visit.session.held.has("author"),
        }
        if form.errors:
            return visit.render_refused("calendar.html", context)
        return visit.render("calendar.html", context)


def build_moment(line: CalendarLine, visit: Visit[Officer]) -> MomentView:
    """Return one moment to come."""
    is_proposed = line.is_proposed and line.proposal_id is not None
    return MomentView(
        at=line.at,
        title=line.title,
        what=visit.say(_WHAT.get(line.what, line.what)),
        path=f"/proposals/{line.proposal_id}" if is_proposed else f"/purposes/{line.purpose}",
        is_proposed=line.is_proposed,
    )


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Calendar(desk)
    return (site.get(PATH, screen.show), site.post(PATH, screen.roll_back))
