"""Figures: only what is declared, labels of closed sets, counted for microseconds."""

from __future__ import annotations

import timeit
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from broker.status import PartName
from datwat.party import metrics
from datwat.party.admin import build_admin_listener, create_admin_token
from datwat.party.gate import Limits
from datwat.party.http_in import build_app, build_json_response
from datwat.party.measured import LEFT, Measured
from datwat.party.metric_rows import METRICS, PARTS
from datwat.party.metrics import Reading
from datwat.party.metrics_http import (
    TOKEN_NAME,
    build_metrics_listeners,
    build_metrics_route,
)
from datwat.party.openapi import ApiInfo, Operation
from datwat.party.settings import PartySettings, SecretError
from tests.party.web import serving
from tests.watching.scraping import find_undeclared, find_value, read_samples

# What counting may cost one request, in microseconds.
MOST = 15.0
OPERATION = "measureSomething"


@pytest.fixture
def settings(tmp_path: Path) -> PartySettings:
    create_admin_token(tmp_path)
    return PartySettings(home=tmp_path, party="witness", id="00000099000000001000:school", name="A")


def show() -> str:
    return metrics.render([]).decode()


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("datwat_made_up_total", ()),
        ("datwat_requests_total", ("api",)),
        ("datwat_requests_total", ("api", "999990019", "answered")),
        ("datwat_requests_total", ("00000099000000001000:school", "other", "answered")),
        ("datwat_evaluations_total", ("00000099000000001000:school",)),
        ("datwat_log_entries", ()),
    ],
)
def test_what_is_not_declared_is_not_counted(name: str, labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"declared|is no counter"):
        metrics.count(name, *labels)
    assert "999990019" not in show()


@pytest.mark.parametrize(
    "reading",
    [
        Reading("datwat_made_up", 1),
        Reading("datwat_partners", 1, ("00000099000000001000:school",)),
        Reading("datwat_requests_total", 1, ("api", "other", "answered")),
    ],
)
def test_what_is_not_declared_is_not_shown(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"declared|is no gauge"):
        metrics.render([reading])


def test_what_is_not_known_is_left_out() -> None:
    shown = metrics.render([Reading("datwat_policy_seq", None), Reading("datwat_alarms", 0)])
    assert b"datwat_policy_seq" not in shown
    assert b"datwat_alarms 0.0" in shown


def test_names_say_their_unit_and_kind() -> None:
    for name, row in METRICS.items():
        assert name.startswith("datwat_")
        assert (row.kind == "counter") == name.endswith("_total"), name
        assert (row.kind == "histogram") == bool(row.buckets), name
        assert not {"partner", "purpose", "person", "client", "occasion"} & row.labels.keys()


def test_the_parts_of_the_broker_are_declared() -> None:
    assert set(get_args(PartName)) <= set(PARTS)


def test_requests_are_counted_by_operation_and_never_by_address() -> None:
    async def answer(request: Request) -> Response:
        await request.body()
        return build_json_response(b"{}")

    async def fail(_request: Request) -> Response:
        raise RuntimeError

    info = ApiInfo(title="Test", description="Test.")
    operations = [
        Operation("/v1/things/{number}", OPERATION, "A test.", answer, None),
        Operation("/v1/officers/drafts", "countedTogether", "A test.", answer, None),
        Operation("/v1/faults", "failSomething", "A test.", fail, None),
    ]
    app = build_app(info, operations, limits=Limits(), listener="local")
    before = show()
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        for path in ("/v1/things/999990019", "/v1/officers/drafts", "/v1/faults"):
            client.post(path, json={})
        client.post("/v1/things/1", content=b"{", headers={"Content-Type": "text/plain"})
        client.get("/999990019")
        client.request("PURGE", "/v1/things/1")
    text = show()

    def grown(operation: str, outcome: str) -> float:
        labels = {"listener": "local", "operation": operation, "outcome": outcome}.items()

        def count(shown: str) -> float:
            found = [one for one in read_samples(shown) if one.name == "datwat_requests_total"]
            return sum(one.value for one in found if labels <= set(one.labels))

        # The figures are those of the process: other tests may have asked before.
        return count(text) - count(before)

    assert grown(OPERATION, "answered") == 1
    assert grown("officers", "answered") == 1
    assert grown("failSomething", "failed") == 1
    assert grown("other", "refused") == 3
    assert "999990019" not in text
    assert "countedTogether" not in text
    assert find_value(text, "datwat_request_seconds_count", operation=OPERATION) == 1
    mine = frozenset({OPERATION, "failSomething", "getOpenapi"})
    assert set(find_undeclared(text, mine)) <= set(find_undeclared(before, mine))


def test_a_caller_who_left_is_counted_apart() -> None:
    measured = Measured("local", {("POST", "/v1/left"): "leaveSomething"}, lambda: 3)
    measured.note({"method": "POST", "path": "/v1/left"}, LEFT, 0)
    found = find_value(show(), "datwat_requests_total", operation="leaveSomething")
    assert found == 1


def test_counting_costs_a_request_little() -> None:
    """What the gate adds for figures, at its quickest of twenty rounds: the machine may be busy."""
    measured = Measured("local", {("POST", "/v1/quick"): "countQuickly"}, lambda: 0)
    scope: dict[str, Any] = {"method": "POST", "path": "/v1/quick"}
    rounds = timeit.repeat(lambda: measured.note(scope, 200, 0.003), number=1_000, repeat=20)
    assert min(rounds) * 1_000 < MOST


async def test_only_a_token_reads_them(settings: PartySettings) -> None:
    route = build_metrics_route(settings, lambda: [Reading("datwat_alarms", 2)])
    listener = build_admin_listener(settings.home, {}, routes=(route,))
    own, admin = (
        (settings.home / "secrets" / name).read_text() for name in (TOKEN_NAME, "admin.token")
    )
    assert own != admin
    assert (settings.home / "secrets" / TOKEN_NAME).stat().st_mode & 0o077 == 0
    transport = httpx.ASGITransport(listener.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        for token in (own, admin):
            answer = await client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
            assert find_value(answer.text, "datwat_alarms") == 2
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer "}):
            answer = await client.get("/metrics", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "metrics_token")
            assert "datwat_" not in answer.text
        # It opens the figures, and no command.
        command = await client.post(
            "/v1/commands/status", json={}, headers={"Authorization": f"Bearer {own}"}
        )
        assert (command.status_code, command.json()["code"]) == (403, "admin_token")


def test_a_token_that_others_may_read_is_refused(settings: PartySettings) -> None:
    build_metrics_route(settings, list)
    path = settings.home / "secrets" / TOKEN_NAME
    before = path.read_bytes()
    build_metrics_route(settings, list)
    assert path.read_bytes() == before
    path.chmod(0o644)
    with pytest.raises(SecretError):
        build_metrics_route(settings, list)


def test_a_listener_of_its_own_is_there_where_it_is_asked_for(settings: PartySettings) -> None:
    route = build_metrics_route(settings, list)
    assert build_metrics_listeners(settings, route) == ()
    asked = settings.model_copy(update={"metrics_port": 9_464})
    (listener,) = build_metrics_listeners(asked, route)
    assert (listener.name, listener.host, listener.port) == ("metrics", "127.0.0.1", 9_464)
    headers = {"Authorization": f"Bearer {(settings.home / 'secrets' / TOKEN_NAME).read_text()}"}
    with serving(listener.app) as url:
        assert httpx.get(f"{url}/metrics", headers=headers, trust_env=False).status_code == 200
        command = f"{url}/v1/commands/status"
        answer = httpx.post(command, headers=headers, json={}, trust_env=False)
        assert answer.status_code == 404
