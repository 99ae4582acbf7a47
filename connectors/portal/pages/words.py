"""Words for what has a code in the policy bundle: purposes, kinds of help, products, domains.

Rule: what a resident reads of a code is its text in the signed bundle, and the code where there is
none; never nothing. A purpose is called what it is called now, also where what is told of is past.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from datwat.party import clock
from datwat.protocol.bundle import Bundle
from datwat.protocol.catalogue import CatalogueView, PurposeView
from datwat.protocol.texts import Texts
from datwat.web.i18n import Code


@dataclass(frozen=True)
class Words:
    """The words of one bundle in one language."""

    texts: Texts = field(repr=False)
    view: CatalogueView = field(repr=False)
    code: Code
    now: datetime = field(default_factory=clock.now)

    @classmethod
    def of(cls, bundle: Bundle, code: Code) -> Words:
        """Return the words of a bundle."""
        return cls(Texts(bundle.texts), bundle.view, code)

    def say(self, code: str) -> str:
        """Return the text of a code: a kind of help, a domain, a finding."""
        return self.texts.render(code, self.code)

    def say_first(self, code: str) -> str:
        """Return the text of a code as a sentence begins."""
        text = self.say(code)
        return text[:1].upper() + text[1:]

    def purpose(self, purpose_id: str) -> str:
        """Return the title of a purpose."""
        found = self.view.find_shown(purpose_id, self.now)
        return found.title.render(self.code) if found else purpose_id

    def sentence(self, purpose_id: str) -> str:
        """Return what a purpose is for, in a sentence; nothing where it is not known any more."""
        found = self.view.find_shown(purpose_id, self.now)
        return found.sentence.render(self.code) if found else ""

    def find_cited(self, purpose_id: str, digest: str) -> PurposeView | None:
        """Return the revision that a question named; what the purpose is now where that is gone."""
        exact = self.view.find_purpose(purpose_id, digest)
        return exact or self.view.find_shown(purpose_id, self.now)

    def product(self, product_id: str) -> str:
        """Return the title of a set of data."""
        found = self.view.products.get(product_id)
        return found.title.render(self.code) if found else product_id

    def field(self, product_id: str, path: str) -> str:
        """Return the title of one of its fields."""
        product = self.view.products.get(product_id)
        found = product.find_field(path) if product else None
        return found.title.render(self.code) if found else path

    def list_purposes(self, now: datetime) -> list[PurposeView]:
        """Return the purposes in force for which somebody may ask about people, by title."""
        held = [one for one in self.view.list_in_force(now) if one.id != OWN_ACCESS]
        return sorted(held, key=lambda one: one.title.render(self.code))


# A resident's own look at what is recorded about them.
OWN_ACCESS = "own_access"
