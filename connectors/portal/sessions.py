"""Sessions on the server's side: in memory only, opaque to the browser, short.

Rules: 15 minutes idle, 60 at most (protocol.md section 10); a session holds handles that the broker
gave for it, never a BSN, a name or a claim; only the hash of its token is kept; a restart logs
everybody out. A login that has begun is kept by its browser, sealed, and not here: nobody is let in
yet, so that whoever begins thousands takes nothing from anybody. Pure: the moment is passed in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.portal.errors import CrossSiteError, SessionMissingError
from datwat.protocol.sealing import KEY_SIZE, UnsealError, seal, unseal
from datwat.protocol.values import decode_bytes, encode_bytes

IDLE: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(minutes=60)
LOGIN_TIME: Final = timedelta(minutes=10)
_MOST: Final = 10_000
_TOKEN_BYTES: Final = 32
_TIME_BYTES: Final = 8
_LOGIN: Final = b"dw-portal-login/v1\x00"


@dataclass
class Session:
    """One resident at one browser: their handle, and that of a person they represent."""

    own: bytes = field(repr=False)
    represented: bytes | None = field(repr=False)
    csrf: str = field(repr=False)
    opened_at: datetime
    seen_at: datetime

    @property
    def ends_at(self) -> datetime:
        """When it ends if nothing more is done."""
        return min(self.seen_at + IDLE, self.opened_at + LONGEST)

    def require_csrf(self, token: str) -> None:
        """Raise CrossSiteError unless `token` is this session's own."""
        if not hmac.compare_digest(token.encode(), self.csrf.encode()):
            raise CrossSiteError


class Sessions:
    """The open sessions by the hash of their token."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._held: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._held)

    def open(self, own: bytes, represented: bytes | None, now: datetime) -> str:
        """Open a session and return its token."""
        self.purge(now)
        _make_room(self._held)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        csrf = secrets.token_urlsafe(_TOKEN_BYTES)
        self._held[_hash(token)] = Session(own, represented, csrf, now, now)
        return token

    def require(self, token: str | None, now: datetime) -> Session:
        """Return the session of a token, as used now; raise SessionMissingError."""
        session = self._held.get(_hash(token)) if token else None
        if session is None or now >= session.ends_at:
            raise SessionMissingError
        session.seen_at = now
        return session

    def end(self, token: str | None) -> None:
        """Forget a session; one that is not there is no fault."""
        if token:
            self._held.pop(_hash(token), None)

    def purge(self, now: datetime) -> None:
        """Forget what has ended."""
        self._held = {key: held for key, held in self._held.items() if now < held.ends_at}


class Logins:
    """Logins that have begun: the provider's state, nonce and PKCE verifier, for ten minutes.

    A code is spent at the provider, once: the same state with another code lets nobody in.
    """

    def __init__(self) -> None:
        """Draw the key under which the browsers keep them; it lives as long as this process."""
        self._key = secrets.token_bytes(KEY_SIZE)

    def seal(self, state: dict[str, Any], now: datetime) -> str:
        """Return the state of a login that begins now, for its browser to keep: opaque to it."""
        began = int(now.timestamp()).to_bytes(_TIME_BYTES, "big")
        return encode_bytes(seal(self._key, began + json.dumps(state).encode(), _LOGIN))

    def open(self, token: str | None, now: datetime) -> dict[str, Any]:
        """Return the state of a login; nothing for one that is not of here or too old."""
        try:
            plain = unseal(self._key, decode_bytes(token or ""), _LOGIN)
        except (UnsealError, ValueError):
            return {}
        began = datetime.fromtimestamp(int.from_bytes(plain[:_TIME_BYTES], "big"), UTC)
        if now >= began + LOGIN_TIME:
            return {}
        state: dict[str, Any] = json.loads(plain[_TIME_BYTES:])
        return state


def _make_room(held: dict[bytes, Any]) -> None:
    """Let go of the oldest where there are as many as this process keeps."""
    while len(held) >= _MOST:
        held.pop(next(iter(held)))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
