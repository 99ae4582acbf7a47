"""What is handed to the log and what comes back: drafts, jobs, receipts, refusals.

Rule: a draft names its chain, hence its audience; its quarter is that of its moment; it has an end.
Source: house reference "audit-log", Entry and Chains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from broker.audit.seen import SeenAct
from datwat.protocol.entry import Audience
from datwat.protocol.errors import DatwatError
from datwat.protocol.messages import ReceiptPath

DELAYED_CHAIN_ID = bytes(16)
SUBJECT_ID_LENGTH = 16


class LogError(DatwatError):
    """The log cannot do this now."""

    code = "log_unavailable"
    default_detail = "The log cannot be written at this moment; nothing was released."


class LogBusyError(LogError):
    """More is waiting to be written than may wait."""

    code = "log_busy"
    default_detail = "Too much is waiting to be logged; try again in a moment."


class LogTakenError(Exception):
    """Another writes into the database just now, and who asked does not wait; never shown."""


class LogStoppedError(LogError):
    """The log has stopped and stays so until the process is started again."""

    code = "log_stopped"
    default_detail = "The log has stopped; nothing is released until it runs again."


class LogBehindError(LogError):
    """The database is older than what was signed before: a copy was put back."""

    code = "log_behind"
    default_detail = (
        "The database is behind what the log signed before: it was put back to an older state. "
        "Do not serve from it."
    )


class LogForkedError(LogError):
    """The database holds another log than the one signed before."""

    code = "log_forked"
    default_detail = "The database does not hold the log that was signed before."


class LogDamagedError(LogError):
    """Something of the tree is missing or changed in the database."""

    code = "log_damaged"
    default_detail = "Part of the log is missing or was changed in the database."


class LogMissingError(LogError):
    """The database holds no log, or one with another name."""

    code = "log_missing"
    default_detail = "The database holds no log of this name: run init first."


class LostRaceError(LogError):
    """Somebody else made the same thing first; gather again and repeat."""

    code = "log_lost_race"
    default_detail = "The same was written at the same moment by another request; repeat it."


@dataclass(frozen=True, slots=True)
class ChainRef:
    """Whose entry it is and who will read it; a delayed one lies in the auditor's chain."""

    subject_id: bytes = field(repr=False)
    audience: Audience

    @property
    def chain_id(self) -> bytes:
        """The id under which places in the chain are counted."""
        return DELAYED_CHAIN_ID if self.audience == "delayed" else self.subject_id


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """What is to be said of an event about one person.

    `core` is the partner's half (empty only where no partner acted), `payload` the resident's,
    `replay_input` what only replay and a reviewing officer read, `seen` what oversight counts.
    """

    chain: ChainRef
    core: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    at: datetime
    retention_until: datetime
    replay_input: bytes | None = field(default=None, repr=False)
    seen: SeenAct | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Statement:
    """A public document that the log states: a trust list, a bundle, a quota."""

    document: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class TagRoot:
    """The root over the tags of log[0:size), as the log states it on schedule."""

    size: int
    root: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class PreparedEntry:
    """A draft that was sealed before it queues; only its place is still to be given."""

    chain: ChainRef
    quarter: str
    tag_key: bytes = field(repr=False)
    payload_hash: bytes
    commit: bytes
    sealed: bytes = field(repr=False)
    input_sealed: bytes | None = field(repr=False)
    at: datetime
    retention_until: datetime
    seen: SeenAct | None = field(default=None, repr=False)


@dataclass(slots=True, weakref_slot=True)
class KeyCell:
    """Shared by all who hold the keys of one subject and quarter: whether they were replaced."""

    replaced: bool = False


@dataclass(frozen=True, slots=True)
class SubjectKeys:
    """The opened keys of one subject in one quarter; the sealed ones are set where they are new.

    What was sealed under keys whose `cell` says that they were replaced is not written any more,
    nor, where several processes write, what `quarter_key_sealed` is not the stored one of any more.
    """

    subject_id: bytes = field(repr=False)
    quarter: str
    chain_key: bytes = field(repr=False)
    content_key: bytes = field(repr=False)
    created_at: datetime | None = None
    new_chain_key_sealed: bytes | None = field(default=None, repr=False)
    new_quarter_key_sealed: bytes | None = field(default=None, repr=False)
    quarter_key_sealed: bytes | None = field(default=None, repr=False)
    cell: KeyCell | None = None


Appendable = PreparedEntry | Statement | TagRoot


@dataclass(frozen=True, slots=True)
class Job:
    """One unit of work in the writer's transaction: all of it is written, or none.

    `keys` that are new are written first, then `work` runs on the transaction's connection and
    returns what is to be appended. What `work` raises undoes only this job and reaches its caller.
    `work` holds up everyone who waits for the log: statements only, no I/O of its own. With
    `sees_all` it also finds the entries of the jobs before it, which are else written last. What
    `is_short` (a few statements about a few persons) may be written by the event loop itself.
    """

    work: Callable[[Connection], Sequence[Appendable]]
    keys: Sequence[SubjectKeys] = ()
    sees_all: bool = False
    is_short: bool = False


@dataclass(frozen=True, slots=True)
class AppendedEntry:
    """Where an entry came to lie; tag and payload_hash are None unless it is about a person."""

    index: int
    tag: bytes | None
    payload_hash: bytes | None
    receipt: ReceiptPath


@dataclass(frozen=True, slots=True)
class Appended:
    """The proof that a job was written: its entries in order, under one checkpoint (a note)."""

    entries: tuple[AppendedEntry, ...]
    checkpoint: str
