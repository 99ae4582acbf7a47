"""Contact requests that wait here: who wants to be called about whom, the overdue ones first.

Rule: who asked learns that it was seen and answered, and nothing else; it is said by who does it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import AnswerContact
from connectors.client.results import ContactInfo
from connectors.pages.desk import StaffDesk
from connectors.pages.own import attempt, find_refused, show_refused
from connectors.pages.staff import Staff
from connectors.pages.views import build_contact
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/contacts"
_STATES: Final = {
    "new": ("waiting", mark("Not seen yet")),
    "seen": ("info", mark("Seen")),
    "overdue": ("warning", mark("Too late, and not seen yet")),
}
_SEEN_LATE: Final = mark("Too late: seen, and not answered yet")
_GONE: Final = mark("This request is no longer here: it was answered, or it is over.")


@dataclass(frozen=True)
class ContactView:
    """A request as a card; `called` is empty where its client is not known here any more."""

    number: int
    requester: str
    called: str = field(repr=False)
    ways: tuple[tuple[str, str], ...] = field(repr=False)
    asked_at: datetime
    due_at: datetime
    until_at: datetime
    kind: str
    state: str
    is_seen: bool


class _Contacts:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show what waits."""
        return await self._show(visit, visit.new_form())

    async def _show(self, visit: Visit[Staff], form: Form) -> Response:
        waiting = self._desk.service.list_contacts().contacts
        ordered = sorted(waiting, key=lambda one: (one.state != "overdue", one.due_at, one.number))
        context = {
            "form": form,
            "contacts": [await self._view(one, visit) for one in ordered],
            "late": sum(one.state == "overdue" for one in waiting),
        }
        if form.errors:
            return visit.render_refused("own_contacts.html", context)
        return visit.render("own_contacts.html", context)

    async def answer(self, visit: Visit[Staff], form: Form) -> Response:
        """Say that one of them was seen or answered."""
        waiting = {str(one.number): one for one in self._desk.service.list_contacts().contacts}
        chosen, said = waiting.get(form.value("contact")), form.value("state")
        if chosen is None or chosen.client is None:
            return visit.redirect(PATH, notice=visit.say(_GONE))
        state: Literal["seen", "answered"] = "answered" if said == "answered" else "seen"
        results = await attempt(
            form,
            visit,
            self._desk.service.answer_contact(
                AnswerContact(
                    professional=visit.session.held.professional, contact=chosen.number, state=state
                )
            ),
        )
        if results is None:
            return await self._show(visit, form)
        refused = find_refused(results.results)
        if refused is not None:
            words = await self._desk.find_words(visit)
            return show_refused(visit, refused, words, None, PATH)
        notice = mark("%(who)s is told that you saw the request.")
        if state == "answered":
            notice = mark("%(who)s is told that you answered. The request is done.")
        who = self._desk.find_name(chosen.requester)
        return visit.redirect(PATH, notice=visit.say(notice, who=who))

    async def _view(self, one: ContactInfo, visit: Visit[Staff]) -> ContactView:
        kind, state = _STATES.get(one.state, _STATES["new"])
        if one.state == "overdue" and one.is_seen:
            state = _SEEN_LATE
        client = (await self._desk.find_person(one.client)).called if one.client else ""
        return ContactView(
            number=one.number,
            requester=self._desk.find_name(one.requester),
            called=client,
            ways=build_contact(one.call_back),
            asked_at=one.asked_at,
            due_at=one.due_at,
            until_at=one.until_at,
            kind=kind,
            state=visit.say(state),
            is_seen=one.is_seen,
        )


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Contacts(desk)
    return (site.get(PATH, screen.show), site.post(PATH, screen.answer))
