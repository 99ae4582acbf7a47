"""The tables of the registers: pseudonyms, references, who is there and why, what residents said.

Rules: no name, staff id or reason lies here in the clear: `sealed` holds the words, bound to its
row; every row about a person has an `until_at`, from which it may be destroyed (`purging.py`).
SQLModel is the schema only: statements are SQLAlchemy Core, and values are checked in the rooms.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, cast

from sqlalchemy import BigInteger, Index, MetaData, SmallInteger, Table, inspect, text
from sqlmodel import Field, SQLModel

from broker.adapters.answer_tables import DutyRecord
from broker.adapters.log_tables import UtcSeconds
from datwat.party.spent import build_spent_table

PARTNER_LENGTH = 61
SLUG_LENGTH = 64
WORD_LENGTH = 20
# A session has handles of its own: a person may be logged in twice.
NOT_A_SESSION = text("kind NOT IN ('session', 'represented')")
NOT_ENDED = text("ended_at IS NULL")
NOT_OPENED = text("opened_at IS NULL")
NOT_DELIVERED = text("delivered_at IS NULL")
NOT_ANSWERED = text("answered_at IS NULL")
_NO_ROWID: dict[str, Any] = {"sqlite_with_rowid": False}


def table_of(model: type[SQLModel]) -> Table:
    """Return the Core table of a model, for statements."""
    return cast("Table", inspect(model).local_table)


class PseudonymRecord(SQLModel, table=True):
    """From the keyed index of a pseudonym to a data subject; P itself sealed beside it."""

    __tablename__ = "pseudonyms"
    __table_args__ = (
        Index("ix_pseudonyms_subject", "subject_id", unique=True),
        Index("ix_pseudonyms_until", "until_at"),
        _NO_ROWID,
    )

    lookup: bytes = Field(primary_key=True)
    subject_id: bytes
    epoch: int
    sealed: bytes
    until_at: datetime = Field(sa_type=UtcSeconds)


class PseudonymRotation(SQLModel, table=True):
    """The one row that says under which epoch pseudonyms are written, and how far a rotation is.

    `epoch` is 0 until the first is written; `leaving` the epoch whose rows are being turned.
    """

    __tablename__ = "pseudonym_rotation"
    __table_args__: ClassVar[Any] = (_NO_ROWID,)

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    epoch: int
    leaving: int | None
    cursor: bytes
    turned: int = Field(sa_type=BigInteger)
    is_done: bool


class ReferenceRecord(SQLModel, table=True):
    """What one partner knows one thing or person by: a keyed hash, and a sealed copy."""

    __tablename__ = "partner_references"
    __table_args__ = (
        Index(
            "ux_references_given",
            "partner",
            "kind",
            "target",
            unique=True,
            sqlite_where=NOT_A_SESSION,
            postgresql_where=NOT_A_SESSION,
        ),
        Index("ix_references_target", "target"),
        Index("ix_references_until", "until_at"),
        _NO_ROWID,
    )

    lookup: bytes = Field(primary_key=True)
    partner: str = Field(max_length=PARTNER_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    target: bytes
    sealed: bytes
    given_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    shown_at: datetime | None = Field(sa_type=UtcSeconds)
    shown_rung: str | None = Field(max_length=WORD_LENGTH)


class IntroductionRecord(SQLModel, table=True):
    """A person whom one partner handed to another; the code is kept as a keyed hash only."""

    __tablename__ = "introductions"
    __table_args__ = (
        Index("ix_introductions_subject", "subject_id"),
        Index("ix_introductions_until", "until_at"),
        _NO_ROWID,
    )

    lookup: bytes = Field(primary_key=True)
    to_partner: str = Field(max_length=PARTNER_LENGTH)
    subject_id: bytes
    introduced_by: str = Field(max_length=PARTNER_LENGTH)
    audience: str = Field(max_length=WORD_LENGTH)
    occasion_id: bytes | None
    until_at: datetime = Field(sa_type=UtcSeconds)
    redeemed_at: datetime | None = Field(sa_type=UtcSeconds)
    redeemed_rid: bytes | None


class OccasionRecord(SQLModel, table=True):
    """An occasion; team, handlers and how it ended are sealed."""

    __tablename__ = "occasions"
    __table_args__ = (Index("ix_occasions_until", "until_at"), _NO_ROWID)

    id: bytes = Field(primary_key=True)
    holder: str = Field(max_length=PARTNER_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    opened_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    inform_by: datetime | None = Field(sa_type=UtcSeconds)
    closed_at: datetime | None = Field(sa_type=UtcSeconds)
    confidential: bool
    introduced_by: str | None = Field(max_length=PARTNER_LENGTH)
    sealed: bytes


class MemberRecord(SQLModel, table=True):
    """A person in an occasion's household; role, source, conversation are sealed."""

    __tablename__ = "occasion_members"
    __table_args__ = (
        Index("ix_members_subject", "subject_id"),
        Index("ix_members_until", "until_at"),
        _NO_ROWID,
    )

    occasion_id: bytes = Field(primary_key=True)
    subject_id: bytes = Field(primary_key=True)
    position: int = Field(sa_type=SmallInteger)
    named_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


