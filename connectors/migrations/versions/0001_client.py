"""The client's tables.

Revision: 0001. Rule: no BSN, no name and no date of birth has a column.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clients",
        sa.Column("number", sa.String(200), primary_key=True),
        sa.Column("handle", sa.LargeBinary(16), nullable=False),
        sa.Column("known_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_clients_handle", "clients", ["handle"])
    op.create_table(
        "involvements",
        sa.Column("client", sa.String(200), primary_key=True),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("reference", sa.LargeBinary(16), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=True),
        sa.Column("run", sa.Integer, nullable=True),
    )
    op.create_index("ix_involvements_reference", "involvements", ["reference"])
    op.create_table(
        "occasions",
        sa.Column("number", sa.String(200), primary_key=True),
        sa.Column("reference", sa.LargeBinary(16), nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger, nullable=True),
    )
    op.create_table(
        "occasion_members",
        sa.Column("occasion", sa.String(200), sa.ForeignKey("occasions.number"), primary_key=True),
        sa.Column("client", sa.String(200), primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
    )
    op.create_table(
        "pointers",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("reference", sa.LargeBinary(16), nullable=False),
        sa.Column("source", sa.String(64), nullable=True),
        sa.Column("shown_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("client", "reference", name="uq_pointers_client_reference"),
    )
    op.create_table(
        "contact_requests",
        sa.Column("reference", sa.LargeBinary(16), primary_key=True),
        sa.Column("client", sa.String(200), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "evidence",
        sa.Column("rid", sa.LargeBinary(16), primary_key=True),
        sa.Column("act", sa.String(64), nullable=False),
        sa.Column("sent_at", sa.BigInteger, nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("context", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=True),
    )
    op.create_index("ix_evidence_sent_at", "evidence", ["sent_at"])
    op.create_table(
        "applications",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sync_runs",
        sa.Column("run", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger, nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("registered", sa.Integer, nullable=False),
        sa.Column("reconfirmed", sa.Integer, nullable=False),
        sa.Column("ended", sa.Integer, nullable=False),
    )
    op.create_table(
        "sync_failures",
        sa.Column("run", sa.Integer, sa.ForeignKey("sync_runs.run"), primary_key=True),
        sa.Column("client", sa.String(200), primary_key=True),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("code", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("sync_failures")
    op.drop_table("sync_runs")
    op.drop_table("applications")
    op.drop_table("evidence")
    op.drop_table("contact_requests")
    op.drop_table("pointers")
    op.drop_table("occasion_members")
    op.drop_table("occasions")
    op.drop_table("involvements")
    op.drop_table("clients")
