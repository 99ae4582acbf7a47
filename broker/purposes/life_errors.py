"""Why an act in the life of a purpose is refused: one sentence each, which says what to do.

Rule: a sentence repeats nothing of what was sent but names of members and of purposes.
"""

from __future__ import annotations

from dataclasses import dataclass

from broker.purposes.drafts import MOST_OWN_DRAFTS, MOST_OWN_PROPOSALS
from broker.purposes.phrases_guards import Guard
from datwat.party.errors import PartyError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a draft: which member, where in the text, and what to do.

    `member` is a path such as `edges.0.fields`; line and column count from 1, None where the fault
    is of the whole. `guard` is the guard rail that the draft would break there, if it is one.
    """

    sentence: str
    member: str = ""
    line: int | None = None
    column: int | None = None
    guard: Guard | None = None

    @property
    def place(self) -> str | None:
        """Return the place as people read it."""
        found = [] if self.line is None else [f"line {self.line}, column {self.column}"]
        if self.member:
            found.append(self.member)
        return ", ".join(found) or None


class DraftInvalidError(PartyError):
    """A draft that is not a purpose, or does not fit the rest; `faults` say where and what."""

    code = "draft_invalid"
    default_detail = "The draft is not a purpose: `datwat purpose draft check` says where."

    def __init__(
        self,
        detail: str | None = None,
        *,
        place: str | None = None,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        """Keep the faults; without a sentence the first of them is told."""
        first = faults[0] if faults else None
        if first is not None and detail is None:
            place = first.place
            detail = f"The draft, {place}: {first.sentence}" if place else first.sentence
        super().__init__(detail, place=place)
        self.faults = faults or (Fault(self.detail, place or ""),)


class DraftUnknownError(PartyError):
    """No such draft, or one that ended."""

    code = "draft_unknown"
    default_detail = "There is no such draft: it was dropped, or its term is over."


class DraftOutdatedError(PartyError):
    """The purpose was changed by another since the draft was begun; the detail says how."""

    code = "draft_outdated"
    default_detail = "The purpose was changed since this draft was begun."


class DraftsFullError(PartyError):
    """More drafts than are kept at once."""

    code = "drafts_full"
    default_detail = "There are as many drafts as are kept: drop some that nobody needs."


class OwnDraftsFullError(DraftsFullError):
    """More drafts than one author keeps at once."""

    default_detail = (
        f"You have {MOST_OWN_DRAFTS} drafts, which is as many as one author keeps: drop some that "
        "you do not need."
    )


class ProposalsFullError(PartyError):
    """More proposals than one author has open at once."""

    code = "proposals_full"
    default_detail = (
        f"{MOST_OWN_PROPOSALS} proposals of yours wait to be approved, which is as many as one "
        "author has: take some back, or wait until they are decided."
    )


class NothingChangedError(PartyError):
    """A draft that says what is in force or was in force already."""

    code = "nothing_changed"
    default_detail = "The draft says what a revision of this purpose says already: change it."


class EffectiveDateError(PartyError):
    """A revision that would begin in the past."""

    code = "effective_date_past"
    default_detail = (
        "valid_from lies in the past: choose a moment that is still to come when all approvals "
        "are there."
    )


class NumberFoundError(PartyError):
    """A text that holds a citizen service number."""

    code = "number_found"
    default_detail = (
        "A text seems to hold a citizen service number, which may not come here: take it out."
    )


class ChecksFailedError(PartyError):
    """Cases that come out otherwise under the draft; the detail names the first."""

    code = "checks_failed"
    default_detail = "The cases do not come out as written under this draft."


class ReplayMissingError(PartyError):
    """A draft that was not put to what was decided, beside the bundle in force."""

    code = "replay_missing"
    default_detail = (
        "This draft was not put to what was decided before, beside what is in force now: replay it "
        "(`datwat purpose replay start DRAFT --wait`), then propose it."
    )


class SignOffMissingError(PartyError):
    """A replay found what would newly be allowed, and nobody signed that off."""

    code = "sign_off_missing"
    default_detail = (
        "The replay of this draft found decisions that would newly be allowed: look at them and "
        "sign them off first."
    )


class ProposalUnknownError(PartyError):
    """No such proposal."""

    code = "proposal_unknown"
    default_detail = "There is no such proposal: `datwat purpose proposals` lists them."


class ProposalStaleError(PartyError):
    """Something else was published since; the detail says what changed."""

    code = "proposal_stale"
    default_detail = "Something else was published since this was proposed: propose it anew."


class ProposalOverError(PartyError):
    """A proposal that was taken back or published."""

    code = "proposal_over"
    default_detail = "This proposal was taken back or published before: nothing is left to decide."


class OwnProposalError(PartyError):
    """Somebody who approves what they wrote or proposed themselves."""

    code = "own_proposal"
    default_detail = "You wrote or proposed this yourself: somebody else must approve it."


class ApprovedAlreadyError(PartyError):
    """An approval by a key or person that approved before."""

    code = "approved_already"
    default_detail = "You, or this key, approved this before: another approver is needed."


class ApproverKeyDiffersError(PartyError):
    """A signature by another key than the register has for this approver."""

    code = "key_not_yours"
    default_detail = "This is not the policy key that the register holds for you."


class ApprovalInvalidError(PartyError):
    """Signatures that are not over exactly what was proposed."""

    code = "approval_invalid"
    default_detail = "The signatures are not over what was proposed: look at it again and sign."


class PassphraseWrongError(PartyError):
    """A passphrase that does not open the approver's sealed key."""

    code = "passphrase_wrong"
    default_detail = "This passphrase does not open your policy key."


class SealedKeyMissingError(PartyError):
    """No sealed key of this approver at the broker."""

    code = "sealed_key_missing"
    default_detail = (
        "Your policy key is not sealed at this broker: sign with `datwat purpose approve --key`, "
        "or have it sealed with `datwat purpose seal-key`."
    )


class TooManyTriesError(PartyError):
    """Too many wrong passphrases."""

    code = "too_many_tries"
    default_detail = "Too many wrong passphrases: wait a quarter of an hour."


class PassphraseBusyError(PartyError):
    """As many passphrases are tried as the broker has memory for at once."""

    code = "passphrase_busy"
    default_detail = "Others are approving at this moment: try again in a few seconds."


class PublicationUnknownError(PartyError):
    """No earlier publication of this number."""

    code = "publication_unknown"
    default_detail = "There is no earlier publication of this number: `datwat purpose history`."


class RevisionUnknownError(PartyError):
    """No such purpose or revision in what is in force or to come."""

    code = "revision_unknown"
    default_detail = "There is no such purpose or revision: `datwat purpose list` shows them."


class ActivationRefusedError(PartyError):
    """Published and kept, but not taken up: the policy before it stays in force."""

    code = "activation_refused"
    default_detail = (
        "It was published, but could not be taken up; the policy before it stays in force. "
        "`datwat broker status` says why."
    )
