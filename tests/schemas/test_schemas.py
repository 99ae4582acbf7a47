"""Schemathesis over the OpenAPI document of every process: nothing that is sent is a server error.

What fits each document and what does not, by a caller without and with the token that opens the
operation; and what fits and does not inside a signature that holds. Some of each by `make test`,
many by `make test-long`.
"""

from __future__ import annotations

import contextlib
import json
import unittest
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import errors as wrong
from pydantic import BaseModel
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok
from starlette.requests import Request
from starlette.responses import Response

from connectors.identity_key import load_signing_key
from datwat.party.event_rows import ALWAYS, EVENTS, UNLISTED
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.openapi import ApiInfo, Operation
from datwat.party.problems import Problem
from tests.parties import BROKER_ID, KEY_HOLDER_ID, Party, run_command
from tests.party.web import serving
from tests.schemas.signed import Sender, build_inner_document
from tests.schemas.world import BSNS, EveryParty, open_world

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("schemas"),
    pytest.mark.timeout(600),
    # Schemathesis loads what is deprecated elsewhere.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
FEW, MANY = 2, 50
Sent = Case[Any]
Tried = APIOperation[Any, Any, Any, Any]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass
class Api:
    """One document and where it is served; `headers` open what is closed to others."""

    name: str
    url: str
    prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    signer: Sender | None = None

    def fetch(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}{self.prefix}/v1/openapi.json", trust_env=False)
        assert answer.status_code == 200
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EveryParty]:
    with open_world(tmp_path_factory.mktemp("schemas")) as made:
        yield made


@pytest.fixture(scope="module")
def officer(world: EveryParty) -> str:
    """Return a named token of somebody who may read and write drafts."""
    home = ["--home", str(world.broker.home), "--organisation", "rijnstad", "--role", "author"]
    run_command("broker", "roles", "give", *home, "--staff", "a.jansen")
    made = run_command(
        "broker", "tokens", "create", "random", *home, "--staff", "a.jansen", "--days", "3"
    )
    return str(made["token"])


def build_apis(world: EveryParty, officer: str) -> dict[str, Api]:
    team = world.partners["social-team"]
    key = load_signing_key(team.home)
    bearer = {"Authorization": f"Bearer {team.token}"}
    return {
        "broker": Api(
            "broker",
            world.broker.url(),
            headers={"Authorization": f"Bearer {officer}"},
            signer=Sender(team.id, BROKER_ID, key),
        ),
        "key-holder": Api(
            "key-holder", world.key_holder.url(), signer=Sender(team.id, KEY_HOLDER_ID, key)
        ),
        "gateway": Api("gateway", world.partners["youth-help"].url()),
        "local": Api("local", team.url("local"), "/local", bearer),
        "portal": Api("portal", world.portal.url(), headers={"Cookie": "session=x"}),
        "witness": Api("witness", world.witness.url()),
    }


NAMES = ("broker", "key-holder", "gateway", "local", "portal", "witness")


def list_operations(document: dict[str, Any]) -> list[Tried]:
    schema = schemathesis.openapi.from_dict(document)
    found = list(schema.get_all_operations())
    assert all(isinstance(one, Ok) for one in found), found
    return [one.ok() for one in found if isinstance(one, Ok)]


