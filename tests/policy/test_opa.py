from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from broker.adapters import opa_external, opa_process
from broker.adapters.opa import SupervisedOpa
from broker.adapters.opa_external import ExternalOpa, OpaBehindError
from broker.adapters.opa_held import hold
from broker.adapters.opa_link import DEADLINE_SECONDS
from broker.adapters.opa_process import OpaRefusedError, OpaStartError
from broker.policy.bundle import OpaKey
from broker.policy.engine import PolicyChangedError, PolicyUnavailableError
from broker.policy.proving import BundleCasesError, Query
from datwat.protocol.bundle import Bundle
from tests.policy.opa_world import (
    DECISION,
    make_archive,
    make_bundle,
    make_evaluation,
    until,
    write_policies,
)
from tests.stopping import stop_process

TOKEN = "a-token-that-must-never-be-shown"


async def is_down(opa: SupervisedOpa) -> bool:
    return not await opa.is_ready()


def require_pid(opa: SupervisedOpa) -> int:
    assert opa.pid is not None
    return opa.pid


async def test_each_person_gets_a_decision_of_the_revision_in_force(
    opa: SupervisedOpa, bundle: Bundle
) -> None:
    decisions = await opa.evaluate([make_evaluation()] * 40)
    assert len(decisions) == 40
    assert decisions.revision == opa.revision == bundle.revision
    assert {decision.rung for decision in decisions} == {"dat"}
    assert len(await opa.evaluate([])) == 0


async def test_an_undefined_decision_is_a_denial(opa: SupervisedOpa) -> None:
    with pytest.raises(PolicyUnavailableError):
        await opa.query("ask", {})
    with pytest.raises(PolicyUnavailableError):
        await opa.query("introduce", {"now": "x"})  # no such rule in this bundle
    assert (await opa.query("ask", {"now": "x"})).permit


async def test_opa_that_is_killed_is_restarted(opa: SupervisedOpa) -> None:
    pid = require_pid(opa)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(PolicyUnavailableError):
        await opa.evaluate([make_evaluation()])
    await until(opa.is_ready)
    assert require_pid(opa) != pid
    assert (await opa.evaluate([make_evaluation()]))[0].permit


async def test_opa_that_is_killed_again_and_again_is_restarted_more_slowly(
    opa: SupervisedOpa,
) -> None:
    waits = []
    for _ in range(3):
        os.kill(require_pid(opa), signal.SIGKILL)
        killed = time.monotonic()
        await until(lambda: is_down(opa))
        await until(opa.is_ready)
        waits.append(time.monotonic() - killed)
    assert waits[1] > 0.2
    assert waits[2] > 0.4


async def test_opa_that_is_stopped_denies_within_the_deadline_and_goes_on_after(
    opa: SupervisedOpa,
) -> None:
    await opa.evaluate([make_evaluation()])
    stop_process(require_pid(opa))
    try:
        for count in (1, 40):
            began = time.monotonic()
            with pytest.raises(PolicyUnavailableError):
                await opa.evaluate([make_evaluation()] * count)
            assert time.monotonic() - began < DEADLINE_SECONDS + 0.25
    finally:
        os.kill(require_pid(opa), signal.SIGCONT)
    await until(opa.is_ready)
    assert (await opa.evaluate([make_evaluation()]))[0].permit


