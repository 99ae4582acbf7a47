"""The log of processing activities: every processing, acknowledged, and holding nothing up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from broker.adapters.ldv_delivery import LdvDelivery
from broker.adapters.ldv_outbox import SpanRecord, SqlProcessingLog
from broker.adapters.ldv_records import RecordWriter
from broker.adapters.ldv_targets import (
    FileTarget,
    HttpTarget,
    LdvFailedError,
    LdvTargetError,
    open_target,
)
from broker.audit.records import Job
from broker.exchange.processing import Processing
from broker.transparency.processing_register import derive_activity_id
from datwat.party.http_out import HttpOut, PeerUnreachableError
from datwat.party.settings import change_settings
from datwat.protocol.acts import CloseOccasion, Professional, SpecialSituation
from tests.api.conftest import start, stop
from tests.exchange.world import (
    Running,
    World,
    bsns,
    by_bsn,
    now,
    open_world,
    registers,
    say,
)
from tests.exchange.world import by_handle as signed_by_handle
from tests.others.test_authzen import build_stated
from tests.others.test_tracing import PARENT, SPAN, TRACE
from tests.others.world import PURPOSE, Json, Others
from tests.parties import run_command

pytestmark = pytest.mark.processes
NUMBERS = bsns()
_ACTIVITY = "dpl.core.processing_activity_id"
_SUBJECT = "dpl.core.data_subject_id"
_CLOSES = CloseOccasion(reason="completed", goals_reached="yes", plan_made=True)


def read_records(others: Others) -> list[Json]:
    lines = [
        json.loads(line)
        for path in sorted(others.ldv.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert len({line["span_id"] for line in lines}) == len(lines)
    return lines


def wait_for(others: Others, trace_id: str, count: int) -> list[Json]:
    """Return the records of a trace once there are as many."""
    until = time.monotonic() + 15
    found: list[Json] = []
    while time.monotonic() < until:
        found = [one for one in read_records(others) if one["trace_id"] == trace_id]
        if len(found) >= count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{len(found)} of {count} records")


def ask(others: Others, trace_id: str, *handles: bytes, occasion: bytes) -> None:
    sent = others.served.world.build(
        "social-team",
        "inquire",
        [signed_by_handle(handle) for handle in handles],
        say(occasion=occasion),
        purpose={"id": PURPOSE, "digest": others.find_digest()},
        rung="dat",
    )
    answer = others.served.post(sent, traceparent=f"00-{trace_id}-{SPAN}-01")
    assert answer.status_code == 200, answer.text


def test_a_question_about_one_person_is_one_record(others: Others) -> None:
    bsn, trace_id = next(NUMBERS), os.urandom(16).hex()
    handle, occasion = others.open_home(bsn)
    ask(others, trace_id, handle, occasion=occasion)
    (record,) = wait_for(others, trace_id, 1)
    assert record["parent_span_id"] == SPAN
    assert (record["name"], record["status"]) == ("inquire", "Ok")
    assert 0 <= record["end_time"] - record["start_time"] < 60_000
    assert abs(record["end_time"] / 1_000 - time.time()) < 60
    said = record["attributes"]
    assert said[_ACTIVITY].endswith(str(derive_activity_id(PURPOSE, "inquire")))
    assert said["dpl.core.foreign_operation.processor"] == "urn:oin:00000099000000000001"
    assert len(said[_SUBJECT]) == 64
    everything = b"".join(path.read_bytes() for path in others.ldv.iterdir())
    assert bsn.encode() not in everything
    assert b"j.jansen" not in everything


def test_the_same_person_has_the_same_pseudonym_and_nobody_elses(others: Others) -> None:
    first, second = next(NUMBERS), next(NUMBERS)
    subjects: list[str] = []
    for bsn in (first, second, first):
        trace_id = os.urandom(16).hex()
        handle, occasion = others.open_home(bsn)
        ask(others, trace_id, handle, occasion=occasion)
        (record,) = wait_for(others, trace_id, 1)
        subjects.append(record["attributes"][_SUBJECT])
    assert subjects[0] == subjects[2] != subjects[1]


def test_several_persons_are_children_of_one_span(others: Others) -> None:
    trace_id, persons = os.urandom(16).hex(), [next(NUMBERS) for _ in range(3)]
    sent = others.served.world.build(
        "debt-counselling",
        "register",
        [
            by_bsn(bsn, registers=registers("debt_counselling"), identity="document", told_at=now())
            for bsn in persons
        ],
        say(),
    )
    others.served.post(sent, traceparent=f"00-{trace_id}-{SPAN}-01")
    records = wait_for(others, trace_id, 4)
    (parent,) = [one for one in records if one["parent_span_id"] == SPAN]
    children = [one for one in records if one is not parent]
    assert _SUBJECT not in parent["attributes"]
    assert {one["parent_span_id"] for one in children} == {parent["span_id"]}
    assert len({one["attributes"][_SUBJECT] for one in children}) == 3


def test_a_decision_on_stated_facts_is_a_record_about_nobody(others: Others) -> None:
    others.post("/access/v1/evaluation", build_stated(others), traceparent=PARENT)
    (record, *_) = wait_for(others, TRACE, 1)
    assert record["name"] == "weigh"
    assert _SUBJECT not in record["attributes"]


def test_what_is_told_later_is_nobodys_here(others: Others) -> None:
    """Promise 5: a reader of this log finds it under nobody, and cannot tell that it waits."""
    bsn = next(NUMBERS)
    special = SpecialSituation(
        ground="child_safety",
        decider=Professional(id="v.dijk", role="vertrouwensarts"),
        until_at=now() + timedelta(days=10),
        opening="by_person",
        reason="Onveilig.",
    )
    plain_handle, plain = others.open_home(bsn)
    handle, waits = others.open_home(bsn, special_situation=special)
    subjects = []
    for occasion in (plain, waits, waits):
        trace_id = os.urandom(16).hex()
        ask(others, trace_id, handle, occasion=occasion)
        (record,) = wait_for(others, trace_id, 1)
        subjects.append(record["attributes"].pop(_SUBJECT))
        assert set(record) >= {"trace_id", "span_id", "attributes"}
    assert plain_handle == handle
    assert len(set(subjects)) == 3
    assert {len(one) for one in subjects} == {64}


def test_no_record_says_that_a_special_situation_was_declared(others: Others) -> None:
    """Promise 5: its record has the name of whatever else is done to an occasion."""
    special = SpecialSituation(
        ground="child_safety",
        decider=Professional(id="v.dijk", role="vertrouwensarts"),
        until_at=now() + timedelta(days=10),
        opening="by_person",
        reason="Onveilig.",
    )
    records = []
    for act, stated in (
        ("declare_special_situation", {"special_situation": special}),
        ("close_occasion", {"closes": _CLOSES}),
    ):
        trace_id = os.urandom(16).hex()
        handle, occasion = others.open_home(next(NUMBERS))
        statement = say(occasion=occasion, **stated)
        sent = others.served.world.build("social-team", act, [signed_by_handle(handle)], statement)
        answer = others.served.post(sent, traceparent=f"00-{trace_id}-{SPAN}-01")
        assert answer.status_code == 200, answer.text
        records.append(wait_for(others, trace_id, 1)[-1])
    declared, closed = records
    assert declared["name"] == closed["name"] == "occasion"
    assert declared["attributes"][_ACTIVITY] == closed["attributes"][_ACTIVITY]
    assert set(declared) == set(closed)


def test_status_says_that_all_was_taken(others: Others) -> None:
    until = time.monotonic() + 10
    home = ["--home", str(others.served.world.home)]
    found = run_command("broker", "status", *home)
    while found["ldv_waiting"] and time.monotonic() < until:
        time.sleep(0.2)
        found = run_command("broker", "status", *home)
    assert (found["ldv_on"], found["ldv_waiting"]) == (True, 0)
    assert not found["ldv_overdue"]


def test_what_was_answered_is_told_after_a_kill(tmp_path: Path) -> None:
    """The record is in the transaction of the entry: who got an answer is in the log."""
    world, ldv = World(tmp_path), tmp_path / "ldv"
    ldv.write_text("in the way", encoding="utf-8")  # so that nothing can be written there yet
    change_settings(world.home, {"ldv_target": f"file:{ldv}", "opa_deadline_ms": 10_000})
    served = start(world, tmp_path / "log")
    trace_id = os.urandom(16).hex()
    try:
        others = Others(served, ldv)
        others.open_home(next(NUMBERS))
        sent = world.build(
            "debt-counselling",
            "register",
            [by_bsn(next(NUMBERS), registers=registers("debt_counselling"), told_at=now())],
            say(),
        )
        answer = served.post(sent, traceparent=f"00-{trace_id}-{SPAN}-01")
        assert answer.status_code == 200
        served.process.send_signal(signal.SIGKILL)
        served.process.wait(timeout=20)
        served.client.close()
        ldv.unlink()
        served = start(world, tmp_path / "log")
        wait_for(Others(served, ldv), trace_id, 1)
        mode = next(ldv.glob("*.jsonl")).stat().st_mode & 0o777
        assert mode == 0o600
    finally:
        stop(served)


class Collector:
    """A collector over HTTP that answers as it is told; what it took lies in `spans`."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.spans: list[Json] = []
        self.headers: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                collector.headers.append({name.lower(): v for name, v in self.headers.items()})
                status, answer = collector.answers.pop(0) if collector.answers else (200, b"{}")
                if (status, answer) == (200, b"{}"):
                    scopes = body["resourceSpans"][0]["scopeSpans"]
                    collector.spans += scopes[0]["spans"]
                assert self.path == "/v1/traces"
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def build_record(number: int) -> Processing:
    return Processing(
        trace_id=TRACE,
        span_id=f"{number + 1:016x}",
        parent_span_id=SPAN if number % 2 else None,
        name="inquire",
        purpose=PURPOSE,
        caller="00000099000000000001:social-team",
        began_ms=1_700_000_000_000,
        ended_ms=1_700_000_000_005,
        subject_id=number.to_bytes(16, "big"),
    )


