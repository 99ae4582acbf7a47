"""What the log needs from outside: a store with transactions, and a keeper of the outermost key.

Rule: every write that belongs to an entry happens in the one transaction that `writing` yields;
what `writing` has committed survives a power cut.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from broker.audit.records import LogError
from broker.audit.seen import SeenAct

CounterKey = tuple[bytes, str, str]
"""Chain id, audience, quarter."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of the outermost key: which, and since when it seals."""

    number: int
    started_at: datetime


class KeyStoreError(LogError):
    """The keeper of the outermost key does not answer: nothing is known of what it was asked."""

    code = "key_store_unavailable"
    default_detail = "The key store does not answer; nothing was changed. Try again in a moment."


class KekPort(Protocol):
    """Seals keys under the outermost key, which may never leave the thing behind this port.

    A file today; an adapter to an HSM or key service fits as well: no key is handed out, and a
    generation is a number that the sealed bytes name. `tests/audit/kek_contract.py` is what each
    adapter must pass.

    Two failures that must never be taken for each other: UnsealError says of these very bytes that
    nobody will open them again, and whoever hears it may go on without them and destroy what lies
    beneath; KeyStoreError says nothing about them (out of reach, too slow, refused): whoever hears
    it stops, changes nothing, and asks again later. An adapter that cannot tell which of the two
    it is raises KeyStoreError.
    """

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Return `plaintext` sealed under the newest generation, bound to `aad`.

        Raises:
            KeyStoreError: the key store does not answer.
        """
        ...

    def unseal(self, sealed: bytes, aad: bytes) -> bytes:
        """Return what was sealed under any living generation.

        Raises:
            UnsealError: these bytes do not open in this context: they were changed, are another
                key's, or lie under a generation that was destroyed.
            KeyStoreError: the key store does not answer.
        """
        ...

    def read_generation(self, sealed: bytes) -> int:
        """Return under which generation it was sealed, living or not; no key is used."""
        ...

    def list_generations(self) -> tuple[Generation, ...]:
        """Return the living generations, the newest last: never none.

        Raises:
            KeyStoreError: the key store does not answer.
        """
        ...

    def start_generation(self, now: datetime) -> Generation:
        """Make a new generation, durably, under which all is sealed from here on.

        Raises:
            DatwatError: it could not be made; the newest is the one of before.
        """
        ...

    def destroy_generation(self, number: int) -> None:
        """Destroy a generation for good; one that is gone already changes nothing.

        Raises:
            DatwatError: it is the newest, under which everything is sealed; or it could not be
                destroyed, and is there as before.
        """
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """How far the log got, as the database says."""

    origin: str
    size: int
    root: bytes
    delayed_chain_key_sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedKeys:
    """The keys of a subject and a quarter as they are stored."""

    subject_id: bytes = field(repr=False)
    chain_key_sealed: bytes = field(repr=False)
    quarter_key_sealed: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry as it is stored; for a statement all between `entry` and `document` is None."""

    index: int
    entry: bytes
    subject_id: bytes | None = field(repr=False)
    audience: str | None
    quarter: str | None
    number: int | None
    sealed: bytes | None = field(repr=False)
    input_sealed: bytes | None = field(repr=False)
    document: bytes | None
    at: datetime
    retention_until: datetime | None
    seen: SeenAct | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NodeRow:
    """The hash of a complete subtree of height `level` ≥ 1."""

    level: int
    index: int
    hash: bytes


class LogStore(Protocol):
    """Durable store of the log; what writes needs the connection of `writing`."""

    @property
    def is_in_process(self) -> bool:
        """Whether a transaction is work of this process alone: no server is waited for."""
        ...

    def writing(self, *, at_once: bool = False) -> AbstractContextManager[Connection]:
        """Yield a connection in a transaction that commits durably at the end, or not at all.

        Raises LogTakenError where it is to be `at_once`, and another writes: nothing was begun.
        """
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """Yield a connection that sees what was committed."""
        ...

    def is_fatal(self, error: BaseException) -> bool:
        """Whether after this error nothing is known about the disk: the process must stop."""
        ...

    def is_broken(self, error: BaseException) -> bool:
        """Whether this error spoiled the whole transaction, not only one statement."""
        ...

    def insert_head(self, connection: Connection, head: Head) -> None:
        """Write the head of a log that has none."""
        ...

    def find_head(self, connection: Connection) -> Head | None:
        """Return the head."""
        ...

    def lock_head(self, connection: Connection) -> tuple[int, bytes] | None:
        """Return size and root, and make other writers wait until the transaction ends."""
        ...

    def update_head(self, connection: Connection, size: int, root: bytes) -> None:
        """Move the head."""
        ...

    def insert_subject(
        self, connection: Connection, subject_id: bytes, chain_key_sealed: bytes, at: datetime
    ) -> None:
        """Write a new data subject."""
        ...

    def insert_quarter_key(
        self, connection: Connection, subject_id: bytes, quarter: str, key_sealed: bytes
    ) -> bool:
        """Write a key; return False, and change nothing, if that quarter has one already."""
        ...

    def fetch_keys(
        self, connection: Connection, subject_ids: Collection[bytes], quarter: str
    ) -> Sequence[SealedKeys]:
        """Return the keys of the subjects that exist."""
        ...

    def fetch_quarter_keys(
        self, connection: Connection, subject_id: bytes, quarters: Collection[str]
    ) -> Mapping[str, bytes]:
        """Return the sealed key of each quarter that still has one."""
        ...

    def advance_counters(
        self, connection: Connection, counts: Mapping[CounterKey, int]
    ) -> Mapping[CounterKey, int]:
        """Take that many places in each chain and quarter; return the first of each."""
        ...

    def insert_entries(self, connection: Connection, rows: Sequence[EntryRow]) -> None:
        """Write entries, and what oversight counts of them."""
        ...

    def show_seen(self, connection: Connection, indexes: Sequence[int], now: datetime) -> None:
        """Let what oversight counts of these entries be counted from now on."""
        ...

    def insert_nodes(self, connection: Connection, rows: Sequence[NodeRow]) -> None:
        """Write subtree hashes."""
        ...

    def fetch_nodes(
        self, connection: Connection, level: int, indexes: Sequence[int]
    ) -> Mapping[int, bytes]:
        """Return the hashes that are there; at level 0 they are made from the entries."""
        ...

    def fetch_entries(self, connection: Connection, start: int, end: int) -> Sequence[bytes]:
        """Return the 66 bytes of each entry of log[start:end) that is there, in order."""
        ...

    def fetch_entries_of(
        self,
        connection: Connection,
        subject_id: bytes,
        audiences: Collection[str],
        *,
        limit: int,
        before: int | None,
    ) -> Sequence[EntryRow]:
        """Return a subject's entries in these audiences, newest first, below index `before`."""
        ...

    def fetch_entries_after(
        self,
        connection: Connection,
        subject_id: bytes,
        audiences: Collection[str],
        index: int,
        *,
        limit: int,
    ) -> Sequence[EntryRow]:
        """Return a subject's entries in these audiences, oldest first, above an index."""
        ...

    def find_committed(
        self, connection: Connection, subject_id: bytes, audience: str, commit: bytes
    ) -> tuple[int, bytes] | None:
        """Return index and entry of a subject's entry with this commit."""
        ...

    def find_entry(self, connection: Connection, index: int) -> EntryRow | None:
        """Return the entry at an index."""
        ...
