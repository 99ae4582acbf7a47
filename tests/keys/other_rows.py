"""A row of each table that officers, oversight and others write, by their own stores."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine

from broker.adapters.ldv_outbox import SqlProcessingLog
from broker.adapters.officer_store import SqlOfficers
from broker.adapters.oversight_kept import SqlKeptMonths
from broker.adapters.oversight_rows import SqlOversightRows
from broker.adapters.purpose_store import SqlPurposes
from broker.adapters.replay_store import SqlReplays
from broker.adapters.row_key_file import RowKeyFile
from broker.adapters.rows import RowSealer
from broker.exchange.processing import Processing
from broker.policy.replay_result import ReplayPlan
from broker.purposes.drafts import ApprovalRow, DraftRow, ProposalRow, TokenRow
from broker.purposes.roles import Role, RoleRow
from broker.transparency.figures import Month
from broker.transparency.months import KeptMonth
from broker.transparency.reviewing import Finding
from broker.transparency.sampling import Draw
from datwat.protocol.values import Value
from tests.adapters.registers import DAY, NOW

_ID, _DIGEST = b"1" * 16, "1" * 64
_END = NOW + 800 * DAY


class _Words(Value):
    text: str = "bakboord"


def add_other_rows(conn: Connection, row_file: RowKeyFile) -> None:
    """Add one of each; their words are not read here, so that any will do."""
    sealer, words = RowSealer(row_file.keys), _Words()
    anything: Any = words
    officers = SqlOfficers(sealer)
    officers.add_role(conn, RoleRow(_ID, Role("o", "approver"), anything, None, NOW, None, _END))
    officers.add_token(conn, TokenRow(b"2" * 32, anything, NOW, _END))
    purposes = SqlPurposes(sealer)
    purposes.put_draft(conn, DraftRow(_ID, anything, NOW, _END))
    purposes.add_proposal(
        conn, ProposalRow(_ID, anything, 3, _DIGEST, _DIGEST, _DIGEST, NOW, None, _END), b"archive"
    )
    purposes.add_approval(conn, ApprovalRow(_ID, "k" * 43, anything, b"", b"", NOW, _END))
    oversight = SqlOversightRows(sealer)
    oversight.add_draw(conn, Draw(_ID, NOW, 40, _END, bytes(32)))
    oversight.add_finding(conn, Finding(_ID, "volume", NOW, _END, "explained", anything))
    SqlKeptMonths(sealer).add(conn, KeptMonth(Month(2026, 2), NOW, _END, anything))
    span = Processing("1" * 32, "2" * 16, None, "inquire", None, "p", 1, 2)
    SqlProcessingLog(row_file.keys, lambda: NOW).prepare([span])(conn)


def begin_replay(engine: Engine, row_file: RowKeyFile) -> None:
    """Begin a replay, which writes in a transaction of its own."""
    plan = ReplayPlan(
        purpose="p",
        digest=_DIGEST,
        draft=None,
        base_seq=1,
        base_revision=_DIGEST,
        from_index=0,
        to_index=1,
        planned_at=NOW,
    )
    SqlReplays(engine, row_file.keys).begin(plan, b"archive", NOW)
