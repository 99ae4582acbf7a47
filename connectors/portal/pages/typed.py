"""What somebody types or chooses of: one line of text of a length that fits, one of some.

Rule: nothing of it is lost without a word; lines are joined by a space, because the log keeps none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from connectors.portal.resident import Resident
from datwat.protocol.free_text import has_number
from datwat.web.forms import Form
from datwat.web.i18n import mark
from datwat.web.site import Visit

MOST: Final = 2_000
MOST_BUTTONS: Final = 15
# What `PlainText` refuses: control characters, line separators, turns of the writing direction.
_REFUSED: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen of: (value, text) or (value, text, hint); many are a list to open."""

    pairs: list[tuple[str, ...]]
    is_long: bool


def build_options(visit: Visit[Resident], pairs: Sequence[tuple[str, ...]]) -> Options:
    """Return what can be chosen of; a list to open begins with no choice and has no hints."""
    if len(pairs) <= MOST_BUTTONS:
        return Options(list(pairs), is_long=False)
    first = ("", visit.say(mark("Choose from the list")))
    return Options([first, *(pair[:2] for pair in pairs)], is_long=True)


def read_typed(visit: Visit[Resident], form: Form, name: str, missing: str) -> str:
    """Return the text of a field as one line, and note in the form what is wrong with it."""
    line = join_lines(form.text(name, most=10 * MOST, missing=missing))
    if line and not form.errors and has_number(line):
        form.refuse(name, visit.say(mark("Leave your citizen service number out of your text.")))
    if len(line) > MOST:
        sentence = mark("Your text is %(many)s signs too long. Make it shorter.")
        form.refuse(name, visit.say(sentence, many=len(line) - MOST))
    return line


def read_day(visit: Visit[Resident], form: Form, name: str, typed: str) -> date | None:
    """Return a day; None where none was typed, or where it is none, which the form notes."""
    if not typed.strip():
        return None
    for pattern in ("%Y-%m-%d", "%d-%m-%Y"):  # as a browser sends it, and as people type it
        try:
            return datetime.strptime(typed.strip(), pattern).date()  # noqa: DTZ007 - a day, in no zone
        except ValueError:
            continue
    form.refuse(name, visit.say(mark("Give a date: day, month and year.")))
    return None


def read_days(
    visit: Visit[Resident], form: Form, since: str, until: str
) -> tuple[date | None, date | None]:
    """Return the first and the last day of a period, as `read_day` does; they are in this order."""
    first = read_day(visit, form, "since", since)
    last = read_day(visit, form, "until", until)
    if first and last and last < first:
        form.refuse("until", visit.say(mark("Choose a last day that is not before the first day.")))
    return first, last


def join_lines(text: str) -> str:
    """Return a text without line ends, tabs and signs that a log refuses; pure."""
    return _REFUSED.sub("", " ".join(text.split()))
