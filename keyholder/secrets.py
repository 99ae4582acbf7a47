"""The key holder's secrets: a scalar s per epoch, and the X25519 key with which tickets are sealed.

Without *s* every pointer is lost; whoever has *s* and the broker's secrets finds every BSN in two
core-hours (reference "Threats"). So they lie in files that only the key holder's own user may read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from datwat.party.settings import read_secret, write_secret
from datwat.protocol import group
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.trust import Epoch
from keyholder.errors import ScalarMissingError

_EXCHANGE_NAME = "x25519.jwk"
_SCALAR_PREFIX = "scalar-"
_FIRST_EPOCH = 1


@dataclass(frozen=True, slots=True)
class Secrets:
    """Every scalar by its epoch, its public key, and the exchange key."""

    scalars: dict[int, bytes] = field(repr=False)
    epochs: tuple[Epoch, ...]
    exchange: ExchangeKey = field(repr=False)


def create_secrets(home: Path) -> Secrets:
    """Write the scalar of the first epoch and an exchange key; raise SecretError if there."""
    write_secret(home, f"{_SCALAR_PREFIX}{_FIRST_EPOCH}", group.random_scalar().hex().encode())
    exchange = ExchangeKey.generate()
    write_secret(home, _EXCHANGE_NAME, exchange.to_jwk_text().encode())
    return load_secrets(home)


def load_secrets(home: Path) -> Secrets:
    """Return what `create_secrets` wrote; raise SecretError, ScalarMissingError or KeyFormError."""
    exchange = ExchangeKey.from_jwk_text(read_secret(home, _EXCHANGE_NAME).decode())
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
    return Secrets(scalars=scalars, epochs=epochs, exchange=exchange)
