"""A party's own keys of one kind: the one in use, and the next one while it becomes known.

Rule: a new key is used only when everybody had time to read the trust list that names it; until
then the old one is, which the list names too: so nobody who reads the list each minute ever meets a
key that they do not know. Files in `<home>/secrets`: NAME holds the key in use, NAME.next the one
that follows. A running party looks each second whether they changed; its restart changes nothing.

1. `start`: the next key is drawn; the party's card names both, the newest first. 2. The covenant
takes up the card and signs the list. 3. The party goes over by itself, `SETTLED` after it read that
list. 4. `finish`: the next one takes the place of the old one, which is destroyed; the card names
one key, and the covenant takes it up again. `abort` destroys the next one instead.
Source: docs/decisions/0027; house reference "cryptography".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from datwat.party.errors import PartyError
from datwat.party.files import describe_obstacle
from datwat.party.key_files import (
    Stamp,
    destroy_key_file,
    find_stamp,
    promote_key_file,
    write_key_file,
)
from datwat.party.settings import SecretError, read_secret
from datwat.party.telemetry import get_logger
from datwat.protocol.errors import DatwatError
from datwat.protocol.keys import ExchangeKey, SigningKey

# Parties read the list each minute; a clock that is behind and a slow fetch take their time.
SETTLED: Final = 150.0
LOOKED_AT_EVERY: Final = 1.0
NEXT: Final = ".next"
_log = get_logger("keys")


class NextKeyError(PartyError):
    """A key is being introduced already."""

    code = "next_key_there"
    default_detail = (
        "A next key was made already: `keys finish` puts it in the place of the old one, `keys "
        "abort` destroys it."
    )


class NoNextKeyError(PartyError):
    """Nothing to finish or to take back."""

    code = "next_key_none"
    default_detail = "There is no next key: `keys rotate` makes one. Nothing was changed."


class _WithRaw(Protocol):
    @property
    def raw(self) -> bytes:
        """The public key, 32 bytes."""


class OwnKey(Protocol):
    """A private key with its public half."""

    @property
    def public(self) -> _WithRaw:
        """The public half."""


Key = TypeVar("Key", bound=OwnKey)


class OwnKeys(Generic[Key]):
    """The one or two keys of a kind that lie in a home."""

    def __init__(self, home: Path, name: str, parse: Callable[[bytes], Key]) -> None:
        """Read the files.

        Raises SecretError, KeyFormError.
        """
        self._home = home
        self._name = name
        self._parse = parse
        self._seen, self.keys = self._read()

    def __repr__(self) -> str:
        return f"OwnKeys({self._name}, {len(self.keys)})"

    def refresh(self) -> bool:
        """Read the files anew if they changed; return whether they did.

        Raises SecretError, KeyFormError.
        """
        if self._stamp() == self._seen:
            return False
        self._seen, self.keys = self._read()
        return True

    async def follow(self) -> None:
        """Look for ever whether somebody changed the files."""
        while True:
            await asyncio.sleep(LOOKED_AT_EVERY)
            try:
                if self.refresh():
                    _log.info("own_keys_read", count=len(self.keys))
            except DatwatError as error:  # a file may be read while it is replaced: look again
                _log.warning("own_keys_not_read", code=error.code)

    def start(self, content: bytes) -> None:
        """Keep the next key; raise NextKeyError where there is one, SecretError."""
        path = self._path(NEXT)
        if path.exists():
            raise NextKeyError
        try:
            write_key_file(path, content)
        except OSError as error:
            raise SecretError(describe_obstacle(error, path)) from None
        self.refresh()

    def finish(self) -> None:
        """Put the next key in the place of the old one, which is destroyed.

        Raises NoNextKeyError, SecretError.
        """
        self._change(promote_key_file)

    def abort(self) -> None:
        """Destroy the next key; raise NoNextKeyError, SecretError."""
        self._change(lambda new, _old: destroy_key_file(new))

    def _change(self, step: Callable[[Path, Path], None]) -> None:
        new = self._path(NEXT)
        if not new.exists():
            raise NoNextKeyError
        try:
            step(new, self._path())
        except OSError as error:
            raise SecretError(describe_obstacle(error, new)) from None
        self.refresh()

    def _path(self, suffix: str = "") -> Path:
        return self._home / "secrets" / f"{self._name}{suffix}"

    def _stamp(self) -> tuple[Stamp | None, ...]:
        return find_stamp(self._path()), find_stamp(self._path(NEXT))

    def _read(self) -> tuple[tuple[Stamp | None, ...], tuple[Key, ...]]:
        """Return what the files looked like, and the keys, the newest first."""
        seen = self._stamp()
        names = [self._name + NEXT] if seen[1] is not None else []
        keys = [self._parse(read_secret(self._home, name)) for name in (*names, self._name)]
        return seen, tuple(keys)


class KeyOfNow(Generic[Key]):
    """Which of the own keys is used at a moment."""

    def __init__(
        self,
        own: OwnKeys[Key],
        read_listed: Callable[[], Collection[bytes]],
        *,
        clock: Callable[[], float] = time.monotonic,
        settled: float = SETTLED,
    ) -> None:
        """`read_listed` gives the public keys (32 bytes) that the list held now names."""
        self._own = own
        self._read_listed = read_listed
        self._clock = clock
        self._settled = settled
        self._since: tuple[bytes, float] | None = None

    @property
    def own(self) -> OwnKeys[Key]:
        """All that there are."""
        return self._own

    def now(self) -> Key:
        """Return the key to use now."""
        newest, *others = self._own.keys
        if not others:
            return newest
        listed = self._read_listed()
        if newest.public.raw not in listed:
            self._since = None
            return others[0]
        if others[0].public.raw not in listed:
            return newest
        if self._since is None or self._since[0] != newest.public.raw:
            self._since = newest.public.raw, self._clock()
        return newest if self._clock() >= self._since[1] + self._settled else others[0]


def parse_signing(content: bytes) -> SigningKey:
    """Return a signing key from its file; raise KeyFormError."""
    return SigningKey.from_jwk_text(content.decode("ascii", "replace"))


def parse_exchange(content: bytes) -> ExchangeKey:
    """Return an exchange key from its file; raise KeyFormError."""
    return ExchangeKey.from_jwk_text(content.decode("ascii", "replace"))
