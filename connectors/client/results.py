"""What a connector answers to a partner's own software: typed results, a refusal is one of them.

Rule: only what was verified stands here. A result names clients by the partner's own numbers; its
`entry` says where the log holds it, for whoever wants to look it up later.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from datwat.protocol.acts import Contact
from datwat.protocol.answers import Scope, Weighing, WithheldField
from datwat.protocol.messages import FailureCode, FieldPath, LegalBasis, Notice, Rung
from datwat.protocol.own_figures import UseFigures
from datwat.protocol.values import (
    Bytes16,
    Moment,
    MonthText,
    PartyId,
    PlainText,
    ShortText,
    Slug,
    Value,
)


class Entry(Value):
    """Where the log holds an answer, and whether the resident sees it now or later."""

    index: int
    log_size: int
    notice: Notice


class PersonResult(Value):
    """What every act answers about one client; without an entry it changed nothing in the log."""

    client: ShortText
    weighing: Weighing
    entry: Entry | None


class ActResult(PersonResult):
    """The answer to an act; `introduction` is the one-time code, shown this once."""

    state: Slug | None = None
    expires_at: Moment | None = None
    introduction: Bytes16 | None = Field(default=None, repr=False)


class ActResults(Value):
    """An act about several clients, in the order in which they were given."""

    rid: Bytes16
    results: tuple[ActResult, ...]


class RowResult(Value):
    """One row of a batch: what was done, or the code of why nothing was."""

    client: ShortText
    kind: Slug
    action: Slug
    result: ActResult | None = None
    failure: Slug | None = None


class BatchResults(Value):
    """A result per row, in the order of the rows."""

    rows: tuple[RowResult, ...]


class ShownPointer(Value):
    """An involvement as it was shown; `pointer` is its number here, to ask on."""

    pointer: int
    rung: Rung
    contact: Contact
    domain: Slug | None
    source: PartyId | None
    source_name: PlainText | None
    kind: Slug | None
    since_at: Moment | None
    as_of: Moment | None


class InquiryResult(PersonResult):
    """Who is involved with one client, and what could be seen at all."""

    scope: Scope
    pointers: tuple[ShownPointer, ...]


class InquiryResults(Value):
    """An inquiry, a result per client."""

    rid: Bytes16
    results: tuple[InquiryResult, ...]


class ReleaseResult(PersonResult):
    """What is known: the values of the permitted fields, or why there are none.

    `values` is None where nothing was released; `failure` then says what became of a delivery.
    `identity_checked` tells whether source and connector could compare the BSN without showing it.
    """

    rid: Bytes16
    fields: tuple[FieldPath, ...]
    withheld: tuple[WithheldField, ...]
    legal_basis: LegalBasis | None
    values: dict[str, Any] | None = Field(repr=False)
    failure: FailureCode | None
    identity_checked: bool


class SyncState(Value):
    """How far a sync is; `failures` counts by code the rows that were not taken."""

    run: int
    state: Slug
    started_at: Moment
    finished_at: Moment | None
    total: int
    registered: int
    reconfirmed: int
    ended: int
    failed: int
    failures: dict[str, int]


class Figures(Value):
    """The own use of a month: as requester what was asked, as source what was asked of it.

    It is the broker's word, and only what this partner was told itself.
    """

    partner: PartyId
    month: MonthText
    rows: tuple[UseFigures, ...]


class PurposeInfo(Value):
    """A purpose of the signed bundle, in both languages."""

    id: Slug
    title_nl: PlainText
    title_en: PlainText
    domain: Slug


class PurposeList(Value):
    """The purposes in force here."""

    revision: str
    purposes: tuple[PurposeInfo, ...]


class ContactInfo(Value):
    """Somebody who wants to be called about a client; `client` is None where it is not known.

    `is_seen` tells of an overdue one too whether it was said to be seen.
    """

    number: int
    client: ShortText | None
    requester: PartyId
    call_back: Contact
    asked_at: Moment
    due_at: Moment
    until_at: Moment
    state: Slug
    is_seen: bool = False


class ContactList(Value):
    """The contact requests that are not answered, newest first."""

    contacts: tuple[ContactInfo, ...]
