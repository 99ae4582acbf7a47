"""A login at the pages of a party's own staff: the provider, and the one spelling of an id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from datwat.protocol.values import STAFF_ID_PATTERN, derive_staff_id
from datwat.web.login import CALLBACK, LOGGED_OUT
from datwat.web.problems import LoginRefusedError
from datwat.web.provider import ProviderOptions
from datwat.web.staff import StaffSettings

_FITS: Final = re.compile(STAFF_ID_PATTERN)


def build_options(settings: StaffSettings) -> ProviderOptions:
    """Return which identity provider the staff use; never the residents'."""
    url = settings.pages_url.rstrip("/")
    return ProviderOptions(
        issuer=settings.staff_issuer,
        client_id=settings.staff_client_id,
        callback_url=url + CALLBACK,
        logged_out_url=url + LOGGED_OUT,
        levels=settings.accepted_staff_levels,
    )


def read_staff_id(claims: Mapping[str, Any], settings: StaffSettings) -> str:
    """Return who logged in, in the one spelling of a staff id; raise LoginRefusedError. Pure."""
    stated = claims.get(settings.staff_id_claim)
    spelled = derive_staff_id(stated) if isinstance(stated, str) else ""
    if not _FITS.fullmatch(spelled):
        raise LoginRefusedError
    return spelled
