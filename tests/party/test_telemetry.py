from __future__ import annotations

import io
import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError, OperationalError

from datwat.party.database import open_engine
from datwat.party.spent import SpentRequests
from datwat.party.telemetry import (
    WITHHELD,
    clean_value,
    configure_logging,
    get_logger,
    name_failure,
)
from datwat.protocol.values import decode_bytes, encode_bytes
from keyholder.tables import SPENT


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.BytesIO()
    configure_logging("info", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_only_a_driver_s_code_stands_beside_the_name_of_an_error() -> None:
    class OddError(ValueError):
        sqlstate = "999990019"

        @property
        def orig(self) -> object:
            raise RuntimeError

    assert name_failure(OddError()) == "OddError"
    wrapped = OperationalError("", {}, psycopg.errors.QueryCanceled())
    assert name_failure(wrapped) == "OperationalError 57014"


def test_a_fault_of_a_statement_is_where_it_was_asked(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'one.sqlite'}")
    with engine.connect() as conn, pytest.raises(sqlite3.OperationalError) as caught:
        SpentRequests(SPENT).release(conn, "x", bytes(16))
    assert name_failure(caught.value).place["place"] == "datwat/party/spent.py"
    engine.dispose()


@pytest.mark.parametrize(
    "value",
    [
        "999990019",
        "bsn=999990019",
        "99990019",
        999990019,
        99990019,
        "x" * 300,
        "two\nlines",
        b"bytes",
        {"a": 1},
        ["999990019"],
        object(),
    ],
)
def test_what_looks_like_a_person_or_a_message_is_withheld(value: object) -> None:
    assert clean_value(value) == WITHHELD


@pytest.mark.parametrize(
    "value",
    [
        "request",
        "/v1/evaluations",
        "00000099000000001000:youth-help",
        "trust_list_not_refreshed",
        200,
        1.25,
        True,
        None,
        12345,
    ],
)
def test_plain_values_pass(value: object) -> None:
    assert clean_value(value) == value


@given(st.binary(min_size=16, max_size=64))
def test_no_random_bytes_pass_in_any_spelling(value: bytes) -> None:
    # Sixteen equal lower-case letters would pass: not random, and not a secret.
    text = encode_bytes(value)
    if not text.islower():
        assert clean_value(text) == WITHHELD
    digits = value.hex()
    if not digits.isalpha():
        assert clean_value(digits) == WITHHELD


def test_a_line_is_json_with_its_values_cleaned(stream: io.BytesIO) -> None:
    named = {"partner": "00000099000000001000:x", "request_class": "999990019"}
    get_logger("test").warning("quota_exceeded", **named)
    get_logger("test").debug("stopped")
    line = json.loads(stream.getvalue())
    assert line["event"] == "quota_exceeded"
    assert line["partner"] == "00000099000000001000:x"
    assert line["request_class"] == WITHHELD
    assert line["at"].endswith("Z")


def test_exceptions_are_logged_by_class_name(stream: io.BytesIO) -> None:
    try:
        int("999990019 is no number")
    except ValueError as error:
        get_logger("test").error("fault", exception=name_failure(error))
        logging.getLogger("library").exception("failed for %s", "999990019")
    ours, theirs = map(json.loads, stream.getvalue().splitlines())
    assert ours["exception"] == theirs["exception"] == "ValueError"
    assert b"999990019" not in stream.getvalue()
    assert "place" not in ours  # nowhere in our own source


def test_a_fault_says_where_and_has_its_whole_name(stream: io.BytesIO) -> None:
    class ProcessNotCurrentAnyMoreError(ValueError):
        """Longer than what may stand in a line unless it is known to be a name."""

    try:
        decode_bytes("=999990019=")
    except ValueError as error:
        get_logger("test").error("fault", exception=name_failure(error))
        named = name_failure(ProcessNotCurrentAnyMoreError("999990019"))
        get_logger("test").error("fault", exception=named)
    found, other = map(json.loads, stream.getvalue().splitlines())
    assert (found["place"], type(found["line"])) == ("datwat/protocol/values.py", int)
    assert other["exception"] == "ProcessNotCurrentAnyMoreError"
    assert b"999990019" not in stream.getvalue()


def test_what_a_driver_calls_a_fault_is_logged_without_its_words(
    stream: io.BytesIO, tmp_path: Path
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'one.sqlite'}")
    with engine.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE kept (number INTEGER UNIQUE)")
        conn.exec_driver_sql("INSERT INTO kept VALUES (999990019)")
    try:
        with engine.begin() as conn:
            conn.exec_driver_sql("INSERT INTO kept VALUES (999990019)")
    except IntegrityError as error:
        get_logger("test").error("fault", exception=name_failure(error))
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert line["exception"] == "IntegrityError sqlite_constraint_unique"
    assert b"999990019" not in stream.getvalue()
    engine.dispose()
