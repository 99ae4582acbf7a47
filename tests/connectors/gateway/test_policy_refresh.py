"""The purpose must be in the signed bundle: fetched anew if unknown, believed if signed."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from datwat.protocol.trust import BrokerEntry
from tests.connectors.gateway.world import World, build_signed_bundle, build_trust, jwk
from tests.protocol.order_world import BROKER, Order, catalogue


@contextmanager
def serve(files: dict[str, bytes], certificate: Path | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
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
    data["purposes"]["help"]["revisions"][0]["digest"] = "9" * 64
    archive, signature = build_signed_bundle(world.folder, data, seq=2)
    with serve({"/v1/bundle": archive, "/v1/bundle/signature": signature}) as url:
        use_broker(world, url)
        order = Order(request={"purpose": {"id": "help", "digest": "9" * 64}})
        assert (await world.order(order)).status_code == 200


async def test_an_unsigned_bundle_brings_no_purpose(world: World) -> None:
    data = catalogue()
    data["purposes"]["help"]["revisions"][0]["digest"] = "9" * 64
    archive, _ = build_signed_bundle(world.folder, data, seq=2)
    _, other = build_signed_bundle(world.folder, catalogue(), seq=2)
    with serve({"/v1/bundle": archive, "/v1/bundle/signature": other}) as url:
        use_broker(world, url)
        order = Order(request={"purpose": {"id": "help", "digest": "9" * 64}})
        assert (await world.order(order)).json()["code"] == "bundle_digest"


async def test_a_purpose_not_in_force_is_refused(world: World) -> None:
    data = catalogue()
    data["purposes"]["help"]["revisions"][0]["digest"] = "9" * 64
    data["purposes"]["help"]["revisions"][0]["valid_from"] = "2999-01-01T00:00:00Z"
    archive, signature = build_signed_bundle(world.folder, data, seq=2)
    with serve({"/v1/bundle": archive, "/v1/bundle/signature": signature}) as url:
        use_broker(world, url)
        order = Order(request={"purpose": {"id": "help", "digest": "9" * 64}})
        assert (await world.order(order)).json()["code"] == "order_purpose_not_in_force"


def write_certificate(folder: Path) -> None:
    """Write a certificate for loopback that vouches for itself, as a partner's own CA would."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(private)


def test_the_bundle_comes_by_the_same_tls_as_the_trust_list(tmp_path: Path) -> None:
    """A covenant with a CA of its own names it to its processes; nobody else's is believed."""
    write_certificate(tmp_path)
    found = [
        subprocess.run(
            (sys.executable, "-m", "tests.connectors.gateway.own_ca_child", str(tmp_path)),
            env={**os.environ, **named},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for named in ({}, {"SSL_CERT_FILE": str(tmp_path / "cert.pem")})
    ]
    assert found == ["peer_unreachable", "7"]
