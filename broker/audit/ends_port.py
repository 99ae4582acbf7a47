"""What ending needs from a database: rows to end, and statements that destroy.

Rule: all that writes runs in the writer's transaction, beside the entry that tells of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from broker.audit.replaced import Place
from datwat.protocol.entry import Audience


@dataclass(frozen=True, slots=True)
class ContentRow:
    """One entry about a person with what lies sealed beside it."""

    index: int
    entry: bytes
    subject_id: bytes = field(repr=False)
    audience: Audience
    quarter: str
    sealed: bytes | None = field(repr=False)
    input_sealed: bytes | None = field(repr=False)
    at: datetime
    retention_until: datetime
    number: int

    @property
    def place(self) -> Place:
        """Whose key it lies under."""
        return self.subject_id, self.quarter


@dataclass(frozen=True, slots=True)
class Resealed:
    """The contents of one entry under a new key."""

    index: int
    sealed: bytes = field(repr=False)
    input_sealed: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class EndedRow:
    """An entry whose content ended, or was lost in a restore: what its person is to be told.

    `place` is its quarter and its number in its roll; `mark` the replay half of a delayed one, by
    which it opened: None where it can no longer be read.
    """

    index: int
    place: tuple[str, int]
    subject_id: bytes = field(repr=False)
    audience: Audience
    at: datetime
    mark: bytes | None = field(default=None, repr=False)


class EndsStore(Protocol):
    """Statements over the log that destroy; all run in the writer's transaction."""

    def list_due(self, conn: Connection, now: datetime, limit: int) -> list[tuple[bytes, str]]:
        """Return subject and quarter of entries whose retention is over, the oldest end first."""

    def count_due(self, conn: Connection, now: datetime) -> int:
        """Return how many contents are to end."""

    def fetch_contents(self, conn: Connection, places: Collection[Place]) -> list[ContentRow]:
        """Return every entry with an end of these subjects in these quarters, in order."""

    def fetch_quarter_keys(
        self, conn: Connection, places: Collection[Place]
    ) -> Mapping[Place, bytes]:
        """Return the sealed key of each place that has one."""

    def destroy_contents(self, conn: Connection, indexes: Sequence[int]) -> None:
        """Destroy what lies sealed beside these entries, and their ends."""

    def reseal_contents(self, conn: Connection, rows: Sequence[Resealed]) -> None:
        """Put contents in the place of the same ones under another key."""

    def postpone(self, conn: Connection, indexes: Sequence[int], until_at: datetime) -> None:
        """Move the end of these entries."""

    def replace_keys(self, conn: Connection, keys: Mapping[Place, bytes | None]) -> None:
        """Put sealed keys in the place of others; None destroys one."""

    def list_over(self, conn: Connection, after: bytes, limit: int) -> tuple[list[bytes], bytes]:
        """Return those of a page of subjects of whom nothing is left, and where the next begins.

        The page after the last one begins at no byte.
        """

    def list_with_entries(
        self, conn: Connection, subject_ids: Collection[bytes]
    ) -> frozenset[bytes]:
        """Return those of these subjects about whom the log ever held an entry."""
        ...

    def destroy_subjects(self, conn: Connection, subject_ids: Collection[bytes]) -> list[bytes]:
        """Destroy chain keys, counters, pseudonyms; return of whom: nothing is left of them."""

    def list_lost(self, conn: Connection, limit: int) -> list[EndedRow]:
        """Return entries without content of which their person was not told yet."""

    def forget_lost(self, conn: Connection, indexes: Sequence[int]) -> None:
        """Take these off that list."""


class KeysStore(Protocol):
    """The sealed keys, page by page, for putting them under a newer generation."""

    def list_chain_keys(
        self, conn: Connection, after: bytes, limit: int
    ) -> list[tuple[bytes, bytes]]:
        """Return subjects after this one with their sealed chain keys, in order."""

    def list_quarter_keys(
        self, conn: Connection, after: Place, limit: int
    ) -> list[tuple[Place, bytes]]:
        """Return places after this one with their sealed keys, in order."""

    def update_chain_keys(self, conn: Connection, keys: Mapping[bytes, bytes]) -> None:
        """Put sealed chain keys in the place of the same ones under another generation."""

    def replace_keys(self, conn: Connection, keys: Mapping[Place, bytes | None]) -> None:
        """Put sealed quarter keys in the place of others."""

    def update_delayed_chain_key(self, conn: Connection, sealed: bytes) -> None:
        """Put the auditor's chain key in the place of the same one under another generation."""
