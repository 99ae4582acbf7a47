"""Sessions on the server's side: in memory only, opaque to the browser, short.

Rules: 15 minutes idle, 60 at most (protocol.md section 10); a session holds what its party gave for
it (handles), never a BSN, a name or a claim; only the hash of its token is kept; a restart logs
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
from typing import Any, Final, Generic, TypeVar

from starlette.responses import Response

from datwat.protocol.sealing import KEY_SIZE, UnsealError, seal, unseal
from datwat.protocol.values import decode_bytes, encode_bytes
from datwat.web.problems import CrossSiteError, SessionMissingError

IDLE: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(minutes=60)
LOGIN_TIME: Final = timedelta(minutes=10)
# For how long what somebody typed waits for them, and the session that it was typed in is known.
PARKED: Final = timedelta(minutes=15)
_MOST: Final = 10_000
_TOKEN_BYTES: Final = 32
_TIME_BYTES: Final = 8
_LOGIN: Final = b"dw-portal-login/v1\x00"
HeldT = TypeVar("HeldT")
KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


@dataclass
class Session(Generic[HeldT]):
    """One person at one browser, and what their party holds for them.

    `mark` tells whether somebody is the same person as before, and nothing else: an HMAC under a
    key of this process. `answered` are the ways on from forms that were sent; `notices` are
    sentences that the next page shows.
    """

    held: HeldT = field(repr=False)
    mark: bytes = field(repr=False)
    csrf: str = field(repr=False)
    opened_at: datetime
    seen_at: datetime
    answered: dict[str, Any] = field(default_factory=dict, repr=False)
    notices: list[str] = field(default_factory=list, repr=False)

    @property
    def ends_at(self) -> datetime:
        """When it ends if nothing more is done."""
        return min(self.seen_at + IDLE, self.opened_at + LONGEST)

    def require_csrf(self, token: str) -> None:
        """Raise CrossSiteError unless `token` is this session's own."""
        require_same(token, self.csrf)


@dataclass(frozen=True, slots=True)
class Ended:
    """What is known for a while of a session that came to its end: whose, and its form token."""

    mark: bytes = field(repr=False)
    csrf: str = field(repr=False)
    until: datetime


class Sessions(Generic[HeldT]):
    """The open sessions by the hash of their token."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._held: dict[bytes, Session[HeldT]] = {}
        self._ended: dict[bytes, Ended] = {}
        self._key = secrets.token_bytes(KEY_SIZE)

    def __len__(self) -> int:
        return len(self._held)

    def open(self, held: HeldT, who: str, now: datetime) -> str:
        """Open a session and return its token; of `who` only an HMAC stays."""
        self.purge(now)
        make_room(self._held, _MOST)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        csrf = secrets.token_urlsafe(_TOKEN_BYTES)
        mark = hmac.digest(self._key, who.encode(), "sha256")
        self._held[_hash(token)] = Session(held, mark, csrf, now, now)
        return token

    def require(self, token: str | None, now: datetime) -> Session[HeldT]:
        """Return the session of a token, as used now; raise SessionMissingError."""
        session = self._held.get(_hash(token)) if token else None
        if session is None or now >= session.ends_at:
            raise SessionMissingError
        session.seen_at = now
        return session

    def find_ended(self, token: str | None, now: datetime) -> Ended | None:
        """Return what is known of a session that nobody ended by logging out, not long ago."""
        self.purge(now)
        return self._ended.get(_hash(token)) if token else None

    def end(self, token: str | None) -> None:
        """Forget a session; one that is not there is no fault."""
        if token:
            self._held.pop(_hash(token), None)

    def lapse(self, token: str | None, now: datetime) -> None:
        """End a session that ended elsewhere as if its time had come; an absent one is no fault."""
        if token and _hash(token) in self._held:
            self._lapse(_hash(token), now)

    def purge(self, now: datetime) -> None:
        """Forget what has ended; whose it was stays known for as long as what they typed waits."""
        for key in [key for key, held in self._held.items() if now >= held.ends_at]:
            self._lapse(key, self._held[key].ends_at)
        for key in [key for key, ended in self._ended.items() if now >= ended.until]:
            del self._ended[key]

    def _lapse(self, key: bytes, at: datetime) -> None:
        session = self._held.pop(key)
        make_room(self._ended, _MOST)
        self._ended[key] = Ended(session.mark, session.csrf, at + PARKED)


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


@dataclass(frozen=True)
class Cookies:
    """The two cookies of a party's pages; `prefix` tells its parties on one host apart.

    Lax, not Strict: the way back from the provider begins at another site. With the same attributes
    where one ends at once: a browser takes a `__Host-` cookie in no other form.
    """

    is_secure: bool
    prefix: str = "datwat"

    @property
    def session(self) -> str:
        """The name of the cookie with the session's token."""
        return self._name("session")

    @property
    def login(self) -> str:
        """The name of the cookie with a login that has begun."""
        return self._name("login")

    def set(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Set a cookie, or end it (no value, 0 seconds)."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite="lax",
        )

    def _name(self, name: str) -> str:
        return f"{'__Host-' if self.is_secure else ''}{self.prefix}-{name}"


def require_same(token: str, own: str) -> None:
    """Raise CrossSiteError unless both are the same, in constant time."""
    if not hmac.compare_digest(token.encode("utf-8", "replace"), own.encode()):
        raise CrossSiteError


def make_room(held: dict[KeyT, ValueT], most: int) -> None:
    """Let go of the oldest where there are as many as this process keeps."""
    while len(held) >= most:
        held.pop(next(iter(held)))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
