"""Every table of the broker is in the list of ends, and what is about a person has an end there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.types import TypeEngine

from broker.adapters.ends_store import list_names_of_person
from broker.adapters.log_tables import UtcSeconds
from broker.adapters.purging import PURGED_MODELS, count_ended, purge_ended
from broker.adapters.tables import table_of
from tests.ends import read_ends

# What a row says about a person, or lets somebody find one by.
_OF_PERSON = {"subject_id", "chain_id", "occasion_id", "target", "sealed", "answer"}
_NOW = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)


def test_every_table_has_a_written_end(engine: Engine) -> None:
    assert set(read_ends("the broker")) == set(inspect(engine).get_table_names())


def test_what_is_about_a_person_ends(engine: Engine) -> None:
    ends, inspector = read_ends("the broker"), inspect(engine)
    for name, (end, ended_by) in ends.items():
        columns = {column["name"] for column in inspector.get_columns(name)}
        if columns & _OF_PERSON:
            assert not end.startswith("none"), name
            assert ended_by != "-", name
        if "until_at" in columns:
            assert "purge" in ended_by, name


def test_what_is_written_as_purged_is_purged(engine: Engine) -> None:
    purged = {
        name for name, (_, ended_by) in read_ends("the broker").items() if "purge" in ended_by
    }
    assert purged == {table_of(model).name for model in PURGED_MODELS} | {"spent"}


def test_a_person_counts_as_gone_only_when_no_table_names_them(engine: Engine) -> None:
    """A table that names a person and is not asked would keep an id that leads nowhere."""
    inspector = inspect(engine)
    asked = {column.table.name for column in list_names_of_person()}
    naming = {
        name
        for name in inspector.get_table_names()
        if {"subject_id", "target"} & {column["name"] for column in inspector.get_columns(name)}
    }
    of_their_own = {"log_entries", "log_quarter_keys", "subjects", "pseudonyms"}
    assert naming == asked | of_their_own


@pytest.mark.parametrize("model", PURGED_MODELS)
def test_a_row_that_is_over_is_destroyed_and_no_other(engine: Engine, model: type) -> None:
    table = table_of(model)

    def add(conn: Connection, number: int, until_at: datetime) -> None:
        values: dict[str, object] = {}
        for column in table.columns:
            samples: tuple[tuple[type[TypeEngine[Any]], object], ...] = (
                (UtcSeconds, until_at),
                (LargeBinary, bytes((number,)) * 16),
                (Boolean, True),
                (Integer, number),
            )
            found = (value for kind, value in samples if isinstance(column.type, kind))
            values[column.name] = next(found, str(number))
        conn.execute(insert(table), values)

    with engine.begin() as conn:
        add(conn, 1, _NOW)
        add(conn, 2, _NOW + timedelta(seconds=1))
        assert count_ended(conn, _NOW)[table.name] == 1
        assert purge_ended(conn, _NOW) == 1
        assert purge_ended(conn, _NOW) == 0
        assert conn.execute(select(func.count()).select_from(table)).scalar_one() == 1
