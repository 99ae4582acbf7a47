"""Traces: what is continued, what begins anew, what is refused, and where it is written."""

from __future__ import annotations

import json
import re
import time
import uuid

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datwat.party.telemetry import clean_value
from datwat.party.tracing import (
    Trace,
    TransactionIdError,
    begin_trace,
    build_trace_headers,
    find_trace,
    parse_traceparent,
    read_trace,
    use_trace,
)
from tests.exchange.world import bsns
from tests.others.test_authzen import build_stated
from tests.others.world import Others

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
# RFC 9562, appendix A.6.
TRANSACTION = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def read(*headers: tuple[bytes, bytes]) -> Trace:
    trace, refused = read_trace(headers)
    assert refused is None
    return trace


def test_a_trace_is_continued_with_a_span_of_ones_own() -> None:
    trace = read((b"traceparent", PARENT.encode()))
    assert (trace.trace_id, trace.parent_span_id, trace.flags) == (TRACE, SPAN, "01")
    assert trace.span_id not in (SPAN, "0" * 16)
    assert trace.traceparent == f"00-{TRACE}-{trace.span_id}-01"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        PARENT.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
        f" {PARENT}",
        f"{PARENT}\n",
        PARENT.replace("-", "_"),
        f"00-{'999990019'.zfill(32)}-{SPAN}-01",
        f"00-{TRACE}-{'999990019'.zfill(16)}-01",
        f"00-{b'999990019'.hex().zfill(32)}-{SPAN}-01",
        f"00-{b'ab999990019cdefg'.hex()}-{SPAN}-01",
        f"00-{TRACE}-{b'99990019'.hex()}-01",
        "é" * 55,
    ],
)
def test_a_bad_one_begins_a_fresh_trace(text: str) -> None:
    assert parse_traceparent(text) is None
    trace = read((b"traceparent", text.encode("latin-1", "replace")))
    assert trace.parent_span_id is None
    assert re.fullmatch("[0-9a-f]{32}", trace.trace_id)
    assert trace.trace_id != TRACE


def test_a_later_version_may_say_more() -> None:
    found = parse_traceparent(f"01-{TRACE}-{SPAN}-01-more-of-it")
    assert found is not None
    assert found.trace_id == TRACE


def test_two_are_none() -> None:
    header = (b"traceparent", PARENT.encode())
    assert read(header, header).trace_id != TRACE


@given(st.binary(max_size=80))
@example(PARENT.encode())
def test_reading_never_fails_and_never_lets_text_through(value: bytes) -> None:
    trace, _ = read_trace([(b"traceparent", value), (b"fsc-transaction-id", value)])
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", trace.traceparent)
    assert trace.transaction_id is None or uuid.UUID(trace.transaction_id).version == 7


def test_a_transaction_id_goes_along_and_a_bad_one_is_refused() -> None:
    trace = read((b"fsc-transaction-id", TRANSACTION.upper().encode()))
    assert trace.transaction_id == TRANSACTION
    with use_trace(trace):
        assert build_trace_headers()["Fsc-Transaction-Id"] == TRANSACTION
    for bad in (
        b"x",
        str(uuid.uuid4()).encode(),
        TRANSACTION.replace("-", "").encode(),
        b"017f22e2-79b0-7cc3-98c4-000999990019",
    ):
        found, refused = read_trace([(b"fsc-transaction-id", bad)])
        assert isinstance(refused, TransactionIdError)
        assert found.transaction_id is None
    twice = (b"fsc-transaction-id", TRANSACTION.encode())
    assert read_trace([twice, twice])[1] is not None


def test_where_callers_have_no_name_every_request_begins_a_trace() -> None:
    header = (b"traceparent", PARENT.encode())
    transaction = (b"fsc-transaction-id", TRANSACTION.encode())
    trace, refused = read_trace((header, transaction), goes_on=False)
    assert refused is None
    assert trace.trace_id != TRACE
    assert trace.parent_span_id is None
    assert trace.transaction_id == TRANSACTION


def test_outside_a_request_each_call_is_a_chain_of_its_own() -> None:
    assert find_trace() is None
    assert build_trace_headers() != build_trace_headers()
    with use_trace(begin_trace()) as trace:
        assert build_trace_headers() == {"traceparent": trace.traceparent}
    assert find_trace() is None


def test_a_trace_in_another_members_place_is_still_withheld() -> None:
    """Only the three members that `tracing.py` writes may hold one in a log line."""
    assert clean_value(TRACE) == "[withheld]"


@pytest.mark.processes
def test_a_request_is_logged_with_its_trace_and_answered_with_its_transaction(
    others: Others,
) -> None:
    answer = others.post(
        "/access/v1/evaluation",
        build_stated(others),
        traceparent=PARENT,
        Fsc_Transaction_Id=TRANSACTION,
    )
    assert answer.headers["fsc-transaction-id"] == TRANSACTION
    line = find_line(others, TRACE)
    assert line["event"] == "request"
    assert line["transaction_id"] == TRANSACTION
    assert line["span_id"] != SPAN


@pytest.mark.processes
def test_what_is_only_fetched_goes_on_in_no_trace_of_a_stranger(others: Others) -> None:
    """Anybody may fetch it: an id of theirs would stand in our log."""
    stranger = "5" * 31 + "e"
    headers = {"traceparent": f"00-{stranger}-{SPAN}-01"}
    answer = httpx.get(others.served.url + "/v1/health", headers=headers, trust_env=False)
    assert answer.status_code == 200
    others.post("/access/v1/evaluation", build_stated(others), traceparent=PARENT)
    find_line(others, TRACE)
    assert stranger not in others.served.log.read_text()


@pytest.mark.processes
def test_a_bad_transaction_id_is_refused_before_anything_is_done(others: Others) -> None:
    bsn = next(bsns())
    bad = f"017f22e2-79b0-7cc3-98c4-000{bsn}"
    answer = others.post("/access/v1/evaluation", build_stated(others), Fsc_Transaction_Id=bad)
    assert (answer.status_code, answer.json()["code"]) == (400, "transaction_id_invalid")
    assert "fsc-transaction-id" not in answer.headers
    parent = f"00-{bsn.zfill(32)}-{SPAN}-01"
    others.post("/access/v1/evaluation", build_stated(others), traceparent=parent)
    assert bsn not in others.served.log.read_text()


def find_line(others: Others, trace_id: str) -> dict[str, object]:
    """Return the line of the broker's own log that belongs to a trace."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        for text in others.served.log.read_text().splitlines():
            line: dict[str, object] = json.loads(text) if text.startswith("{") else {}
            if line.get("trace_id") == trace_id:
                return line
        time.sleep(0.05)
    raise AssertionError("no line has this trace")