WRITER = RecordWriter("https://broker.example", derive_activity_id, "datwat-broker")


class Outbox:
    """An outbox in a broker's real database, with a clock that a test sets forward."""

    def __init__(self, running: Running, target: Any) -> None:  # noqa: ANN401 - a target
        self.running, self.later = running, timedelta(0)
        row_key = running.broker.secrets.row_key
        self.held = SqlProcessingLog(row_key, self.clock)
        rooms = running.broker.rooms
        self.delivery = LdvDelivery(
            self.held, target, rooms.log, rooms.reading, self.clock, alarm_seconds=300
        )

    def clock(self) -> datetime:
        return self.running.broker.rooms.clock() + self.later

    async def keep(self, records: Sequence[Processing]) -> None:
        write = self.held.prepare(records)

        def work(conn: Any) -> tuple[()]:  # noqa: ANN401 - a connection
            write(conn)
            return ()

        await self.running.broker.rooms.log.append(Job(work))

    @property
    def waiting(self) -> int:
        return int(self.delivery.build_status()["ldv_waiting"])


async def run_with(folder: Path, target: Any, test: Any) -> None:  # noqa: ANN401 - as above
    async with AsyncExitStack() as stack:
        running = await open_world(World(folder), stack)
        await test(Outbox(running, target))


