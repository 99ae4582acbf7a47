"""Who a resident is, from the claims of a login that holds: their BSN, and whom they represent.

Rule: of the claims only the BSNs go on, to the blind look-up, and are kept nowhere. Issuer, claims
and levels are configuration. What must hold of the login itself: `datwat.web.provider`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.portal.settings import PortalSettings
from datwat.protocol.blinding import BsnError, normalise_bsn
from datwat.web.login import CALLBACK, LOGGED_OUT
from datwat.web.problems import LoginRefusedError
from datwat.web.provider import ProviderOptions


@dataclass(frozen=True, slots=True)
class Identity:
    """The BSN of who logged in, and of whom they represent; in memory until they are blinded."""

    bsn: str = field(repr=False)
    represented: str | None = field(repr=False)


def build_options(settings: PortalSettings) -> ProviderOptions:
    """Return which identity provider residents use, as the settings name it."""
    url = settings.url.rstrip("/")
    return ProviderOptions(
        issuer=settings.issuer,
        client_id=settings.client_id,
        callback_url=url + CALLBACK,
        logged_out_url=url + LOGGED_OUT,
        levels=settings.accepted_levels,
    )


def read_identity(claims: Mapping[str, Any], settings: PortalSettings) -> Identity:
    """Return the BSNs in verified claims; a represented person is another one. Pure.

    Raises LoginRefusedError.
    """
    bsn = _read_bsn(claims.get(settings.bsn_claim))
    represents = claims.get(settings.represents_claim)
    if represents is None:
        return Identity(bsn, None)
    if not isinstance(represents, Mapping):
        raise LoginRefusedError
    represented = _read_bsn(represents.get(settings.bsn_claim))
    if represented == bsn:
        raise LoginRefusedError
    return Identity(bsn, represented)


def _read_bsn(value: object) -> str:
    if not isinstance(value, str):
        raise LoginRefusedError
    try:
        return normalise_bsn(value)
    except BsnError:
        raise LoginRefusedError from None
