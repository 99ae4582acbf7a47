"""The revisions of one purpose: in which order they stand, when each ends, which are still needed.

Rules enforced: all of one purpose; each begins after the one before it and not after its own end.
A revision ends where the next one begins, or at its own end if that is earlier: between such an
end and the next beginning there is none in force.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from broker.purposes.models import Purpose
from datwat.protocol.values import FormError

# Long beyond the grace in which one may be cited, so that a clock that runs ahead drops nothing.
KEPT_AFTER_END = timedelta(days=1)


def require_history(name: str, revisions: Sequence[Purpose]) -> None:
    """Raise FormError unless these are revisions of `name`, each beginning after the one before."""
    if not revisions:
        raise FormError(f"{name} has no revision.")
    if any(one.id != name for one in revisions):
        raise FormError(f"{name} has a revision of another purpose.")
    if any(later.valid_from <= one.valid_from for one, later in pairwise(revisions)):
        raise FormError(f"{name} has a revision that does not begin after the one before it.")


def list_ends(revisions: Sequence[Purpose]) -> list[Any]:
    """Return for each revision when it ends, as JSON spells a moment; None for an open end."""
    ends: list[Any] = []
    for number, one in enumerate(revisions):
        later = revisions[number + 1] if number + 1 < len(revisions) else None
        ends.append(_find_end(one, later))
    return ends


def _find_end(one: Purpose, later: Purpose | None) -> str | None:
    own = one.valid_until
    if later is not None and (own is None or later.valid_from <= own):
        spelt = later.model_dump(mode="json", include={"valid_from"})["valid_from"]
    else:
        spelt = one.model_dump(mode="json", include={"valid_until"})["valid_until"]
    return None if spelt is None else str(spelt)


def keep_citable(revisions: Sequence[Purpose], now: datetime) -> tuple[Purpose, ...]:
    """Return the revisions without those that were followed by another one over a day ago."""
    first = 0
    for number, later in enumerate(revisions[1:], start=1):
        if later.valid_from + KEPT_AFTER_END <= now:
            first = number
    return tuple(revisions[first:])