@pytest.mark.asyncio
async def test_a_collector_takes_all_or_it_is_told_again(
    tmp_path: Path, collector: Collector
) -> None:
    async with HttpOut() as http:

        async def test(outbox: Outbox) -> None:
            await outbox.keep([build_record(number) for number in range(700)])
            collector.answers += [
                (503, b""),
                (200, b'{"partialSuccess":{"rejectedSpans":"1"}}'),
                (200, b"not json"),
                (307, b""),
            ]
            for _ in range(4):
                with pytest.raises(LdvFailedError):
                    await outbox.delivery.deliver_some()
                assert outbox.waiting == 700
            assert await outbox.delivery.deliver_some()
            assert not await outbox.delivery.deliver_some()
            assert outbox.waiting == 0

        await run_with(tmp_path, HttpTarget(collector.url, WRITER, http, "secret-token"), test)
    assert len({span["spanId"] for span in collector.spans}) == 700
    span = next(one for one in collector.spans if one["spanId"] == f"{2:016x}")
    assert (span["traceId"], span["parentSpanId"]) == (TRACE, SPAN)
    assert span["startTimeUnixNano"] == "1700000000000000000"
    assert span["status"] == {"code": 1}
    names = {pair["key"] for pair in span["attributes"]}
    assert {_ACTIVITY, _SUBJECT, "dpl.core.data_subject_id_type"} <= names
    assert collector.headers[0]["authorization"] == "Bearer secret-token"


