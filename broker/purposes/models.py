"""Purposes, edges, products, kinds and the covenant's common terms, as officers write them.

A purpose is data: who may ask, on which occasion, which kinds of involvement it sees, and per edge
the two locks (the article that lets give, the one that lets take) with the fields and why each is
needed. Rego weighs these and nothing else; every cross-reference that Rego relies on is checked by
`catalogue.py` before a bundle is built. AVG 5(1)(b)-(c), 6, 9, 10.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from datwat.protocol.canonical import encode_canonical
from datwat.protocol.messages import FieldPath, LegalBasis, Rung
from datwat.protocol.values import FormError, Moment, PlainText, ShortText, Slug, Value

FunctionId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
OccasionKind = Literal["help_request", "report", "signal", "statutory_task", "crisis"]
Domain = Literal["income", "care", "youth", "debt", "housing", "education", "safety"]
# s: special category (AVG 9); c: criminal data (AVG 10); the others are regimes of secrecy.
Label = Literal["s", "c", "jeugdwet", "wmo", "wgbo", "pw", "suwi"]
AgeBand = Literal["0-11", "12-15", "16-17", "18+"]
ConsentRule = Literal["youth_disclosure", "youth_receiving", "avg"]
Giver = Literal["self", "representative", "both"]
LegalCheck = Literal["open", "confirmed"]
Days = Annotated[int, Field(ge=1, le=7_400)]
AboutWhom = Literal["stated", "person", "internal"]
BladeName = Literal["purpose", "subsidiarity", "proportionality", "efficiency", "transparency"]


class Wording(Value):
    """One text in Dutch (B1) and English."""

    nl: PlainText = Field(min_length=1)
    en: PlainText = Field(min_length=1)


class Article(Value):
    """A statutory article, linked by the law's BWB number only."""

    law: ShortText
    article: ShortText
    bwb: str = Field(pattern=r"^BWBR[0-9]{7}$")

    @property
    def link(self) -> str:
        """The law's page in the national collection."""
        return f"https://wetten.overheid.nl/{self.bwb}"


class EdgeField(Value):
    """A field that an edge may carry, and why the requester needs it."""

    field: FieldPath
    why: Wording


class Edge(Value):
    """From a source to a requester within a purpose: both articles, mode, and the fields.

    `consent_by` names the rule on who consents (Jeugdwet 7.3.11, UAVG 5); `grounds` gives the
    article that lifts a label of a field: a label without ground is withheld.
    """

    source: FunctionId
    requester: FunctionId
    product: Slug
    giver_article: ShortText
    taker_article: ShortText
    mode: Literal["duty", "may", "explicit_consent", "no_objection"]
    consent_by: ConsentRule | None = None
    grounds: dict[Label, ShortText] = Field(default_factory=dict)
    fields: tuple[EdgeField, ...] = Field(min_length=1, max_length=64)

    @model_validator(mode="after")
    def _consent_has_a_rule(self) -> Self:
        if (self.mode in {"explicit_consent", "no_objection"}) != (self.consent_by is not None):
            raise FormError(
                "consent_by belongs to the modes explicit_consent and no_objection, and only there."
            )
        if len({item.field for item in self.fields}) != len(self.fields):
            raise FormError("A field stands there twice.")
        return self


class PurposeRequester(Value):
    """A function that may ask for the purpose, and the highest rung that its inquiry may reach."""

    function: FunctionId
    inquire: Literal["none", "contact", "category", "dat"]


class Purpose(Value):
    """A registered purpose. `sees`: kind of involvement to the highest rung for this purpose."""

    id: Slug
    title: Wording
    sentence: Wording
    domain: Domain
    owner: ShortText
    valid_from: Moment
    valid_until: Moment | None = None
    articles: tuple[Article, ...] = Field(min_length=1)
    legal_check: LegalCheck
    basis: LegalBasis
    not_for: tuple[Literal["enforcement"], ...] = ()
    requesters: tuple[PurposeRequester, ...] = Field(min_length=1)
    occasions: dict[OccasionKind, Rung]
    sees: dict[Slug, Rung]
    edges: tuple[Edge, ...]
    objection: Literal["none", "suspend", "suspend_unless_danger"]
    retention_days: Days

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise FormError("valid_until is not after valid_from.")
        return self

    @model_validator(mode="after")
    def _each_edge_once(self) -> Self:
        keys = [(edge.source, edge.requester, edge.product) for edge in self.edges]
        if len(set(keys)) != len(keys):
            raise FormError("Two edges have the same source, requester and product.")
        functions = [requester.function for requester in self.requesters]
        if len(set(functions)) != len(functions):
            raise FormError("A requester stands there twice.")
        return self


