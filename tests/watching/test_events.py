"""Events: only those of the table, with only their members, and one page that lists them all."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from datwat.party import metrics
from datwat.party.event_rows import ALWAYS, EVENTS, MEMBERS, UNLISTED
from datwat.party.telemetry import configure_logging, get_logger
from datwat.party.tracing import begin_trace, use_trace
from tests.watching.scraping import find_value

ROOT = Path(__file__).resolve().parents[2]
BSN = "999990019"


@pytest.fixture(scope="module")
def stream() -> Iterator[io.BytesIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    made = io.BytesIO()
    configure_logging("debug", made)
    yield made
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def read_last(stream: io.BytesIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return line


def test_an_event_that_is_not_in_the_table_is_not_written(stream: io.BytesIO) -> None:
    get_logger("test").info(f"somebody called {BSN}", code="x", person="Jansen")
    line = read_last(stream)
    always = {"event": UNLISTED, "level": "info", "room": "test", "at": line["at"]}
    assert line == {**always, UNLISTED: True}


def test_a_member_that_is_not_in_the_table_is_not_written(stream: io.BytesIO) -> None:
    get_logger("test").warning("not_delivered", code="peer_too_slow", client="K-1", to="a:b")
    line = read_last(stream)
    assert (line["code"], line["to"], line[UNLISTED]) == ("peer_too_slow", "a:b", True)
    assert "client" not in line
    assert "K-1" not in str(line)


@given(
    name=st.one_of(st.sampled_from(sorted(EVENTS)), st.text(max_size=30)),
    members=st.dictionaries(
        st.one_of(st.sampled_from(sorted(MEMBERS)), st.from_regex(r"[a-z_]{1,12}", fullmatch=True)),
        st.one_of(st.integers(), st.text(max_size=300), st.binary(), st.none()),
        max_size=6,
    ),
)
def test_whatever_is_logged_a_line_has_only_what_the_table_has(
    stream: io.BytesIO, name: str, members: dict[str, Any]
) -> None:
    for reserved in ("event", "level", "timestamp", "exc_info", "room"):
        members.pop(reserved, None)
    before = len(stream.getvalue())
    with use_trace(begin_trace()):
        get_logger("test").error(name, **members)
    line: dict[str, Any] = json.loads(stream.getvalue()[before:])
    row = EVENTS.get(name)
    assert line["event"] == (name if row is not None else UNLISTED)
    allowed = {*ALWAYS, UNLISTED, *(row.members if row is not None else ())}
    assert line.keys() <= allowed
    assert (UNLISTED in line) == bool(members.keys() - (set(row.members) if row else set()))


def test_what_a_library_says_is_not_taken_over(stream: io.BytesIO) -> None:
    logging.getLogger("asyncio").warning("Task of %s", BSN)
    logging.getLogger("asyncio").error(f"never retrieved: {BSN}")  # noqa: G004 - as libraries do
    line = read_last(stream)
    assert line["event"] == "library"
    assert (line["library"], line["place"], line["level"]) == ("asyncio", "test_events.py", "error")
    assert line["line"] > 0
    assert BSN not in stream.getvalue().decode()


def test_what_asks_for_somebody_is_counted_by_name(stream: io.BytesIO) -> None:
    def read(level: str) -> float:
        text = metrics.render([]).decode()
        return find_value(text, "datwat_events_total", event="opa_lost", level=level)

    get_logger("test").error("opa_lost")
    before = read("error")
    get_logger("test").error("opa_lost")
    get_logger("test").info("opa_lost")
    assert read("error") == before + 1


def test_the_code_names_no_other_and_the_page_lists_them_all() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "list_events.py"), "--check"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_page_of_figures_is_current() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "list_metrics.py"), "--check"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


def test_no_event_has_a_member_of_a_person() -> None:
    named = {member for row in EVENTS.values() for member in row.members}
    assert not named & {"bsn", "client", "person", "subject", "handle", "occasion", "pseudonym"}
    # The organisation's own employees at its desk, whom it answers for; nobody else, nowhere else.
    staff = {name for name, row in EVENTS.items() if {"by", "second_by"} & set(row.members)}
    assert staff == {"desk_visit"}
