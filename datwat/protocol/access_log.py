"""A resident's own log: what proves each card reaches the portal, which writes the card from it.

Rule: the broker sends entries and no word about them; everything a card says is built from its
`proofs` by who shows it: the payload is what the log committed to, the sentences are rendered from
its codes. An entry that waits for its opening is in no page. Source: AVG 12, 15; audit-log.md
("Chains").
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from datwat.protocol.acts import Motivation
from datwat.protocol.completeness import CompletenessBundle
from datwat.protocol.messages import Blade, FailureCode, FieldPath, LegalBasis, Rung
from datwat.protocol.values import (
    Bytes16,
    Bytes32,
    BytesUpTo64K,
    Moment,
    PartyId,
    PlainText,
    ShortText,
    Slug,
    Value,
)


class Sentence(Value):
    """One sentence in both languages."""

    nl: str = Field(max_length=4_000)
    en: str = Field(max_length=4_000)

    def render(self, language: str) -> str:
        """Return the text in a language; English where it is not Dutch."""
        return self.nl if language == "nl" else self.en


class EntryProof(Value):
    """All that is needed to check one entry: both halves, salt and stub, its place and the path."""

    index: int = Field(ge=0)
    path: tuple[Bytes32, ...] = Field(max_length=64)
    audience: Literal["open", "own"]
    tag: Bytes32
    core: BytesUpTo64K
    salt: Bytes32
    payload: BytesUpTo64K


class ProvedCard(Value):
    """The entries of one question or act, with all that is needed to check and to tell them."""

    proofs: tuple[EntryProof, ...] = Field(min_length=1, max_length=8)


class ProvedLog(Value):
    """A page of cards, newest first, under one checkpoint; `next` is the cursor of the rest.

    `erased` answers a `number` alone: an entry of the person's own whose contents are gone.
    """

    v: Literal[1]
    rid: Bytes16
    checkpoint: str = Field(max_length=8_192)
    cards: tuple[ProvedCard, ...] = Field(max_length=100)
    next: str | None = Field(default=None, max_length=256)
    erased: bool = False


class LoggedFinding(Value):
    """A finding with its text."""

    blade: Blade
    code: Slug
    satisfied: bool
    text: Sentence


class LoggedField(Value):
    """A field that was asked and withheld, and why."""

    field: FieldPath
    code: Slug
    text: Sentence


class LoggedPointer(Value):
    """That an involvement was shown, and how much of it."""

    source: PartyId
    source_name: ShortText
    kind: Slug
    rung: Rung


class CardContents(Value):
    """One question or act about the person, with what became of it.

    `number` is the index of the (first) entry: what a wish refers to. `told_later_at` is set where
    the card was kept back and has been opened: when, and by whom in `summary`.
    """

    number: int = Field(ge=0)
    event: Slug
    at: Moment
    requester: PartyId
    requester_name: ShortText
    role: ShortText | None
    purpose: Slug | None
    summary: Sentence
    motivation: Motivation | None
    permitted: bool | None
    rung: Rung | None
    findings: tuple[LoggedFinding, ...]
    pointers: tuple[LoggedPointer, ...]
    fields_asked: tuple[FieldPath, ...]
    fields_given: tuple[FieldPath, ...]
    withheld: tuple[LoggedField, ...]
    failure: FailureCode | None
    legal_basis: LegalBasis | None
    told_later_at: Moment | None
    support: Sentence
    details: dict[str, str | int | bool | tuple[str, ...]]
    reason: PlainText | None


class AccessCard(CardContents, ProvedCard):
    """A card with the entries that prove it."""


class AccessLog(ProvedLog):
    """The same page as the portal shows it: what the entries of each card say, in words too."""

    cards: tuple[AccessCard, ...] = Field(max_length=100)


class AccessLogProof(Value):
    """The completeness bundle of one data subject, in answer to `access_log_proof`."""

    v: Literal[1]
    rid: Bytes16
    bundle: CompletenessBundle