class SpecialSituationRecord(SQLModel, table=True):
    """The special situation of an occasion: its term, and sealed its ground, decider and reason."""

    __tablename__ = "special_situations"
    __table_args__ = (
        Index(
            "ix_special_situations_term",
            "term_at",
            "number",
            sqlite_where=NOT_OPENED,
            postgresql_where=NOT_OPENED,
        ),
        Index(
            "ix_special_situations_due",
            "by_itself",
            "term_at",
            sqlite_where=NOT_OPENED,
            postgresql_where=NOT_OPENED,
        ),
        Index("ix_special_situations_number", "number"),
        Index("ix_special_situations_until", "until_at"),
        _NO_ROWID,
    )

    occasion_id: bytes = Field(primary_key=True)
    number: str = Field(max_length=12)
    by_itself: bool
    declared_at: datetime = Field(sa_type=UtcSeconds)
    term_at: datetime = Field(sa_type=UtcSeconds)
    opened_at: datetime | None = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


class InvolvementRecord(SQLModel, table=True):
    """A pointer; how to reach its source is sealed. Rows of one person lie together."""

    __tablename__ = "involvements"
    __table_args__ = (
        Index("ux_involvements_id", "id", unique=True),
        Index(
            "ux_involvements_current",
            "subject_id",
            "source",
            "kind",
            unique=True,
            sqlite_where=NOT_ENDED,
            postgresql_where=NOT_ENDED,
        ),
        Index(
            "ix_involvements_expires",
            "expires_at",
            sqlite_where=NOT_ENDED,
            postgresql_where=NOT_ENDED,
        ),
        Index("ix_involvements_until", "until_at"),
        _NO_ROWID,
    )

    subject_id: bytes = Field(primary_key=True)
    id: bytes = Field(primary_key=True)
    source: str = Field(max_length=PARTNER_LENGTH)
    function: str = Field(max_length=WORD_LENGTH * 2)
    kind: str = Field(max_length=SLUG_LENGTH)
    domain: str = Field(max_length=SLUG_LENGTH)
    since_at: datetime = Field(sa_type=UtcSeconds)
    registered_at: datetime = Field(sa_type=UtcSeconds)
    reconfirmed_at: datetime = Field(sa_type=UtcSeconds)
    expires_at: datetime = Field(sa_type=UtcSeconds)
    ended_at: datetime | None = Field(sa_type=UtcSeconds)
    end_reason: str | None = Field(max_length=WORD_LENGTH)
    shielded: bool
    confidential: bool
    mark: str | None = Field(max_length=WORD_LENGTH)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


class ContactRequestRecord(SQLModel, table=True):
    """A contact request; how to call back is sealed."""

    __tablename__ = "contact_requests"
    __table_args__ = (
        Index("ix_contact_requests_asked", "requester", "subject_id"),
        Index("ix_contact_requests_due", "due_at"),
        Index(
            "ix_contact_requests_outbox",
            "next_at",
            sqlite_where=NOT_DELIVERED,
            postgresql_where=NOT_DELIVERED,
        ),
        Index("ix_contact_requests_until", "until_at"),
        _NO_ROWID,
    )

    id: bytes = Field(primary_key=True)
    requester: str = Field(max_length=PARTNER_LENGTH)
    source: str = Field(max_length=PARTNER_LENGTH)
    subject_id: bytes
    occasion_id: bytes | None
    audience: str = Field(max_length=WORD_LENGTH)
    relayed: bool
    tries: int = Field(sa_type=SmallInteger)
    next_at: datetime = Field(sa_type=UtcSeconds)
    state: str = Field(max_length=WORD_LENGTH)
    asked_at: datetime = Field(sa_type=UtcSeconds)
    due_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    seen_at: datetime | None = Field(sa_type=UtcSeconds)
    answered_at: datetime | None = Field(sa_type=UtcSeconds)
    delivered_at: datetime | None = Field(sa_type=UtcSeconds)
    sealed: bytes


class AuthorityRecord(SQLModel, table=True):
    """A record of authority over a person, sealed whole."""

    __tablename__ = "authorities"
    __table_args__ = (
        Index("ix_authorities_subject", "subject_id", "until_at"),
        Index("ix_authorities_until", "until_at"),
        _NO_ROWID,
    )

    id: bytes = Field(primary_key=True)
    subject_id: bytes
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


