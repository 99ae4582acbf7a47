"""A partner's web service over real HTTP: what it gives, how it fails, and what may never pass."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from connectors.sources.errors import (
    DeclarationError,
    FieldsDifferError,
    NoRecordError,
    OtherPersonError,
    SourceError,
    SourceTooSlowError,
    SourceUnreachableError,
)
from connectors.sources.opening import Sources
from connectors.sources.rest import RestSource
from connectors.sources.values import Client, ClientFault
from tests.connectors.sources.declared import (
    BSN,
    CLIENT,
    OTHER,
    OTHER_BSN,
    no_secret,
    rest_declaration,
)

DECLARATION = """
v: 1
source: rest
base_url: {base}/api
headers_secret: rest_headers
clients:
  path: /clienten?vanaf=0
  items: $.lijst
  next: $.volgende
  one: /clienten/{{number}}
  number: $.nr
  bsn: $.persoon.bsn
  family_name: $.persoon.naam
  birth_date: {{read: $.persoon.geboren, type: date, format: "%d/%m/%Y"}}
  kind: {{read: $.soort, codes: {{JH: youth_help}}}}
  contact: {{role: Jeugdloket}}
  since: {{read: $.sinds, type: date}}
  shielded: {{read: $.geheim, type: boolean}}
products:
  jeugdhulp:
    path: /dossiers/{{number}}
    records: $.trajecten
    number: $.client.nr
    bsn: $.client.bsn
    newest_by: {{read: $.gewijzigd, type: date}}
    fields:
      status: $.stand.nu
      start: {{read: "$.perioden[0].van", type: date}}
      bedrag: {{read: $.bedrag, type: amount}}
      acties: {{read: $.acties, type: list, items: {{wat: $.tekst}}}}
