"""What ended and may not come back, noted in the ratchet in the same step as the act.

Rules: a register notes what it ends inside the log's transaction; before the commit the ratchet
holds it: a database that is put back from a copy ends it again. A crash between the two leaves an
end that nobody was told of and that only a restore carries out: never one that was told and can
come back. Ids only, which mean nothing elsewhere; what a restore needs of an objection, a block or
a shield is sealed under the KEK and can be opened no longer than a backup. Acts that end nothing
cost nothing here.
Source: house reference "audit-log", Sequencing ("Ratchet") and Ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from sqlalchemy import Connection

from broker.audit.ports import KekPort
from broker.audit.records import Appendable, Appended, Job
from datwat.party.ratchet import Ratchet
from datwat.protocol.sealing import UnsealError
from datwat.protocol.values import FormError, decode_bytes, encode_bytes

EndedKind = Literal[
    "pointer", "annulled", "member", "occasion", "consent", "objection", "block", "lifted",
    "shield", "reference", "introduction", "erased", "asked", "subject",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ended:
    """One thing that ended; `words` is what a restore needs beyond its id."""

    kind: EndedKind
    id: str
    words: bytes | None = field(default=None, repr=False)


RESTORED = "restored"
_NOTED: ContextVar[list[Ended] | None] = ContextVar("noted", default=None)


class JobLog(Protocol):
    """Where jobs are written."""

    async def append(self, job: Job) -> Appended:
        """Write a job and return its receipts once they are signed (see `Log.append`)."""


def note_ended(kind: EndedKind, *ids: bytes, words: bytes | None = None) -> None:
    """Note that something ended, for the ratchet; outside a job of `EndingLog` nobody listens."""
    noted = _NOTED.get()
    if noted is not None:
        noted.append(Ended(kind, " ".join(each.hex() for each in ids), words))


class EndingLog:
    """A log whose jobs are committed only when the ratchet holds what they end."""

    def __init__(self, log: JobLog, ratchet: Ratchet, kek: KekPort) -> None:
        self._log = log
        self._ratchet = ratchet
        self._kek = kek

    async def append(self, job: Job) -> Appended:
        """Write a job as the log does; raise RatchetError where what it ends cannot be held."""

        def work(conn: Connection) -> Sequence[Appendable]:
            noted: list[Ended] = []
            with _listening(noted):
                items = job.work(conn)
            if noted:
                self._hold(noted)
            return items

        return await self._log.append(replace(job, work=work))

    async def record(self, ended: Sequence[Ended]) -> None:
        """Have the ratchet hold what ended, with one sync."""
        await asyncio.to_thread(self._hold, ended)

    def _hold(self, ended: Sequence[Ended]) -> None:
        self._ratchet.record_all([(one.kind, _write(self._kek, one)) for one in ended])


def read_ended(ratchet: Ratchet, kek: KekPort, kind: EndedKind) -> list[Ended]:
    """Return all that ended of a kind, oldest first.

    Words are None where none were given, and where the KEK's generation is over: no backup of so
    long ago can be opened either. Raises KeyStoreError.
    """
    found = []
    for text in ratchet.records(kind):
        place, _, sealed = text.partition("|")
        found.append(Ended(kind, place, _unseal(kek, kind, place, sealed) if sealed else None))
    return found


def _unseal(kek: KekPort, kind: str, place: str, sealed: str) -> bytes | None:
    try:
        return kek.unseal(decode_bytes(sealed), _aad(kind, place))
    except (UnsealError, FormError):
        return None


def read_restored(ratchet: Ratchet) -> int:
    """Return until which moment (Unix seconds) signed messages are refused; 0 without a restore."""
    mark = ratchet.value(RESTORED)
    return mark.number if mark else 0


@contextmanager
def _listening(noted: list[Ended]) -> Iterator[None]:
    token = _NOTED.set(noted)
    try:
        yield
    finally:
        _NOTED.reset(token)


def _write(kek: KekPort, one: Ended) -> str:
    if one.words is None:
        return one.id
    return f"{one.id}|{encode_bytes(kek.seal(one.words, _aad(one.kind, one.id)))}"


def _aad(kind: str, place: str) -> bytes:
    return f"dw-ended/v1\0{kind} {place}".encode()
