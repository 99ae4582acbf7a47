"""One trace from a partner's software to another partner's own system, through real processes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from connectors.client import requests as rq
from datwat.party.tracing import Trace, use_trace
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.test_end_to_end import (
    BORN,
    NOOR,
    RIGHTS,
    ask,
    known,
    member,
    opening,
    record,
)
from tests.databases import read_url, read_whole
from tests.others.test_tracing import SPAN, TRACE, TRANSACTION
from tests.parties import Covenant, PartnerSpec, Party

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("traces")]

DECLARATION = """
v: 1
source: rest
base_url: {base}
clients:
  path: /clients
  items: $.items
  one: /clients/{{number}}
  number: $.number
  bsn: $.bsn
  family_name: $.name
  birth_date: {{read: $.born, type: date}}
  kind: {{read: $.kind, codes: {{JH: youth_help}}}}
  contact: {{role: Front desk}}
  since: {{read: $.since, type: date}}
products:
  jeugdhulp:
    path: /records/{{number}}
    number: $.number
    bsn: $.bsn
    fields:
      status: $.state
"""
CLIENT = {
    "number": "K-0",
    "bsn": BSNS[0],
    "name": "Jansen0",
    "born": "2012-05-04",
    "kind": "JH",
    "since": "2026-02-01",
}


class OwnService:
    """A youth-help organisation's own web service, which notes the headers of each call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.calls.append(
                    (self.path, {name.lower(): value for name, value in self.headers.items()})
                )
                answers: dict[str, Any] = {
                    "/clients": {"items": [CLIENT]},
                    "/clients/K-0": CLIENT,
                    "/records/K-0": {"number": "K-0", "bsn": BSNS[0], "state": "lopend"},
                }
                found = answers.get(self.path)
                raw = json.dumps(found).encode()
                self.send_response(200 if found is not None else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_arguments: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def find(self, path: str) -> dict[str, str]:
        """Return the headers of the last call of a path."""
        return [headers for called, headers in self.calls if called == path][-1]


@pytest.fixture(scope="module")
def service() -> Iterator[OwnService]:
    made = OwnService()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def covenant(tmp_path_factory: pytest.TempPathFactory, service: OwnService) -> Iterator[Covenant]:
    folder = tmp_path_factory.mktemp("traces")
    declaration = folder / "source.yaml"
    base = f"http://127.0.0.1:{service.server.server_address[1]}"
    declaration.write_text(DECLARATION.format(base=base), encoding="utf-8")
    partners = (
        PartnerSpec("social-team", "care", RIGHTS, number=1),
        PartnerSpec("youth-help", "youth", RIGHTS[:1], declaration, number=2),
    )
    environment = {"DATWAT_LDV_TARGET": f"file:{folder / 'ldv'}"}
    with Covenant(folder, partners, broker_environment=environment) as made:
        yield made


def list_routes(party: Party, trace_id: str) -> set[str]:
    """Return the routes of a party that were called within a trace, as its own log has them."""
    lines = party.log.read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return {one["route"] for one in found if one.get("trace_id") == trace_id and "route" in one}


def test_one_question_is_one_chain_at_every_party(covenant: Covenant, service: OwnService) -> None:
    """1. The source registers; 2. the team is told *dat*; 3. and asks *wat*, all within a trace."""
    with covenant.connect("youth-help") as source:
        assert source.sync(rq.Sync(professional=NOOR)).state == "finished"
    trace = Trace(TRACE, SPAN, transaction_id=TRANSACTION)
    with covenant.connect("social-team") as team, use_trace(trace):
        opened = team.open_occasion(opening("A-1", member("S-0", 0)))
        assert opened.results[0].weighing.permitted
        pointer = team.ask_who_is_involved(ask("A-1", "S-0")).results[0].pointers[0]
        client = rq.ClientRef(
            client="S-0", record=record(0), family_name="Jansen0", birth_date=BORN
        )
        got = team.ask_what_is_known(known("A-1", client, pointer.pointer, "status"))
    assert (got.failure, got.values) == (None, {"status": "lopend"})

    parties = {**covenant.partners, "broker": covenant.broker, "key-holder": covenant.key_holder}
    wanted = {
        "social-team": "/v1/",
        "key-holder": "/v1/evaluations",
        "broker": "/v1/releases",
        "youth-help": "/v1/orders",
    }
    until = time.monotonic() + 10
    seen: dict[str, set[str]] = {}
    while time.monotonic() < until:
        seen = {name: list_routes(parties[name], TRACE) for name in wanted}
        if all(any(one.startswith(wanted[name]) for one in seen[name]) for name in wanted):
            break
        time.sleep(0.1)
    for name, route in wanted.items():
        assert any(one.startswith(route) for one in seen[name]), (name, seen[name])

    headers = service.find("/records/K-0")
    assert headers["traceparent"].split("-")[1] == TRACE
    assert headers["traceparent"].split("-")[2] != SPAN
    assert headers["fsc-transaction-id"] == TRANSACTION
    # What was fetched outside of it belongs to another chain.
    assert service.find("/clients")["traceparent"].split("-")[1] != TRACE


def test_what_the_broker_recorded_hangs_below_the_callers_span(covenant: Covenant) -> None:
    """The parent of the broker's span is the connector's: no party makes itself the root."""
    folder = covenant.folder / "ldv"
    until = time.monotonic() + 15
    records: list[dict[str, Any]] = []
    while time.monotonic() < until and len(records) < 3:
        texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.jsonl")]
        lines = [line for text in texts for line in text.splitlines()]
        records = [one for one in map(json.loads, lines) if one["trace_id"] == TRACE]
        time.sleep(0.1)
    assert {one["name"] for one in records} >= {"occasion", "inquire", "release"}
    lines = covenant.partners["social-team"].log.read_text(encoding="utf-8").splitlines()
    spans = {json.loads(line).get("span_id") for line in lines if line.startswith("{")}
    assert {one["parent_span_id"] for one in records} <= spans


def test_the_transaction_comes_back_with_the_answer(covenant: Covenant) -> None:
    url = covenant.broker.url()
    answer = httpx.get(
        url + "/v1/health", headers={"Fsc-Transaction-Id": TRANSACTION}, trust_env=False
    )
    assert answer.headers["fsc-transaction-id"] == TRANSACTION


def test_no_trace_is_in_what_anybody_signed(covenant: Covenant) -> None:
    """A trace proves nothing, so it is not in the evidence: header only."""
    for party in covenant.partners.values():
        content = read_whole(read_url(party.home))
        assert b"test-application" in content, "the control: who may ask is found"
        assert TRACE.encode() not in content
        assert TRANSACTION.encode() not in content
