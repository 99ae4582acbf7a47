"""How somebody looks at their log in this session: what they filter by, and where each page begins.

Rules: an organisation or a period that somebody looks for is about them, so that it is kept in the
session and never in an address; a place in the log is the broker's own opaque cursor. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal, get_args

from connectors.portal.pages.log_results import Result, find_result
from connectors.portal.pages.typed import read_days
from connectors.portal.resident import Resident
from datwat.protocol.access_log import AccessCard
from datwat.web.dates import find_day
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Visit

Group = Literal["shared", "not_shared", "recorded"]
GROUPS: Final[dict[Group, frozenset[Result]]] = {
    "shared": frozenset({"shared", "partly"}),
    "not_shared": frozenset({"refused", "nothing", "contact"}),
    "recorded": frozenset({"recorded"}),
}
FIELDS: Final = ("since", "until", "organisation", "result")
LONGEST_NAME: Final = 100
_MOST_NAMES: Final = 100


@dataclass(frozen=True, slots=True)
class Filters:
    """What must hold of an entry; what is empty asks nothing. Days as in the Netherlands."""

    since: date | None = None
    until: date | None = None
    organisation: str = ""
    result: Group | None = None

    def __bool__(self) -> bool:
        return self != Filters()

    def fits(self, card: AccessCard) -> bool:
        """Tell whether a card is looked for."""
        day = find_day(card.at)
        return (
            (self.since is None or self.since <= day)
            and (self.until is None or day <= self.until)
            and self.organisation.casefold() in card.requester_name.casefold()
            and (self.result is None or find_result(card) in GROUPS[self.result])
        )

    def is_past(self, card: AccessCard) -> bool:
        """Tell whether nothing that is listed after this card can fit any more.

        The list follows the log, so that what was told later stands where it was told: only the
        moment of the entry itself says that all after it is older.
        """
        written_at = card.told_later_at or card.at
        return self.since is not None and find_day(written_at) < self.since


@dataclass(frozen=True, slots=True)
class Start:
    """Where a page begins: the broker's cursor, and how many cards after it were shown already."""

    before: str | None = None
    skip: int = 0


@dataclass
class LogView:
    """One person's view: filters, the beginnings of the pages seen so far, names seen so far."""

    filters: Filters = Filters()
    starts: list[Start] = field(default_factory=lambda: [Start()])
    names: dict[str, None] = field(default_factory=dict, repr=False)

    def begin(self, filters: Filters) -> None:
        """Look for something else, from the newest on."""
        self.filters = filters
        self.starts = [Start()]

    def find_start(self, page: int) -> Start | None:
        """Return where a page begins, counted from 1; None for one that nobody came to yet."""
        return self.starts[page - 1] if 0 < page <= len(self.starts) else None

    def keep(self, page: int, following: Start | None, cards: tuple[AccessCard, ...]) -> None:
        """Remember where the page after this one begins, and which names were seen."""
        self.starts = self.starts[:page] + ([following] if following else [])
        for card in cards:
            if len(self.names) < _MOST_NAMES:
                self.names.setdefault(card.requester_name)


def find_view(visit: Visit[Resident]) -> LogView:
    """Return how whose pages are shown now looks at their log."""
    held = visit.held
    view: LogView = held.kept.setdefault(("log", held.viewing), LogView())
    return view


def read_filters(visit: Visit[Resident], form: Form) -> Filters:
    """Return what a form asks for, and note in it what is wrong."""
    since, until = read_days(visit, form, form.value("since"), form.value("until"))
    organisation = form.text(
        "organisation",
        most=LONGEST_NAME,
        too_long=visit.say(mark("Make the name shorter: a part of it is enough.")),
    )
    chosen = form.value("result")
    result = next((group for group in get_args(Group) if group == chosen), None)
    return Filters(since, until, organisation, result)


def fill_form(form: Form, filters: Filters) -> Form:
    """Return a form that shows what is looked for now."""
    form.values = {
        "since": (filters.since.isoformat() if filters.since else "",),
        "until": (filters.until.isoformat() if filters.until else "",),
        "organisation": (filters.organisation,),
        "result": (filters.result or "",),
    }
    return form