async def test_opa_that_stays_stopped_is_ended_and_started_anew(
    opa: SupervisedOpa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opa_process, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(opa_process, "_STOP_SECONDS", 0.2)
    await asyncio.sleep(opa_process.CHECKS_FAILED * 0.05)
    pid = require_pid(opa)
    stop_process(pid)

    async def is_another() -> bool:
        return opa.pid not in (None, pid) and await opa.is_ready()

    await until(is_another)
    assert (await opa.evaluate([make_evaluation()]))[0].permit
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_opa_that_is_stopped_can_still_be_ended(binary: Path, bundle: Bundle) -> None:
    async with SupervisedOpa(binary, bundle) as opa:
        pid = require_pid(opa)
        stop_process(pid)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_new_bundle_takes_over_whole_while_questions_go_on(
    binary: Path, bundle: Bundle, tmp_path: Path
) -> None:
    # How soon a busy machine decides is not asked here: that each question is decided is.
    async with SupervisedOpa(binary, bundle, deadline=10.0) as opa:
        await take_over(opa, tmp_path)


async def take_over(opa: SupervisedOpa, tmp_path: Path) -> None:
    old = opa.revision
    folder = write_policies(tmp_path / "new", decision={**DECISION, "rung": "category"})
    new = make_bundle(make_archive(folder), seq=2)
    seen: set[tuple[str, str]] = set()
    done = asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            decisions = await opa.evaluate([make_evaluation()] * 3)
            seen.update((decisions.revision, decision.rung) for decision in decisions)

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0.05)
    await opa.activate(new)
    await asyncio.sleep(0.05)
    done.set()
    await asking
    assert seen == {(old, "dat"), (new.revision, "category")}
    # The new one is supervised as well.
    os.kill(require_pid(opa), signal.SIGKILL)
    await asyncio.sleep(0.05)
    await until(opa.is_ready)
    assert (await opa.evaluate([make_evaluation()])).revision == new.revision


async def test_a_bundle_that_opa_refuses_leaves_the_old_one_in_force(
    opa: SupervisedOpa, tmp_path: Path
) -> None:
    folder = write_policies(tmp_path / "broken")
    (folder / "ask.rego").write_text("package datwat.ask\n\ndecision := no_such_rule\n")
    old = opa.revision
    with pytest.raises(OpaRefusedError):
        await opa.activate(make_bundle(make_archive(folder), seq=2))
    assert (await opa.evaluate([make_evaluation()])).revision == old


# An OPA that somebody else runs, which answers whatever a test wants.

Answer = Callable[[], tuple[int, bytes]]


class ForeignOpa:
    """A server at the place of an external OPA."""

    def __init__(self) -> None:
        self.answer: Answer = lambda: (200, b"{}")
        self.port = 0
        self.location = "/"
        self.asked: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            await reader.readexactly(length)
            self.asked.append(head)
            status, body = self.answer()
            writer.write(
                b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                b"Location: %s\r\nConnection: close\r\n\r\n"
                % (status, len(body), self.location.encode())
                + body
            )
            await writer.drain()
        finally:
            writer.close()


@pytest.fixture
async def foreign() -> AsyncIterator[ForeignOpa]:
    opa = ForeignOpa()
    server = await asyncio.start_server(opa.serve, "127.0.0.1", 0)
    opa.port = server.sockets[0].getsockname()[1]
    yield opa
    server.close()
    await server.wait_closed()


def answer_of(revision: str, **changes: object) -> bytes:
    members = {
        "result": {**DECISION, **changes},
        "provenance": {"version": "1.22.3", "bundles": {"datwat": {"revision": revision}}},
    }
    return json.dumps(members).encode()


async def test_an_external_opa_is_asked_with_the_token(foreign: ForeignOpa, bundle: Bundle) -> None:
    foreign.answer = lambda: (200, answer_of(bundle.revision))
    async with ExternalOpa(f"http://127.0.0.1:{foreign.port}", TOKEN, bundle, is_tried=True) as opa:
        assert (await opa.evaluate([make_evaluation()]))[0].rung == "dat"
    assert f"authorization: bearer {TOKEN}".encode() in foreign.asked[0].lower()
    assert foreign.asked[0].startswith(b"POST /v1/data/datwat/ask/decision?provenance=true ")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"",
        b"null",
        b"[]",
        b"true",
        b"{",
        b"\xff\xfe",
        b"<html>",
        b"[" * 100_000,
        b'{"result": {"permit": true}}',
        b'{"result": true, "provenance": {"bundles": {"datwat": {"revision": "REV"}}}}',
        b'{"result": {}, "provenance": {"bundles": {"datwat": {"revision": "REV"}}}}',
        b'{"result": "\\ud800", "provenance": {"bundles": {"datwat": {"revision": "REV"}}}}',
        answer_of("REV", permit="true"),
        answer_of("REV", permit=1),
        answer_of("REV", rung="everything"),
        answer_of("REV", v=2),
        answer_of("REV", retention_days=1.5),
        answer_of("REV", surplus="member"),
        answer_of("REV", findings=[]),
        answer_of("REV", permit=False),
        answer_of("another revision"),
        answer_of("REV")[:-1],
        json.dumps({"result": DECISION}).encode(),
        json.dumps({"result": DECISION, "provenance": {"bundles": {}}}).encode(),
    ],
)
async def test_anything_but_a_well_formed_decision_is_a_denial(
    foreign: ForeignOpa, bundle: Bundle, body: bytes
) -> None:
    foreign.answer = lambda: (200, body.replace(b"REV", bundle.revision.encode()))
    async with ExternalOpa(f"http://127.0.0.1:{foreign.port}", TOKEN, bundle, is_tried=True) as opa:
        with pytest.raises(PolicyUnavailableError):
            await opa.evaluate([make_evaluation()])


