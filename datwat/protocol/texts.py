"""Texts for codes, in Dutch (B1) and English, rendered with the parameters of a finding. Pure.

Rule enforced: the engine emits codes and parameters, people read sentences. They lie in the signed
bundle, so that broker, portal and connector say the same. A code without text is an error where it
can be mended (`require_text`, tests); for a reader it is the code itself, never nothing. A
parameter is filled in as text only: a template cannot reach into it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from datwat.protocol.catalogue import Language
from datwat.protocol.errors import DatwatError
from datwat.protocol.values import decode_moment

LANGUAGES: tuple[Language, ...] = ("nl", "en")
Param = str | int | Sequence[str]
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_MONTHS: dict[Language, str] = {
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "en": "January February March April May June July August September October November December",
}


class TextMissingError(DatwatError):
    """A code has no text, or its text asks for a parameter that is not given."""

    code = "text_missing"
    default_detail = "A code has no text: add it to policies/texts in both languages."


class Texts:
    """The texts of one bundle, by language and code."""

    def __init__(self, data: Mapping[str, Mapping[str, str]]) -> None:
        self._data = data
        asking = {code for texts in data.values() for code, text in texts.items() if "{" in text}
        self._fixed = frozenset(code for texts in data.values() for code in texts) - asking

    def find_text(
        self, code: str, language: Language, params: Mapping[str, Param] | None = None
    ) -> str | None:
        """Return the sentence for `code`; None without a text or a parameter that it asks for."""
        template = self._data.get(language, {}).get(code)
        if template is None:
            return None
        if "{" not in template:  # most of them, and a page of a resident's log has hundreds
            return template
        given = params or {}
        if not set(_PLACE.findall(template)) <= set(given):
            return None
        return _PLACE.sub(lambda place: self._write(given[place[1]], language), template)

    def is_fixed(self, code: str) -> bool:
        """Tell whether there are sentences for `code` that ask for no parameter."""
        return code in self._fixed

    def render(
        self, code: str, language: Language, params: Mapping[str, Param] | None = None
    ) -> str:
        """Return the sentence for `code`, or the code itself: no reader is left with nothing."""
        return self.find_text(code, language, params) or code

    def require_text(
        self, code: str, language: Language, params: Mapping[str, Param] | None = None
    ) -> str:
        """Return the sentence for `code`; raise TextMissingError, naming the code."""
        text = self.find_text(code, language, params)
        if text is None:
            raise TextMissingError(place=f"{language}.{code}")
        return text

    def find_missing(self, codes: Sequence[str]) -> list[str]:
        """Return `language.code` for every code without a text, in order."""
        return [
            f"{language}.{code}"
            for language in LANGUAGES
            for code in sorted(codes)
            if code not in self._data.get(language, {})
        ]

    def _write(self, value: Param, language: Language) -> str:
        """Return a parameter as people read it: a date in words, a code by its text."""
        if isinstance(value, int):
            return str(value)
        if not isinstance(value, str):
            return ", ".join(self._write(item, language) for item in value)
        try:
            day = decode_moment(value)
        except ValueError:
            return self._data.get(language, {}).get(value, value)
        return f"{day.day} {_MONTHS[language].split()[day.month - 1]} {day.year}"
