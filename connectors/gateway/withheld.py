"""What this source keeps to itself: a file of client numbers and products, the partner's own.

Rule: secrecy is the source's to keep, whatever was decided elsewhere. The file is read for every
order; one that cannot be read withholds everything.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from connectors.gateway.errors import SourceRefusesError
from connectors.sources.errors import DeclarationError
from datwat.party.strict_yaml import read_model
from datwat.party.telemetry import get_logger
from datwat.protocol.values import PartyId, ShortText, Slug, Value

_log = get_logger("gateway")


class Withheld(Value):
    """Clients, products and requesters for whom nothing leaves this source."""

    v: int = Field(ge=1, le=1)
    clients: tuple[ShortText, ...] = Field(default=(), max_length=10_000, repr=False)
    products: tuple[Slug, ...] = Field(default=(), max_length=64)
    requesters: tuple[PartyId, ...] = Field(default=(), max_length=2_000)


def load_withheld(path: Path | None) -> Withheld:
    """Return what the file withholds, nothing without a file; raise DeclarationError."""
    if path is None:
        return Withheld(v=1)
    withheld: Withheld = read_model(path, Withheld, DeclarationError)
    return withheld


def require_given(path: Path | None, *, client: str, product: str, requester: str) -> None:
    """Raise SourceRefusesError if the partner withholds this."""
    try:
        withheld = load_withheld(path)
    except DeclarationError:
        _log.error("withheld_unreadable")
        raise SourceRefusesError from None
    if (
        client in withheld.clients
        or product in withheld.products
        or requester in withheld.requesters
    ):
        raise SourceRefusesError
