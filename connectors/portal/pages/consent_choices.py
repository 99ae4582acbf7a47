"""Which consents somebody can give: where a purpose rests on one, between whom it would be.

Rule: only a source that is involved with the person now can give anything, so that nobody is asked
for a consent about nothing; a consent names both organisations, the purpose and every field. Pure.
Source: AVG 7; Jeugdwet 7.3.11; Wmo 2015 5.1.1(4), 5.3.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from connectors.portal.pages.words import Words
from datwat.protocol.acts import Consent
from datwat.protocol.catalogue import EdgeView, PurposeView
from datwat.protocol.own_affairs import KnownOrganisation, OwnConsent, OwnInvolvements
from datwat.protocol.values import derive_function

# How long a consent may hold: in months as people say them, in days as it is written down.
TERMS = {"3": timedelta(days=91), "6": timedelta(days=182), "12": timedelta(days=365)}
_ID_SIGNS = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """A field that a consent would be about, and why the requester needs it."""

    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One consent that can be given; `id` names it in a form and tells nothing."""

    id: str
    kind: Literal["explicit", "no_objection"]
    purpose: str
    title: str
    sentence: str
    product: str
    product_title: str
    source: str
    source_name: str
    requester: str
    requester_name: str
    asked: tuple[Asked, ...]
    fields: tuple[str, ...]
    consent_by: str
    article: str
    is_given: bool


def list_choices(
    words: Words,
    involvements: OwnInvolvements,
    organisations: Sequence[KnownOrganisation],
    consents: Sequence[OwnConsent],
    now: datetime,
) -> list[Choice]:
    """Return every consent that can be given, by purpose, requester and source."""
    involved = {one.source for one in involvements.now if one.source is not None}
    found = [
        _build(words, _Between(purpose, edge, source, requester), consents, now)
        for purpose in words.list_purposes(now)
        for edge in purpose.edges
        if edge.mode in ("explicit_consent", "no_objection")
        for source in organisations
        if source.id in involved and derive_function(source.id) == edge.source
        for requester in organisations
        if derive_function(requester.id) == edge.requester and requester.id != source.id
    ]
    return sorted(found, key=lambda one: (one.title, one.requester_name, one.source_name))


def build_consent(
    choice: Choice, term: str, now: datetime, *, given_by: Literal["self", "representative"]
) -> Consent:
    """Return the consent as it is written down."""
    given_at = now.replace(microsecond=0)
    return Consent(
        kind=choice.kind,
        purpose=choice.purpose,
        product=choice.product,
        fields=choice.fields,
        source=choice.source,
        requester=choice.requester,
        given_by=given_by,
        written=True,
        given_at=given_at,
        until_at=given_at + TERMS[term],
    )


def is_in_force(consent: OwnConsent, now: datetime) -> bool:
    """Tell whether a consent counts now."""
    return consent.withdrawn_at is None and now < consent.until_at


@dataclass(frozen=True, slots=True)
class _Between:
    """An edge of a purpose between two organisations."""

    purpose: PurposeView
    edge: EdgeView
    source: KnownOrganisation
    requester: KnownOrganisation

    def is_covered_by(self, consent: OwnConsent) -> bool:
        """Tell whether this was said already; None means all, and so does no field."""
        return (
            consent.purpose == self.purpose.id
            and consent.product in (None, self.edge.product)
            and consent.source in (None, self.source.id)
            and consent.requester in (None, self.requester.id)
            and (not consent.fields or self.edge.paths <= set(consent.fields))
        )


def _build(
    words: Words, between: _Between, consents: Sequence[OwnConsent], now: datetime
) -> Choice:
    purpose, edge = between.purpose, between.edge
    source, requester = between.source, between.requester
    fields = tuple(one.field for one in edge.fields)
    named = f"{purpose.id}\n{purpose.digest}\n{edge.product}\n{source.id}\n{requester.id}"
    return Choice(
        id=hashlib.sha256(named.encode()).hexdigest()[:_ID_SIGNS],
        kind="explicit" if edge.mode == "explicit_consent" else "no_objection",
        purpose=purpose.id,
        title=purpose.title.render(words.code),
        sentence=purpose.sentence.render(words.code),
        product=edge.product,
        product_title=words.product(edge.product),
        source=source.id,
        source_name=source.name,
        requester=requester.id,
        requester_name=requester.name,
        asked=tuple(
            Asked(words.field(edge.product, one.field), one.why.render(words.code))
            for one in edge.fields
        ),
        fields=fields,
        consent_by=edge.consent_by or "avg",
        article=edge.giver_article,
        is_given=any(is_in_force(one, now) and between.is_covered_by(one) for one in consents),
    )
