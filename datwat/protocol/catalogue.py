"""What anyone needs of the catalogue in the bundle: purposes with their edges, products, kinds.

A gateway holds an order against these: the fields of the edge from this source to that requester,
within this purpose at this digest, and the size class to which each value is padded. What is
here is read from signed data; what only Rego weighs is left out.

A purpose has revisions, each with its own beginning, so that one that is signed today comes into
force on its day with no process alive to push it. Rule, in Rego as here: a revision may be cited
from its beginning until the next one begins and a little longer (`grace_seconds`), for whoever
asks may not have heard of the next one yet; never after an end of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from datwat.protocol.errors import ProtocolError
from datwat.protocol.messages import Digest, FieldPath, Rung
from datwat.protocol.values import Moment, PlainText, ShortText, Slug, Value

GRACE_SECONDS = 120  # a connector refreshes each minute, and a question takes its time
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
    """A registered purpose at one digest: one revision.

    `until_at`: when the next one begins, or its own end where that is earlier.
    """

    id: Slug
    digest: Digest
    title: Wording
    sentence: Wording
    domain: Slug
    valid_from: Moment
    valid_until: Moment | None = None
    until_at: Moment | None = None
    legal_check: Literal["open", "confirmed"]
    objection: Literal["none", "suspend", "suspend_unless_danger"] = "none"
    requesters: tuple[PurposeRequesterView, ...] = ()
    edges: tuple[EdgeView, ...]

    def is_in_force(self, now: datetime) -> bool:
        """Tell whether this is the revision by which a purpose is weighed now."""
        return self.valid_from <= now and (self.until_at is None or now < self.until_at)

    def is_citable(self, now: datetime, grace: timedelta) -> bool:
        """Tell whether a question may name this revision now."""
        return (
            self.valid_from <= now
            and (self.until_at is None or now < self.until_at + grace)
            and (self.valid_until is None or now < self.valid_until)
        )

    def find_edge(self, *, source: str, requester: str, product: str) -> EdgeView | None:
        """Return the edge between two functions (the part of a party id after the colon)."""
        wanted = (source, requester, product)
        return next(
            (edge for edge in self.edges if (edge.source, edge.requester, edge.product) == wanted),
            None,
        )


class PurposeHistory(_View):
    """A purpose as the bundle holds it: its revisions, the first to begin first."""

    id: Slug
    revisions: tuple[PurposeView, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_begins_later(self) -> PurposeHistory:
        if any(one.id != self.id for one in self.revisions):
            msg = "a revision stands under another id than its own"
            raise ValueError(msg)
        begins = [one.valid_from for one in self.revisions]
        if any(later <= earlier for earlier, later in pairwise(begins)):
            msg = "a revision does not begin after the one before it"
            raise ValueError(msg)
        return self

    @property
    def newest(self) -> PurposeView:
        """The revision that begins last, be it in force already or not."""
        return self.revisions[-1]

    def find_in_force(self, now: datetime) -> PurposeView | None:
        """Return the revision in force."""
        return next((one for one in self.revisions if one.is_in_force(now)), None)


class KindView(_View):
    """A kind of involvement: which functions may register it, and after how many days it ends."""

    functions: tuple[str, ...]
    expires_days: int = Field(ge=1)


class CatalogueView(_View):
    """The purposes with their revisions, products and kinds of one bundle, by id."""

    purposes: dict[Slug, PurposeHistory]
    products: dict[Slug, ProductView]
    kinds: dict[Slug, KindView]
    grace_seconds: int = Field(default=GRACE_SECONDS, ge=0, le=86_400)

    @model_validator(mode="after")
    def _ids_are_keys(self) -> CatalogueView:
        for items in (self.purposes, self.products):
            if any(key != item.id for key, item in items.items()):
                msg = "an item stands under another id than its own"
                raise ValueError(msg)
        return self

    def find_purpose(self, purpose_id: str, digest: str) -> PurposeView | None:
        """Return the purpose at exactly this digest, whenever it holds."""
        held = self.purposes.get(purpose_id)
        revisions = held.revisions if held is not None else ()
        return next((one for one in revisions if one.digest == digest), None)

    def find_revision(self, purpose_id: str, now: datetime) -> PurposeView | None:
        """Return the revision of a purpose that is in force."""
        held = self.purposes.get(purpose_id)
        return held.find_in_force(now) if held is not None else None

    def find_cited(self, purpose_id: str, digest: str, now: datetime) -> PurposeView | None:
        """Return the purpose at exactly this digest, if a question may name that now."""
        found = self.find_purpose(purpose_id, digest)
        grace = timedelta(seconds=self.grace_seconds)
        return found if found is not None and found.is_citable(now, grace) else None

    def find_shown(self, purpose_id: str, now: datetime) -> PurposeView | None:
        """Return the revision whose words speak of the purpose now, in force or not.

        Where none is, the last one that was; where none was yet, the first to come.
        """
        held = self.purposes.get(purpose_id)
        if held is None:
            return None
        begun = [one for one in held.revisions if one.valid_from <= now]
        return held.find_in_force(now) or (begun[-1] if begun else held.revisions[0])

    def list_in_force(self, now: datetime) -> list[PurposeView]:
        """Return the revisions in force, one per purpose at most, by purpose."""
        found = (held.find_in_force(now) for held in self.purposes.values())
        return [one for one in found if one is not None]
