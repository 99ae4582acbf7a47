"""What the acts of an author hold a draft to: on which revision it rests, and how many there are.

Rules enforced: nobody begins on what is superseded; the drafts of one author, and of all, are so
many at most. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from broker.policy.asked import DraftAsked
from broker.policy.draft_reading import Ground, find_id
from broker.purposes.drafts import MOST_DRAFTS, MOST_OWN_DRAFTS, DraftRow
from broker.purposes.life_errors import (
    DraftsFullError,
    OwnDraftsFullError,
    RevisionUnknownError,
)
from broker.purposes.models import derive_digest
from broker.purposes.roles import Acting

MOST_TOLD = 10


def require_room(acting: Acting, held: Sequence[DraftRow]) -> None:
    """Raise DraftsFullError, OwnDraftsFullError where another draft would be one too many."""
    if sum(one.words.author == acting.staff for one in held) >= MOST_OWN_DRAFTS:
        raise OwnDraftsFullError
    if len(held) >= MOST_DRAFTS:
        raise DraftsFullError


def derive_base(asked: DraftAsked, held: DraftRow | None, ground: Ground) -> str | None:
    """Return on which revision a draft rests: as asked, as before, or on the newest now.

    A revision that is named must be the newest: nobody begins on what is superseded.
    """
    purpose_id = find_id(asked.text)
    newest = ground.catalogue.find_newest(purpose_id) if purpose_id else None
    digest = derive_digest(newest) if newest else None
    if asked.base_digest is not None and asked.base_digest != digest:
        raise RevisionUnknownError(
            "A draft can only rest on the newest revision of its purpose: look at what changed."
        )
    if asked.base_digest is None and held is not None and held.words.purpose == purpose_id:
        return held.words.base_digest
    return digest


def describe_outdated(changes: Sequence[str]) -> str:
    """Return what an author reads of whose draft another was published first."""
    told = " ".join(changes[:MOST_TOLD])
    return (
        "Another revision of this purpose was published since this draft was begun, and won: "
        f"{told} Look at it, then save your draft on that revision (--onto) and propose it."
    )
