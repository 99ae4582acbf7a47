"""The key holder's secrets: a scalar s per epoch, and the X25519 key with which tickets are sealed.

Without *s* every pointer is lost; whoever has *s* and the broker's secrets finds every BSN in two
core-hours (reference "Threats"). So they lie in files that only the key holder's own user may read.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from datwat.party.files import sync_folder
from datwat.party.own_keys import OwnKeys, parse_exchange
from datwat.party.settings import SecretError, read_secret, write_secret
from datwat.protocol import group
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.trust import Epoch
from keyholder.errors import ScalarMissingError

EXCHANGE_NAME = "x25519.jwk"
_SCALAR_PREFIX = "scalar-"
_FIRST_EPOCH = 1


@dataclass(frozen=True, slots=True)
class Secrets:
    """Every scalar by its epoch, its public key, and the exchange keys."""

    scalars: dict[int, bytes] = field(repr=False)
    epochs: tuple[Epoch, ...]
    exchange_keys: OwnKeys[ExchangeKey] = field(repr=False)

    @property
    def exchange(self) -> ExchangeKey:
        """The exchange key in use, before any that follows it; as its file is now."""
        self.exchange_keys.refresh()
        return self.exchange_keys.keys[-1]


def create_secrets(home: Path) -> Secrets:
    """Write the scalar of the first epoch and an exchange key; raise SecretError if there."""
    write_scalar(home, _FIRST_EPOCH, group.random_scalar())
    write_secret(home, EXCHANGE_NAME, draw_exchange_key())
    return load_secrets(home)


def draw_exchange_key() -> bytes:
    """Return a new exchange key as its file has it."""
    return ExchangeKey.generate().to_jwk_text().encode()


def load_secrets(home: Path) -> Secrets:
    """Return what `create_secrets` wrote; raise SecretError, ScalarMissingError or KeyFormError."""
    exchange_keys = OwnKeys(home, EXCHANGE_NAME, parse_exchange)
    scalars = {}
    for path in (home / "secrets").glob(f"{_SCALAR_PREFIX}*"):
        try:
            epoch = int(path.name.removeprefix(_SCALAR_PREFIX))
            scalar = bytes.fromhex(read_secret(home, path.name).decode())
            scalars[epoch] = group.require_scalar(scalar)
        except (ValueError, group.ScalarError):
            raise ScalarMissingError from None
    if not scalars:
        raise ScalarMissingError
    epochs = tuple(
        Epoch(epoch=epoch, pk=group.multiply_base(scalar))
        for epoch, scalar in sorted(scalars.items())
    )
    return Secrets(scalars=scalars, epochs=epochs, exchange_keys=exchange_keys)


def find_scalars(home: Path) -> dict[int, bytes]:
    """Return the scalars of a home that can be read, by epoch; others are left out."""
    found = {}
    for path in (home / "secrets").glob(f"{_SCALAR_PREFIX}*"):
        with suppress(ValueError, group.ScalarError, SecretError):
            scalar = bytes.fromhex(read_secret(home, path.name).decode())
            found[int(path.name.removeprefix(_SCALAR_PREFIX))] = group.require_scalar(scalar)
    return found


def list_scalars(home: Path) -> set[int]:
    """Return the epochs of which there is a file, also of one that cannot be read."""
    found = set()
    for path in (home / "secrets").glob(f"{_SCALAR_PREFIX}*"):
        with suppress(ValueError):
            found.add(int(path.name.removeprefix(_SCALAR_PREFIX)))
    return found


def write_scalar(home: Path, epoch: int, scalar: bytes) -> None:
    """Keep the scalar of an epoch; raise SecretError where there is one already."""
    write_secret(home, f"{_SCALAR_PREFIX}{epoch}", scalar.hex().encode())


def destroy_scalar(home: Path, epoch: int) -> None:
    """Overwrite and remove the scalar of an epoch, if it is there; raise OSError.

    What a disk or a file system keeps of overwritten blocks is out of reach of a program: an
    encrypted disk answers for that (docs/how-to/keys.md).
    """
    path = home / "secrets" / f"{_SCALAR_PREFIX}{epoch}"
    if not path.exists():
        return
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(path.parent)
