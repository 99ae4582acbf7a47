"""How a wish is done: once, proved, with a receipt; and what is shown where it is not.

Rules: a form is about the person whose pages were shown when it was made, and is not sent about the
other; the same form that was sent over a broken line is sent again byte for byte, so that it is
done once; whatever goes wrong, what was typed is still there, and the page says what was done.
Source: protocol.md, sections 5 and 10.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from starlette.responses import Response

from connectors.portal.desk import ResidentDesk
from connectors.portal.errors import OrganisationUnknownError
from connectors.portal.pages.persons import look_at
from connectors.portal.pages.words import Words
from connectors.portal.resident import Resident
from connectors.portal.said import Page, Receipt, Unanswered
from datwat.party.http_out import PeerError, PeerRefusedError
from datwat.protocol.acts import Wish
from datwat.protocol.errors import ProtocolError
from datwat.web.forms import Form
from datwat.web.site import UNPROCESSABLE, Visit

WHO: Final = "who"
_CONFLICT: Final = 409
_BAD_GATEWAY: Final = 502


class Acting:
    """Records wishes at the broker for who is logged in."""

    def __init__(self, desk: ResidentDesk) -> None:
        """Keep the desk."""
        self._desk = desk

    async def record(
        self, visit: Visit[Resident], form: Form, wish: Wish, receipt: Receipt, page: Page
    ) -> Response:
        """Record a wish and go on to its receipt, of which the number and moment are filled in.

        Where the broker is away the page is shown again, and says what is known.
        """
        held = visit.held
        try:
            sent = await self._desk.prepare_wish(held.handle, wish)
        except (PeerError, ProtocolError, OrganisationUnknownError):  # nothing has left the portal
            return self._show_away(visit, form, page, "not_done")
        under_way = Unanswered(sent, receipt, page, visit.now)
        held.said.keep_unanswered(form.id, under_way)
        try:
            return await self._deliver(visit, form, under_way)
        except PeerRefusedError:
            return self._show_away(visit, form, page, "not_done")
        except (PeerError, ProtocolError):
            return self._show_away(visit, form, page, "unknown")

    async def resume(self, visit: Visit[Resident], form: Form) -> Response | None:
        """Send a form's wish again of which nobody knows whether it arrived; None where none is."""
        under_way = visit.held.said.find_unanswered(form.id, visit.now)
        if under_way is None:
            return None
        try:
            return await self._deliver(visit, form, under_way)
        except PeerRefusedError:  # too old now, and never written down: it is done anew
            return None
        except (PeerError, ProtocolError):
            return self._show_away(visit, form, under_way.page, "unknown")

    async def _deliver(self, visit: Visit[Resident], form: Form, under_way: Unanswered) -> Response:
        held = visit.held
        try:
            answer = await self._desk.deliver_wish(under_way.sent)
        except PeerRefusedError:  # nothing was written down
            held.said.drop_unanswered(form.id)
            raise
        held.said.drop_unanswered(form.id)
        (person,) = answer.persons
        weighing = person.part.weighing
        if not weighing.permitted or person.index is None:
            codes = tuple(one.code for one in weighing.findings if not one.satisfied)
            return await self._show_refused(visit, codes, person.index)
        at = visit.now.replace(microsecond=0)
        receipt = replace(under_way.receipt, number=person.index, at=at)
        held.said.keep_receipt(held.viewing, receipt)
        return visit.redirect(f"/receipts/{person.index}")

    def _show_away(self, visit: Visit[Resident], form: Form, page: Page, state: str) -> Response:
        """Show the form again: it was not done, or nobody knows yet whether it was."""
        context = {**page.context, "form": form, "broken": state}
        return visit.render(page.template, context, status=_BAD_GATEWAY)

    async def _show_refused(
        self, visit: Visit[Resident], codes: tuple[str, ...], number: int | None
    ) -> Response:
        words = Words.of(await self._desk.require_bundle(), visit.speech.code)
        reasons = [words.say(code) for code in codes]
        context = {"reasons": reasons, "number": number}
        return visit.render("wish_refused.html", context, status=UNPROCESSABLE)


def find_other_person(visit: Visit[Resident], form: Form) -> Response | None:
    """Return the page that says so where a form was made about the other person; nothing is done.

    Somebody may look on behalf of another in a second window, or again after a new login.
    """
    if form.value(WHO) == visit.held.viewing:
        return None
    return visit.render("other_person.html", {"path": visit.request.url.path}, status=_CONFLICT)


def new_form(visit: Visit[Resident]) -> Form:
    """Return the form of a page with what waited here; it is about whom it was typed about."""
    form = visit.new_form()
    for who in visit.held.persons:
        if form.value(WHO) == who:
            look_at(visit, who)
    return form
