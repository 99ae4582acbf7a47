"""A source's gateway that answers what a test wants, at the address of a real one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from connectors.client.outgoing import build_envelope_members
from datwat.protocol.envelope import seal_envelope
from datwat.protocol.keys import ExchangePublicKey, SigningKey
from datwat.protocol.order import OrderEnvelope, OrderObject
from datwat.protocol.signing import SignedMessage, build_message
from datwat.protocol.values import decode_bytes
from tests.faults.world import MARKER
from tests.party.covenant import now

Reply = Callable[[str, bytes], tuple[int, bytes]]


@contextmanager
def serve(port: int, reply: Reply) -> Iterator[list[bytes]]:
    """Answer every POST at a port by `reply` (path, body → status, JSON); yield what came in."""
    came: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            came.append(body)
            status, answer = reply(self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST  # noqa: N815 - as above

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # the broker did not wait
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def read_order(body: bytes) -> OrderObject:
    envelope = OrderEnvelope.model_validate_json(body)
    return OrderObject.model_validate_json(SignedMessage.from_bytes(envelope.message).object)


def build_envelope(body: bytes, key: SigningKey, paths: list[str], *, issuer: str = "") -> bytes:
    """Return an envelope of these paths for an order, its values full of the marker."""
    order = read_order(body)
    request = json.loads(order.request_object)
    sealed = seal_envelope(
        hashlib.sha256(order.core).digest(),
        ExchangePublicKey(decode_bytes(request["reply_key"])),
        dict.fromkeys(paths, MARKER),
        dict.fromkeys(paths, 64),
        None,
    )
    rid = decode_bytes(request["rid"])
    members = {
        **build_envelope_members("envelope", issuer or order.aud, order.iss, now(), rid),
        "has_statement": False,
        "has_ticket": False,
        **sealed.model_dump(mode="json"),
    }
    return build_message(members, (), key).to_bytes()


def wait_long(_path: str, _body: bytes) -> tuple[int, bytes]:
    time.sleep(2.6)
    return 200, b"{}"
