"""Every table of a witness is in the list of ends; none has room for anything about a person."""

from __future__ import annotations

from sqlalchemy import Engine, inspect

from tests.ends import read_ends

# A witness holds what anybody may read, and which of its own staff looked at an alarm.
_COLUMNS = {
    "followed": {"id", "origin", "size", "edge", "covered", "roots", "note", "at"},
    "log_tags": {"tag", "idx"},
    "waiting_tags": {"idx", "tag"},
    "vouched": {"origin", "size", "note", "at"},
    "alarms": {"number", "code", "detail", "held", "shown", "at", "seen_at", "seen_by"},
    "alembic_version": {"version_num"},
}


def test_every_table_has_a_written_end_and_no_column_more(own_engine: Engine) -> None:
    found = inspect(own_engine)
    names = set(found.get_table_names())
    assert names == set(read_ends("a witness"))
    columns = {name: {c["name"] for c in found.get_columns(name)} for name in names}
    assert columns == _COLUMNS
