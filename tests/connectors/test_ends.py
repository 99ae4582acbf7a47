"""Every table of a connector is in the list of ends, and what is about a person ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, LargeBinary, Table, func, insert, inspect, select, text

from connectors.client.store import ClientStore
from connectors.ends import ENDS, Housekeeper, purge_ended
from connectors.gateway_tables import (
    gateway_alarms,
    gateway_contacts,
    gateway_ended,
    gateway_opened,
    gateway_orders,
    gateway_spent,
)
from connectors.tables import (
    MIGRATIONS,
    clients,
    contact_requests,
    evidence,
    involvements,
    metadata,
    occasion_members,
    occasion_staff,
    occasions,
    pointers,
    sync_failures,
    sync_runs,
)
from datwat.party.database import migrate, open_engine
from tests.connectors.client.conftest import own_engine
from tests.databases import find_own_url
from tests.ends import read_ends

__all__ = ["own_engine"]
# What a row says about a person, or lets somebody find one by.
_OF_PERSON = {"client", "handle", "reference", "message", "call_back", "core", "answer", "commit"}
_NOW = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)
_DAY = timedelta(days=1)
_YEAR, _FIVE_YEARS = 365 * _DAY, 5 * 365 * _DAY
_ZERO = timedelta()
# Table, what its end is counted from, the term by the page, and what else the row says.
_TERMS: tuple[tuple[Table, str, timedelta, Mapping[str, object]], ...] = (
    (gateway_spent, "until_at", timedelta(minutes=1), {}),
    (gateway_contacts, "until_at", _ZERO, {}),
    (gateway_orders, "at", _FIVE_YEARS, {}),
    (gateway_opened, "told_at", _FIVE_YEARS, {}),
    (gateway_alarms, "cleared_at", _FIVE_YEARS, {}),
    (gateway_ended, "told_at", 30 * _DAY, {}),
    (involvements, "expires_at", _DAY, {}),
    (involvements, "confirmed_at", _YEAR, {"expires_at": None}),
    (pointers, "shown_at", _YEAR, {}),
    (contact_requests, "sent_at", 30 * _DAY, {}),
    (occasions, "closed_at", _YEAR, {}),
    (occasions, "opened_at", _FIVE_YEARS, {"closed_at": None}),
    (sync_failures, "started_at", 30 * _DAY, {}),
    (evidence, "sent_at", _FIVE_YEARS, {"state": "answered"}),
    (evidence, "sent_at", _FIVE_YEARS, {"state": "invalid"}),
    (evidence, "sent_at", 30 * _DAY, {"state": "pending"}),
    (evidence, "sent_at", 30 * _DAY, {"state": "refused"}),
    (clients, "used_at", _FIVE_YEARS, {}),
)


def add(engine: Engine, table: Table, mark: int, **given: object) -> None:
    """Write a row; what is not given is far from its end, and of `mark` where it must differ."""
    values: dict[str, Any] = {}
    for column in table.columns:
        if isinstance(column.type, LargeBinary):
            values[column.name] = bytes((mark,)) * (column.type.length or 16)
        elif column.name.endswith("_at") or column.name == "at":
            values[column.name] = int((_NOW + _FIVE_YEARS).timestamp())
        else:
            values[column.name] = mark if column.type.python_type is int else str(mark)
    moments = {
        name: int(value.timestamp()) if isinstance(value, datetime) else value
        for name, value in given.items()
    }
    with engine.begin() as connection:
        connection.execute(insert(table).values(**{**values, **moments}))


def count(engine: Engine, table: Table) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_every_table_has_a_written_end(own_engine: Engine) -> None:
    assert set(read_ends("a connector")) == set(inspect(own_engine).get_table_names())


def test_what_is_about_a_person_ends(own_engine: Engine) -> None:
    inspector = inspect(own_engine)
    for name, (end, ended_by) in read_ends("a connector").items():
        if _OF_PERSON & {column["name"] for column in inspector.get_columns(name)}:
            assert not end.startswith("none"), name
            assert "purge" in ended_by, name


def test_what_is_written_as_purged_is_purged_and_tested() -> None:
    ends = read_ends("a connector")
    purged = {name for name, (_, ended_by) in ends.items() if "purge" in ended_by}
    assert purged == {end.table.name for end in ENDS}
    assert purged == {table.name for table, *_ in _TERMS} | {"occasion_members", "occasion_staff"}


def test_the_migrated_schema_is_that_of_the_tables(own_engine: Engine) -> None:
    with own_engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize(("table", "column", "term", "more"), _TERMS)
def test_a_row_that_is_over_is_destroyed_and_no_other(
    own_engine: Engine, table: Table, column: str, term: timedelta, more: Mapping[str, object]
) -> None:
    for mark, moment in ((1, _NOW - term), (2, _NOW - term + timedelta(seconds=1))):
        if table is sync_failures:
            add(own_engine, sync_runs, mark, started_at=moment)
            add(own_engine, table, mark)
        else:
            add(own_engine, table, mark, **{column: moment, **more})
    assert purge_ended(own_engine, _NOW) == {table.name: 1}
    assert not purge_ended(own_engine, _NOW)
    assert count(own_engine, table) == 1


def test_an_occasion_ends_with_its_members(own_engine: Engine) -> None:
    for mark, closed_at in ((1, _NOW - _YEAR), (2, None)):
        add(own_engine, occasions, mark, closed_at=closed_at)
        add(own_engine, occasion_members, mark)
        add(own_engine, occasion_staff, mark)
    whole = {"occasions": 1, "occasion_members": 1, "occasion_staff": 1}
    assert purge_ended(own_engine, _NOW) == whole
    for table in (occasions, occasion_members, occasion_staff):
        assert count(own_engine, table) == 1


@pytest.mark.parametrize("table", [involvements, pointers])
def test_what_the_broker_ended_goes_before_the_notice_of_it(
    own_engine: Engine, table: Table
) -> None:
    """While an involvement is there the notice keeps the gateway from taking an order for it."""
    add(own_engine, table, 1)
    add(own_engine, gateway_ended, 1, told_at=_NOW - 30 * _DAY)
    assert not purge_ended(own_engine, _NOW - timedelta(seconds=1))
    assert purge_ended(own_engine, _NOW) == {table.name: 1, "gateway_ended": 1}


def test_a_round_is_bounded_and_the_next_goes_on(own_engine: Engine) -> None:
    for mark in range(5):
        add(own_engine, pointers, mark, shown_at=_NOW - _YEAR)
    rounds = [purge_ended(own_engine, _NOW, limit=2)["pointers"] for _ in range(4)]
    assert rounds == [2, 2, 1, 0]


@pytest.mark.parametrize("table", [involvements, pointers])
def test_a_round_that_stops_halfway_leaves_what_the_rest_leans_on(
    own_engine: Engine, table: Table
) -> None:
    """Members keep their occasion, what ended keeps the notice that it did."""
    add(own_engine, occasions, 1, closed_at=_NOW - _YEAR)
    for mark in range(3):
        add(own_engine, occasion_members, mark, occasion="1")
    for mark in (1, 2):
        add(own_engine, table, mark)
        # Told in the other order, so that the first of each are not about the same.
        add(own_engine, gateway_ended, 3 - mark, told_at=_NOW - 30 * _DAY)
    assert purge_ended(own_engine, _NOW, limit=1)[table.name] == 1
    with own_engine.connect() as connection:
        left = connection.execute(select(table.c.reference)).scalars().all()
        assert connection.execute(select(gateway_ended.c.reference)).scalars().all() == left
    for _ in range(3):
        purge_ended(own_engine, _NOW, limit=1)
    for each in (occasions, occasion_members, table, gateway_ended):
        assert count(own_engine, each) == 0


def test_a_handle_is_used_for_a_year_and_found_by_for_five(own_engine: Engine) -> None:
    store = ClientStore(own_engine)
    store.keep_handles({"1": b"h" * 16, "2": b"i" * 16}, _NOW)
    store.keep_handles({"2": b"i" * 16}, _NOW + _DAY)
    assert set(store.find_handles(["1", "2"], _NOW + _YEAR - _DAY)) == {"1", "2"}
    assert set(store.find_handles(["1", "2"], _NOW + _YEAR)) == {"2"}
    store.keep_handles({"0": b"h" * 16}, _NOW + _DAY)
    assert [store.find_first_number(number) for number in ("0", "1", "9")] == ["1", "1", "9"]
    assert purge_ended(own_engine, _NOW + _FIVE_YEARS) == {"clients": 1}
    assert store.find_first_number("1") == "1"


def test_a_handle_kept_before_counts_as_used_at_the_migration(own_engine: Engine) -> None:
    """What an older version kept is neither lost nor kept for ever."""
    from alembic import command  # noqa: PLC0415 - one test steps back
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with own_engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
        connection.execute(
            text("INSERT INTO clients (number, handle, known_at) VALUES ('1', :h, 1)"),
            {"h": b"h" * 16},
        )
    migrate(own_engine, MIGRATIONS)
    store, now = ClientStore(own_engine), datetime.now(UTC)
    assert set(store.find_handles(["1"], now)) == {"1"}
    assert store.find_handles(["1"], now + _YEAR + _DAY) == {}


@pytest.mark.sqlite_only("looks into its files; PostgreSQL's hold it until its VACUUM")
async def test_what_ended_is_in_no_file_of_the_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'own.sqlite'}"
    engine = open_engine(url)
    migrate(engine, MIGRATIONS)
    needle = b"needle that is looked for"
    add(engine, evidence, 1, message=needle, sent_at=datetime.now(UTC) - _FIVE_YEARS)
    assert find_files(tmp_path, needle)
    keeper = Housekeeper(engine)
    assert await keeper.run_round() is False
    assert find_files(tmp_path, needle) == []
    status = keeper.build_status()
    assert (status["housekeeping_ended"], status["housekeeping_failed"]) == ("evidence=1", False)
    assert status["housekeeping_at"] is not None
    engine.dispose()


async def test_a_round_that_fails_is_said_and_the_next_goes_on(tmp_path: Path) -> None:
    engine = open_engine(find_own_url(tmp_path))
    keeper = Housekeeper(engine)
    assert await keeper.run_round() is False  # there are no tables yet
    status = keeper.build_status()
    assert (status["housekeeping_failed"], status["housekeeping_at"]) == (True, None)
    migrate(engine, MIGRATIONS)
    add(engine, pointers, 1, shown_at=datetime.now(UTC) - _YEAR)
    await keeper.run_round()
    status = keeper.build_status()
    assert (status["housekeeping_failed"], status["housekeeping_ended"]) == (False, "pointers=1")
    engine.dispose()


def find_files(folder: Path, needle: bytes) -> list[str]:
    return [path.name for path in folder.iterdir() if needle in path.read_bytes()]
