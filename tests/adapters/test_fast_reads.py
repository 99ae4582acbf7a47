"""A short read gives what SQLAlchemy gives, for each kind of column and each length of a list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import Connection, Engine, bindparam, select

from broker.adapters import fast_reads
from broker.adapters.fast_reads import FastConnection, FastRows
from broker.adapters.tables import InvolvementRecord, table_of
from datwat.party.database import reading

T = table_of(InvolvementRecord)
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ONE = select(T).where(T.c.id == bindparam("b_id"), T.c.expires_at > bindparam("b_now"))
SOME = select(T.c.id, T.c.ended_at, T.c.shielded).where(
    T.c.id.in_(bindparam("b_ids", expanding=True)), T.c.kind == "debt_counselling"
)


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """Return an engine of each kind, with five rows."""
    with engine.begin() as conn:
        for number in range(5):
            conn.execute(T.insert(), build(number))
    return engine


def open_fast(engine: Engine) -> FastConnection:
    return FastConnection(reading(engine).connect())


def build(number: int) -> dict[str, Any]:
    return {
        "subject_id": bytes([9]) * 16,
        "id": bytes([number]) * 16,
        "source": f"0000009900000000100{number}:debt-counselling",
        "function": "debt-counselling",
        "kind": "debt_counselling",
        "domain": "debt",
        "since_at": NOW,
        "registered_at": NOW,
        "reconfirmed_at": NOW,
        "expires_at": NOW.replace(year=2027),
        "ended_at": NOW if number == 1 else None,
        "end_reason": None,
        "shielded": number % 2 == 0,
        "confidential": False,
        "mark": None,
        "until_at": NOW.replace(year=2028),
        "sealed": bytes([0, 255, number]),
    }


def read(conn: Connection, statement: Any, given: dict[str, Any]) -> list[tuple[Any, ...]]:  # noqa: ANN401 - a Select
    return sorted(tuple(row) for row in conn.execute(statement, given))


def test_rows_are_those_of_sqlalchemy(filled: Engine) -> None:
    fast = open_fast(filled)
    with filled.connect() as plain, fast.begin() as conn:
        for number in (0, 1, 7, 0):
            given = {"b_id": bytes([number]) * 16, "b_now": NOW}
            assert isinstance(conn.execute(ONE, given), FastRows)
            assert read(conn, ONE, given) == read(plain, ONE, given)
        for count in (1, 3, 5, 1, 3):
            ids = {"b_ids": [bytes([number]) * 16 for number in range(count)]}
            assert isinstance(conn.execute(SOME, ids), FastRows)
            assert read(conn, SOME, ids) == read(plain, SOME, ids)
            assert len(read(conn, SOME, ids)) == count
        row = conn.execute(ONE, {"b_id": bytes(16), "b_now": NOW}).first()
    assert row is not None
    assert (row.expires_at, row.ended_at, row.shielded, row.sealed) == (
        NOW.replace(year=2027),
        None,
        True,
        bytes([0, 255, 0]),
    )
    fast.close()


def test_what_is_not_kept_is_not_compiled_for_each_call(
    filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = Mock(side_effect=fast_reads._compile)  # noqa: SLF001 - what is counted
    monkeypatch.setattr(fast_reads, "_compile", compiled)
    monkeypatch.setattr(fast_reads, "_MOST_STATEMENTS", 2)
    fast = open_fast(filled)
    with filled.connect() as plain, fast.begin() as conn:
        for count in (1, 2, 3, 4, 3, 2):
            ids = {"b_ids": [bytes([number]) * 16 for number in range(count)]}
            assert isinstance(conn.execute(SOME, ids), FastRows) == (count <= 2)
            assert read(conn, SOME, ids) == read(plain, SOME, ids)
    assert compiled.call_count == 2
    fast.close()


def test_a_moment_without_a_zone_is_refused(filled: Engine) -> None:
    fast = open_fast(filled)
    with fast.begin() as conn, pytest.raises(ValueError, match="time zone"):
        conn.execute(ONE, {"b_id": bytes(16), "b_now": NOW.replace(tzinfo=None)})
    fast.close()


def test_a_view_does_not_change_while_it_is_held(filled: Engine) -> None:
    fast = open_fast(filled)
    given = {"b_id": bytes([7]) * 16, "b_now": NOW}
    with fast.begin() as conn:
        assert read(conn, ONE, given) == []
        with filled.begin() as other:
            other.execute(T.insert(), build(7))
        assert read(conn, ONE, given) == []
    with fast.begin() as conn:
        assert len(read(conn, ONE, given)) == 1
    fast.close()
