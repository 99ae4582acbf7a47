"""A door in front of a party: passes requests on, remembers them, and can change them."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Change = Callable[[str, bytes], bytes]
_SECONDS = 60


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as they travelled."""

    door: str
    path: str
    headers: str
    request: bytes
    status: int
    answer: bytes


@dataclass
class Recorder:
    """The door in front of the party `name` that listens on `target`."""

    name: str
    target: int
    exchanges: list[Exchange] = field(default_factory=list)
    change: Change | None = None

    def __post_init__(self) -> None:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._pass_on()

            def do_POST(self) -> None:
                self._pass_on()

            def log_message(self, *_arguments: object) -> None:
                pass

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sent = body
                if recorder.change is not None:
                    sent = recorder.change(self.path, body)
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() not in ("host", "content-length", "connection")
                }
                connection = http.client.HTTPConnection(
                    "127.0.0.1", recorder.target, timeout=_SECONDS
                )
                try:
                    connection.request(self.command, self.path, sent or None, headers)
                    response = connection.getresponse()
                    answer = response.read()
                finally:
                    connection.close()
                recorder.exchanges.append(
                    Exchange(
                        recorder.name, self.path, str(self.headers), body, response.status, answer
                    )
                )
                self.send_response(response.status)
                for name, value in response.getheaders():
                    if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def find(self, path: str) -> list[Exchange]:
        return [one for one in self.exchanges if one.path == path]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
