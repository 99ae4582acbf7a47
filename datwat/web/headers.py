"""The headers of every page: nothing runs but ours, nobody keeps it, nobody frames it.

Source: Content Security Policy Level 3, Fetch (CORP), HTML (COOP), Permissions Policy.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

_FIXED: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
        "microphone=(), payment=(), publickey-credentials-get=(), usb=()"
    ),
    "Vary": "Cookie",
}


def build_headers(code: str, form_targets: Collection[str] = ()) -> dict[str, str]:
    """Return the headers of a page in a language.

    `form_targets` are origins that a form of the page may lead to in the end: a browser holds the
    whole way of a form's answer against the policy, so that logging out at the provider needs its.
    """
    targets = " ".join(("'self'", *form_targets))
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"font-src 'self'; connect-src 'self'; form-action {targets}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return {**_FIXED, "Content-Security-Policy": policy, "Content-Language": code}