@pytest.mark.parametrize("status", [204, 400, 401, 404, 500, 503])
async def test_another_status_is_a_denial(foreign: ForeignOpa, bundle: Bundle, status: int) -> None:
    body = b"" if status == 204 else answer_of(bundle.revision)
    foreign.answer = lambda: (status, body)
    async with ExternalOpa(f"http://127.0.0.1:{foreign.port}", TOKEN, bundle, is_tried=True) as opa:
        with pytest.raises(PolicyUnavailableError):
            await opa.evaluate([make_evaluation()])


async def test_a_redirect_is_not_followed_with_the_token(
    foreign: ForeignOpa, bundle: Bundle
) -> None:
    foreign.answer = lambda: (307, b"{}")
    foreign.location = f"http://127.0.0.1:{foreign.port}/elsewhere"
    async with ExternalOpa(f"http://127.0.0.1:{foreign.port}", TOKEN, bundle, is_tried=True) as opa:
        with pytest.raises(PolicyUnavailableError):
            await opa.evaluate([make_evaluation()])
    assert len(foreign.asked) == 1


async def test_one_failed_person_denies_all(foreign: ForeignOpa, bundle: Bundle) -> None:
    foreign.answer = lambda: (200, b"{}" if len(foreign.asked) == 7 else answer_of(bundle.revision))
    async with ExternalOpa(f"http://127.0.0.1:{foreign.port}", TOKEN, bundle, is_tried=True) as opa:
        with pytest.raises(PolicyUnavailableError):
            await opa.evaluate([make_evaluation()] * 20)


async def test_an_external_opa_is_believed_for_the_new_bundle_only_once_it_has_it(
    foreign: ForeignOpa, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opa_external, "_LOADED_WITHIN", 0.2)
    new = make_bundle(make_archive(write_policies(tmp_path / "new"), code="text"), seq=2)
    foreign.answer = lambda: (200, answer_of(bundle.revision))
    async with ExternalOpa(f"http://127.0.0.1:{foreign.port}", TOKEN, bundle, is_tried=True) as opa:
        with pytest.raises(OpaBehindError):
            await opa.activate(new)
        assert (await opa.evaluate([make_evaluation()])).revision == bundle.revision
        foreign.answer = lambda: (200, answer_of(new.revision))
        with pytest.raises(PolicyUnavailableError):
            await opa.evaluate([make_evaluation()])
        await opa.activate(new)
        assert (await opa.evaluate([make_evaluation()])).revision == new.revision


async def test_a_message_halfway_is_not_weighed_by_an_external_opa_that_changed(
    foreign: ForeignOpa, bundle: Bundle, tmp_path: Path
) -> None:
    new = make_bundle(make_archive(write_policies(tmp_path / "new"), code="text"), seq=2)
    foreign.answer = lambda: (200, answer_of(bundle.revision))
    async with ExternalOpa(f"http://127.0.0.1:{foreign.port}", TOKEN, bundle, is_tried=True) as opa:
        with opa.hold():
            await opa.evaluate([make_evaluation()])
            foreign.answer = lambda: (200, answer_of(new.revision))
            await opa.activate(new)
            with pytest.raises(PolicyChangedError):
                await opa.evaluate([make_evaluation()])
        assert (await opa.evaluate([make_evaluation()])).revision == new.revision


