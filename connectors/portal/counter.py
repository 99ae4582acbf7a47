"""The counter: somebody without a login is helped by two employees, and it is in their log.

Rules: nobody is helped by one employee alone: what the first typed from the document the second
types again, and only digests under a key of this process are compared, so that a mistyped number
opens nobody else's log; what is not confirmed within ten minutes is forgotten. First it is written
down, then it is printed; where the print fails it can be made again without a second entry. No
number, name or date of birth is kept, logged or repeated. Source: AVG 12(2), 12(6), 15, 21.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from connectors.client.outgoing import Sent
from connectors.client.own_text import require_no_number_in
from connectors.client.verification import VerifiedAnswer
from connectors.portal.desk import ResidentDesk
from connectors.portal.errors import (
    DeskMismatchError,
    DeskPlaceError,
    DeskRefusedError,
    DeskSecondError,
    DeskUnknownError,
)
from connectors.portal.login import Identity
from datwat.party.http_out import PeerError, PeerRefusedError
from datwat.party.telemetry import get_logger
from datwat.protocol.acts import DeskVisit, Wish
from datwat.protocol.blinding import normalise_bsn
from datwat.protocol.sealing import KEY_SIZE
from datwat.web.problems import SessionMissingError
from datwat.web.sessions import make_room

WAITS: Final = timedelta(minutes=10)
MOST_TRIES: Final = 3
_MOST_WAITING: Final = 100
_SIGNS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LENGTH: Final = 6
_log = get_logger("portal")


@dataclass(frozen=True, slots=True)
class Shown:
    """What an employee read in the document that somebody showed."""

    bsn: str = field(repr=False)
    surname: str = field(repr=False)
    born: date = field(repr=False)


@dataclass(frozen=True, slots=True)
class Employee:
    """Who helps, as their own organisation knows them; the resident reads the role only."""

    id: str
    role: str


@dataclass(slots=True)
class _Visit:
    """What waits for the second employee; `entry` is set once it is written down."""

    first: Employee
    reason: str = field(repr=False)
    wish: Wish = field(repr=False)
    copy_given: bool
    digest: bytes = field(repr=False)
    until: datetime
    tries: int = 0
    sent: Sent | None = field(default=None, repr=False)
    entry: int | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """The number of the entry that tells of it, and the prints; none where none was asked for."""

    entry: int
    prints: tuple[bytes, ...] = field(repr=False)


Print = Callable[[bytes], Awaitable[tuple[bytes, ...]]]


class Counter:
    """The visits of one portal process, in memory."""

    def __init__(self, desk: ResidentDesk) -> None:
        """Start with nobody."""
        self._desk = desk
        self._waiting: dict[str, _Visit] = {}
        self._key = secrets.token_bytes(KEY_SIZE)

    def begin(
        self,
        first: Employee,
        shown: Shown,
        *,
        reason: str,
        wish: Wish,
        copy_given: bool,
        now: datetime,
    ) -> tuple[str, datetime]:
        """Note what the first employee read, and return the number for the second, and its end.

        Raises BsnError, NumberInTextError.
        """
        require_no_number_in(reason)
        self._purge(now)
        make_room(self._waiting, _MOST_WAITING)
        number = "".join(secrets.choice(_SIGNS) for _ in range(_LENGTH))
        until = now.replace(microsecond=0) + WAITS
        digest = self._digest(shown)
        self._waiting[number] = _Visit(first, reason, wish, copy_given, digest, until)
        return number, until

    async def confirm(
        self, number: str, second: Employee, shown: Shown, *, make: Print, now: datetime
    ) -> Done:
        """Do what was asked once another employee read the same; `make` prints from a handle.

        Raises DeskUnknownError, DeskSecondError, DeskMismatchError, BsnError, DeskRefusedError,
        and what the desk and `make` raise. After a failure it can be confirmed again: what was
        written down is not written down twice.
        """
        self._purge(now)
        number = number.strip().upper()
        visit = self._waiting.get(number)
        if visit is None:
            raise DeskUnknownError
        if second.id == visit.first.id:
            raise DeskSecondError
        self._require_same(number, visit, shown)
        async with visit.lock:
            if number not in self._waiting:  # confirmed in the meantime
                raise DeskUnknownError
            return await self._do(number, visit, second, shown, make)

    def require_no_print(self, number: str) -> None:
        """Raise DeskPlaceError where a visit wants a print, so that nothing is done without one."""
        visit = self._waiting.get(number.strip().upper())
        if visit is not None and visit.copy_given:
            raise DeskPlaceError

    async def _do(
        self, number: str, visit: _Visit, second: Employee, shown: Shown, make: Print
    ) -> Done:
        handles = await self._desk.open_session(Identity(normalise_bsn(shown.bsn), None))
        try:
            if visit.entry is None:
                visit.entry = await self._record(handles.own, visit, second)
            prints = await make(handles.own) if visit.copy_given else ()
        finally:
            try:
                await self._desk.end_session(handles)
            except PeerError as error:
                _log.warning("session_not_ended_at_broker", code=error.code)
        self._waiting.pop(number, None)
        # Who it was is the organisation's own to know: its log has the employees, no log has both
        # them and whom they helped.
        _log.info("desk_visit", by=visit.first.id, second_by=second.id, entry=visit.entry)
        return Done(visit.entry, prints)

    async def _record(self, handle: bytes, visit: _Visit, second: Employee) -> int:
        told = DeskVisit(
            role=visit.first.role,
            second_role=second.role,
            reason=visit.reason,
            copy_given=visit.copy_given,
        )
        answer = await self._ask_again(visit)
        if answer is None:
            visit.sent = await self._desk.prepare_wish(handle, visit.wish, told)
            answer = await self._desk.deliver_wish(visit.sent)
        (person,) = answer.persons
        if not person.part.weighing.permitted or person.index is None:
            raise DeskRefusedError
        return person.index

    async def _ask_again(self, visit: _Visit) -> VerifiedAnswer | None:
        """Return the answer to what was sent before, if it was written down; None if it was not."""
        if visit.sent is None:
            return None
        try:
            return await self._desk.deliver_wish(visit.sent)
        except (PeerRefusedError, SessionMissingError):
            return None

    def _require_same(self, number: str, visit: _Visit, shown: Shown) -> None:
        if hmac.compare_digest(visit.digest, self._digest(shown)):
            return
        visit.tries += 1
        if visit.tries >= MOST_TRIES:
            self._waiting.pop(number, None)
        raise DeskMismatchError

    def _digest(self, shown: Shown) -> bytes:
        members = (normalise_bsn(shown.bsn), fold_name(shown.surname), shown.born.isoformat())
        return hmac.digest(self._key, "\x00".join(members).encode(), "sha256")

    def _purge(self, now: datetime) -> None:
        self._waiting = {key: one for key, one in self._waiting.items() if now < one.until}


def fold_name(name: str) -> str:
    """Return a surname without what two people may write differently: accents, case, signs."""
    parts = unicodedata.normalize("NFKD", name.casefold())
    return "".join(sign for sign in parts if sign.isalnum())
