"""Sending a question for data: once more what goes out, then the answer with its blades.

Rules: a question without an answer goes out again as the same bytes, so that it counts once, and as
it was first sent, whatever was changed since; what is released lives in this session and ends with
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.pending import Values
from connectors.client.requests import AskKnown, ConversationRow, RecordConversation
from connectors.errors import PendingChangedError
from connectors.pages.desk import StaffDesk
from connectors.pages.known import build_path, require_wanted
from connectors.pages.own import note_unsent
from connectors.pages.question import Question, Wanted
from connectors.pages.staff import Staff
from connectors.pages.values import build_fields, build_given, build_withheld
from connectors.pages.views import build_ladder, build_summary, build_weighing, find_title
from datwat.party import clock
from datwat.party.http_out import PeerTooSlowError, PeerUnreachableError
from datwat.protocol.acts import Conversation, Motivation
from datwat.protocol.messages import BLADES
from datwat.web.forms import Form
from datwat.web.site import Site, Visit

_MODES: Final = {"no_objection": "no_objection_written"}


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
        return await self._show_check(visit, question, wanted, visit.new_form())

    async def _show_check(
        self, visit: Visit[Staff], question: Question, wanted: Wanted, form: Form
    ) -> Response:
        path = build_path(question, visit)
        words = await self._desk.find_words(visit)
        chosen = [one for one in build_fields(wanted, words) if one.path in wanted.fields]
        context = {
            "form": form,
            "action": visit.request.url.path,
            "place": path,
            "source": wanted.pointer.source_name or "",
            "person": wanted.person.called,
            "product": find_title(words, wanted.edge.product),
            "fields": chosen,
            "told": wanted.told,
            "conversation": wanted.conversation,
            "is_waiting": visit.session.held.attempts.is_waiting(path),
            "reasons": [
                (words.say(f"question_{blade}"), getattr(wanted.motivation, blade))
                for blade in BLADES
            ],
            "summary": build_summary(question, words),
            "ladder": build_ladder(question, "wat", visit),
        }
        if form.errors:
            return visit.render_refused("check.html", context)
        return visit.render("check.html", context)

    async def send(self, visit: Visit[Staff], form: Form) -> Response:
        """Send it, or go on waiting for its answer; a page says where there is none yet."""
        question, wanted = require_wanted(visit)
        path = build_path(question, visit)
        if not wanted.fields or not wanted.motivation.purpose:
            return visit.redirect(f"{path}/check")
        try:
            await self._tell(visit, question, wanted)
            await self._ask(visit, question, wanted)
        except (PeerUnreachableError, PeerTooSlowError):
            return await self._show_waiting(visit, question, form)
        except PendingChangedError as error:
            note_unsent(form, visit, error)
            return await self._show_check(visit, question, wanted, form)
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

    async def _tell(self, visit: Visit[Staff], question: Question, wanted: Wanted) -> None:
        """Record what was told, before it is asked."""
        told, staff = wanted.conversation, visit.session.held
        if told is None or not question.occasion:
            return
        row = ConversationRow(client=wanted.person.number, conversation=told)
        request = RecordConversation(
            professional=staff.professional, occasion=question.occasion, rows=(row,)
        )
        said = {"conversation": (told.model_dump_json(),)}
        with _sending(visit, f"{build_path(question, visit)}/told", wanted, said):
            await self._desk.service.record_conversation(request)
        wanted.conversation, wanted.told = None, "before"

    async def _ask(self, visit: Visit[Staff], question: Question, wanted: Wanted) -> None:
        request = AskKnown(
            professional=visit.session.held.professional,
            client=wanted.person.build_ref(),
            occasion=question.occasion or None,
            purpose=question.purpose,
            pointer=wanted.pointer.pointer,
            product=wanted.edge.product,
            fields=wanted.fields,
            motivation=wanted.motivation,
        )
        said = {"fields": wanted.fields, "motivation": (wanted.motivation.model_dump_json(),)}
        with _sending(visit, build_path(question, visit), wanted, said):
            wanted.result = await self._desk.service.ask_what_is_known(request)
        wanted.answered_at = clock.now()

    async def _show_waiting(self, visit: Visit[Staff], question: Question, form: Form) -> Response:
        words = await self._desk.find_words(visit)
        path = build_path(question, visit)
        context = {
            "form": form,
            "action": f"{path}/check",
            "is_sent": visit.session.held.attempts.is_waiting(path),
            "summary": build_summary(question, words),
            "ladder": build_ladder(question, "wat", visit),
        }
        return visit.render("waiting.html", context, status=503)


@contextmanager
def _sending(visit: Visit[Staff], place: str, wanted: Wanted, said: Values) -> Iterator[None]:
    """Send what waits of a place again, by whatever form; one that changed is made as it was."""
    with visit.session.held.attempts.sending(place, said) as attempt:
        try:
            yield
        except PendingChangedError:
            _restore(wanted, attempt.first or said)
            raise


def _restore(wanted: Wanted, first: Values) -> None:
    if "conversation" in first:
        wanted.conversation = Conversation.model_validate_json(first["conversation"][0])
        return
    wanted.fields = first["fields"]
    wanted.motivation = Motivation.model_validate_json(first["motivation"][0])


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = _Sending(desk)
    place = "/ask/{question:int}/wat/{wanted:int}"
    return (
        site.get(f"{place}/check", screen.show_check),
        site.post(f"{place}/check", screen.send),
        site.get(f"{place}/answer", screen.show_answer),
    )