class ConsentRecord(SQLModel, table=True):
    """A consent or written no-objection, sealed but for its dates."""

    __tablename__ = "consents"
    __table_args__ = (
        Index("ix_consents_subject", "subject_id", "until_at"),
        Index("ix_consents_until", "until_at"),
        _NO_ROWID,
    )

    id: bytes = Field(primary_key=True)
    subject_id: bytes
    given_at: datetime = Field(sa_type=UtcSeconds)
    withdrawn_at: datetime | None = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


class ObjectionRecord(SQLModel, table=True):
    """An objection, sealed but for its state and dates."""

    __tablename__ = "objections"
    __table_args__ = (
        Index("ix_objections_subject", "subject_id", "until_at"),
        Index(
            "ix_objections_open",
            "made_at",
            sqlite_where=NOT_ANSWERED,
            postgresql_where=NOT_ANSWERED,
        ),
        Index("ix_objections_until", "until_at"),
        _NO_ROWID,
    )

    id: bytes = Field(primary_key=True)
    subject_id: bytes
    state: str = Field(max_length=WORD_LENGTH)
    made_at: datetime = Field(sa_type=UtcSeconds)
    answered_at: datetime | None = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


class BlockRecord(SQLModel, table=True):
    """That a person wants one organisation not to look; which, is sealed."""

    __tablename__ = "blocks"
    __table_args__ = (
        Index("ix_blocks_subject", "subject_id", "until_at"),
        Index("ix_blocks_until", "until_at"),
        _NO_ROWID,
    )

    id: bytes = Field(primary_key=True)
    subject_id: bytes
    since_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


class QuestionRecord(SQLModel, table=True):
    """A question of a resident and its answer, sealed but for its dates."""

    __tablename__ = "questions"
    __table_args__ = (
        Index("ix_questions_subject", "subject_id", "until_at"),
        Index(
            "ix_questions_open",
            "asked_at",
            sqlite_where=NOT_ANSWERED,
            postgresql_where=NOT_ANSWERED,
        ),
        Index("ix_questions_until", "until_at"),
        _NO_ROWID,
    )

    id: bytes = Field(primary_key=True)
    subject_id: bytes
    asked_at: datetime = Field(sa_type=UtcSeconds)
    answered_at: datetime | None = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


class ErasureRecord(SQLModel, table=True):
    """A wish that contents be erased, of an entry, until two officers answered it."""

    __tablename__ = "erasures"
    __table_args__ = (
        Index("ix_erasures_subject", "subject_id"),
        Index("ix_erasures_asked", "asked_at"),
        Index("ix_erasures_until", "until_at"),
        _NO_ROWID,
    )

    id: bytes = Field(primary_key=True)
    subject_id: bytes
    erases: int = Field(sa_type=BigInteger)
    asked_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)


class ShieldRecord(SQLModel, table=True):
    """That a person shielded themselves: since when with whose eyes, and until when."""

    __tablename__ = "shields"
    __table_args__: ClassVar[Any] = (Index("ix_shields_until", "until_at"), _NO_ROWID)

    subject_id: bytes = Field(primary_key=True)
    own_at: datetime | None = Field(sa_type=UtcSeconds)
    open_at: datetime | None = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    lifted: bool


class NoticeRecord(SQLModel, table=True):
    """What one partner is to be told; what it is about is sealed."""

    __tablename__ = "notices"
    __table_args__ = (
        Index("ix_notices_next", "next_at"),
        Index("ix_notices_until", "until_at"),
        _NO_ROWID,
    )

    id: bytes = Field(primary_key=True)
    partner: str = Field(max_length=PARTNER_LENGTH)
    type: str = Field(max_length=WORD_LENGTH)
    tries: int = Field(sa_type=SmallInteger)
    next_at: datetime = Field(sa_type=UtcSeconds)
    until_at: datetime = Field(sa_type=UtcSeconds)
    sealed: bytes


class SuspensionRecord(SQLModel, table=True):
    """How often a partner was suspended and resumed here; an odd number is suspended."""

    __tablename__ = "suspensions"
    __table_args__: ClassVar[Any] = (_NO_ROWID,)

    partner: str = Field(primary_key=True, max_length=PARTNER_LENGTH)
    number: int = Field(sa_column_kwargs={"autoincrement": False})
    since_at: datetime = Field(sa_type=UtcSeconds)


REGISTER_MODELS: tuple[type[SQLModel], ...] = (
    PseudonymRecord,
    ReferenceRecord,
    IntroductionRecord,
    OccasionRecord,
    MemberRecord,
    SpecialSituationRecord,
    InvolvementRecord,
    ContactRequestRecord,
    AuthorityRecord,
    ConsentRecord,
    ObjectionRecord,
    BlockRecord,
    QuestionRecord,
    ErasureRecord,
    ShieldRecord,
    DutyRecord,
    NoticeRecord,
)
# Its own metadata: every party has a table of this name.
SPENT = build_spent_table(MetaData())
