"""What a reference is, as it is kept, and where it lies: rows, and the port of their store.

Rule: a store is given keyed hashes and sealed copies only; it never sees a reference. References
themselves: `references.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from sqlalchemy import Connection

from broker.pseudonyms.subjects import SubjectId
from datwat.protocol.messages import Rung

# `session` and `represented` are the portal's handles: bound to one session, so a person may have
# several at once. `represented` opens only what whoever represents the person may see.
Kind = Literal["handle", "session", "represented", "involvement", "occasion", "contact_request"]
Audience = Literal["open", "own"]
SESSION_KINDS: frozenset[Kind] = frozenset({"session", "represented"})
HANDLE_KINDS: frozenset[Kind] = SESSION_KINDS | {"handle"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference stands for; `shown_…` is when and how far an involvement was last shown."""

    kind: Kind
    target: bytes = field(repr=False)
    given_at: datetime
    until_at: datetime
    shown_at: datetime | None = None
    shown_rung: Rung | None = None


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """A reference as it is kept."""

    lookup: bytes = field(repr=False)
    partner: str
    sealed: bytes = field(repr=False)
    target: Target


@dataclass(frozen=True, slots=True)
class Touch:
    """A use of what a partner has for a thing: its new end, and how far it is shown, if it is."""

    target: bytes = field(repr=False)
    until_at: datetime
    shown_rung: Rung | None = None


@dataclass(frozen=True, slots=True)
class Introduction:
    """A person handed from one partner to another; what is opened with it inherits `audience`."""

    subject_id: SubjectId = field(repr=False)
    introduced_by: str
    audience: Audience
    occasion_id: bytes | None = field(repr=False)
    until_at: datetime
    redeemed_at: datetime | None = None


class ReferenceStore(Protocol):
    """Where references and introductions lie."""

    def find_row(self, conn: Connection, lookups: Sequence[bytes]) -> ReferenceRow | None:
        """Return the row that lies under one of one or two keyed hashes, ended or not."""

    def find_row_of(
        self, conn: Connection, partner: str, kind: Kind, target: bytes
    ) -> ReferenceRow | None:
        """Return what this partner was given for this thing, ended or not; never a session's."""

    def find_rows_of(
        self, conn: Connection, partner: str, kind: Kind, targets: Sequence[bytes]
    ) -> Sequence[ReferenceRow]:
        """Return what this partner was given for each of these things, as `find_row_of` does."""

    def list_rows(self, conn: Connection, target: bytes) -> Sequence[ReferenceRow]:
        """Return every partner's reference to a thing, ended or not."""

    def insert_row(self, conn: Connection, row: ReferenceRow) -> None:
        """Add a row, in place of an ended one; raise RaceLost where one is in force."""

    def touch_rows(
        self, conn: Connection, partner: str, kind: Kind, touches: Sequence[Touch], now: datetime
    ) -> int:
        """Write the end, and the showing if any, of what is in force; return how many were."""

    def update_end(self, conn: Connection, lookup: bytes, until_at: datetime) -> None:
        """Write the end of one row."""

    def delete_row(self, conn: Connection, lookups: Sequence[bytes]) -> None:
        """Delete the row under one of these, if it is there."""

    def delete_target(self, conn: Connection, target: bytes) -> None:
        """Delete every partner's references to a thing."""

    def find_introduction(self, conn: Connection, lookups: Sequence[bytes]) -> Introduction | None:
        """Return the introduction under one of one or two keyed hashes, ended or not."""

    def insert_introduction(
        self, conn: Connection, lookup: bytes, to_partner: str, introduction: Introduction
    ) -> None:
        """Add an introduction."""

    def redeem(self, conn: Connection, lookups: Sequence[bytes], rid: bytes, now: datetime) -> bool:
        """Mark an introduction redeemed; tell whether it was in force and not yet redeemed."""
