"""The proxy before several broker processes, which in production is nginx or what is there.

Run: `python -m demo.several.balancer PORT PROCESS_PORT…`. It does what a proxy must do by
docs/how-to/several-brokers.md: requests go round, whoever does not answer or says 503 is passed
over (the same bytes have one answer, so that sending them twice is safe), and the officers' API
goes to the first.
"""

from __future__ import annotations

import http.client
import itertools
import sys
import threading
from collections.abc import Iterator, Sequence
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

_HOST = "127.0.0.1"
_SECONDS = 20
_FIRST_ONLY = "/v1/officers/"
# What belongs to one connection, and is said anew for the next (RFC 9110, 7.6.1).
_OWN = frozenset({"host", "content-length", "connection", "keep-alive", "transfer-encoding"})
_Answer = tuple[int, list[tuple[str, str]], bytes]


class Round:
    """Whose turn it is; safe in several threads."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = tuple(ports)
        self._turn = itertools.cycle(range(len(self._ports)))
        self._lock = threading.Lock()

    def order(self, path: str) -> Iterator[int]:
        """Yield the ports to ask for this path, one after the other until one answers."""
        if path.startswith(_FIRST_ONLY):
            yield self._ports[0]
            return
        with self._lock:
            first = next(self._turn)
        yield from self._ports[first:] + self._ports[:first]


class Handler(BaseHTTPRequestHandler):
    """Passes one request on."""

    protocol_version = "HTTP/1.1"
    # Else each answer waits for the acknowledgement of its headers.
    disable_nagle_algorithm = True
    wbufsize = -1
    round: ClassVar[Round]

    def do_GET(self) -> None:
        """Pass a GET on."""
        self._pass_on()

    def do_POST(self) -> None:
        """Pass a POST on."""
        self._pass_on()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: every process says for itself what it was asked."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer: _Answer = HTTPStatus.BAD_GATEWAY, [], b""
        for port in self.round.order(self.path):
            found = self._ask(port, body)
            if found is None:
                continue
            answer = found
            if found[0] != HTTPStatus.SERVICE_UNAVAILABLE:
                break
        status, headers, content = answer
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _ask(self, port: int, body: bytes) -> _Answer | None:
        """Return the answer of a process; None where there is none."""
        connection = http.client.HTTPConnection(_HOST, port, timeout=_SECONDS)
        try:
            connection.request(self.command, self.path, body or None, dict(_keep(self.headers)))
            response = connection.getresponse()
            return response.status, list(_keep(response.headers)), response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def _keep(headers: Message[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in headers.items() if name.lower() not in _OWN)


def main() -> None:
    """Serve until stopped."""
    port, *processes = map(int, sys.argv[1:])
    Handler.round = Round(processes)
    server = ThreadingHTTPServer((_HOST, port), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
