"""The team of an occasion: who works on it from now on, and its end.

Rule (domain.md 2): a team has a coordinator, a second, a replacement and consulted ones, with
dates; an occasion closes with a reason, whether goals were reached, and whether there was a plan.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from connectors.client.requests import Close, HandOver
from connectors.pages.desk import StaffDesk, Words
from connectors.pages.moments import build_end, read_date
from connectors.pages.own import (
    attempt,
    build_head,
    go_on,
    require_occasion,
)
from connectors.pages.staff import Staff
from connectors.pages.work_occasion import build_worker
from datwat.party import clock
from datwat.protocol.acts import CloseOccasion, Handler
from datwat.protocol.values import STAFF_ID_PATTERN, derive_staff_id
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Site, Visit

ROLES: Final = ("coordinator", "second", "replacement", "consulted")
LEAVES: Final = "leaves"
REASONS: Final = ("completed", "not_needed", "withdrawn", "handed_over", "moved", "died")
GOALS: Final = ("yes", "partly", "no", "unknown")
_FITS: Final = re.compile(STAFF_ID_PATTERN)
_MOST: Final = 20


class _Team:
    def __init__(self, desk: StaffDesk) -> None:
        self._desk = desk

    async def show(self, visit: Visit[Staff]) -> Response:
        """Show who works on it, and ask who does from now on."""
        words = await self._desk.find_words(visit)
        occasion = require_occasion(visit, self._desk)
        form = visit.new_form()
        held = {f"role-{n}": (one.role,) for n, one in enumerate(occasion.handlers)}
        form.values = form.values or held
        return self._show(visit, words, form)

    async def hand_over(self, visit: Visit[Staff], form: Form) -> Response:
        """Give it to this team."""
        occasion = require_occasion(visit, self._desk)
        words = await self._desk.find_words(visit)
        now = visit.now.replace(microsecond=0)
        handlers = [
            changed
            for number, one in enumerate(occasion.handlers)
            if (changed := _read_kept(form, number, one, visit)) is not None
        ]
        added = _read_new(form, visit, now)
        if added is not None and any(one.professional == added.professional for one in handlers):
            form.refuse("staff", visit.say(mark("This colleague is in the team already.")))
        handlers += [added] if added is not None else []
        if not handlers:
            form.refuse("staff", visit.say(mark("Somebody must work on it. Name a colleague.")))
        if len(handlers) > _MOST:
            form.refuse("staff", visit.say(mark("A team has at most twenty people.")))
        if form.errors:
            return self._show(visit, words, form)
        request = HandOver(
            professional=visit.session.held.professional,
            occasion=occasion.number,
            handlers=tuple(handlers),
        )
        results = await attempt(form, visit, self._desk.service.hand_over(request))
        if results is None:
            return self._show(visit, words, form)
        stays = self._desk.find_occasion(visit.session.held, occasion.number) is not None
        notice = mark("The team is changed. The persons see it in their log.")
        if not stays:
            notice = mark("The occasion is handed over. You do not work on it any more.")
        return go_on(visit, results, occasion, words, notice, then="" if stays else "/own")

    async def show_close(self, visit: Visit[Staff]) -> Response:
        """Ask how it ends."""
        return self._show_close(visit, await self._desk.find_words(visit), visit.new_form())

    async def close(self, visit: Visit[Staff], form: Form) -> Response:
        """Close it."""
        occasion = require_occasion(visit, self._desk)
        words = await self._desk.find_words(visit)
        reason = form.choice("reason", REASONS, missing=visit.say(mark("Choose why it ends.")))
        missing = visit.say(mark("Choose whether the goals were reached."))
        goals = form.choice("goals", GOALS, missing=missing)
        missing = visit.say(mark("Choose whether there was a plan."))
        plan = form.choice("plan", ("yes", "no"), missing=missing)
        if form.errors:
            return self._show_close(visit, words, form)
        closes = {"reason": reason, "goals_reached": goals, "plan_made": plan == "yes"}
        request = Close(
            professional=visit.session.held.professional,
            occasion=occasion.number,
            closes=CloseOccasion.model_validate(closes),
        )
        results = await attempt(form, visit, self._desk.service.close_occasion(request))
        if results is None:
            return self._show_close(visit, words, form)
        notice = mark("The occasion is closed. Nobody can ask on it any more.")
        return go_on(visit, results, occasion, words, notice, then="/own")

    def _show(self, visit: Visit[Staff], words: Words, form: Form) -> Response:
        occasion = require_occasion(visit, self._desk)
        context = {
            "form": form,
            "head": build_head(occasion, words),
            "team": [build_worker(one, words, visit) for one in occasion.handlers],
            "roles": [(role, words.name(role)) for role in ROLES],
            "leaves": (LEAVES, visit.say(mark("Leaves the team"))),
        }
        if form.errors:
            return visit.render_refused("own_team.html", context)
        return visit.render("own_team.html", context)

    def _show_close(self, visit: Visit[Staff], words: Words, form: Form) -> Response:
        occasion = require_occasion(visit, self._desk)
        context = {
            "form": form,
            "head": build_head(occasion, words),
            "reasons": [(code, words.say(f"reason_{code}")) for code in REASONS],
            "goals": [(code, words.say(f"goals_reached_{code}")) for code in GOALS],
        }
        if form.errors:
            return visit.render_refused("own_close.html", context)
        return visit.render("own_close.html", context)


def _read_kept(form: Form, number: int, handler: Handler, visit: Visit[Staff]) -> Handler | None:
    """Return somebody of the team with the role that was chosen; None for who leaves."""
    missing = visit.say(mark("Choose what this colleague does."))
    role = form.choice(f"role-{number}", (*ROLES, LEAVES), missing=missing)
    if role in ("", LEAVES):
        return None
    if role == handler.role:
        return handler
    now = visit.now.replace(microsecond=0)
    members = {**handler.model_dump(), "role": role, "from_at": now}
    return Handler.model_validate(members)


def _read_new(form: Form, visit: Visit[Staff], now: datetime) -> Handler | None:
    """Return the colleague who joins, if one is named."""
    spelled = derive_staff_id(form.value("staff"))
    if not spelled:
        return None
    if not _FITS.fullmatch(spelled):
        form.refuse("staff", visit.say(mark("Write the name that the colleague logs in with.")))
    missing = visit.say(mark("Choose what this colleague does."))
    role = form.choice("role", ROLES, missing=missing)
    until = read_date(form, "until", visit, is_optional=True)
    ends = build_end(until) if until else None
    if ends is not None and ends <= clock.now():
        form.refuse("until", visit.say(mark("This day is over. Choose a later one.")))
    if form.errors:
        return None
    members = {"professional": spelled, "role": role, "from_at": now, "until_at": ends}
    return Handler.model_validate(members)


def build_routes(site: Site[Staff], desk: StaffDesk) -> tuple[Route, ...]:
    """Return the routes of these screens."""
    screen = _Team(desk)
    return (
        site.get("/own/{occasion}/team", screen.show),
        site.post("/own/{occasion}/team", screen.hand_over),
        site.get("/own/{occasion}/close", screen.show_close),
        site.post("/own/{occasion}/close", screen.close),
    )
