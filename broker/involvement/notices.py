"""Notices: what a partner is told without asking, kept until its gateway took it or it is over.

Rules: a notice lies here from the transaction that makes it true, so that a crash loses none; a
gateway that is down is tried again, ever less often, and not for ever; it names nothing but the
receiving partner's own reference. Source: AVG 19 (who received something is told that it was
corrected); protocol.md section 3 (`POST /v1/notices`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from pydantic import Field
from sqlalchemy import Connection

from datwat.protocol.deliveries import EndedNotice
from datwat.protocol.entry import Audience
from datwat.protocol.values import Bytes16, Bytes32, BytesUpTo64K, Value

NoticeType = Literal["opened", "annulled", "ended"]
KEPT_FOR = timedelta(days=30)
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=1)
_MOST_DOUBLINGS = 10


class OpenedEntry(Value):
    """An entry that opens an earlier one; its receipt is made when it is delivered."""

    core: BytesUpTo64K = Field(repr=False)
    payload_hash: Bytes32
    commit: Bytes32
    subject_id: Bytes16 = Field(repr=False)
    audience: Audience


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice to one partner; `content` is an OpenedEntry exactly where `type` is `opened`."""

    id: bytes = field(repr=False)
    to: str
    type: NoticeType
    content: OpenedEntry | EndedNotice = field(repr=False)
    until_at: datetime
    tries: int = 0


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that waits and whose words do not open: `code` says why. The others go on."""

    id: bytes = field(repr=False)
    tries: int
    until_at: datetime
    code: str


def derive_notice_end(now: datetime) -> datetime:
    """Return until when a notice that is made at `now` is tried."""
    return now + KEPT_FOR


def derive_next_try(tries: int, now: datetime) -> datetime:
    """Return when to try again after `tries` failures: twice as late each time, hourly at last."""
    doublings: int = min(tries, _MOST_DOUBLINGS)
    return now + min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


class Notices(Protocol):
    """Where notices wait. What is over at `now` is absent."""

    def add(self, conn: Connection, notice: Notice, now: datetime) -> None:
        """Add a notice; it is due at once."""

    def list_due(
        self,
        conn: Connection,
        now: datetime,
        limit: int,
        unreadable: list[UnreadableRow] | None = None,
    ) -> Sequence[Notice]:
        """Return what is to be tried now, the longest due first.

        A row that does not open is added to `unreadable`; without it, raises RowMismatch.
        """

    def put_off(self, conn: Connection, notice: Notice | UnreadableRow, now: datetime) -> None:
        """Write that it failed once more, and when it is tried again."""

    def remove(self, conn: Connection, notice_id: bytes) -> None:
        """Destroy a notice that arrived."""
