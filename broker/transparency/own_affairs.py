"""What a resident reads of themselves beside their log, in a thread of its own.

Rule: like a page of the log it writes no entry, and reads only the chains of who looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from broker.audit.told import ToldLines
from broker.involvement.involvements import Involvements
from broker.transparency.own_involvements import EVENTS, InvolvementList
from broker.transparency.own_wishes import WishReader
from datwat.party.trust_list import Directory
from datwat.protocol.own_affairs import OwnInvolvements, OwnWishes

_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Eyes:
    """Whose affairs are read, with whose eyes, in answer to which message, at which moment."""

    subject_id: bytes = field(repr=False)
    is_represented: bool
    rid: bytes
    now: datetime

    @property
    def audiences(self) -> tuple[str, ...]:
        """The chains that may be read."""
        return ("open",) if self.is_represented else ("open", "own")


class OwnAffairs:
    """Answers `own_involvements` and `own_wishes`."""

    def __init__(
        self,
        involvements: Involvements,
        wishes: WishReader,
        lines: ToldLines,
        reading: Callable[[], AbstractContextManager[Connection]],
    ) -> None:
        """Keep the registers; `reading` opens a connection in any thread."""
        self._involvements = involvements
        self._wishes = wishes
        self._lines = lines
        self._reading = reading
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def fetch_involvements(self, eyes: Eyes, directory: Directory) -> OwnInvolvements:
        """Return who is involved now and who was."""
        async with self._turns:
            return await asyncio.to_thread(self._read_involvements, eyes, directory)

    async def fetch_wishes(self, eyes: Eyes, directory: Directory) -> OwnWishes:
        """Return what the person said."""
        async with self._turns:
            return await asyncio.to_thread(self._read_wishes, eyes, directory)

    def _read_involvements(self, eyes: Eyes, directory: Directory) -> OwnInvolvements:
        with self._reading() as conn:
            found = self._lines.read_all(conn, eyes.subject_id, eyes.audiences, EVENTS)
            pointers = self._involvements.list_current(conn, eyes.subject_id, eyes.now)
        build = InvolvementList(directory, eyes.now, is_represented=eyes.is_represented)
        now, past = build.build(found.lines, pointers)
        return OwnInvolvements(
            v=1, rid=eyes.rid, as_of=eyes.now, now=now, past=past, is_whole=found.is_whole
        )

    def _read_wishes(self, eyes: Eyes, directory: Directory) -> OwnWishes:
        with self._reading() as conn:
            return self._wishes.read(
                conn,
                eyes.subject_id,
                eyes.audiences,
                directory=directory,
                rid=eyes.rid,
                now=eyes.now,
            )
