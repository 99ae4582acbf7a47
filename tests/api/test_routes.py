"""The routes over real HTTP: what comes in badly is a problem with a code, and never the value."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from broker.api.table import INFO, describe_operations
from connectors.client.outgoing import ROUTES
from datwat.party.openapi import build_openapi
from datwat.protocol.bundle import open_bundle
from datwat.protocol.checkpoint import verify_checkpoint
from datwat.protocol.keys import VerifyKey
from tests.api.conftest import Served, problem, start, stop
from tests.exchange.world import (
    World,
    act_part,
    bsns,
    by_bsn,
    member,
    now,
    opens,
    registers,
    say,
)

pytestmark = pytest.mark.processes
NUMBERS = bsns()


def _register(served: Served, bsn: str) -> None:
    person = by_bsn(
        bsn, registers=registers("debt_counselling"), identity="document", told_at=now()
    )
    part = act_part(served.ask("debt-counselling", "register", [person], say()))
    assert part.state in ("registered", "reconfirmed"), part


def test_a_question_over_http_is_answered_with_a_receipt(served: Served) -> None:
    bsn = next(NUMBERS)
    _register(served, bsn)
    answer = served.ask("social-team", "open_occasion", [member(bsn)], say(opens=opens()))
    assert act_part(answer).state == "opened"
    assert answer.persons[0].index is not None


def test_every_act_has_its_route() -> None:
    document = build_openapi(INFO, describe_operations())
    assert {path.removeprefix("/v1") for path in ROUTES.values()} <= set(document["paths"])


def test_bundle_signature_and_checkpoint_can_be_fetched(served: Served) -> None:
    archive = served.client.get(served.url + "/v1/bundle").content
    document = served.client.get(served.url + "/v1/bundle/signature").content
    key = VerifyKey(served.world.policy_jwk.x)
    assert open_bundle(archive, document, [key], 1).seq == 1
    response = served.client.get(served.url + "/v1/log/checkpoint")
    assert response.headers["content-type"].startswith("text/plain")
    log = served.world.card.log
    assert log is not None
    assert verify_checkpoint(response.content, log.origin, log.vkeys).size > 0
    health = served.client.get(served.url + "/v1/health").json()
    assert health == {
        "status": "ok",
        "cosignatures": 0,
        "checkpoint_seconds_ago": None,
        "policy_seq": 1,
    }


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _: b"{", "json_malformed"),
        (
            lambda wire: wire.replace(b'{"object"', b'{"object":"x","object"', 1),
            "json_duplicate_key",
        ),
        (lambda wire: wire[:-1] + b',"extra":1}', "message_form"),
        (lambda wire: wire.replace(b'"signature":"', b'"signature":"AA', 1), "message_form"),
        (lambda _: b'{"n":NaN}', "json_float"),
        (lambda _: b'{"n":"\\ud800"}', "json_lone_surrogate"),
        (lambda _: b"[]" + b" " * 1_048_576, "body_too_large"),
    ],
)
def test_bad_input_is_a_problem_with_a_code(
    served: Served, change: Callable[[bytes], bytes], code: str
) -> None:
    person = by_bsn(next(NUMBERS), registers=registers("debt_counselling"))
    sent = served.world.build("debt-counselling", "register", [person], say())
    found = problem(served.post(change(sent.wire), "/v1/registrations"))
    assert found["code"] == code


def test_a_message_at_another_route_is_refused(served: Served) -> None:
    person = by_bsn(next(NUMBERS), registers=registers("debt_counselling"))
    sent = served.world.build("debt-counselling", "register", [person], say())
    assert problem(served.post(sent, "/v1/endings"))["code"] == "act_not_allowed"
    assert problem(served.post(sent, "/v1/inquiries"))["code"] == "message_type"


def test_another_content_type_is_refused(served: Served) -> None:
    response = served.client.post(
        served.url + "/v1/registrations", content=b"{}", headers={"Content-Type": "text/plain"}
    )
    assert (response.status_code, problem(response)["code"]) == (415, "media_type")


def test_a_portals_act_is_for_portals_only(served: Served) -> None:
    sent = served.world.build("social-team", "open_session", [by_bsn(next(NUMBERS))])
    assert problem(served.post(sent))["code"] == "act_not_allowed"


def test_the_log_of_the_process_holds_no_reference_and_no_name(served: Served) -> None:
    bsn = next(NUMBERS)
    _register(served, bsn)
    text = served.log.read_text()
    assert bsn not in text
    assert "Bakker" not in text


def test_killed_and_started_again_it_gives_the_recorded_answer(tmp_path: Path) -> None:
    world = World(tmp_path)
    first = start(world, tmp_path / "log")
    person = by_bsn(
        next(NUMBERS), registers=registers("debt_counselling"), identity="document", told_at=now()
    )
    sent = world.build("debt-counselling", "register", [person], say())
    before = json.loads(first.post(sent).content)
    children = _list_children(first.process.pid)
    assert children
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait(timeout=10)
    first.client.close()
    _wait_until_gone(children)
    second = start(world, tmp_path / "log")
    try:
        after = json.loads(second.post(sent).content)
    finally:
        stop(second)
    assert [one["part"] for one in before["answers"]] == [one["part"] for one in after["answers"]]
    assert before["answers"][0]["receipt"]["index"] == after["answers"][0]["receipt"]["index"]


def _list_children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def _wait_until_gone(processes: list[int]) -> None:
    """OPA dies with the broker, however that died."""
    until = time.monotonic() + timedelta(seconds=10).total_seconds()
    while any(Path(f"/proc/{process}").exists() for process in processes):
        assert time.monotonic() < until, "OPA outlived its broker"
        time.sleep(0.05)


def test_it_does_not_serve_without_a_bundle_that_the_policy_keys_signed(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "policy" / "bundle.tar.gz").write_bytes(b"not what was signed")
    with pytest.raises(Exception, match="not running"):
        start(world, tmp_path / "log")
    assert "bundle" in (tmp_path / "log").read_text()
