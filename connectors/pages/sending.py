"""Sending a question for data: once more what goes out, then the answer with its blades.

Rules: a question without an answer is finished with the same bytes, so that it counts once; what is
released lives in this session and ends with it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import AskKnown, ConversationRow, RecordConversation
from connectors.pages.desk import StaffDesk
from connectors.pages.known import build_path, require_wanted
from connectors.pages.question import Question, Wanted
from connectors.pages.staff import Staff
from connectors.pages.values import build_fields, build_given, build_withheld
from connectors.pages.views import build_ladder, build_summary, build_weighing, find_title
from datwat.party import clock
from datwat.party.http_out import PeerRefusedError, PeerTooSlowError, PeerUnreachableError
from datwat.protocol.messages import BLADES
from datwat.protocol.signing import MessageExpiredError
from datwat.web.forms import Form
from datwat.web.site import Site, Visit

# A message is taken up again within ten minutes; whoever presses the button needs some of them.
_RESUMED_FOR: Final = timedelta(minutes=9)


class _Sending:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show_check(self, visit: Visit[Staff]) -> Response:
        """Show what goes out, and who reads it."""
        question, wanted = require_wanted(visit)
        path = build_path(question, visit)
        if not wanted.fields:
            return visit.redirect(path)
        if not wanted.motivation.purpose:
            return visit.redirect(f"{path}/why")
        words = await self._desk.find_words(visit)
        chosen = [one for one in build_fields(wanted, words) if one.path in wanted.fields]
        context = {
            "form": visit.new_form(),
            "action": visit.request.url.path,
            "place": path,
            "source": wanted.pointer.source_name or "",
            "person": wanted.person.called,
            "product": find_title(words, wanted.edge.product),
            "fields": chosen,
            "told": wanted.told,
            "conversation": wanted.conversation,
            "is_waiting": wanted.prepared is not None,
            "reasons": [
                (words.say(f"question_{blade}"), getattr(wanted.motivation, blade))
                for blade in BLADES
            ],
            "summary": build_summary(question, words),
            "ladder": build_ladder(question, "wat", visit),
        }
        return visit.render("check.html", context)

    async def send(self, visit: Visit[Staff], form: Form) -> Response:
        """Send it, or go on waiting for its answer; a page says where there is none yet."""
        question, wanted = require_wanted(visit)
        path = build_path(question, visit)
        if not wanted.fields or not wanted.motivation.purpose:
            return visit.redirect(f"{path}/check")
        try:
            await self._send(visit, question, wanted)
        except (PeerUnreachableError, PeerTooSlowError):
            return await self._show_waiting(visit, question, wanted, form)
        return visit.redirect(f"{path}/answer")

    async def show_answer(self, visit: Visit[Staff]) -> Response:
        """Show what was decided and what was given."""
        question, wanted = require_wanted(visit)
        result = wanted.result
        if result is None:
            return visit.redirect(f"{build_path(question, visit)}/check")
        words = await self._desk.find_words(visit)
        basis = result.legal_basis
        context = {
            "source": wanted.pointer.source_name or "",
            "person": wanted.person.called,
            "product": find_title(words, wanted.edge.product),
            "weighing": build_weighing(result.weighing, words, wanted.motivation),
            "given": build_given(result, wanted.edge.product, words),
            "withheld": build_withheld(result, wanted.edge.product, words),
            "failure": words.say(result.failure) if result.failure else "",
            "articles": (basis.giver_article, basis.taker_article) if basis else (),
            "mode": words.say(_MODES.get(basis.mode, basis.mode)) if basis else "",
            "entry": result.entry.index if result.entry else None,
            "is_told_later": result.entry is not None and result.entry.notice == "later",
            "is_compared": result.identity_checked,
            "answered_at": wanted.answered_at,
            "path": question.path,
            "again": build_path(question, visit),
            "summary": build_summary(question, words),
            "ladder": build_ladder(question, "wat", visit),
        }
        return visit.render("answer.html", context)

    async def _send(self, visit: Visit[Staff], question: Question, wanted: Wanted) -> None:
        service, staff = self._desk.service, visit.session.held
        if wanted.conversation is not None and question.occasion:
            row = ConversationRow(client=wanted.person.number, conversation=wanted.conversation)
            await service.record_conversation(
                RecordConversation(
                    professional=staff.professional, occasion=question.occasion, rows=(row,)
                )
            )
            wanted.conversation, wanted.told = None, "before"
        is_again = wanted.prepared is not None
        if wanted.prepared is None or _is_old(wanted, clock.now()):
            wanted.prepared_at = clock.now()
            wanted.prepared = await service.prepare_release(
                AskKnown(
                    professional=staff.professional,
                    client=wanted.person.build_ref(),
                    occasion=question.occasion or None,
                    purpose=question.purpose,
                    pointer=wanted.pointer.pointer,
                    product=wanted.edge.product,
                    fields=wanted.fields,
                    motivation=wanted.motivation,
                )
            )
        try:
            wanted.result = await service.finish_release(wanted.prepared)
        except PeerRefusedError as error:
            if not is_again or error.peer_code != MessageExpiredError.code:
                raise
            wanted.prepared = None  # the broker never took it in: it is asked now
            return await self._send(visit, question, wanted)
        wanted.prepared, wanted.answered_at = None, clock.now()
        return None

    async def _show_waiting(
        self, visit: Visit[Staff], question: Question, wanted: Wanted, form: Form
    ) -> Response:
        words = await self._desk.find_words(visit)
        context = {
            "form": form,
            "action": f"{build_path(question, visit)}/check",
            "is_sent": wanted.prepared is not None,
            "summary": build_summary(question, words),
            "ladder": build_ladder(question, "wat", visit),
        }
        return visit.render("waiting.html", context, status=503)


_MODES: Final = {"no_objection": "no_objection_written"}


def _is_old(wanted: Wanted, now: datetime) -> bool:
    return wanted.prepared_at is None or now >= wanted.prepared_at + _RESUMED_FOR


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Sending(desk)
    place = "/ask/{question:int}/wat/{wanted:int}"
    return (
        site.get(f"{place}/check", screen.show_check),
        site.post(f"{place}/check", screen.send),
        site.get(f"{place}/answer", screen.show_answer),
    )
