"""Answers to residents: nine lists with their terms, an item with its form, and the letter.

Rules: reviewers answer, auditors and data protection officers read; the role is asked for again in
every act; what an item is about is in no address, only its number; nothing is sent by opening a
page. Source: AVG 12-14, 17, 21, 23; domain.md, points 9-11 and 14.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from broker.exchange.answering_blocks import AnswerTooLongError, BlockUnknownError
from broker.exchange.answering_desk import OUTCOMES
from broker.exchange.answering_listing import ItemUnknownError, count_by_coordinator
from broker.exchange.answering_lists import LISTS, Listed, filter_listed
from broker.exchange.answering_telling import NumberInAnswerError
from broker.exchange.opening import RenewalReasonError
from broker.exchange.reviews import TextMissingError
from broker.involvement.special_situations import RenewalRefusedError
from broker.pages.answers_form import read_given, read_language, read_list
from broker.pages.answers_letter import build_letter
from broker.pages.answers_port import AnswersPort, build_params
from broker.pages.answers_two import FirstHands
from broker.pages.answers_views import (
    EMPTY,
    HINTS,
    NAMES,
    OUTCOME_NAMES,
    build_facts,
    build_list_view,
    build_row,
    say_left,
    say_title,
)
from broker.pages.desk import OfficerDesk
from broker.pages.officer import Officer
from broker.pages.oversight import PATH as REVIEWS
from broker.purposes.roles import ANSWERERS, LOOKERS, REVIEW_READERS
from datwat.party.problems import NotFoundError
from datwat.web.forms import Form
from datwat.web.headers import build_headers
from datwat.web.i18n import LANGUAGES, mark
from datwat.web.site import Site, Visit

PATH: Final = "/answers"
_LONGEST: Final = 2_000
_PREVIEW: Final = "preview"
_WITH_BLOCKS: Final = frozenset(
    {"objections", "questions", "urgent", "disputes", "wrong_person"}
)  # what the person reads in their log


class Answers:
    """The pages of this room."""

    def __init__(self, desk: OfficerDesk) -> None:
        """Keep who may, and the service."""
        self._roles = desk.roles
        self._port: AnswersPort = desk.answers
        self._hands = FirstHands()

    async def show_all(self, visit: Visit[Officer]) -> Response:
        """Show how each list stands."""
        await self._roles.require_role(visit, *REVIEW_READERS)
        counts = await asyncio.to_thread(self._port.desk.lists.count)
        views = [build_list_view(visit, name, counts[name]) for name in LISTS]
        overdue = sum(one.overdue for one in counts.values())
        return visit.render("answers_all.html", {"lists": views, "overdue": overdue})

    async def show_list(self, visit: Visit[Officer]) -> Response:
        """Show one list, or what a filter leaves of it."""
        await self._roles.require_role(visit, *REVIEW_READERS)
        name = read_list(visit)
        found = await asyncio.to_thread(self._port.desk.lists.list_waiting, name)
        partner, only_overdue = visit.query("partner"), visit.query("show") == "overdue"
        kept = filter_listed(
            found,
            overdue=only_overdue,
            keep=lambda one: not partner or one.partner == partner,
        )
        partners = sorted({one.partner for one in found if one.partner})
        context = {
            "name": name,
            "title": visit.say(NAMES[name]),
            "hint": visit.say(HINTS[name]),
            "nothing": visit.say(EMPTY[name]),
            "rows": [build_row(visit, self._port, one) for one in kept],
            "total": len(found),
            "overdue": sum(one.overdue for one in found),
            "only_overdue": only_overdue,
            "partner": partner,
            "partners": [(one, self._port.name(one)) for one in partners],
            "coordinators": self._list_coordinators(visit, kept) if name == "tell" else [],
        }
        return visit.render("answers_list.html", context)

    async def show_item(self, visit: Visit[Officer]) -> Response:
        """Show one item with its form; who may only read sees it without."""
        await self._roles.require_role(visit, *REVIEW_READERS)
        try:
            one = await self._fetch_item(visit)
        except ItemUnknownError:
            name, number = read_list(visit), visit.request.path_params["number"]
            await asyncio.to_thread(self._port.desk.require_answered, name, number)
            return visit.redirect(f"{PATH}/{name}/{number}/answered")
        return visit.render("answers_item.html", self._build_item(visit, one, visit.new_form()))

    async def answer(self, visit: Visit[Officer], form: Form) -> Response:
        """Answer an item, or show how the answer would read."""
        await self._roles.require_role(visit, *ANSWERERS)
        one = await self._fetch_item(visit)
        text = self._compose(visit, one, form)
        if form.value("do") == _PREVIEW:
            return visit.render("answers_item.html", self._build_item(visit, one, form, text))
        given = read_given(visit, one, form, text)
        if given is None or form.errors:
            return visit.render_refused("answers_item.html", self._build_item(visit, one, form))
        if one.list == "erasures":
            first = self._hands.find(one.number, visit.now)
            if first is not None and not await self._roles.is_held(first.by.id, *ANSWERERS):
                first = None  # their role ended since: they count no more
            if first is None or first.by.id == given.by.id:
                self._hands.give(one.number, given.by, given.text, visit.now)
                said = visit.say(mark("You looked at it. Now a colleague looks, within a day."))
                return visit.redirect(f"{PATH}/{one.list}", notice=said)
            given = replace(given, second=first.by)
        try:
            await self._port.desk.answer(one.list, one.number, given)
        except (NumberInAnswerError, TextMissingError, RenewalReasonError):
            form.refuse("text", visit.say(mark("Write why, without any citizen service number.")))
        except RenewalRefusedError:
            form.refuse("until", visit.say(mark("The rules do not allow a term this long.")))
        if form.errors:
            return visit.render_refused("answers_item.html", self._build_item(visit, one, form))
        self._hands.end(one.number)
        notice = visit.say(mark("The answer was given. It counts from now on."))
        if one.list in _WITH_BLOCKS:
            return visit.redirect(f"{PATH}/{one.list}/{one.number}/answered", notice=notice)
        return visit.redirect(f"{PATH}/{one.list}", notice=notice)

    async def show_answered(self, visit: Visit[Officer]) -> Response:
        """Show what was answered, with its letter."""
        await self._roles.require_role(visit, *REVIEW_READERS)
        name, number = read_list(visit), visit.request.path_params["number"]
        found = await asyncio.to_thread(self._port.desk.require_answered, name, number)
        context = {
            "name": name,
            "title": visit.say(NAMES[name]),
            "path": f"{PATH}/{name}/{number}",
            "answered": found,
            "outcome": visit.say(OUTCOME_NAMES[found.outcome]) if found.outcome else "",
        }
        return visit.render("answers_done.html", context)

    async def send_letter(self, visit: Visit[Officer]) -> Response:
        """Answer the letter as PDF, in the language that is asked for."""
        await self._roles.require_role(visit, *REVIEW_READERS)
        name, number = read_list(visit), visit.request.path_params["number"]
        language = visit.request.path_params["language"]
        if language not in LANGUAGES:
            raise NotFoundError
        found = await asyncio.to_thread(self._port.desk.require_answered, name, number)
        if found.purpose is not None:
            found = replace(found, purpose=self._port.find_title(found.purpose, language))
        document = build_letter(found, self._port.blocks, language, self._port.organisation)
        headers = dict(build_headers(visit.speech.code))
        headers["content-disposition"] = f'attachment; filename="{name}-{number}.pdf"'
        return Response(
            await self._port.press(document), media_type="application/pdf", headers=headers
        )

    def _list_coordinators(
        self, visit: Visit[Officer], found: list[Listed]
    ) -> list[tuple[str, str, str, str]]:
        """Return per coordinator how much is to be told, how much of it overdue."""
        by = count_by_coordinator(found)
        nobody = visit.say(mark("Nobody leads now"))
        return [
            (
                who if who != "-" else nobody,
                self._port.name(partner),
                str(counts.waiting),
                str(counts.overdue),
            )
            for (partner, who), counts in by.items()
        ]

    async def _fetch_item(self, visit: Visit[Officer]) -> Listed:
        name, number = read_list(visit), visit.request.path_params["number"]
        return await asyncio.to_thread(self._port.desk.lists.require_item, name, number)

    def _build_item(
        self, visit: Visit[Officer], one: Listed, form: Form, preview: str = ""
    ) -> dict[str, Any]:
        language = read_language(form)
        return {
            "name": one.list,
            "number": one.number,
            "title": say_title(visit, self._port, one),
            "list_title": visit.say(NAMES[one.list]),
            "hint": visit.say(HINTS[one.list]),
            "left": say_left(visit, one),
            "kind": "warning" if one.overdue else "waiting",
            "facts": build_facts(visit, self._port, one),
            "text": one.text,
            "asked": f"{PATH}/{one.facts['asked']}/{one.about}" if "asked" in one.facts else "",
            "form": form,
            "path": f"{PATH}/{one.list}/{one.number}",
            "may_answer": visit.session.held.has(*ANSWERERS) and bool(OUTCOMES[one.list]),
            "outcomes": [
                (code, visit.say(OUTCOME_NAMES[code]))
                for code in OUTCOMES[one.list]
                if code in OUTCOME_NAMES
            ],
            "blocks": self._list_blocks(one, form),
            "with_words": one.list in _WITH_BLOCKS,
            "entry": f"{REVIEWS}/entry/{one.about}"
            if one.about is not None and visit.session.held.has(*LOOKERS)
            else "",
            "is_second": one.list == "erasures"
            and self._hands.find(one.number, visit.now) is not None,
            "preview": preview,
            "remarks": self._port.find_hard_words(preview, language) if preview else [],
        }

    def _list_blocks(self, one: Listed, form: Form) -> list[tuple[str, str]]:
        language = read_language(form)
        params = build_params(self._port, one, language)
        return [
            (block.code, block.texts[language].format_map(params))
            for block in self._port.blocks.list_for(one.list, params)
        ]

    def _compose(self, visit: Visit[Officer], one: Listed, form: Form) -> str:
        """Return the answer as it would read, and note what is wrong with it."""
        language = read_language(form)
        own = form.text("text", most=_LONGEST, too_long=visit.say(mark("Make this text shorter.")))
        try:
            return self._port.blocks.compose(
                one.list,
                form.chosen("blocks"),
                language,
                build_params(self._port, one, language),
                own,
            )
        except AnswerTooLongError:
            form.refuse("text", visit.say(mark("Make this text shorter.")))
        except BlockUnknownError:
            form.refuse("blocks", visit.say(mark("Choose from these sentences.")))
        return ""


def build_routes(site: Site[Officer], desk: OfficerDesk) -> tuple[Route, ...]:
    """Return the routes of this room."""
    pages = Answers(desk)
    return (
        site.get(PATH, pages.show_all),
        site.get(PATH + "/{list}", pages.show_list),
        site.get(PATH + "/{list}/{number}", pages.show_item),
        site.post(PATH + "/{list}/{number}", pages.answer),
        site.get(PATH + "/{list}/{number}/answered", pages.show_answered),
        site.get(PATH + "/{list}/{number}/letter/{language}", pages.send_letter),
    )
