"""The purpose must be in the signed bundle: fetched anew if unknown, believed if signed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from datwat.protocol.trust import BrokerEntry
from tests.connectors.gateway.world import World, build_signed_bundle, build_trust, jwk
from tests.protocol.order_world import BROKER, Order, catalogue


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def use_broker(world: World, url: str) -> None:
    broker = BrokerEntry(id=BROKER, name="b", keys=(jwk(BROKER),), x25519=(bytes(32),), url=url)
    world.set_trust(build_trust(broker=broker))


async def test_a_purpose_that_no_bundle_has_is_refused(world: World) -> None:
    archive, signature = build_signed_bundle(world.folder, catalogue())
    files = {"/v1/bundle": archive, "/v1/bundle/signature": signature}
    with serve(files) as url:
        use_broker(world, url)
        order = Order(request={"purpose": {"id": "help", "digest": "9" * 64}})
        assert (await world.order(order)).json()["code"] == "order_purpose_unknown"
        order = Order(rid=b"p" * 16, request={"purpose": {"id": "other", "digest": "0" * 64}})
        assert (await world.order(order)).json()["code"] == "order_purpose_unknown"


async def test_a_newer_bundle_is_fetched_where_the_purpose_is_unknown(world: World) -> None:
    data = catalogue()
    data["purposes"]["help"]["digest"] = "9" * 64
    archive, signature = build_signed_bundle(world.folder, data, seq=2)
    with serve({"/v1/bundle": archive, "/v1/bundle/signature": signature}) as url:
        use_broker(world, url)
        order = Order(request={"purpose": {"id": "help", "digest": "9" * 64}})
        assert (await world.order(order)).status_code == 200


async def test_an_unsigned_bundle_brings_no_purpose(world: World) -> None:
    data = catalogue()
    data["purposes"]["help"]["digest"] = "9" * 64
    archive, _ = build_signed_bundle(world.folder, data, seq=2)
    _, other = build_signed_bundle(world.folder, catalogue(), seq=2)
    with serve({"/v1/bundle": archive, "/v1/bundle/signature": other}) as url:
        use_broker(world, url)
        order = Order(request={"purpose": {"id": "help", "digest": "9" * 64}})
        assert (await world.order(order)).json()["code"] == "bundle_digest"


async def test_a_purpose_not_in_force_is_refused(world: World) -> None:
    data = catalogue()
    data["purposes"]["help"]["digest"] = "9" * 64
    data["purposes"]["help"]["valid_from"] = "2999-01-01T00:00:00Z"
    archive, signature = build_signed_bundle(world.folder, data, seq=2)
    with serve({"/v1/bundle": archive, "/v1/bundle/signature": signature}) as url:
        use_broker(world, url)
        order = Order(request={"purpose": {"id": "help", "digest": "9" * 64}})
        assert (await world.order(order)).json()["code"] == "order_purpose_not_in_force"
