"""The lines of lists about purposes, built of rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from broker.policy.shown import CalendarLine, DraftLine, HistoryLine, PurposeLine
from broker.purposes.catalogue import Catalogue
from broker.purposes.drafts import ApprovalRow, DraftRow, ProposalRow, PublicationRow
from broker.purposes.life import RevisionState, derive_revision_state, require_may_approve
from broker.purposes.models import Purpose, derive_digest
from broker.purposes.naming import choose
from broker.purposes.roles import Acting, RoleRow
from datwat.party.errors import PartyError
from datwat.protocol.catalogue import Language


def build_purpose_line(
    revisions: Sequence[Purpose], now: datetime, language: Language
) -> PurposeLine:
    """Return the line of a purpose with these revisions, of which there is one at least."""
    begun = [one for one in revisions if one.valid_from <= now]
    this = begun[-1] if begun else revisions[0]
    return PurposeLine(
        id=this.id,
        title=choose(this.title, language),
        owner=this.owner,
        state=derive_revision_state(derive_digest(this), this.valid_from, revisions, now),
        digest=derive_digest(this),
        valid_from=this.valid_from,
        valid_until=this.valid_until,
        upcoming=tuple(one.valid_from for one in revisions if one.valid_from > now),
        legal_check=this.legal_check,
    )


def build_draft_line(row: DraftRow, acting: Acting, catalogue: Catalogue) -> DraftLine:
    """Return the line of a draft, as this person sees it."""
    words = row.words
    newest = catalogue.find_newest(words.purpose) if words.purpose else None
    is_outdated = (derive_digest(newest) if newest else None) != words.base_digest
    return DraftLine(
        id=row.id.hex(),
        purpose=words.purpose,
        organisation=words.organisation,
        is_mine=words.author == acting.staff,
        is_outdated=words.purpose is not None and is_outdated,
        changed_at=row.changed_at,
        until_at=row.until_at,
    )


def list_moments(one: Purpose, now: datetime, language: Language) -> Iterable[CalendarLine]:
    """Yield when a revision begins and ends, as far as that is to come."""
    for at, what in ((one.valid_from, "begins"), (one.valid_until, "ends")):
        if at is not None and at > now:
            title, digest = choose(one.title, language), derive_digest(one)
            yield CalendarLine(at, what, one.id, title, digest, False, None)  # noqa: FBT003 - a dataclass


def may_approve(
    row: ProposalRow,
    approvals: Sequence[ApprovalRow],
    roles: Sequence[RoleRow],
    acting: Acting,
    kid: str | None,
) -> bool:
    """Tell whether this person may approve what is proposed, with the key they have."""
    held = {one.role for one in roles if one.staff == acting.staff and one.ended_at is None}
    if kid is None or not any(role.name == "approver" for role in acting.claims & held):
        return False
    try:
        require_may_approve(row, "proposed", approvals, roles, staff=acting.staff, kid=kid)
    except PartyError:
        return False
    return True


def is_published(data: Any, row: ProposalRow) -> bool:  # noqa: ANN401 - JSON
    """Tell whether the revision of a proposal is in a catalogue's data."""
    revisions = data["purposes"].get(row.words.purpose, {}).get("revisions", ())
    return any(one["digest"] == row.words.digest for one in revisions)


def pick(revisions: Iterable[Purpose], digest: str) -> Purpose | None:
    """Return the revision of this digest."""
    return next((one for one in revisions if derive_digest(one) == digest), None)


def build_history_line(
    one: PublicationRow,
    row: ProposalRow | None,
    approvals: Sequence[ApprovalRow],
    *,
    state: RevisionState | None,
    is_in_force: bool,
    language: Language,
) -> HistoryLine:
    """Return the line of a publication and of the proposal that led to it, if one did."""
    words = None if row is None else row.words
    changes: tuple[str, ...] = ()
    if words is not None:
        changes = words.changes_nl if language == "nl" else words.changes_en
    return HistoryLine(
        seq=one.seq,
        at=one.at,
        bundle_digest=one.bundle_digest,
        is_in_force=is_in_force,
        effect=words.effect if words else None,
        purpose=words.purpose if words else None,
        digest=words.digest if words else None,
        valid_from=words.valid_from if words else None,
        state=state,
        changes=changes,
        reason=words.reason if words else None,
        kids=tuple(approval.kid for approval in approvals),
    )


def derive_state_of(row: ProposalRow, catalogue: Catalogue, now: datetime) -> RevisionState | None:
    """Return the state of the revision that a proposal published; None where it made none."""
    words = row.words
    if words.effect != "revise" or words.valid_from is None:
        return None
    held = catalogue.purposes.get(words.purpose or "", ())
    return derive_revision_state(words.digest or "", words.valid_from, held, now)
