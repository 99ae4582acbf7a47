"""What is typed at an item: which list, the language, the answer that it makes. Pure.

Rule: what is missing or does not fit is noted beside its field, and nothing is done.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Final, cast

from pydantic import ValidationError

from broker.exchange.answering_blocks import Language
from broker.exchange.answering_desk import OUTCOMES, Controller, Given
from broker.exchange.answering_lists import LISTS, Listed, ListName
from broker.pages.officer import Officer
from datwat.party.problems import NotFoundError
from datwat.protocol.acts import Professional
from datwat.web.dates import ZONE
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Visit

_ROLE: Final = "privacyfunctionaris"
_SHORTEST: Final = 10
_SILENT: Final = frozenset({"open", "letter_given"})


def read_given(visit: Visit[Officer], one: Listed, form: Form, text: str) -> Given | None:
    """Return what is answered; what is missing is noted in the form."""
    allowed = OUTCOMES[one.list]
    outcome = allowed[0]
    if len(allowed) > 1:
        outcome = form.choice(
            "outcome", allowed, missing=visit.say(mark("Choose what you decide."))
        )
    controller = None
    if one.list == "objections":
        missing = visit.say(mark("Say whose decision it is."))
        controller = form.choice("controller", ("public", "other"), missing=missing)
    if outcome not in _SILENT and len(text) < _SHORTEST:
        form.refuse("text", visit.say(mark("Write a few words. The resident reads them.")))
    role = form.text("role", most=80, too_long=visit.say(mark("Make this text shorter.")))
    until_at = read_day(visit, form) if outcome == "renew" else None
    if form.errors:
        return None
    try:
        by = Professional(id=visit.session.held.acting.staff, role=role or _ROLE)
    except ValidationError:
        form.refuse("role", visit.say(mark("Use letters, digits and spaces only.")))
        return None
    return Given(
        by=by,
        outcome=outcome,
        text=text,
        controller=cast("Controller", controller) if controller else None,
        until_at=until_at,
    )


def read_list(visit: Visit[Officer]) -> ListName:
    """Return the list that the address names; raise NotFoundError."""
    for name in LISTS:
        if visit.request.path_params["list"] == name:
            return name
    raise NotFoundError


def read_language(form: Form) -> Language:
    """Return in which language the answer is: Dutch unless English was chosen."""
    return "en" if form.value("language") == "en" else "nl"


def read_day(visit: Visit[Officer], form: Form) -> datetime | None:
    """Return the end of a day as it was typed, such as 2026-12-31, in the country's time."""
    missing = visit.say(mark("Write the last day of the term, such as 2026-12-31."))
    try:
        day = datetime.strptime(form.value("until").strip(), "%Y-%m-%d").date()  # noqa: DTZ007 - a day
    except ValueError:
        form.refuse("until", missing)
        return None
    return datetime.combine(day, time(23, 59), ZONE).astimezone(UTC)
