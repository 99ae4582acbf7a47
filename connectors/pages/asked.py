"""What somebody asked these weeks, as the resident reads it; what they read later is marked.

Rules: it is read from what went out and came back, and from nothing else; the sentence is made by
the very function that makes the resident's; somebody sees their own questions only, so that a later
one shows to nobody who did not ask it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.own_acts import OwnAct, OwnPerson
from connectors.pages.desk import StaffDesk, Words
from connectors.pages.staff import Staff
from connectors.pages.views import find_field, find_title
from datwat.party import clock
from datwat.protocol.answers import InquiryPart, ReleasePart, Weighing
from datwat.protocol.card_data import Told
from datwat.protocol.card_sentences import build_titles, build_told_sentences
from datwat.protocol.messages import BLADES
from datwat.protocol.texts import Texts
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

PATH: Final = "/asked"
WEEKS: Final = 6
_EACH: Final = 20
ASKING: Final = ("inquire", "release", "request_contact")
ACTING: Final = (
    "introduce",
    "open_occasion",
    "hand_over",
    "close_occasion",
    "record_conversation",
    "record_consent",
    "record_objection",
    "record_authority",
    "declare_special_situation",
    "answer_contact",
    "report_wrong_person",
)


@dataclass(frozen=True)
class AskedView:
    """One entry as a card: when, about whom, what the resident reads, and what came of it."""

    at: datetime
    called: str = field(repr=False)
    sentence: str
    kind: str
    result: str
    product: str
    given: tuple[str, ...]
    withheld: tuple[tuple[str, str], ...]
    unmet: tuple[tuple[str, str], ...]
    reasons: tuple[tuple[str, str], ...] = field(repr=False)
    entry: int | None
    is_later: bool
    opened_at: datetime | None


class _Asked:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show the questions; with `what=all` also what was recorded."""
        is_all = visit.query("what", most=3) == "all"
        words = await self._desk.find_words(visit)
        acts = list_own(self._desk, visit, (*ASKING, *ACTING) if is_all else ASKING)
        rows = [(act, person) for act in acts for person in act.persons]
        page = _read_page(visit.query("page", most=3), len(rows))
        shown = rows[page * _EACH : (page + 1) * _EACH]
        query = "what=all&page=" if is_all else "page="
        context = {
            "rows": [await self._view(act, person, words, visit) for act, person in shown],
            "is_all": is_all,
            "weeks": WEEKS,
            "earlier": f"{PATH}?{query}{page - 1}" if page else "",
            "later": f"{PATH}?{query}{page + 1}" if len(rows) > (page + 1) * _EACH else "",
            "place": visit.say(
                mark("%(first)s to %(last)s of %(all)s"),
                first=page * _EACH + 1,
                last=page * _EACH + len(shown),
                all=len(rows),
            ),
        }
        return visit.render("own_asked.html", context)

    async def _view(
        self, act: OwnAct, person: OwnPerson, words: Words, visit: Visit[Staff]
    ) -> AskedView:
        known = await self._desk.find_person(person.client) if person.client else None
        kind, result = _say_result(act, person)
        weighing = person.answer.weighing if person.answer else None
        given, withheld = _build_fields(act, person, words)
        motivation = act.statement.motivation
        return AskedView(
            at=act.at,
            called=known.called if known else visit.say(mark("Somebody you no longer know")),
            sentence=build_sentence(self._desk, act, words),
            kind=kind,
            result=visit.say(result),
            product=find_title(words, act.product) if act.product else "",
            given=given,
            withheld=withheld,
            unmet=_build_unmet(weighing, words),
            reasons=tuple(
                (words.say(f"question_{blade}"), getattr(motivation, blade))
                for blade in BLADES
                if motivation is not None and getattr(motivation, blade)
            ),
            entry=person.entry,
            is_later=person.notice == "later" and person.opened_at is None,
            opened_at=person.opened_at,
        )


def list_own(desk: StaffDesk, visit: Visit[Staff], acts: tuple[str, ...]) -> list[OwnAct]:
    """Return what whoever is logged in did these weeks, the newest first."""
    origin = desk.service.exchange.directory.trust.log.origin
    staff = visit.session.held.professional.id
    return desk.acts.list_by(staff, acts, visit.now - timedelta(weeks=WEEKS), origin)


def build_sentence(desk: StaffDesk, act: OwnAct, words: Words) -> str:
    """Return the sentence that the resident reads of an act, by the function that writes theirs."""
    own = desk.own
    told: dict[str, Any] = {
        "event": act.act,
        "requester": {"name": own.name if own else desk.service.exchange.party_id},
        "asked": {"purpose": act.purpose},
    }
    if act.source:
        told["asked"]["source"] = {"name": desk.find_name(act.source)}
    if act.to:
        told["detail"] = {"other_party": {"name": desk.find_name(act.to)}}
    texts, titles = Texts(words.bundle.texts), build_titles(words.bundle.view, clock.now())
    said = build_told_sentences((Told(0, told, b"", told),), texts, titles).summary
    return said.nl if words.code == "nl" else said.en


def _say_result(act: OwnAct, person: OwnPerson) -> tuple[str, str]:
    """Return how it came out: the kind of the status, and a marked text."""
    answer = person.answer
    if answer is None:
        return "waiting", mark("No answer")
    if not answer.weighing.permitted:
        return "refused", mark("Refused")
    if isinstance(answer, ReleasePart):
        return _say_release(answer)
    if isinstance(answer, InquiryPart):
        return "done", mark("Answered")
    return "done", mark("Passed on") if act.act == "request_contact" else mark("Recorded")


def _say_release(answer: ReleasePart) -> tuple[str, str]:
    if answer.failure:
        return "no", mark("Permitted, but not delivered")
    return ("partly", mark("Partly given")) if answer.withheld else ("shared", mark("Given"))


def _build_fields(
    act: OwnAct, person: OwnPerson, words: Words
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    answer, product = person.answer, act.product
    if not isinstance(answer, ReleasePart) or product is None:
        return (), ()
    is_given = answer.weighing.permitted and not answer.failure
    given = tuple(find_field(words, product, path) for path in answer.fields) if is_given else ()
    withheld = tuple(
        (find_field(words, product, one.field), words.say(one.code)) for one in answer.withheld
    )
    return given, withheld


def _build_unmet(weighing: Weighing | None, words: Words) -> tuple[tuple[str, str], ...]:
    """Return what was not met, each under the question of its blade."""
    found = weighing.findings if weighing and not weighing.permitted else ()
    return tuple(
        (words.say(f"question_{one.blade}"), words.say(one.code, one.params))
        for one in found
        if not one.satisfied
    )


def _read_page(typed: str, rows: int) -> int:
    page = int(typed) if typed.isascii() and typed.isdigit() else 0
    return min(page, max(0, (rows - 1) // _EACH))


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    return (site.get(PATH, _Asked(desk).show),)
