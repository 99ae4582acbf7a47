"""Introductions: a person handed from one partner to another by a code that works once.

Rule: a code is redeemed once, within seven days, by the partner named in it, to register or to open
one occasion of its own; what is opened inherits the chain. Source: protocol.md section 10.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from broker.pseudonyms.reference_rows import Audience, Introduction

VALID_FOR = timedelta(days=7)
REDEEMING_ACTS = frozenset({"register", "open_occasion"})


def derive_introduction_end(now: datetime) -> datetime:
    """Return until when a code that is given at `now` can be redeemed."""
    return now + VALID_FOR


def derive_audience(*, confidential: bool) -> Audience:
    """Return the chain that an introduction from an occasion hands on."""
    return "own" if confidential else "open"


def is_redeemable(introduction: Introduction, act: str, now: datetime) -> bool:
    """Tell whether a code may be used for this act now."""
    return (
        act in REDEEMING_ACTS and introduction.redeemed_at is None and now < introduction.until_at
    )


def derive_state(introduction: Introduction, now: datetime) -> Literal["given", "redeemed", "over"]:
    """Return where an introduction stands, for the partner that gave it."""
    if introduction.redeemed_at is not None:
        return "redeemed"
    return "given" if now < introduction.until_at else "over"