class ProductField(Value):
    """A field of a product and the labels that guard it."""

    field: FieldPath
    title: Wording
    labels: tuple[Label, ...] = ()
    size_class: int = Field(default=1_024, ge=16, le=65_520)


class Product(Value):
    """A data product about one person; one question may ask `most_fields` (of a ZRM: not all)."""

    id: Slug
    title: Wording
    sources: tuple[FunctionId, ...] = Field(min_length=1)
    most_fields: int = Field(ge=1, le=64)
    fields: tuple[ProductField, ...] = Field(min_length=1, max_length=64)

    @model_validator(mode="after")
    def _most_is_no_more_than_all(self) -> Self:
        if self.most_fields > len(self.fields):
            raise FormError("most_fields is more than the product has.")
        if len({item.field for item in self.fields}) != len(self.fields):
            raise FormError("A field stands there twice.")
        return self


class Kind(Value):
    """A kind of involvement: who may register it, its cap, whom it is about, and its end.

    `never_for`: domains of purposes that never see it (guard rail, whatever a purpose says).
    """

    functions: tuple[FunctionId, ...] = Field(min_length=1)
    cap: Rung
    whose: Literal["youth", "resident"]
    never_for: tuple[Domain, ...] = ()
    expires_days: Days


class Function(Value):
    """A function in the covenant. `own`: entries go to the chain for the person alone.

    No `domain` where no involvement of the function is ever shown.
    """

    domain: Domain | None = None
    own: bool = False


class OccasionTerms(Value):
    """What an occasion of this kind allows at most, and how soon the resident is told.

    `longest_inform_days` is None where the resident's own question leads (no date is needed).
    """

    cap: Rung
    longest_inform_days: Days | None


class Ground(Value):
    """A ground to tell later: longest term and renewal, how it opens, whether there is danger."""

    longest_days: Days
    renewal_days: Days
    opening: tuple[Literal["automatic", "by_person"], ...] = Field(min_length=1)
    danger: bool

    @model_validator(mode="after")
    def _renewal_is_no_longer(self) -> Self:
        if self.renewal_days > self.longest_days:
            raise FormError("A renewal may not be longer than the longest term.")
        return self


class Covenant(Value):
    """The terms that all purposes share. `laws`: name of the law to whose BSN it covers at most."""

    functions: dict[FunctionId, Function]
    occasions: dict[OccasionKind, OccasionTerms]
    grounds: dict[Slug, Ground]
    laws: dict[str, Literal["youth", "resident"]]
    consent_givers: dict[ConsentRule, dict[AgeBand, tuple[Giver, ...]]]
    longest_consent_days: Days
    longest_authority_days: Days
    least_motivation: int = Field(ge=1, le=500)
    contact_again_days: Days
    retention_days: Days


class Guards(Value):
    """Guard rails said a second time: caps and domains of kinds, occasions, labels of fields."""

    caps: dict[Rung, tuple[Slug, ...]]
    never_for: dict[Domain, tuple[Slug, ...]]
    occasions: dict[OccasionKind, Rung]
    labels: dict[Slug, dict[Label, tuple[FieldPath, ...]]]


class Code(Value):
    """A code that Rego emits: blade, whom it may be told, where it is weighed, what would mend it.

    `acts`: where it must be satisfied; `advises`: where it is told but does not block.
    """

    blade: BladeName
    about: AboutWhom
    acts: tuple[Slug, ...] = ()
    advises: tuple[Slug, ...] = ()
    remedy: Slug | None = None

    @model_validator(mode="after")
    def _what_is_stated_can_be_mended(self) -> Self:
        if (self.remedy is not None) != (self.about == "stated"):
            raise FormError("A code that is stated has a remedy, and no other code has one.")
        return self


def derive_digest(model: BaseModel) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of a validated model."""
    return hashlib.sha256(encode_canonical(model.model_dump(mode="json"))).hexdigest()
