"""What anyone needs of the catalogue in the bundle: purposes with their edges, products, kinds.

A gateway holds an order against these: the fields of the edge from this source to that requester,
within this purpose at this digest, and the size class to which each value is padded. What is
here is read from signed data; what only Rego weighs is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from datwat.protocol.errors import ProtocolError
from datwat.protocol.messages import Digest, FieldPath, Rung
from datwat.protocol.values import Moment, PlainText, ShortText, Slug, Value

DEFAULT_SIZE_CLASS = 1_024
MAX_SIZE_CLASS = 65_520
Language = Literal["nl", "en"]


class FieldUnknownError(ProtocolError):
    """A field that the product does not have."""

    code = "product_field_unknown"
    default_detail = "The data product has no such field."


class _View(Value):
    """A part of a signed document of which the rest is for others."""

    model_config = ConfigDict(extra="ignore")


class Wording(_View):
    """One text in Dutch and English."""

    nl: PlainText
    en: PlainText

    def render(self, language: Language) -> str:
        """Return the text in one language."""
        return self.nl if language == "nl" else self.en


class ProductFieldView(_View):
    """A field of a product: labels that guard it, and the size in bytes to which it is padded."""

    field: FieldPath
    title: Wording
    labels: tuple[str, ...] = ()
    size_class: int = Field(default=DEFAULT_SIZE_CLASS, ge=16, le=MAX_SIZE_CLASS)


class ProductView(_View):
    """A data product about one person."""

    id: Slug
    digest: Digest
    title: Wording
    sources: tuple[str, ...]
    fields: tuple[ProductFieldView, ...]

    def find_field(self, path: str) -> ProductFieldView | None:
        """Return the field, if the product has it."""
        return next((field for field in self.fields if field.field == path), None)

    def derive_size_classes(self, paths: Iterable[str]) -> dict[str, int]:
        """Return the size class of each path; raise FieldUnknownError for one that is not here."""
        classes = {field.field: field.size_class for field in self.fields}
        try:
            return {path: classes[path] for path in paths}
        except KeyError:
            raise FieldUnknownError from None


class EdgeFieldView(_View):
    """A field that an edge may carry, and why."""

    field: FieldPath
    why: Wording


class EdgeView(_View):
    """What a source function may give a requesting function, with both articles and the mode."""

    source: str
    requester: str
    product: Slug
    giver_article: ShortText
    taker_article: ShortText
    mode: Literal["duty", "may", "explicit_consent", "no_objection"]
    consent_by: Literal["youth_disclosure", "youth_receiving", "avg"] | None = None
    fields: tuple[EdgeFieldView, ...]

    @property
    def paths(self) -> frozenset[str]:
        """The fields that may pass over this edge."""
        return frozenset(field.field for field in self.fields)


class PurposeRequesterView(_View):
    """A function that may ask for a purpose, and how far it may ask who is involved."""

    function: str
    inquire: Rung


class PurposeView(_View):
    """A registered purpose at one digest."""

    id: Slug
    digest: Digest
    title: Wording
    sentence: Wording
    domain: Slug
    valid_from: Moment
    valid_until: Moment | None = None
    legal_check: Literal["open", "confirmed"]
    objection: Literal["none", "suspend", "suspend_unless_danger"] = "none"
    requesters: tuple[PurposeRequesterView, ...] = ()
    edges: tuple[EdgeView, ...]

    def find_edge(self, *, source: str, requester: str, product: str) -> EdgeView | None:
        """Return the edge between two functions (the part of a party id after the colon)."""
        wanted = (source, requester, product)
        return next(
            (edge for edge in self.edges if (edge.source, edge.requester, edge.product) == wanted),
            None,
        )


class KindView(_View):
    """A kind of involvement: which functions may register it, and after how many days it ends."""

    functions: tuple[str, ...]
    expires_days: int = Field(ge=1)


class CatalogueView(_View):
    """The purposes, products and kinds of one revision, by id."""

    purposes: dict[Slug, PurposeView]
    products: dict[Slug, ProductView]
    kinds: dict[Slug, KindView]

    @model_validator(mode="after")
    def _ids_are_keys(self) -> CatalogueView:
        for items in (self.purposes, self.products):
            if any(key != item.id for key, item in items.items()):
                msg = "an item stands under another id than its own"
                raise ValueError(msg)
        return self

    def find_purpose(self, purpose_id: str, digest: str) -> PurposeView | None:
        """Return the purpose at exactly this digest; another revision of it is another purpose."""
        purpose = self.purposes.get(purpose_id)
        return purpose if purpose is not None and purpose.digest == digest else None
