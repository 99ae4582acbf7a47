"""The tables of what officers write: drafts, proposals, approvals, publications, roles, tokens.

Rules: no staff id or text of a person lies here in the clear (`sealed` holds the words, bound to
its row); a bundle and what was signed of it are public; every row but a publication has an end.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer
from sqlmodel import Field, SQLModel

from broker.adapters.log_tables import UtcSeconds

_DIGEST_LENGTH = 64
_KID_LENGTH = 43
_NO_ROWID: dict[str, Any] = {"sqlite_with_rowid": False}
_SEQ = BigInteger().with_variant(Integer, "sqlite")


class PurposeDraftRecord(SQLModel, table=True):
    """A purpose that somebody writes."""

    __tablename__ = "purpose_drafts"
    __table_args__ = (Index("ix_purpose_drafts_until", "until_at"),)

    id: bytes = Field(primary_key=True)
    changed_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


class PurposeProposalRecord(SQLModel, table=True):
    """What was proposed, and the bundle that it would make."""

    __tablename__ = "purpose_proposals"
    __table_args__ = (
        Index("ix_purpose_proposals_at", "at"),
        Index("ix_purpose_proposals_until", "until_at"),
    )

    id: bytes = Field(primary_key=True)
    seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    revision: str = Field(max_length=_DIGEST_LENGTH)
    bundle_digest: str = Field(max_length=_DIGEST_LENGTH)
    base_bundle_digest: str = Field(max_length=_DIGEST_LENGTH)
    at: datetime = Field(sa_type=UtcSeconds)
    taken_back_at: datetime | None = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    archive: bytes
    sealed: bytes


class PurposeApprovalRecord(SQLModel, table=True):
    """An approver's two signatures."""

    __tablename__ = "purpose_approvals"
    __table_args__ = (Index("ix_purpose_approvals_until", "until_at"), _NO_ROWID)

    proposal_id: bytes = Field(primary_key=True)
    kid: str = Field(primary_key=True, max_length=_KID_LENGTH)
    at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    approval: bytes
    bundle: bytes
    sealed: bytes


class PublicationRecord(SQLModel, table=True):
    """A bundle that was published here, with its signatures."""

    __tablename__ = "purpose_publications"
    __table_args__ = (Index("ix_purpose_publications_proposal", "proposal_id"),)

    seq: int = Field(sa_column=Column(_SEQ, primary_key=True, autoincrement=False))
    revision: str = Field(max_length=_DIGEST_LENGTH)
    bundle_digest: str = Field(max_length=_DIGEST_LENGTH)
    at: datetime = Field(sa_type=UtcSeconds)
    proposal_id: bytes | None
    archive: bytes
    document: bytes


class OfficerRoleRecord(SQLModel, table=True):
    """A role of one person for one organisation; `kid` is an approver's policy key."""

    __tablename__ = "officer_roles"
    __table_args__ = (Index("ix_officer_roles_until", "until_at"), _NO_ROWID)

    id: bytes = Field(primary_key=True)
    organisation: str = Field(max_length=_DIGEST_LENGTH)
    role: str = Field(max_length=_KID_LENGTH)
    kid: str | None = Field(max_length=_KID_LENGTH)
    given_at: datetime = Field(sa_type=UtcSeconds)
    ended_at: datetime | None = Field(sa_type=UtcSeconds)
    until_at: datetime | None = Field(sa_type=UtcSeconds)
    sealed: bytes


class OfficerTokenRecord(SQLModel, table=True):
    """The hash of a named token."""

    __tablename__ = "officer_tokens"
    __table_args__ = (Index("ix_officer_tokens_until", "until_at"), _NO_ROWID)

    token_hash: bytes = Field(primary_key=True)
    created_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


# What ends by its `until_at`.
PURPOSE_MODELS: tuple[type[SQLModel], ...] = (
    PurposeDraftRecord,
    PurposeProposalRecord,
    PurposeApprovalRecord,
    OfficerRoleRecord,
    OfficerTokenRecord,
)
