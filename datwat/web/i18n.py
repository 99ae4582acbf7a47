"""Texts in two languages: English in the sources, Dutch from the catalogues; Dutch first.

Rule: which language is a cookie that says nothing else, and never a guess from what a browser
sends; a text without a translation is shown in English, and fails `make lint`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final, Literal

from babel.messages.pofile import read_po
from starlette.requests import Request
from starlette.responses import Response

from datwat.web import dates

Code = Literal["nl", "en"]
LANGUAGES: Final[tuple[Code, ...]] = ("nl", "en")
COOKIE: Final = "datwat-language"
QUERY: Final = "lang"
LOCALE: Final = Path(__file__).parent / "locale"
_SECONDS: Final = 31_536_000


def mark(text: str) -> str:
    """Return the text as it is: what is marked so gets into the catalogue, and is said later."""
    return text


@dataclass(frozen=True)
class Speech:
    """How a language says our texts and dates."""

    code: Code
    texts: Mapping[str, str] = field(repr=False)
    plurals: Mapping[str, tuple[str, ...]] = field(repr=False)

    def gettext(self, text: str) -> str:
        """Return a text in this language."""
        return self.texts.get(text, text)

    def ngettext(self, one: str, many: str, number: int) -> str:
        """Return the form for a number of things."""
        singular, plural = self.plurals.get(one, (one, many))
        return singular if number == 1 else plural

    def say(self, text: str, **values: str | int) -> str:
        """Return a marked text in this language, with its values filled in: plain, not HTML."""
        return self.gettext(text) % values if values else self.gettext(text)

    def say_date(self, moment: date | datetime) -> str:
        """See `dates.say_date`."""
        return dates.say_date(moment, self.code)

    def say_month(self, month: date) -> str:
        """See `dates.say_month`."""
        return dates.say_month(month, self.code)

    def say_day(self, moment: date | datetime) -> str:
        """See `dates.say_day`."""
        return dates.say_day(moment, self.code)

    def say_time(self, moment: datetime) -> str:
        """See `dates.say_time`."""
        return dates.say_time(moment, self.code)

    def say_moment(self, moment: datetime) -> str:
        """See `dates.say_moment`."""
        return dates.say_moment(moment, self.code)

    def say_period(self, start: date | datetime, end: date | datetime) -> str:
        """See `dates.say_period`."""
        return dates.say_period(start, end, self.code)


def load_speeches(locales: Iterable[Path] = ()) -> dict[Code, Speech]:
    """Return both languages; `locales` are folders beside our own, each with its catalogues."""
    texts: dict[str, str] = {}
    plurals: dict[str, tuple[str, ...]] = {}
    for folder in (LOCALE, *locales):
        for path in sorted((folder / "nl" / "LC_MESSAGES").glob("*.po")):
            with path.open("rb") as file:
                catalogue = read_po(file, locale="nl")
            for message in catalogue:
                if isinstance(message.id, str) and isinstance(message.string, str):
                    texts[message.id] = message.string
                elif message.string:
                    plurals[message.id[0]] = tuple(message.string)
    return {"nl": Speech("nl", texts, plurals), "en": Speech("en", {}, {})}


def find_language(request: Request) -> Code:
    """Return what the address asks for, else what the cookie holds, else Dutch."""
    for held in (request.query_params.get(QUERY), request.cookies.get(COOKIE)):
        for code in LANGUAGES:
            if held == code:
                return code
    return "nl"


def keep_language(response: Response, code: Code, *, is_secure: bool) -> None:
    """Keep a language for a year, in a cookie that says nothing else."""
    response.set_cookie(
        COOKIE,
        code,
        max_age=_SECONDS,
        path="/",
        secure=is_secure,
        httponly=True,
        samesite="lax",
    )
