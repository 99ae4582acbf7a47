"""What the codes of the register and of the fact sheet are called on their pages. Pure.

Rule: the file says codes, for programs; the page says the same in words. What is not known by now
stands there as its code, never as nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Final

from broker.pages.purpose_words import bare
from broker.policy.draft_reading import Ground
from broker.purposes.naming import Namer
from broker.transparency.dpia import Fact
from broker.transparency.oversight_words import Language
from broker.transparency.register_words import say_register

_PURPOSES: Final = ("purposes", "articles_open", "no_objection_possible", "by_consent", "by_duty")
_FIELDS: Final = ("fields_special", "fields_labelled", "fields_never_given")
_KINDS: Final = ("kinds", "kinds_of_children", "kinds_capped")
# A code with something beside it: `addiction_care (contact)`, `child_safety (28 + 14)`.
_WITH: Final = re.compile(r"([a-z0-9_]+) \((.+)\)")


class RegisterNames:
    """The names in one language, by the bundle in force."""

    def __init__(self, ground: Ground, language: Language) -> None:
        """Keep what names things."""
        self._language = language
        self._texts = ground.texts
        self._namer = Namer(ground.catalogue, ground.texts, language)

    def kind(self, code: str) -> str:
        """Return what a kind of involvement is called."""
        return bare(self._namer.kind(code))

    def category(self, said: str) -> str:
        """Return what a category of data is called: a product, or one of our own."""
        product = self._namer.catalogue.products.get(said.partition(": ")[0])
        return self._namer.choose(product.title) if product else say_register(said, self._language)

    def fields(self, paths: Iterable[str]) -> list[str]:
        """Return fields (`product.path`) by product: its title, and theirs."""
        found: dict[str, list[str]] = {}
        for one in paths:
            name, _, path = one.partition(".")
            product = self._namer.catalogue.products.get(name)
            titles = {each.field: each.title for each in product.fields} if product else {}
            said = self._namer.choose(titles[path]) if path in titles else path
            title = self._namer.choose(product.title) if product else name
            found.setdefault(title, []).append(said)
        return [f"{title}: {', '.join(fields)}" for title, fields in found.items()]

    def fact(self, fact: Fact) -> list[str]:
        """Return the words of a fact of the sheet."""
        said = self._facts.get(fact.code)
        return said(fact.words) if said else [self._say(one) for one in fact.words]

    @cached_property
    def _facts(self) -> dict[str, Callable[[Iterable[str]], list[str]]]:
        """How the words of each fact are said, but for those that the register's own words say."""
        return {
            **dict.fromkeys(_PURPOSES, lambda words: [self._purpose(one) for one in words]),
            **dict.fromkeys(_FIELDS, self.fields),
            **dict.fromkeys(_KINDS, lambda words: [self.kind(one) for one in words]),
            "told_later": self._say_grounds,
            "rails_caps": self._say_caps,
            "rails_never": self._say_never,
        }

    def _say(self, code: str) -> str:
        return say_register(code, self._language)

    def _purpose(self, code: str) -> str:
        held = self._namer.catalogue.find_newest(code)
        return self._namer.choose(held.title) if held else code

    def _say_grounds(self, words: Iterable[str]) -> list[str]:
        said = ((self._texts.render(one, self._language), days) for one, days in map(_split, words))
        return [f"{ground} ({days})" for ground, days in said]

    def _say_caps(self, words: Iterable[str]) -> list[str]:
        pairs = map(_split, words)
        return [f"{self.kind(kind)}: {self._namer.rung(rung)}" for kind, rung in pairs]

    def _say_never(self, words: Iterable[str]) -> list[str]:
        """Return each kind once, with all the domains for which it is never shown."""
        found: dict[str, list[str]] = {}
        for kind, domain in map(_split, words):
            found.setdefault(kind, []).append(bare(self._namer.domain(domain)))
        return [f"{self.kind(kind)} ({', '.join(sorted(named))})" for kind, named in found.items()]


def _split(word: str) -> tuple[str, str]:
    """Return a code and what stands beside it; nothing where nothing does."""
    found = _WITH.fullmatch(word)
    return (found[1], found[2]) if found else (word, "")
