"""What the portal does at the broker for somebody who is logged in: open, read, wish, end.

Rules: the BSN goes into one blind look-up of class `self` and nowhere else; a handle is good for
one session; nothing of an answer is used before all of it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from connectors.client.exchange import Exchange, LogMemory
from connectors.client.outgoing import Draft, Person
from connectors.client.verification import VerifiedAnswer
from connectors.portal.errors import LoginRefusedError, SessionMissingError
from connectors.portal.login import Identity
from connectors.portal.own_log import verify_own_log
from datwat.party.http_out import PeerRefusedError
from datwat.protocol.access_log import AccessLog
from datwat.protocol.acts import Page, Wish

# Somebody waits in front of a screen.
PATIENCE: Final = timedelta(seconds=8)
# The provider established who it is, at the level that the settings ask.
_IDENTITY: Final[Mapping[str, Any]] = {"identity": "document"}


@dataclass(frozen=True, slots=True)
class Handles:
    """What the broker calls two persons in this session; the second where one is represented."""

    own: bytes = field(repr=False)
    represented: bytes | None = field(repr=False)


class ResidentDesk:
    """The portal's side of the four acts of protocol.md section 5."""

    def __init__(self, exchange: Exchange, memory: LogMemory) -> None:
        """Keep the exchange, and what the log stated to this portal."""
        self._exchange = exchange
        self._memory = memory

    async def open_session(self, identity: Identity) -> Handles:
        """Return the handles for who logged in; raise LoginRefusedError where there is none.

        A represented person has a handle whatever the broker decided: where it refused, the handle
        leads to an empty log, as that of somebody unknown does. None where nobody is represented.
        """
        bsns = [bsn for bsn in (identity.bsn, identity.represented) if bsn is not None]
        persons = [Person(bsn=bsn, members=_IDENTITY) for bsn in bsns]
        answer = await self._exchange.act(Draft("open_session", persons))
        handles = [
            person.part.handle if person.part.weighing.permitted else None
            for person in answer.persons
        ]
        if handles[0] is None:
            raise LoginRefusedError
        return Handles(handles[0], handles[1] if len(handles) > 1 else None)

    async def end_session(self, handles: Handles) -> None:
        """End both handles at the broker; raise PeerError."""
        held = [handle for handle in (handles.own, handles.represented) if handle is not None]
        persons = [Person(handle=handle) for handle in held]
        await self._exchange.act(Draft("end_session", persons))

    async def fetch_access_log(self, handle: bytes, page: Page) -> AccessLog:
        """Return a page of somebody's own log, with every proof in it checked.

        Raises SessionMissingError where the broker ended the session, OwnLogError, PeerError.
        """
        sent = await self._exchange.prepare(_draft("access_log", handle, {"page": page}))
        try:
            raw = await self._exchange.deliver(sent)
        except PeerRefusedError as error:
            raise _end_or(error) from None
        log = self._exchange.directory.trust.log
        found, checkpoint = verify_own_log(raw, sent.rid, log)
        self._memory.accept(checkpoint)
        return found

    async def record_wish(self, handle: bytes, wish: Wish) -> VerifiedAnswer:
        """Record consent, withdrawal or objection and return the proved answer.

        Raises SessionMissingError where the broker ended the session, AnswerRefusedError.
        """
        draft = _draft("wish", handle, {"wish": wish})
        try:
            return await self._exchange.act(draft)
        except PeerRefusedError as error:
            raise _end_or(error) from None


def _draft(act: str, handle: bytes, members: Mapping[str, Any]) -> Draft:
    return Draft(act, [Person(handle=handle, members=members)])


def _end_or(error: PeerRefusedError) -> PeerRefusedError | SessionMissingError:
    return SessionMissingError() if error.peer_code == "handle_unknown" else error
