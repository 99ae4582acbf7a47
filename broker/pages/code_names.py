"""What codes are called on pages: purposes, partners, data, conditions, what a case expects."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Final

from broker.pages.purpose_words import bare
from broker.purposes.naming import Namer
from datwat.protocol.texts import Texts
from datwat.web.i18n import mark

Say = Callable[..., str]
# What a case expects, beside the conditions of each blade.
MEMBERS: Final[dict[str, str]] = {
    "permit": mark("Permitted"),
    "stated_permit": mark("Permitted by what was stated"),
    "rung": mark("How far it goes"),
    "open_rung": mark("How far is open by what was stated"),
    "fields": mark("What is given"),
    "withheld": mark("What is withheld, and why"),
    "notice": mark("When the resident sees it"),
    "audience": mark("Who sees it"),
    "obligations": mark("Duties"),
    "remedies": mark("What is possible instead"),
    "caps": mark("How far each kind of help is shown"),
    "asked": mark("Who is asked"),
    "asked_domains": mark("About what is asked"),
    "cannot_see": mark("What stays invisible"),
    "basis": mark("What it rests on"),
    "params": mark("What is said beside a condition"),
    "weighed": mark("Which conditions are weighed"),
    "expires_days": mark("Ends after, in days"),
    "retention_days": mark("Kept for, in days"),
}
# Codes whose text says something else where a case expects them.
_OWN: Final[dict[tuple[str, str], str]] = {
    ("notice", "now"): mark("at once"),
    ("notice", "later"): mark("later"),
    ("audience", "open"): mark("everybody who may see the log of the resident"),
    ("audience", "own"): mark("only the resident"),
}
_RUNG_MEMBERS: Final = ("rung", "open_rung", "caps")
# What a text leaves open that is told without its moment or number.
_OPEN: Final = dict.fromkeys(("asked", "open", "purpose", "days", "date"), "…")
_NOTHING: Final = "–"


class CodeNames:
    """The names in one language, by the bundle and the trust list in force."""

    def __init__(
        self, namer: Namer, texts: Texts, say: Say, name_partner: Callable[[str], str]
    ) -> None:
        """Keep what names things; `name_partner` gives a dash for who takes part no more."""
        self.language = namer.language
        self._namer, self._texts, self._say = namer, texts, say
        self._name_partner = name_partner

    def code(self, code: str) -> str:
        """Return the text of a code; what it leaves open is left open."""
        text = self._texts.find_text(code, self.language, _OPEN) or code
        return text.replace("….", "…")

    def purpose(self, code: str | None) -> str:
        """Return what a purpose is called; one that is not in force by its id."""
        held = self._namer.catalogue.find_newest(code) if code is not None else None
        return self._namer.choose(held.title) if held is not None else code or _NOTHING

    def partner(self, party: str) -> str:
        """Return what a partner is called; who takes part no more by its function."""
        name = self._name_partner(party)
        function = party.rpartition(":")[2]
        return name if name.strip("-–") else bare(self._namer.function(function))

    def occasion(self, code: str | None) -> str:
        """Return what an occasion is called."""
        return bare(self._namer.occasion(code)) if code else _NOTHING

    def rung(self, code: str) -> str:
        """Return what a step of the ladder is called."""
        return self._namer.rung(code)

    def changes(self, counts: Iterable[tuple[str, int]]) -> str:
        """Return what came or went, each with how often; `field:…`, `kind:…`, `obligation:…`."""
        return "; ".join(f"{self._change(name)} ({count})" for name, count in counts) or _NOTHING

    def conditions(self, codes: Iterable[str]) -> str:
        """Return the conditions that were not met."""
        return " ".join(map(self.code, codes)) or _NOTHING

    def member(self, name: str) -> str:
        """Return what a member of an expectation is called."""
        return self._say(MEMBERS[name]) if name in MEMBERS else name

    def value(self, member: str, shown: str) -> str:
        """Return a value of an expectation, which is handed over as Python writes it, in words."""
        try:
            value = ast.literal_eval(shown)
        except (ValueError, SyntaxError):
            return shown
        if isinstance(value, bool):
            return self._say(mark("yes")) if value else self._say(mark("no"))
        if isinstance(value, dict) and member == "withheld":
            return self._group(value)
        if isinstance(value, dict):
            lines = (f"{self._key(member, key)}: {self._part(member, value[key])}" for key in value)
            return "; ".join(lines) or _NOTHING
        if isinstance(value, list | tuple):
            return ", ".join(self._part(member, one) for one in value) or _NOTHING
        return _NOTHING if value in (None, "") else self._part(member, value)

    def field(self, path: str) -> str:
        """Return what a datum is called, with its path where sources call it otherwise."""
        titles = self._titles_by_field.get(path, ())
        return next(iter(titles)) if len(titles) == 1 else path

    def holder(self, member: str, code: str) -> str:
        """Return what a code is called that stands in a member of a line or of who may ask."""
        match member:
            case "field":
                return self.field(code)
            case "product":
                return bare(self._namer.product(code))
        return bare(self._namer.function(code))

    def _change(self, name: str) -> str:
        kind, _, rest = name.partition(":")
        match kind:
            case "field":
                return self.field(rest)
            case "kind":
                return self._kind(rest)
        return self.code(rest)

    def _kind(self, name: str) -> str:
        """Return `function/kind` in words: who, and which help where that is called otherwise."""
        function, _, kind = name.partition("/")
        said = [bare(self._namer.function(function)), bare(self._namer.kind(kind))]
        return ", ".join(dict.fromkeys(said))

    def _group(self, withheld: dict[str, str]) -> str:
        """Return what is withheld by the reason for it."""
        found: dict[str, list[str]] = {}
        for path, reason in withheld.items():
            found.setdefault(self.code(reason), []).append(self.field(path))
        said = (f"{reason} ({', '.join(sorted(held))})" for reason, held in sorted(found.items()))
        return " ".join(said) or _NOTHING

    def _key(self, member: str, key: object) -> str:
        return self._kind(str(key)) if member == "caps" else self.code(str(key))

    def _part(self, member: str, value: object) -> str:
        if not isinstance(value, str):
            return str(value)
        own = _OWN.get((member, value))
        if own is not None:
            return self._say(own)
        if member in _RUNG_MEMBERS:
            return " / ".join(map(self._namer.rung, value.split("/")))
        if member == "asked":
            return bare(self._namer.function(value))
        return self.field(value) if member == "fields" else self.code(value)

    @cached_property
    def _titles_by_field(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for product in self._namer.catalogue.products.values():
            for one in product.fields:
                found[one.field].add(self._namer.choose(one.title))
        return found
