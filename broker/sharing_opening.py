"""How a broker's process is put among the others, before anything else of it is opened."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from sqlalchemy import Engine

from broker.adapters.sharing_store import SharingSession
from broker.settings import BrokerSettings
from broker.sharing import ProcessAloneError, ProcessRunsError, Sharing
from datwat.party.background import start
from datwat.party.database import find_sqlite_file
from datwat.party.ratchet import Ratchet

_TRIES = 12
_PAUSE_SECONDS = 0.5


def require_room(settings: BrokerSettings) -> None:
    """Raise ProcessAloneError for a second process where there can be one only."""
    is_file = find_sqlite_file(settings.database) is not None
    if settings.process > 1 and (is_file or not settings.ratchet_url):
        raise ProcessAloneError


async def open_sharing(
    settings: BrokerSettings, engine: Engine, ratchet: Ratchet, stack: AsyncExitStack
) -> Sharing:
    """Return this process among the others, looking each half second what they changed.

    Raises ProcessRunsError, DatabaseError.
    """
    is_server = engine.dialect.name == "postgresql"
    session = SharingSession(engine, settings.process) if is_server else None
    if session is not None:
        await _open(session)
    sharing = Sharing(settings.process, session, is_shared=ratchet.is_shared)
    stack.callback(sharing.close)
    start(stack, sharing.run)
    return sharing


async def _open(session: SharingSession) -> None:
    """Take this process's number; the session of one that was killed may last some seconds."""
    for left in reversed(range(_TRIES)):
        try:
            return await asyncio.to_thread(session.open)
        except ProcessRunsError:
            if not left:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
    return None
