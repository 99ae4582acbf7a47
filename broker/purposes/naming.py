"""What things are called in the controlled language: each name stands for one thing only.

Rule enforced: two functions, kinds, domains, occasions or products whose texts are the same are
told apart by their id, and free text stands between quotes that it cannot close, so that two
purposes that are weighed otherwise never read the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import get_args

from broker.purposes.catalogue import Catalogue
from broker.purposes.models import AgeBand, Domain, OccasionKind, Wording
from broker.purposes.phrases import (
    AGES,
    GIVER_NAMES,
    LABEL_NAMES,
    MODE_NAMES,
    NOBODY,
    RUNG_NAMES,
    Phrase,
)
from datwat.protocol.catalogue import Language
from datwat.protocol.texts import Texts
from datwat.protocol.values import encode_moment
from datwat.web.dates import ZONE, say_moment

_LAST_LOCAL_YEAR = 9_998  # a moment of the year after has no local time that can be written
_NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\\]")


def choose(wording: Wording, language: Language) -> str:
    """Return a text in one language."""
    return wording.nl if language == "nl" else wording.en


def quote(text: str) -> str:
    """Return free text between quotes that nothing in it can close, on one line."""
    shown = _NOT_PLAIN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return f"“{shown.replace('”', '””')}”"


class Namer:
    """The names of everything in one catalogue, in one language."""

    def __init__(self, catalogue: Catalogue, texts: Texts, language: Language) -> None:
        """Keep what names are looked up in; nothing is named before it is asked for."""
        self.catalogue = catalogue
        self.language = language
        self._texts = texts

    def say(self, phrase: Phrase, *values: object) -> str:
        """Return a phrase in this language with its values."""
        return phrase[self.language == "en"].format(*values)

    def choose(self, wording: Wording) -> str:
        """Return a text in this language."""
        return choose(wording, self.language)

    def function(self, code: str) -> str:
        """Return the name of a function of organisations."""
        return self._functions.get(code, f"[{code}]")

    def kind(self, code: str) -> str:
        """Return the name of a kind of involvement."""
        return self._kinds.get(code, f"[{code}]")

    def domain(self, code: str) -> str:
        """Return the name of a domain."""
        return self._domains.get(code, f"[{code}]")

    def occasion(self, code: str) -> str:
        """Return the name of a kind of occasion."""
        return self._occasions.get(code, f"[{code}]")

    def product(self, code: str) -> str:
        """Return the title of a data product."""
        return self._products.get(code, f"[{code}]")

    def field(self, product: str, path: str) -> str:
        """Return the title of a field and its path, which is its name at the source."""
        held = self.catalogue.products.get(product)
        for item in held.fields if held else ():
            if item.field == path:
                return f"{quote(self.choose(item.title))} ({path})"
        return path

    def rung(self, code: str) -> str:
        """Return the name of a rung of the ladder."""
        return self.say(RUNG_NAMES[code])

    def mode(self, code: str) -> str:
        """Return how a source gives."""
        return self.say(MODE_NAMES[code])

    def label(self, code: str) -> str:
        """Return what guards a field."""
        return self.say(LABEL_NAMES[code])

    def givers(self, rule: str) -> str:
        """Return who decides by a rule on consent, from young to old."""
        by_age: Mapping[AgeBand, tuple[str, ...]] = {
            band: givers
            for name, ages in self.catalogue.covenant.consent_givers.items()
            if name == rule
            for band, givers in ages.items()
        }
        return "; ".join(
            self.say(
                AGES[band],
                self.join([self.say(GIVER_NAMES[giver]) for giver in by_age.get(band, ())], "or")
                or self.say(NOBODY),
            )
            for band in get_args(AgeBand)
        )

    def moment(self, moment: datetime) -> str:
        """Return a moment as people in the Netherlands say it, and exactly."""
        exact = encode_moment(moment)
        if moment.year > _LAST_LOCAL_YEAR:
            return exact
        return f"{say_moment(moment, self.language)} ({exact})"

    def plain_moment(self, moment: datetime) -> str:
        """Return a moment as people say it; exactly where only that tells it from another."""
        if moment.year > _LAST_LOCAL_YEAR:
            return encode_moment(moment)
        local = moment.astimezone(ZONE)
        is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        if is_twice:  # the hour in which summer time ends
            return self.moment(moment)
        said = say_moment(moment, self.language)
        return said.replace(f"{local:%H:%M}", f"{local:%H:%M:%S}") if local.second else said

    def join(self, names: Iterable[str], how: str = "and") -> str:
        """Return a list of names as one part of a sentence."""
        items = list(names)
        word = {"and": ("en", "and"), "or": ("of", "or")}[how][self.language == "en"]
        if not items:
            return ""
        *first, last = items
        return f"{', '.join(first)} {word} {last}" if first else last

    @cached_property
    def _functions(self) -> dict[str, str]:
        return self._tell_apart(self.catalogue.covenant.functions)

    @cached_property
    def _kinds(self) -> dict[str, str]:
        return self._tell_apart(self.catalogue.kinds)

    @cached_property
    def _domains(self) -> dict[str, str]:
        return self._tell_apart(get_args(Domain))

    @cached_property
    def _occasions(self) -> dict[str, str]:
        return self._tell_apart(get_args(OccasionKind))

    @cached_property
    def _products(self) -> dict[str, str]:
        products = self.catalogue.products
        return _with_ids({code: self.choose(one.title) for code, one in products.items()})

    def _tell_apart(self, codes: Iterable[str]) -> dict[str, str]:
        texts = {code: code.replace("-", "_") for code in codes}
        return _with_ids(
            {code: self._texts.render(text, self.language) for code, text in texts.items()}
        )


def _with_ids(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names between quotes, with its id behind one that could be read as another's."""
    times = Counter(name.casefold() for name in names.values())
    said = {}
    for code, name in names.items():
        is_odd = "’" in name or bool(_NOT_PLAIN.search(name))
        shown = quote(name) if is_odd else f"‘{name}’"
        is_shared = times[name.casefold()] > 1
        said[code] = f"{shown} [{code}]" if is_odd or is_shared else shown
    return said
