"""Tables of purposes: drafts, proposals, approvals, publications; roles and tokens of officers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = (
    "officer_tokens",
    "officer_roles",
    "purpose_publications",
    "purpose_approvals",
    "purpose_proposals",
    "purpose_drafts",
)


def upgrade() -> None:
    """Make the tables."""
    _make_purposes()
    _make_officers()
    for name in ("purpose_drafts", "purpose_proposals", "purpose_approvals"):
        op.create_index(f"ix_{name}_until", name, ["until_at"])
    op.create_index("ix_purpose_proposals_at", "purpose_proposals", ["at"])
    op.create_index("ix_purpose_publications_proposal", "purpose_publications", ["proposal_id"])
    for name in ("officer_roles", "officer_tokens"):
        op.create_index(f"ix_{name}_until", name, ["until_at"])


def _make_purposes() -> None:
    op.create_table(
        "purpose_drafts",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "purpose_proposals",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("bundle_digest", sa.String(64), nullable=False),
        sa.Column("base_bundle_digest", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("taken_back_at", sa.BigInteger, nullable=True),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("archive", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "purpose_approvals",
        sa.Column("proposal_id", sa.LargeBinary, primary_key=True),
        sa.Column("kid", sa.String(43), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("approval", sa.LargeBinary, nullable=False),
        sa.Column("bundle", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    seq = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "purpose_publications",
        sa.Column("seq", seq, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("bundle_digest", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("proposal_id", sa.LargeBinary, nullable=True),
        sa.Column("archive", sa.LargeBinary, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )


def _make_officers() -> None:
    op.create_table(
        "officer_roles",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("organisation", sa.String(64), nullable=False),
        sa.Column("role", sa.String(43), nullable=False),
        sa.Column("kid", sa.String(43), nullable=True),
        sa.Column("given_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.Column("until_at", sa.BigInteger, nullable=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "officer_tokens",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("until_at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the tables."""
    for name in _TABLES:
        op.drop_table(name)
