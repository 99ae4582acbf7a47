"""Every table of the key holder is in the list of ends, and what must end is ended by its purge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, func, insert, inspect, select

from datwat.party.spent import KEPT_FOR, SpentRequests
from keyholder.evaluation import Evaluator
from keyholder.rotating import Rotations
from keyholder.secrets import create_secrets
from keyholder.settings import KeyHolderSettings
from keyholder.tables import METADATA, SPENT, USAGE
from tests.ends import read_ends
from tests.party.covenant import KEY_HOLDER_ID

# What it may know, all of it: a column about anybody cannot come in unnoticed.
_COLUMNS = {
    "open_partner": {"partner", "opened_at", "first_load"},
    "usage": {"partner", "request_class", "day", "elements"},
    "scalar_rotation": {
        *("id", "state", "leaving", "current", "highest", "permille"),
        *("is_drawn", "is_destroyed"),
        *("begun_at", "given_at", "told_at", "turned_at"),
    },
    "spent": {"iss", "rid", "request_hash", "answer", "until_at"},
    "alembic_version": {"version_num"},
}
_NOW = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)


def test_every_table_has_a_written_end_and_no_column_more(own_engine: Engine) -> None:
    found = inspect(own_engine)
    names = set(found.get_table_names())
    assert names == set(read_ends("the key holder"))
    columns = {name: {c["name"] for c in found.get_columns(name)} for name in names}
    assert columns == _COLUMNS


async def test_what_is_written_as_purged_is_purged_and_nothing_younger(
    own_engine: Engine, tmp_path: Path
) -> None:
    ends = read_ends("the key holder")
    purged = {name for name, (_, ended_by) in ends.items() if "purge" in ended_by}
    days = [(_NOW - timedelta(days=age)).toordinal() for age in (32, 31)]
    counted = {"partner": "a", "request_class": "register", "elements": 1}
    spent = SpentRequests(SPENT)
    with own_engine.begin() as connection:
        connection.execute(insert(USAGE), [{**counted, "day": day} for day in days])
        for rid, at in ((b"1" * 16, _NOW - KEPT_FOR), (b"2" * 16, _NOW)):
            spent.spend(connection, "a", rid, b"h" * 32, answer=b"{}", now=at)
    create_secrets(tmp_path)
    settings = KeyHolderSettings(home=tmp_path, id=KEY_HOLDER_ID, name="Key holder")
    rotations = Rotations(settings, own_engine, _NOW)
    evaluator = Evaluator(KEY_HOLDER_ID, own_engine, rotations, {})
    evaluator.purge(_NOW)
    evaluator.purge(_NOW)
    evaluator.close()
    with own_engine.connect() as connection:
        for name in purged:
            left = select(func.count()).select_from(METADATA.tables[name])
            assert connection.execute(left).scalar_one() == 1, name
        assert connection.execute(select(USAGE.c.day)).scalar_one() == days[1]
        assert connection.execute(select(SPENT.c.rid)).scalar_one() == b"2" * 16
