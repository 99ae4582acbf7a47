"""*Bezwaar*: what was objected to, its answer, and objecting, where the ground allows it.

Rule: where the law makes it a duty to ask, an objection holds nothing up: that is said, with what
is possible instead. Source: AVG 12(3), 21; UAVG 34, 35; Awb 6:7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.acting import Acting
from connectors.portal.pages.persons import find_whose
from connectors.portal.pages.steps import Step, Steps, Values
from connectors.portal.pages.taking_back import TakeBack, Taking
from connectors.portal.pages.typed import build_options, read_typed
from connectors.portal.pages.words import Words
from connectors.portal.resident import Resident
from connectors.portal.said import Page, Receipt
from datwat.protocol.acts import Objection, Wish
from datwat.protocol.own_affairs import OwnObjection, OwnWishes
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

BASE: Final = "/objections"
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Ground:
    """A purpose as far as it can be objected to."""

    id: str
    title: str
    sentence: str
    objection: str


@dataclass(frozen=True)
class Grounds:
    """Every purpose in force, those that can be objected to first."""

    possible: list[Ground] = field(repr=False)
    impossible: list[Ground] = field(repr=False)

    def title(self, ground_id: str) -> str:
        """Return the title of a purpose that can be objected to; nothing for all of them."""
        return next((one.title for one in self.possible if one.id == ground_id), "")

    def has_danger(self, ground_id: str) -> bool:
        """Tell whether danger to somebody goes before an objection to this."""
        chosen = [one for one in self.possible if ground_id in (ALL, one.id)]
        return any(one.objection == "suspend_unless_danger" for one in chosen)


@dataclass(frozen=True, slots=True)
class Shown:
    """An objection as the page shows it; `title` is nothing for one to everything."""

    objection: OwnObjection
    title: str


def build_routes(site: Site[Resident], desk: ResidentDesk) -> tuple[Route, ...]:
    """Return the routes of this screen."""
    screen = Objections(desk)
    making = Steps(
        f"{BASE}/new",
        (
            Step("", "objection_new.html", _show_grounds, ("purpose",), _read_ground),
            Step("reason", "objection_reason.html", _show_ground, ("reason",), _read_reason),
            Step("check", "objection_check.html", _show_ground),
        ),
        screen.fetch_grounds,
        screen.object,
        Acting(desk),
    )
    return (
        site.get(BASE, screen.show),
        *making.build_routes(site),
        *TakeBack(_LIFTING, desk).build_routes(site),
    )


class Objections:
    """The list, and objecting."""

    def __init__(self, desk: ResidentDesk) -> None:
        """Keep the desk."""
        self._desk = desk
        self._acting = Acting(desk)

    async def show(self, visit: Visit[Resident]) -> Response:
        """Show what was objected to, with the answers."""
        wishes = await self._desk.fetch_wishes(visit.held.handle)
        words = Words.of(await self._desk.require_bundle(), visit.speech.code)
        shown = [Shown(one, _title(one, words)) for one in wishes.objections]
        return visit.render(
            "objections.html", {"objections": shown, "now": visit.now, "whose": find_whose(visit)}
        )

    async def fetch_grounds(self, visit: Visit[Resident]) -> Grounds:
        """Return which purposes can be objected to and which not."""
        words = Words.of(await self._desk.require_bundle(), visit.speech.code)
        grounds = [
            Ground(
                one.id,
                one.title.render(words.code),
                one.sentence.render(words.code),
                one.objection,
            )
            for one in words.list_purposes(visit.now)
        ]
        return Grounds(
            [one for one in grounds if one.objection != "none"],
            [one for one in grounds if one.objection == "none"],
        )

    async def object(
        self, visit: Visit[Resident], form: Form, values: Values, _grounds: Grounds, page: Page
    ) -> Response:
        """Record the objection."""
        purpose = None if values["purpose"] == ALL else values["purpose"]
        objection = Objection(
            purpose=purpose, reason=values["reason"], made_at=visit.now.replace(microsecond=0)
        )
        receipt = Receipt("objection", 0, visit.now, purpose=purpose or "")
        return await self._acting.record(visit, form, Wish(objection=objection), receipt, page)


def _title(objection: OwnObjection, words: Words) -> str:
    return words.purpose(objection.purpose) if objection.purpose else ""


def _show_grounds(visit: Visit[Resident], _values: Values, grounds: Grounds) -> dict[str, Any]:
    pairs: list[tuple[str, ...]] = [(one.id, one.title, one.sentence) for one in grounds.possible]
    pairs.append((ALL, visit.say(mark("All of these"))))
    return {"options": build_options(visit, pairs), "impossible": grounds.impossible}


def _show_ground(_visit: Visit[Resident], values: Values, grounds: Grounds) -> dict[str, Any]:
    return {
        "title": grounds.title(values["purpose"]),
        "has_danger": grounds.has_danger(values["purpose"]),
        "reason": values["reason"],
    }


def _read_ground(visit: Visit[Resident], form: Form, grounds: Grounds) -> Values:
    allowed = [*(one.id for one in grounds.possible), ALL]
    sentence = visit.say(mark("Choose what you do not agree with."))
    return {"purpose": form.choice("purpose", allowed, missing=sentence)}


def _read_reason(visit: Visit[Resident], form: Form, _grounds: Grounds) -> Values:
    missing = visit.say(mark("Write down why you do not agree."))
    return {"reason": read_typed(visit, form, "reason", missing)}


def _find(wishes: OwnWishes, number: int, _visit: Visit[Resident]) -> OwnObjection | None:
    held = (one for one in wishes.objections if one.number == number and one.state == "open")
    return next(held, None)


def _build_lift(objection: OwnObjection, words: Words) -> tuple[Wish, Receipt, dict[str, Any]]:
    receipt = Receipt("lift", 0, objection.made_at, purpose=objection.purpose or "")
    shown = Shown(objection, _title(objection, words))
    return Wish(lifts=objection.number), receipt, {"said": shown}


_LIFTING: Final = Taking(BASE, "lift", "objection_lift.html", _find, _build_lift)
