"""The registers: pseudonyms, references, who is there and why, what residents said; spent ids."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from datwat.party.spent import build_spent_columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _key(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, primary_key=True)


def _blob(name: str, *, nullable: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=nullable)


def _text(name: str, length: int, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=nullable)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    _create_who_is_who()
    _create_occasions()
    _create_involvements()
    _create_consents()
    op.create_table("spent", *build_spent_columns())
    op.create_index("ix_spent_until_at", "spent", ["until_at"])


def _create_who_is_who() -> None:
    op.create_table(
        "pseudonyms",
        _key("lookup"),
        _blob("subject_id"),
        sa.Column("epoch", sa.Integer, nullable=False),
        _blob("sealed"),
        _moment("until_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_pseudonyms_subject", "pseudonyms", ["subject_id"], unique=True)
    op.create_index("ix_pseudonyms_until", "pseudonyms", ["until_at"])
    op.create_table(
        "partner_references",
        _key("lookup"),
        _text("partner", 61),
        _text("kind", 20),
        _blob("target"),
        _blob("sealed"),
        _moment("given_at"),
        _moment("until_at"),
        _moment("shown_at", nullable=True),
        _text("shown_rung", 20, nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_references_target", "partner_references", ["target"])
    op.create_index("ix_references_until", "partner_references", ["until_at"])
    op.create_index(
        "ux_references_given",
        "partner_references",
        ["partner", "kind", "target"],
        unique=True,
        **_where("kind NOT IN ('session', 'represented')"),
    )
    op.create_table(
        "introductions",
        _key("lookup"),
        _text("to_partner", 61),
        _blob("subject_id"),
        _text("introduced_by", 61),
        _text("audience", 20),
        _blob("occasion_id", nullable=True),
        _moment("until_at"),
        _moment("redeemed_at", nullable=True),
        _blob("redeemed_rid", nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_introductions_subject", "introductions", ["subject_id"])
    op.create_index("ix_introductions_until", "introductions", ["until_at"])


def _create_occasions() -> None:
    op.create_table(
        "occasions",
        _key("id"),
        _text("holder", 61),
        _text("kind", 20),
        _moment("opened_at"),
        _moment("until_at"),
        _moment("inform_by", nullable=True),
        _moment("closed_at", nullable=True),
        _flag("confidential"),
        _text("introduced_by", 61, nullable=True),
        _blob("sealed"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_occasions_until", "occasions", ["until_at"])
    op.create_table(
        "occasion_members",
        _key("occasion_id"),
        _key("subject_id"),
        sa.Column("position", sa.SmallInteger, nullable=False),
        _moment("named_at"),
        _moment("until_at"),
        _blob("sealed"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_members_subject", "occasion_members", ["subject_id"])
    op.create_index("ix_members_until", "occasion_members", ["until_at"])
    op.create_table(
        "special_situations",
        _key("occasion_id"),
        _text("number", 12),
        _flag("by_itself"),
        _moment("declared_at"),
        _moment("term_at"),
        _moment("opened_at", nullable=True),
        _moment("until_at"),
        _blob("sealed"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_special_situations_term",
        "special_situations",
        ["term_at", "number"],
        **_where("opened_at IS NULL"),
    )
    op.create_index(
        "ix_special_situations_due",
        "special_situations",
        ["by_itself", "term_at"],
        **_where("opened_at IS NULL"),
    )
    op.create_index("ix_special_situations_number", "special_situations", ["number"])
    op.create_index("ix_special_situations_until", "special_situations", ["until_at"])


def _create_involvements() -> None:
    op.create_table(
        "involvements",
        _key("subject_id"),
        _key("id"),
        _text("source", 61),
        _text("function", 40),
        _text("kind", 64),
        _text("domain", 64),
        _moment("since_at"),
        _moment("registered_at"),
        _moment("reconfirmed_at"),
        _moment("expires_at"),
        _moment("ended_at", nullable=True),
        _text("end_reason", 20, nullable=True),
        _flag("shielded"),
        _flag("confidential"),
        _text("mark", 20, nullable=True),
        _moment("until_at"),
        _blob("sealed"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_involvements_expires", "involvements", ["expires_at"], **_where("ended_at IS NULL")
    )
    op.create_index("ix_involvements_until", "involvements", ["until_at"])
    op.create_index(
        "ux_involvements_current",
        "involvements",
        ["subject_id", "source", "kind"],
        unique=True,
        **_where("ended_at IS NULL"),
    )
    op.create_index("ux_involvements_id", "involvements", ["id"], unique=True)
    op.create_table(
        "contact_requests",
        _key("id"),
        _text("requester", 61),
        _text("source", 61),
        _blob("subject_id"),
        _blob("occasion_id", nullable=True),
        _text("audience", 20),
        _flag("relayed"),
        sa.Column("tries", sa.SmallInteger, nullable=False),
        _moment("next_at"),
        _text("state", 20),
        _moment("asked_at"),
        _moment("due_at"),
        _moment("until_at"),
        _moment("seen_at", nullable=True),
        _moment("answered_at", nullable=True),
        _moment("delivered_at", nullable=True),
        _blob("sealed"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_contact_requests_asked", "contact_requests", ["requester", "subject_id"])
    op.create_index("ix_contact_requests_due", "contact_requests", ["due_at"])
    op.create_index(
        "ix_contact_requests_outbox",
        "contact_requests",
        ["next_at"],
        **_where("delivered_at IS NULL"),
    )
    op.create_index("ix_contact_requests_until", "contact_requests", ["until_at"])
    op.create_table(
        "authorities",
        _key("id"),
        _blob("subject_id"),
        _moment("until_at"),
        _blob("sealed"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_authorities_subject", "authorities", ["subject_id", "until_at"])
    op.create_index("ix_authorities_until", "authorities", ["until_at"])


def _create_consents() -> None:
    op.create_table(
        "consents",
        _key("id"),
        _blob("subject_id"),
        _moment("given_at"),
        _moment("withdrawn_at", nullable=True),
        _moment("until_at"),
        _blob("sealed"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_consents_subject", "consents", ["subject_id", "until_at"])
    op.create_index("ix_consents_until", "consents", ["until_at"])
    op.create_table(
        "objections",
        _key("id"),
        _blob("subject_id"),
        _text("state", 20),
        _moment("made_at"),
        _moment("answered_at", nullable=True),
        _moment("until_at"),
        _blob("sealed"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_objections_subject", "objections", ["subject_id", "until_at"])
    op.create_index("ix_objections_until", "objections", ["until_at"])
    op.create_table("shields", _key("subject_id"), _moment("until_at"), sqlite_with_rowid=False)
    op.create_index("ix_shields_until", "shields", ["until_at"])


def downgrade() -> None:
    for table in (
        "spent",
        "shields",
        "objections",
        "consents",
        "authorities",
        "contact_requests",
        "involvements",
        "special_situations",
        "occasion_members",
        "occasions",
        "introductions",
        "partner_references",
        "pseudonyms",
    ):
        op.drop_table(table)
