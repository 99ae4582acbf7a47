"""Recording a conversation: what was told to whom and when, how they reacted, what else there is.

Rules (domain.md 5, 6): recorded per person, one at a time, so that nobody's entry speaks of
another; without it the blade of transparency fails.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import ConversationRow, RecordConversation
from connectors.pages.desk import StaffDesk, Words
from connectors.pages.own import (
    Work,
    attempt,
    build_form,
    build_head,
    go_on,
    list_people,
    read_mate,
    require_work,
)
from connectors.pages.staff import Staff
from connectors.pages.typed import REACTIONS, read_conversation
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit


class _Conversation:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Ask with whom, when and what."""
        work, words = await require_work(visit, self._desk)
        return self._show(visit, work, words, build_form(visit))

    async def record(self, visit: Visit[Staff], form: Form) -> Response:
        """Record it."""
        work, words = await require_work(visit, self._desk)
        mate = read_mate(form, visit, work)
        conversation = read_conversation(form, visit)
        if mate is None or conversation is None or form.errors:
            return self._show(visit, work, words, form)
        row = ConversationRow(client=mate.person.number, conversation=conversation)
        request = RecordConversation(
            professional=visit.session.held.professional,
            occasion=work.occasion.number,
            rows=(row,),
        )
        results = await attempt(form, visit, self._desk.service.record_conversation(request))
        if results is None:
            return self._show(visit, work, words, form)
        notice = mark("The conversation is recorded. The person reads it in their log.")
        return go_on(visit, results, work.occasion, words, notice)

    def _show(self, visit: Visit[Staff], work: Work, words: Words, form: Form) -> Response:
        context = {
            "form": form,
            "head": build_head(work.occasion, words),
            "people": list_people(work),
            "reactions": [(code, words.say(f"reaction_{code}")) for code in REACTIONS],
        }
        if form.errors:
            return visit.render_refused("own_conversation.html", context)
        return visit.render("own_conversation.html", context)


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Conversation(desk)
    path = "/own/{occasion}/conversation"
    return (site.get(path, screen.show), site.post(path, screen.record))
