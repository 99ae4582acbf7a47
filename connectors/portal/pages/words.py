"""Words for what has a code in the policy bundle: purposes, kinds of help, products, domains.

Rule: what a resident reads of a code is its text in the signed bundle, and the code where there is
none; never nothing. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

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
        found = self.view.purposes.get(purpose_id)
        return found.title.render(self.code) if found else purpose_id

    def sentence(self, purpose_id: str) -> str:
        """Return what a purpose is for, in a sentence; nothing where it is not known any more."""
        found = self.view.purposes.get(purpose_id)
        return found.sentence.render(self.code) if found else ""

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
        held = [
            one
            for one in self.view.purposes.values()
            if one.valid_from <= now
            and (one.valid_until is None or now < one.valid_until)
            and one.id != OWN_ACCESS
        ]
        return sorted(held, key=lambda one: one.title.render(self.code))


# A resident's own look at what is recorded about them.
OWN_ACCESS = "own_access"
