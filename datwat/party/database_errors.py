"""What can be wrong with a party's database, each with what to do about it.

Rule: no sentence holds an address, a user or a word of the driver's own: those name hosts and
people. Whoever reads it finds all of them in `database_url`.
"""

from __future__ import annotations

import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from datwat.party.errors import PartyError

# SQLSTATE: something took too long, another transaction was in the way, no room is left, or the
# server takes no changes for now.
_PASSING = frozenset(
    {"55P03", "57014", "25P03", "40001", "40P01", "53100", "53200", "53300", "25006"}
)
_PASSING_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL")


class DatabaseError(PartyError):
    """The database cannot be used as it is."""

    code = "database_unusable"
    default_detail = "The database cannot be used: check database_url, that it runs, and its disk."


class DatabaseUrlError(DatabaseError):
    """The URL is of another kind, or asks for what is not taken; nothing was opened."""

    default_detail = (
        "The database URL must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE."
    )


class DatabaseUnreachableError(DatabaseError):
    """Nothing answers at the address."""

    code = "database_unreachable"
    default_detail = (
        "No PostgreSQL server answers at the address in database_url: check host and port, that "
        "the server runs, and what lies between."
    )


class DatabaseStartingError(DatabaseError):
    """The server is there and takes nobody in now."""

    code = "database_starting"
    default_detail = (
        "The PostgreSQL server is starting, stopping or recovering: try again in a moment."
    )


class DatabaseEntryError(DatabaseError):
    """The server runs and does not let this role in."""

    code = "database_entry"
    default_detail = (
        "The PostgreSQL server runs and lets nobody in with database_url: check that database and "
        "role exist, the password (~/.pgpass or a client certificate), pg_hba.conf, and "
        "max_connections."
    )


class DatabaseTlsError(DatabaseEntryError):
    """The server runs, and does not let in whoever asks for TLS as the URL does."""

    default_detail = (
        "The PostgreSQL server runs and no TLS connection to it comes about: check the options "
        "sslmode, sslrootcert, sslcert, sslkey and sslcrl in database_url, the server's "
        "certificate, and that its ssl is on."
    )


class DatabaseNotDurableError(DatabaseError):
    """The server may lose what it acknowledged."""

    code = "database_not_durable"
    default_detail = (
        "The PostgreSQL server may lose what it acknowledged: set fsync and full_page_writes to "
        "on, synchronous_commit to on or remote_apply (for the role and the database too), and "
        "restart it."
    )


class DatabaseOldServerError(DatabaseError):
    """The server is of a version that is not tested."""

    code = "database_old_server"
    default_detail = "The PostgreSQL server is older than version 15: use version 15 or newer."


class DatabaseEncodingError(DatabaseError):
    """The database keeps text in another encoding."""

    code = "database_encoding"
    default_detail = (
        "The database has another encoding than UTF8: make one with "
        "CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'."
    )


class DatabaseReadOnlyError(DatabaseError):
    """The server takes no changes: a standby, or one that was set to read only."""

    code = "database_read_only"
    default_detail = (
        "The PostgreSQL server takes no changes: it is a standby, or is set to read only. Name "
        "the primary in database_url, promote the standby, or set default_transaction_read_only "
        "to off."
    )


class DatabaseRightsError(DatabaseError):
    """The role may not do what this party does."""

    code = "database_rights"
    default_detail = (
        "The role in database_url lacks rights in this database: carry out what `datwat database "
        "roles` prints, and bring the schema up to date as the role that owns the tables "
        "(`datwat database migrate`)."
    )


class DatabaseTooNewError(DatabaseError):
    """A newer version of the software made this schema."""

    code = "database_too_new"
    default_detail = "The database was made by a newer version: run that version."


class DatabaseUnfinishedError(DatabaseError):
    """A copy into this database did not come to its end."""

    code = "database_unfinished"
    default_detail = (
        "A copy into this database was not finished: give the same `datwat database copy` again."
    )


class DatabaseAwayError(DatabaseError):
    """A running party lost its database, or had to wait for it too long."""

    code = "database_away"
    default_detail = "The database does not answer now: try again in a moment."


def find_away(error: BaseException) -> DatabaseAwayError | None:
    """Return the error to tell where another try may succeed; None for a defect of our own.

    Takes what SQLAlchemy raises, and what the drivers raise of statements that they ran themselves.
    """
    if isinstance(error, PoolTimeoutError):
        return DatabaseAwayError()
    cause = error.orig if isinstance(error, DBAPIError) else error
    match cause:
        case psycopg.Error():
            state = cause.sqlstate
            lost = isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
            passes = state in _PASSING if state else lost
            passes = passes or (state or "").startswith(("08", "57P"))
        case sqlite3.Error():
            passes = getattr(cause, "sqlite_errorname", "").startswith(_PASSING_SQLITE)
        case _:
            passes = False
    return DatabaseAwayError() if passes else None