"""


def client(number: str, bsn: str, **changes: object) -> dict[str, Any]:
    return {
        "nr": number,
        "persoon": {"bsn": bsn, "naam": "de Vries", "geboren": "01/02/2012"},
        "soort": "JH",
        "sinds": "2025-03-01",
        "geheim": False,
        **changes,
    }


def record(number: str = CLIENT, bsn: str | int = BSN, **changes: object) -> dict[str, Any]:
    return {
        "client": {"nr": number, "bsn": bsn},
        "gewijzigd": "2025-01-01",
        "stand": {"nu": "actief", "eerder": "nooit voor u"},
        "perioden": [{"van": "2025-06-05"}],
        "bedrag": 12.5,
        "acties": [{"tekst": "bellen", "medewerker": "Sam"}],
        **changes,
    }


class Service:
    """The partner's service: what it answers per path can be changed by a test."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "/api/clienten?vanaf=0": {
                "lijst": [client(CLIENT, BSN), client("K 2", "wrong")],
                "volgende": "/clienten?vanaf=2",
            },
            "/api/clienten?vanaf=2": {"lijst": [client(OTHER, OTHER_BSN)], "volgende": None},
            f"/api/clienten/{CLIENT}": client(CLIENT, BSN),
            f"/api/dossiers/{CLIENT}": {"trajecten": [record()]},
        }
        self.status = 200
        self.delay = 0.0
        self.drip = 0.0
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer.tokens.add(self.headers.get("X-Token"))
                outer.answer(self)

            def log_message(self, *_arguments: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        found = self.answers.get(handler.path)
        raw = found if isinstance(found, bytes) else json.dumps(found).encode()
        time.sleep(self.delay)
        try:
            handler.send_response(404 if found is None else self.status)
            handler.send_header("Content-Length", str(len(raw)))
            if self.status in (301, 302):
                handler.send_header("Location", f"{self.base}/api/dossiers/{CLIENT}")
            handler.end_headers()
            for position in range(0, len(raw), 20 if self.drip else len(raw)):
                time.sleep(self.drip)
                handler.wfile.write(raw[position : position + (20 if self.drip else len(raw))])
        except OSError:
            return

    def set_record(self, *records: dict[str, Any]) -> None:
        self.answers[f"/api/dossiers/{CLIENT}"] = {"trajecten": list(records)}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    started = Service()
    yield started
    started.close()


@pytest.fixture
def source(service: Service, tmp_path: Path) -> Iterator[RestSource]:
    declaration = rest_declaration(tmp_path, DECLARATION.format(base=service.base))
    opened = RestSource(declaration, lambda _name: b'{"X-Token": "geheim"}')
    yield opened
    opened.close()


PATHS = ("status", "start", "bedrag", "acties")


def test_all_pages_of_clients_are_read(service: Service, source: RestSource) -> None:
    first, fault, last = source.iter_clients()
    assert isinstance(first, Client)
    assert (first.number, first.bsn, first.kind) == (CLIENT, BSN, "youth_help")
    assert fault == ClientFault(2, "K 2", "bsn", "source_answer_invalid")
    assert isinstance(last, Client)
    assert last.number == OTHER
    assert service.tokens == {"geheim"}


def test_a_record_has_exactly_what_was_ordered(source: RestSource) -> None:
    found = source.fetch_record("jeugdhulp", CLIENT, PATHS)
    assert found.values == {
        "status": "actief",
        "start": "2025-06-05",
        "bedrag": "12.50",
        "acties": [{"wat": "bellen"}],
    }
    assert found.bsn == BSN


def test_the_newest_record_counts(service: Service, source: RestSource) -> None:
    newer = record(gewijzigd="2025-02-01", stand={"nu": "gestopt"})
    service.set_record(record(), newer)
    assert source.fetch_record("jeugdhulp", CLIENT, ["status"]).values == {"status": "gestopt"}


def test_a_number_stays_in_its_place_in_the_path(service: Service, source: RestSource) -> None:
    for number in ("../geheim", "a/b?c=d#e", "{number}", "..", "."):
        with pytest.raises(NoRecordError):
            source.fetch_record("jeugdhulp", number, ["status"])
    assert all(path.count("/") == 3 for path in service.asked)
    assert f"/api/clienten/{'..%2Fgeheim'}" in service.asked


@pytest.mark.parametrize(
    ("records", "kind"),
    [
        ([], NoRecordError),
        ([record(OTHER)], OtherPersonError),
        ([record(bsn=OTHER_BSN)], OtherPersonError),
        ([record(bsn=int(OTHER_BSN))], OtherPersonError),
        ([record(), record(OTHER)], OtherPersonError),
        ([record(client={"nr": CLIENT})], FieldsDifferError),
        ([record(stand={})], FieldsDifferError),
        ([record(perioden=[])], FieldsDifferError),
        ([record(stand={"nu": 3})], SourceError),
        ([record(stand={"nu": "a\u0000b"})], SourceError),
        ([record(stand={"nu": "a\ud800b"})], SourceError),
        ([record(bedrag="12")], SourceError),
        ([record(acties={})], SourceError),
        ([record(), record()], SourceError),
        (["garbage"], FieldsDifferError),
    ],
)
def test_what_does_not_fit_is_a_failure(
    service: Service, source: RestSource, records: list[Any], kind: type[SourceError]
) -> None:
    service.set_record(*records)
    with pytest.raises(SourceError) as caught:
        source.fetch_record("jeugdhulp", CLIENT, PATHS)
    assert type(caught.value) is kind
    assert OTHER_BSN not in f"{caught.value!r}{caught.value.detail}"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b'{"trajecten":[],"trajecten":[]}',
        b"NaN",
        b"[1]",
        b'"x"',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_garbage_is_a_failure(service: Service, source: RestSource, answer: bytes) -> None:
    service.answers[f"/api/dossiers/{CLIENT}"] = answer
    with pytest.raises(SourceError):
        source.fetch_record("jeugdhulp", CLIENT, PATHS)


def test_an_answer_without_end_is_not_read_to_its_end(service: Service, source: RestSource) -> None:
    service.answers[f"/api/dossiers/{CLIENT}"] = b'{"trajecten":["' + b"x" * 3_000_000 + b'"]}'
    with pytest.raises(SourceError):
        source.fetch_record("jeugdhulp", CLIENT, PATHS)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, SourceUnreachableError), (403, SourceError), (302, SourceError), (204, SourceError)],
)
def test_another_status_is_a_failure_and_no_redirect_is_followed(
    service: Service, source: RestSource, status: int, kind: type[SourceError]
) -> None:
    service.status = status
    with pytest.raises(SourceError) as caught:
        source.fetch_record("jeugdhulp", CLIENT, PATHS)
    assert type(caught.value) is kind
    assert len(service.asked) == 1


@pytest.mark.parametrize(("delay", "drip"), [(5.0, 0.0), (0.0, 0.4)])
async def test_a_slow_service_is_given_up_after_two_seconds(
    service: Service, source: RestSource, delay: float, drip: float
) -> None:
    service.delay, service.drip = delay, drip
    sources = Sources([source])
    began = time.monotonic()
    with pytest.raises(SourceTooSlowError):
        await sources.fetch_record("jeugdhulp", CLIENT, PATHS)
    assert 1.5 < time.monotonic() - began < 3
    sources.close()


def test_a_service_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    text = DECLARATION.format(base="http://127.0.0.1:1").replace(
        "headers_secret: rest_headers\n", ""
    )
    source = RestSource(rest_declaration(tmp_path, text), no_secret)
    with pytest.raises(SourceUnreachableError):
        source.fetch_record("jeugdhulp", CLIENT, PATHS)
    source.close()


def test_the_next_page_is_one_of_this_service(service: Service, source: RestSource) -> None:
    for other in ("http://elsewhere/x", "//elsewhere/x", 7):
        service.answers["/api/clienten?vanaf=0"] = {"lijst": [], "volgende": other}
        with pytest.raises(SourceError):
            list(source.iter_clients())


def test_headers_are_a_json_object_of_texts(tmp_path: Path) -> None:
    declaration = rest_declaration(tmp_path, DECLARATION.format(base="http://127.0.0.1:1"))
    for secret in (b"[]", b'{"a": 1}', b"x"):
        with pytest.raises(DeclarationError):
            RestSource(declaration, lambda _name, secret=secret: secret)  # type: ignore[misc]
