"""Looking at the entry that an item follows from: a reason first, then what was asked and decided.

Rules: a look is an entry of its own in the person's chain, written before anything is shown; what
cannot be looked at and what never was are one answer. Source: AVG 5(2); audit-log.md, "Chains".
"""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import ValidationError
from starlette.responses import Response

from broker.exchange.looking import EntryLook, EntryUnknownError
from broker.exchange.reading_entry import LookedEntry
from broker.pages.answers_form import read_list
from broker.pages.answers_port import AnswersPort
from broker.pages.answers_views import find_language
from broker.pages.desk import OfficerDesk
from broker.pages.officer import Officer
from broker.purposes.roles import RoleName
from datwat.protocol.acts import Professional
from datwat.protocol.free_text import has_number
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Visit

LOOKERS: Final[tuple[RoleName, ...]] = ("reviewer", "auditor")
_ROLES: Final = {"reviewer": "beoordelaar", "auditor": "auditor"}
_LONGEST: Final = 1_000
_SHORTEST: Final = 10


class LookPage:
    """The page of one look."""

    def __init__(self, desk: OfficerDesk) -> None:
        """Keep who may, and the service."""
        self._roles = desk.roles
        self._port: AnswersPort = desk.answers

    async def show(self, visit: Visit[Officer]) -> Response:
        """Ask why somebody wants to look."""
        await self._roles.require_role(visit, *LOOKERS)
        await self._require_entry(visit)
        return visit.render("answers_look.html", self._build(visit, visit.new_form()))

    async def look(self, visit: Visit[Officer], form: Form) -> Response:
        """Write the look down, then show the entry."""
        role = await self._roles.require_role(visit, *LOOKERS)
        number = await self._require_entry(visit)
        reason = form.text("reason", most=_LONGEST, too_long=visit.say(mark("Make this shorter.")))
        if len(reason) < _SHORTEST:
            form.refuse("reason", visit.say(mark("Say why, in at least ten signs.")))
        if has_number(reason):
            form.refuse("reason", visit.say(mark("Leave out the citizen service number.")))
        if form.errors:
            return visit.render_refused("answers_look.html", self._build(visit, form))
        try:
            by = Professional(id=visit.session.held.acting.staff, role=_ROLES[role.name])
            found = await self._port.look(number, EntryLook(by=by, reason=reason))
        except (EntryUnknownError, ValidationError):
            form.refuse("reason", visit.say(mark("There is nothing more to see of this.")))
            return visit.render_refused("answers_look.html", self._build(visit, form))
        context = {**self._build(visit, form), "entry": self._describe(visit, found)}
        return visit.render("answers_entry.html", context)

    async def _require_entry(self, visit: Visit[Officer]) -> int:
        """Return the entry that the item is about; raise ItemUnknownError, EntryUnknownError."""
        name, number = read_list(visit), visit.request.path_params["number"]
        one = await asyncio.to_thread(self._port.desk.lists.require_item, name, number)
        if one.about is None:
            raise EntryUnknownError
        return one.about

    def _build(self, visit: Visit[Officer], form: Form) -> dict[str, object]:
        name, number = read_list(visit), visit.request.path_params["number"]
        path = f"/answers/{name}/{number}"
        return {"form": form, "path": f"{path}/look", "back": path}

    def _describe(self, visit: Visit[Officer], found: LookedEntry) -> list[tuple[str, str]]:
        """Return what an entry says, each with its name."""
        say, language, port = visit.say, find_language(visit), self._port
        told = {
            mark("When"): visit.speech.say_moment(found.at),
            mark("What was done"): port.say(found.act, language),
            mark("Organisation"): port.name(found.partner),
            mark("Employee"): f"{found.staff or '-'}, {found.role or '-'}",
            mark("Purpose"): port.find_title(found.purpose, language) if found.purpose else "",
            mark("On what it rests"): port.say(found.occasion, language) if found.occasion else "",
            mark("Asked of"): port.name(found.source) if found.source else "",
            mark("Fields asked for"): ", ".join(found.fields_asked),
            mark("Fields given"): ", ".join(found.fields_given),
            mark("Decided"): say(mark("Allowed")) if found.permit else say(mark("Refused")),
            mark("Not met"): " ".join(
                port.say(one.code, language) for one in found.findings if not one.satisfied
            ),
            mark("Why, in their words"): " ".join(filter(None, found.motivation.values())),
            mark("Reason that nobody else reads"): found.internal_reason or "",
        }
        return [(say(name), value) for name, value in told.items() if value]