@pytest.mark.asyncio
async def test_a_collector_that_is_away_raises_an_alarm_and_loses_nothing(
    tmp_path: Path, collector: Collector
) -> None:
    collector.server.shutdown()
    collector.server.server_close()
    async with HttpOut() as http:

        async def test(outbox: Outbox) -> None:
            await outbox.keep([build_record(1)])
            with pytest.raises(PeerUnreachableError):
                await outbox.delivery.deliver_some()
            assert not outbox.delivery.build_status()["ldv_overdue"]
            outbox.later = timedelta(seconds=301)
            found = outbox.delivery.build_status()
            assert (found["ldv_waiting"], found["ldv_overdue"]) == (1, True)
            # Nothing for ever: what nobody took in thirty days is over.
            outbox.later = timedelta(days=31)
            assert outbox.waiting == 0

        await run_with(tmp_path, HttpTarget(collector.url, WRITER, http, None), test)


@pytest.mark.asyncio
async def test_a_row_that_does_not_open_holds_up_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "ldv"

    async def test(outbox: Outbox) -> None:
        other = SqlProcessingLog(bytes(32), outbox.clock)
        write = other.prepare([build_record(1)])

        def work(conn: Any) -> tuple[()]:  # noqa: ANN401 - a connection
            write(conn)
            return ()

        await outbox.running.broker.rooms.log.append(Job(work))
        await outbox.keep([build_record(2)])
        await outbox.delivery.deliver_some()
        found = outbox.delivery.build_status()
        assert (found["ldv_waiting"], found["ldv_unreadable"]) == (1, 1)

    clock = datetime.now(now().tzinfo)
    await run_with(tmp_path, FileTarget(folder, WRITER, lambda: clock), test)
    (path,) = folder.glob("*.jsonl")
    assert len(path.read_text(encoding="utf-8").splitlines()) == 1


def test_files_turn_over_and_half_a_batch_is_never_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.adapters.ldv_targets._LONGEST_FILE", 1_000)
    target = FileTarget(tmp_path / "ldv", WRITER, now)
    record = SpanRecord(
        trace_id=TRACE,
        span_id=SPAN,
        parent_span_id=None,
        name="inquire",
        purpose=None,
        caller="00000099000000000001:social-team",
        began_ms=1,
        ended_ms=2,
        status="Ok",
        subject=None,
    )
    for _ in range(8):
        asyncio.run(target.send([record]))
    files = sorted((tmp_path / "ldv").iterdir())
    assert len(files) > 1
    kept = [path.read_bytes() for path in files]

    def fail(_descriptor: int) -> None:
        raise OSError

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(LdvFailedError):
        asyncio.run(target.send([record, record]))
    after = [path.read_bytes() for path in files]
    assert after == kept


@pytest.mark.parametrize(
    "setting",
    [
        "x",
        "file:ldv",
        "http://collector.example/v1/traces",
        "ftp://collector.example",
        "https://user:secret@collector.example",
        "https://",
    ],
)
def test_a_target_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(LdvTargetError) as error:
        open_target(setting, WRITER, None, now, None)  # type: ignore[arg-type] # it is not used
    assert "secret" not in error.value.detail