async def test_a_message_keeps_its_revision_until_it_is_answered(
    opa: SupervisedOpa, tmp_path: Path
) -> None:
    old, first = opa.revision, require_pid(opa)
    folder = write_policies(tmp_path / "new", decision={**DECISION, "rung": "category"})
    new = make_bundle(make_archive(folder), seq=2)
    with opa.hold():
        await opa.evaluate([make_evaluation()])
        changed: list[str] = []
        await opa.activate(new, on_active=lambda: changed.append(opa.revision))
        assert changed == [opa.revision] == [new.revision]
        for _ in range(3):
            assert (await opa.evaluate([make_evaluation()] * 20)).revision == old
        other = asyncio.create_task(weigh_apart(opa))  # a message that begins now
        assert await other == new.revision
        os.kill(first, 0)

    async def is_gone() -> bool:
        try:
            os.kill(first, 0)
        except ProcessLookupError:
            return True
        return False

    await until(is_gone)
    assert (await opa.evaluate([make_evaluation()])).revision == new.revision


async def weigh_apart(opa: SupervisedOpa) -> str:
    with opa.hold():
        return (await opa.evaluate([make_evaluation()])).revision


async def _ask_until_gone(opa: SupervisedOpa) -> None:
    """Ask until it is noticed that OPA is gone, a little later; until then there is no decision."""
    for _ in range(100):
        with contextlib.suppress(PolicyUnavailableError):
            pytest.fail(f"weighed by {await opa.evaluate([make_evaluation()])}")
        await asyncio.sleep(0.05)


async def test_a_message_whose_opa_is_lost_is_not_finished_by_other_rules(
    opa: SupervisedOpa, tmp_path: Path
) -> None:
    first = require_pid(opa)
    new = make_bundle(make_archive(write_policies(tmp_path / "new"), code="text"), seq=2)
    with opa.hold():
        await opa.evaluate([make_evaluation()])
        await opa.activate(new)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(PolicyChangedError):
            await _ask_until_gone(opa)
    with hold() as held:
        held.bind("another")
        with pytest.raises(PolicyChangedError):
            await opa.evaluate([make_evaluation()])


async def test_a_bundle_that_is_not_proven_leaves_the_old_one_in_force(
    opa: SupervisedOpa, tmp_path: Path
) -> None:
    old, first = opa.revision, opa.pid
    new = make_bundle(make_archive(write_policies(tmp_path / "new"), code="text"), seq=2)

    async def refuse(query: Query) -> None:
        assert (await query("ask", {"now": "x"})).permit
        raise BundleCasesError

    with pytest.raises(BundleCasesError):
        await opa.activate(new, refuse, lambda: pytest.fail("it is not in force"))
    assert (opa.revision, opa.pid) == (old, first)
    assert (await opa.evaluate([make_evaluation()])).revision == old


async def test_no_opa_at_all_is_a_denial_and_the_token_shows_nowhere(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with ExternalOpa("http://127.0.0.1:1", TOKEN, bundle, is_tried=True) as opa:
        assert not await opa.is_ready()
        with pytest.raises(PolicyUnavailableError) as caught:
            await opa.evaluate([make_evaluation()])
        assert TOKEN not in repr(opa)
    assert TOKEN not in repr(caught.value) + str(caught.value) + caplog.text
    assert caught.value.__suppress_context__


def test_the_key_for_opa_shows_nowhere() -> None:
    assert "PRIVATE" not in repr(OpaKey.generate())


async def test_who_takes_the_port_before_opa_is_told_nothing_and_not_believed(
    binary: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = 0

    async def claim_ready(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(claim_ready, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setattr(opa_process, "_find_free_port", lambda: port)
    with pytest.raises(OpaStartError):
        await SupervisedOpa(binary, bundle).__aenter__()
    server.close()
    assert heard == 0
