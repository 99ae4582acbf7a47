"""The life of a purpose: draft, proposed, approved, in force, superseded or withdrawn.

Rules enforced: a state is derived from what was written and the moment, never kept; a revision
never changes (its digest is its name); author and approvers are different people with different
keys; a revision begins in the future and after the one that it replaces, so that no two supersede
each other; of two drafts on one revision the first to be published wins, and the other is outdated.
Nothing here does I/O. AVG 5(2), 24, 25.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from broker.purposes.catalogue import Catalogue
from broker.purposes.drafts import ApprovalRow, ProposalRow, PublicationRow
from broker.purposes.life_errors import (
    ApprovedAlreadyError,
    ApproverKeyDiffersError,
    DraftInvalidError,
    EffectiveDateError,
    NothingChangedError,
    OwnProposalError,
    ProposalOverError,
)
from broker.purposes.models import Purpose, derive_digest
from broker.purposes.roles import RoleRow, find_kid
from datwat.protocol.purpose_approval import PurposeApproval, derive_text_hash

ProposalState = Literal["proposed", "stale", "taken_back", "published"]
RevisionState = Literal["approved", "in_force", "superseded", "ended", "withdrawn"]


def derive_proposal_state(
    row: ProposalRow,
    published: PublicationRow | None,
    *,
    bundle_in_force: str,
    newest_seq: int,
) -> ProposalState:
    """Return the state of a proposal, given what it led to and what is in force now."""
    if published is not None:
        return "published"
    if row.taken_back_at is not None:
        return "taken_back"
    if row.base_bundle_digest != bundle_in_force or row.seq <= newest_seq:
        return "stale"
    return "proposed"


def derive_revision_state(
    digest: str, valid_from: datetime, revisions: Sequence[Purpose], now: datetime
) -> RevisionState:
    """Return the state of a published revision, given what is in the bundle in force of its id.

    A revision that is not in the bundle any more was superseded if one in it begins later, or
    withdrawn.
    """
    digests = [derive_digest(one) for one in revisions]
    if digest not in digests:
        began = [one for one in revisions if one.valid_from <= now]
        return "superseded" if began and began[-1].valid_from > valid_from else "withdrawn"
    place = digests.index(digest)
    this, later = revisions[place], revisions[place + 1 : place + 2]
    if now < this.valid_from:
        return "approved"
    if later and later[0].valid_from <= now:
        return "superseded"
    if this.valid_until is not None and this.valid_until <= now:
        return "ended"
    return "in_force"


def require_new_revision(purpose: Purpose, catalogue: Catalogue, now: datetime) -> None:
    """Raise unless this may become the newest revision: new, to come, and after the one before it.

    Raises NothingChangedError, EffectiveDateError, DraftInvalidError (with the place).
    """
    held = catalogue.purposes.get(purpose.id, ())
    if derive_digest(purpose) in {derive_digest(one) for one in held}:
        raise NothingChangedError
    require_ahead(purpose.valid_from, now)
    if held and purpose.valid_from <= held[-1].valid_from:
        raise DraftInvalidError(
            "valid_from must come after that of the revision that it replaces, which begins on "
            f"{held[-1].valid_from:%Y-%m-%d %H:%M} UTC: else that one would supersede this one in "
            "turn. Choose a later moment, or withdraw that revision first.",
            place="valid_from",
        )


def require_ahead(valid_from: datetime | None, now: datetime) -> None:
    """Raise EffectiveDateError for a moment that has come."""
    if valid_from is not None and valid_from <= now:
        raise EffectiveDateError(place="valid_from")


def require_may_approve(
    row: ProposalRow,
    state: ProposalState,
    approvals: Iterable[ApprovalRow],
    roles: Sequence[RoleRow],
    *,
    staff: str,
    kid: str,
) -> None:
    """Raise unless this person may approve with this key: another than the author, and once.

    Raises ProposalOverError, OwnProposalError, ApproverKeyDiffersError, ApprovedAlreadyError.
    """
    if state in {"published", "taken_back"}:
        raise ProposalOverError
    if row.words.author == staff:
        raise OwnProposalError
    if find_kid(staff, roles) != kid:
        raise ApproverKeyDiffersError
    if any(one.kid == kid or one.approver.staff == staff for one in approvals):
        raise ApprovedAlreadyError


def list_counting(
    row: ProposalRow,
    approvals: Iterable[ApprovalRow],
    roles: Sequence[RoleRow],
    listed: frozenset[str],
) -> list[ApprovalRow]:
    """Return the approvals that count now: of different people who still hold role and key.

    `listed`: the policy keys that the trust list names now. One of the author counts for nothing,
    however it came there.
    """
    counted: list[ApprovalRow] = []
    for one in approvals:
        staff = one.approver.staff
        is_new = all(one.kid != other.kid and staff != other.approver.staff for other in counted)
        holds = one.kid in listed and find_kid(staff, roles) == one.kid
        if is_new and holds and staff != row.words.author:
            counted.append(one)
    return counted


def build_approval(row: ProposalRow) -> PurposeApproval:
    """Return what an approver of this proposal signs."""
    words = row.words
    return PurposeApproval(
        v=1,
        type="purpose_approval",
        effect=words.effect,
        purpose=words.purpose,
        digest=words.digest,
        base_digest=words.base_digest,
        text_nl_sha256=derive_text_hash(words.text_nl),
        text_en_sha256=derive_text_hash(words.text_en),
        valid_from=words.valid_from,
        bundle_digest=row.bundle_digest,
        seq=row.seq,
    )
