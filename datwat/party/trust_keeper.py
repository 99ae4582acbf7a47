"""Keeps a party's trust list: reads it at the start and again every minute, and holds the newest.

A message signed by a key that is not in it may come from a partner that just joined: then it is
read sooner, at most every five seconds whoever sends them.

Rules: source and pin are the party's own, never the broker's word; a list counts once the ratchet
has it. The document lies in the home folder under its own hash, and is written before the ratchet
moves: after a crash in between the ratchet still names a file that is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Self

from datwat.party.database import find_sqlite_file
from datwat.party.files import describe_obstacle, replace_file
from datwat.party.http_out import HttpOut
from datwat.party.ratchet import Ratchet, RatchetBrokenError, require_apart
from datwat.party.ratchet_places import open_on_server, require_not_moved
from datwat.party.settings import PartySettings, make_private_folder, only_here
from datwat.party.telemetry import get_logger
from datwat.party.trust_list import (
    MAX_LIST_BYTES,
    AcceptedList,
    Directory,
    TrustListError,
    TrustListPinError,
    accept_first,
    accept_next,
)
from datwat.protocol.errors import DatwatError

REFRESH_EVERY = timedelta(minutes=1)
REFRESH_SOONEST = timedelta(seconds=5)
RATCHET_NAME = "trust_list"
_FETCH_SECONDS = 10.0

_log = get_logger("trust")


def open_ratchet(settings: PartySettings) -> Ratchet:
    """Open the party's ratchet, in a folder or on a server of its own; raise RatchetError."""
    make_private_folder(settings.ratchet)
    path = settings.ratchet / "ratchet"
    if settings.ratchet_url:
        return open_on_server(
            settings.ratchet_url, settings.id, database=settings.database, file=path
        )
    require_not_moved(path)
    database = find_sqlite_file(settings.database)
    if database is not None:
        require_apart(path, database)
    return Ratchet.open(path)


class TrustKeeper:
    """The list that this process goes by; `directory` is replaced whole, never changed."""

    def __init__(
        self, settings: PartySettings, ratchet: Ratchet, http: HttpOut, accepted: AcceptedList
    ) -> None:
        self._home, self._folder = settings.home, settings.home / "trust"
        self._source = settings.trust_list
        self._ratchet = ratchet
        self._http = http
        self._asked = asyncio.Event()
        self.on_accepted: Callable[[], None] = _tell_nobody
        self.directory = Directory(accepted)

    @classmethod
    async def open(cls, settings: PartySettings, ratchet: Ratchet, http: HttpOut) -> Self:
        """Return a keeper that holds the newest list that may be accepted now.

        Raises TrustListError where no list can be believed: no address, no pin, or other bytes.
        """
        if not settings.trust_list:
            raise TrustListError("No trust list is set: `datwat trust pin` tells this home which.")
        accepted = await _find_start(settings, ratchet, http)
        keeper = cls(settings, ratchet, http, accepted)
        keeper._hold(accepted)
        try:
            await keeper.refresh()
        except RatchetBrokenError:
            raise
        except DatwatError as error:
            _log.warning("trust_list_not_refreshed", code=error.code)
        return keeper

    def close_partners(self, closed: frozenset[str]) -> None:
        """Close these partners here, and no others; takes effect with the next message."""
        self.directory = self.directory.with_closed(closed)

    async def refresh(self) -> bool:
        """Read the source once; return whether another list is in use now.

        Raises TrustListError, PeerError, ThresholdError or RatchetError; the held list stays.
        """
        document = await _fetch(self._source, self._http)
        accepted = accept_next(document, self.directory.accepted)
        if accepted is self.directory.accepted:
            return False
        directory = Directory(accepted)
        await asyncio.to_thread(self._hold, accepted)
        self.directory = directory.with_closed(self.directory.closed)
        _log.info("trust_list_accepted", seq=accepted.trust.seq, partners=len(directory.partners))
        self.on_accepted()
        return True

    async def take_up_held(self) -> bool:
        """Take up the list that another process of this home accepted; raise TrustListError."""
        mark = await asyncio.to_thread(self._ratchet.value, RATCHET_NAME)
        if mark is None or mark.number <= self.directory.accepted.trust.seq:
            return True
        document = await asyncio.to_thread(_read_file, self._folder / f"{mark.digest.hex()}.json")
        accepted = accept_next(document, self.directory.accepted)
        self.directory = Directory(accepted).with_closed(self.directory.closed)
        _log.info(
            "trust_list_accepted", seq=accepted.trust.seq, partners=len(accepted.trust.partners)
        )
        return True

    def ask(self) -> None:
        """Have the source read soon: somebody spoke who is not in the list."""
        self._asked.set()

    async def run(
        self, every: timedelta = REFRESH_EVERY, *, soonest: timedelta = REFRESH_SOONEST
    ) -> None:
        """Refresh for ever, sooner where asked; a broken ratchet ends the party."""
        while True:
            await self._wait(every, min(soonest, every))
            try:
                await self.refresh()
            except RatchetBrokenError:
                _log.critical("ratchet_broken")
                signal.raise_signal(signal.SIGTERM)
                return
            except DatwatError as error:
                _log.warning("trust_list_not_refreshed", code=error.code)

    async def _wait(self, every: timedelta, soonest: timedelta) -> None:
        await asyncio.sleep(soonest.total_seconds())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._asked.wait(), (every - soonest).total_seconds())
        self._asked.clear()

    def _hold(self, accepted: AcceptedList) -> None:
        """Write the document, then move the ratchet, then let go of older documents.

        All of it alone: another process may take up the same list, or has a newer one already.
        """
        make_private_folder(self._folder)
        path = self._folder / f"{accepted.digest.hex()}.json"
        with only_here(self._home):
            if not path.exists():
                replace_file(path, accepted.document)
            self._ratchet.advance(RATCHET_NAME, accepted.trust.seq, accepted.digest)
            for other in self._folder.glob("*.json"):
                if other != path:
                    other.unlink()


def _tell_nobody() -> None:
    pass


async def _find_start(settings: PartySettings, ratchet: Ratchet, http: HttpOut) -> AcceptedList:
    """Return the list accepted last, else the pinned one, from the home folder or the source.

    A pin that was typed in later (after covenant keys were lost) counts too: the ratchet then
    refuses a list that is older than the one accepted last.
    """
    mark = ratchet.value(RATCHET_NAME)
    digests = [mark.digest] if mark else []
    digests += [bytes.fromhex(settings.trust_pin)] if settings.trust_pin else []
    if not digests:
        raise TrustListPinError("No trust list is pinned: `datwat trust pin` takes its hash.")
    for digest in digests:
        path = settings.home / "trust" / f"{digest.hex()}.json"
        if path.is_file():
            return accept_first(await asyncio.to_thread(path.read_bytes), digest)
    document = await _fetch(settings.trust_list, http)
    for digest in digests:
        try:
            return accept_first(document, digest)
        except TrustListPinError:
            continue
    raise TrustListPinError


async def _fetch(source: str, http: HttpOut) -> bytes:
    if source.startswith(("http://", "https://")):
        return await http.fetch(source, seconds=_FETCH_SECONDS, max_bytes=MAX_LIST_BYTES)
    return await asyncio.to_thread(_read_file, Path(source))


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            document = file.read(MAX_LIST_BYTES + 1)
    except OSError as error:
        raise TrustListError(describe_obstacle(error, path)) from None
    if len(document) > MAX_LIST_BYTES:
        raise TrustListError(f"{path} is too large for a trust list: name the signed list.")
    return document
