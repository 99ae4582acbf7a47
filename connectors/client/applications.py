"""The partner's own applications: a token each, of which only the hash is kept.

Rule: the local API answers nobody without a token; a token is shown once and compared by its hash
(a look-up by hash tells nothing about how much of a guess was right).
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from connectors.errors import ApplicationExistsError, TokenRefusedError
from connectors.tables import applications

_TOKEN_BYTES = 32
_SCHEME = "Bearer "


class Applications:
    """Which applications may call the local API."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, name: str, now: datetime) -> str:
        """Return a fresh token for the application `name`; raise ApplicationExistsError."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        row = {"name": name, "token_hash": _hash(token), "created_at": int(now.timestamp())}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(applications).values(**row))
        except IntegrityError:
            raise ApplicationExistsError from None
        return token

    def revoke(self, name: str) -> bool:
        """Close an application at once; return whether it had a token."""
        gone = delete(applications).where(applications.c.name == name)
        with self._engine.begin() as connection:
            return connection.execute(gone).rowcount == 1

    def list_names(self) -> list[str]:
        """Return the names of all applications with a token."""
        query = select(applications.c.name).order_by(applications.c.name)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def require_token(self, header: str) -> str:
        """Return the application that an Authorization header names; raise TokenRefusedError."""
        if not header.startswith(_SCHEME):
            raise TokenRefusedError
        digest = _hash(header.removeprefix(_SCHEME))
        query = select(applications.c.name).where(applications.c.token_hash == digest)
        with self._engine.connect() as connection:
            name: str | None = connection.execute(query).scalar()
        if name is None:
            raise TokenRefusedError
        return name


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
