"""Why a start gave up on the server of its ratchet, in words that name the right setting."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from datwat.party.database_errors import (
    DatabaseEncodingError,
    DatabaseEntryError,
    DatabaseError,
    DatabaseNotDurableError,
    DatabaseOldServerError,
    DatabaseReadOnlyError,
)
from datwat.party.postgres import explain
from datwat.party.ratchet_errors import RatchetAwayError

# All else is no more than that it does not answer.
_TOLD = (
    DatabaseEntryError,
    DatabaseEncodingError,
    DatabaseNotDurableError,
    DatabaseOldServerError,
    DatabaseReadOnlyError,
)


def explain_away(engine: Engine) -> RatchetAwayError:
    """Return why the server cannot be used, and let go of it."""
    found: DatabaseError | None = None
    try:
        with suppress(PoolTimeoutError):
            engine.connect().close()
    except DBAPIError as error:
        found = explain(engine, error)
    except DatabaseError as error:
        found = error
    finally:
        engine.dispose()
    if isinstance(found, _TOLD):
        told = found.detail.replace("database_url", "ratchet_url")
        return RatchetAwayError(f"The ratchet's server cannot be used. {told}")
    return RatchetAwayError()