def try_out(
    operation: Tried,
    mode: GenerationMode,
    examples: int,
    send: Callable[[Sent], httpx.Response],
) -> Counter[int]:
    """Send what is generated; return how often each status came. Fails at a server error."""
    seen: Counter[int] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        # The same each time; the whole run draws anew.
        derandomize=examples < MANY,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Sent) -> None:
        answer = send(case)
        seen[answer.status_code] += 1
        assert answer.status_code < 500, (operation.label, case.body, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            assert answer.json()["code"]

    # Nothing can be sent that does not fit: it takes nothing.
    with contextlib.suppress(wrong.Unsatisfiable, unittest.SkipTest):
        run()
    return seen


def send_plain(api: Api, client: httpx.Client, headers: Mapping[str, str]) -> Callable[[Sent], Any]:
    """Return what sends a case as it was generated."""

    def send(case: Sent) -> httpx.Response:
        at_root = str(case.operation.path).startswith("/access/")
        base = f"{api.url}{api.prefix}{'' if at_root else '/v1'}"
        made = case.as_transport_kwargs(base_url=base)
        content = made.get("data")
        if "json" in made:
            content = json.dumps(made["json"], default=repr).encode("utf-8", "surrogatepass")
        kept = dict(made.get("headers") or {})
        try:
            return client.request(
                made["method"],
                made["url"],
                content=content if isinstance(content, bytes | str) else None,
                data=content if isinstance(content, dict) else None,
                params=made.get("params"),
                headers={**kept, **headers},
            )
        except httpx.LocalProtocolError:
            reject()  # no HTTP: the client does not send it

    return send


def send_signed(api: Api, client: httpx.Client) -> Callable[[Sent], Any]:
    """Return what sends a case inside a message of a partner."""
    assert api.signer is not None
    signer = api.signer

    def send(case: Sent) -> httpx.Response:
        return client.post(
            f"{api.url}/v1{case.operation.path}",
            content=signer.sign(case.body),
            headers={"Content-Type": "application/json"},
        )

    return send


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_is_sent_is_a_server_error(
    world: EveryParty, officer: str, name: str, whole: bool
) -> None:
    api = build_apis(world, officer)[name]
    operations = list_operations(api.fetch())
    assert operations
    total: Counter[int] = Counter()
    with httpx.Client(trust_env=False, timeout=30) as client:
        for operation in operations:
            for mode in MODES:
                send = send_plain(api, client, api.headers)
                total += try_out(operation, mode, MANY if whole else FEW, send)
            if api.headers:
                send = send_plain(api, client, {})
                total += try_out(operation, MODES[0], MANY if whole else 1, send)
    print(f"{name}: {total.total()} requests, {dict(total)}")  # noqa: T201 - for the closing note
    assert total.total() >= len(operations)


@pytest.mark.long
@pytest.mark.parametrize("name", ["broker", "key-holder"])
def test_nothing_inside_a_good_signature_is_a_server_error(
    world: EveryParty, officer: str, name: str, whole: bool
) -> None:
    api = build_apis(world, officer)[name]
    operations = list_operations(build_inner_document(api.fetch()))
    assert operations
    total: Counter[int] = Counter()
    with httpx.Client(trust_env=False, timeout=30) as client:
        for operation in operations:
            for mode in MODES:
                send = send_signed(api, client)
                total += try_out(operation, mode, MANY if whole else 2 * FEW, send)
    print(f"{name}, signed: {total.total()} requests, {dict(total)}")  # noqa: T201 - as above
    # The signature held: what was refused was refused for what is inside.
    assert total[400] + total[200] > 0


def test_a_planted_fault_is_found() -> None:
    """A route that stumbles over one member is found by what fits the document."""

    class Asked(BaseModel):
        number: int

    async def stumble(request: Request) -> Response:
        number = json.loads(await request.body())["number"]
        return Response(b"{}", media_type="application/json", status_code=200 // (number - number))

    operation = Operation("/v1/stumbles", "stumble", "A test.", stumble, Problem, request=Asked)
    app = build_app(ApiInfo(title="Test", description="Test."), [operation], limits=Limits())
    with serving(app) as url, httpx.Client(trust_env=False) as client:
        api = Api("planted", url)
        found = list_operations(api.fetch())
        (planted,) = (one for one in found if one.path == "/stumbles")
        with pytest.raises(AssertionError, match="internal_error"):
            try_out(planted, MODES[0], 5, send_plain(api, client, {}))


def read_lines(party: Party) -> list[dict[str, Any]]:
    log = party.log.read_text(encoding="utf-8")
    assert "Traceback" not in log
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def test_every_party_is_well_after_all_of_it(world: EveryParty) -> None:
    """It answers, and logged what is in the table of events and nothing else."""
    for party in world.parties:
        answer = httpx.get(f"{party.url()}/v1/health", trust_env=False, timeout=30)
        assert answer.status_code == 200, party.home.name
        lines = read_lines(party)
        assert {"serving", "request"} <= {one["event"] for one in lines}
        for one in lines:
            assert one["event"] not in ("fault", UNLISTED), one
            assert one.keys() <= {*ALWAYS, *EVENTS[one["event"]].members}, one


def test_no_number_gets_into_a_log_by_a_trace_or_an_address(world: EveryParty) -> None:
    """Not behind zeros, not as text in hexadecimal, and of strangers no trace at all."""
    stranger, span = "c" * 31 + "e", "d" * 16
    traces = (BSNS[0].zfill(32), BSNS[0].encode().hex().zfill(32), stranger)
    for party in world.parties:
        for trace in traces:
            headers = {"traceparent": f"00-{trace}-{span}-01"}
            for method, path in (("GET", "/v1/health"), ("GET", f"/{BSNS[0]}"), ("POST", "/v1/x")):
                httpx.request(method, party.url() + path, json={}, headers=headers, trust_env=False)
    for party in world.parties:
        text = party.log.read_text(encoding="utf-8")
        assert BSNS[0] not in text
        assert BSNS[0].encode().hex() not in text
        known_by_name = party.command in ("broker", "keyholder", "connector")
        assert (stranger in text) == known_by_name, party.home.name
        lines = [one for one in read_lines(party) if one.get("trace_id") == stranger]
        assert {one["method"] for one in lines} <= {"POST"}
