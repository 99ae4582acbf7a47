"""A party's ratchet on a server: not on its database's, and with what a file held before.

Rules: one server put back, or one standby promoted, may not take both back; a ratchet in a file
counts until a server's has taken over all of it, and never again after.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.exc import DBAPIError

from datwat.party.database import DatabaseError, open_engine
from datwat.party.ratchet import Ratchet, RatchetError
from datwat.party.ratchet_server import ServerRatchet, find_identity

_MOVED = "ratchet.moved"


def open_on_server(url: str, party: str, *, database: str, file: Path) -> Ratchet:
    """Open the ratchet of a party at `url`; what `file` held is taken over, once.

    Raises RatchetError; DatabaseError where the database cannot be asked which server it is on.
    """
    ratchet = ServerRatchet.connect(url, party)
    try:
        _require_other_server(ratchet, database)
        if file.exists():
            _take_over(ratchet, file)
    except BaseException:
        ratchet.close()
        raise
    return ratchet


def require_not_moved(file: Path) -> None:
    """Refuse a file whose ratchet went to a server; raise RatchetError."""
    if file.with_name(_MOVED).exists():
        raise RatchetError("This party's ratchet lies on a server: set ratchet_url.")


def _take_over(ratchet: ServerRatchet, file: Path) -> None:
    with Ratchet.open(file) as before:
        if not ratchet.take_over(*before.read_all()):
            raise RatchetError(
                "A ratchet of this party lies on the server already, and another in "
                f"{file}: move away the file, if it is the older one."
            )
        file.rename(file.with_name(_MOVED))


def _require_other_server(ratchet: ServerRatchet, database: str) -> None:
    engine = open_engine(database)
    try:
        if engine.dialect.name != "postgresql":
            return
        with engine.connect() as conn:
            identity = find_identity(conn)
    except DBAPIError:
        raise DatabaseError from None
    finally:
        engine.dispose()
    if identity == ratchet.find_identity():
        raise RatchetError(
            "The ratchet lies on the database's own server, or on a standby of it: set ratchet_url "
            "to another server."
        )
