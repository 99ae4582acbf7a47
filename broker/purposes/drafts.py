"""Drafts, proposals, approvals and publications as they are kept, and where (a port).

Rules: nothing here says in which state something is (`life.py` derives it); who wrote or approved
lies among the words of a row, which are sealed; each row has an end but a publication, which is
public and about nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Protocol

from pydantic import Field
from sqlalchemy import Connection

from broker.purposes.roles import OrganisationId, RoleRow
from datwat.party.strict_yaml import MAX_BYTES
from datwat.protocol.messages import Digest
from datwat.protocol.purpose_approval import Effect
from datwat.protocol.values import Bytes16, Moment, ShortText, Slug, StaffId, Value

ID_LENGTH = 16
MOST_DRAFTS = 500
# What one author has at once: more than anybody works on, and little of what a broker holds.
MOST_OWN_DRAFTS = 50
MOST_OWN_PROPOSALS = 20
MOST_LISTED = 100
# A draft that nobody changes goes; what was proposed and approved is kept for as long as it may
# have to be shown that two people looked (five years, as the broker's own entries).
DRAFT_TERM = timedelta(days=90)
PROPOSAL_TERM = timedelta(days=1_826)
SourceText = Annotated[str, Field(max_length=MAX_BYTES)]


class DraftWords(Value):
    """What somebody is writing: the purpose and its cases as YAML, and on which revision it rests.

    `base_digest` is the newest revision of the purpose when the draft was begun; None: a new one.
    """

    author: StaffId = Field(repr=False)
    organisation: OrganisationId
    purpose: Slug | None
    text: SourceText = Field(repr=False)
    cases: SourceText = Field(repr=False)
    base_digest: Digest | None


class ProposalWords(Value):
    """What was proposed, frozen: effect, digests, the texts that approvers read and sign.

    `to_seq` is the publication that a roll-back returns to; `source` the YAML of the revision.
    """

    effect: Effect
    author: StaffId = Field(repr=False)
    organisation: OrganisationId
    purpose: Slug | None
    digest: Digest | None
    base_digest: Digest | None
    valid_from: Moment | None
    text_nl: str
    text_en: str
    changes_nl: tuple[str, ...]
    changes_en: tuple[str, ...]
    reason: ShortText | None
    to_seq: int | None
    draft_id: Bytes16 | None = None
    source: SourceText = Field(default="", repr=False)
    cases: SourceText = Field(default="", repr=False)


class Approver(Value):
    """Who approved, and for whom."""

    staff: StaffId = Field(repr=False)
    organisation: OrganisationId


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A draft as it is kept."""

    id: bytes
    words: DraftWords = field(repr=False)
    changed_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal as it is kept: which bundle it would make, and on which one it rests."""

    id: bytes
    words: ProposalWords = field(repr=False)
    seq: int
    revision: str
    bundle_digest: str
    base_bundle_digest: str
    at: datetime
    taken_back_at: datetime | None
    until_at: datetime


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """One approver's two signatures, as signed documents."""

    proposal_id: bytes
    kid: str
    approver: Approver = field(repr=False)
    approval: bytes = field(repr=False)
    bundle: bytes = field(repr=False)
    at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class PublicationRow:
    """A bundle that was published here; `proposal_id` is None for one that came as a file."""

    seq: int
    bundle_digest: str
    revision: str
    at: datetime
    proposal_id: bytes | None


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A named token of somebody with a role; only its hash is kept."""

    token_hash: bytes = field(repr=False)
    words: TokenWords = field(repr=False)
    created_at: datetime
    until_at: datetime


class TokenWords(Value):
    """Whose token it is, and for which role."""

    name: Slug
    staff: StaffId = Field(repr=False)
    organisation: OrganisationId
    role: str


class DraftStore(Protocol):
    """Where drafts lie."""

    def put_draft(self, conn: Connection, row: DraftRow) -> None:
        """Write a draft, or replace it."""

    def drop_draft(self, conn: Connection, draft_id: bytes) -> None:
        """Destroy a draft; nothing where there is none."""

    def find_draft(self, conn: Connection, draft_id: bytes, now: datetime) -> DraftRow | None:
        """Return a draft that is not over."""

    def list_drafts(self, conn: Connection, now: datetime) -> Sequence[DraftRow]:
        """Return the drafts that are not over, the last changed first."""


class ProposalStore(Protocol):
    """Where proposals, their candidate bundles and their approvals lie."""

    def add_proposal(self, conn: Connection, row: ProposalRow, archive: bytes) -> None:
        """Write a proposal and the bundle that it would make."""

    def take_back(self, conn: Connection, proposal_id: bytes, now: datetime) -> bool:
        """Mark a proposal as taken back; return whether it stood."""

    def find_proposal(self, conn: Connection, proposal_id: bytes) -> ProposalRow | None:
        """Return a proposal."""

    def list_proposals(self, conn: Connection, limit: int) -> Sequence[ProposalRow]:
        """Return proposals, newest first."""

    def list_waiting(self, conn: Connection, base_bundle_digest: str) -> Sequence[ProposalRow]:
        """Return the proposals on a bundle that were neither taken back nor published."""

    def read_archive(self, conn: Connection, proposal_id: bytes) -> bytes | None:
        """Return the candidate bundle of a proposal."""

    def add_approval(self, conn: Connection, row: ApprovalRow) -> bool:
        """Write an approval; return False where this key approved before."""

    def list_approvals(self, conn: Connection, proposal_id: bytes) -> Sequence[ApprovalRow]:
        """Return the approvals of a proposal, oldest first."""


class PublicationStore(Protocol):
    """Where every bundle lies that was published here."""

    def add_publication(
        self, conn: Connection, row: PublicationRow, archive: bytes, document: bytes
    ) -> bool:
        """Write a publication; return False where this number is there already."""

    def find_publication(self, conn: Connection, seq: int) -> tuple[bytes, bytes] | None:
        """Return archive and signed document of a publication."""

    def list_publications(self, conn: Connection, limit: int) -> Sequence[PublicationRow]:
        """Return publications, newest first."""

    def find_published(self, conn: Connection, proposal_id: bytes) -> PublicationRow | None:
        """Return the publication that a proposal led to."""


class OfficerStore(Protocol):
    """Where the register of roles and the named tokens lie."""

    def list_roles(self, conn: Connection, now: datetime) -> Sequence[RoleRow]:
        """Return every role that is held, or ended and not over yet."""

    def add_role(self, conn: Connection, row: RoleRow) -> None:
        """Write a role."""

    def end_role(self, conn: Connection, row: RoleRow) -> None:
        """Replace a row by the same with its end."""

    def add_token(self, conn: Connection, row: TokenRow) -> None:
        """Write a token."""

    def drop_token(self, conn: Connection, token_hash: bytes) -> None:
        """Destroy a token."""

    def find_token(self, conn: Connection, token_hash: bytes, now: datetime) -> TokenRow | None:
        """Return the token of this hash, if it is not over."""

    def list_tokens(self, conn: Connection, now: datetime) -> Sequence[TokenRow]:
        """Return the tokens that are not over."""


class PurposeStore(DraftStore, ProposalStore, PublicationStore, Protocol):
    """All that the life of a purpose keeps."""
