"""An OPA that others run takes its bundle from the broker, and is believed once it has it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from broker.adapters.opa_external import ExternalOpa, OpaBehindError
from broker.adapters.opa_files import create_opa_secrets, read_opa_key, read_opa_token
from broker.api.bundle_server import PATH, BundleServer, build_bundle_listener
from broker.cli import app as broker_app
from broker.commands.opa_cli import build_config
from broker.policy.bundle import OpaKey
from broker.policy.engine import PolicyUnavailableError
from datwat.protocol.bundle import Bundle
from tests.exchange.source import free_port, serve_app
from tests.policy.opa_world import (
    DECISION,
    make_archive,
    make_bundle,
    make_evaluation,
    until,
    write_policies,
)

TOKEN = "a-token-for-bundles"


class Offered:
    """The bundle that the broker offers at this moment."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle


@pytest.fixture
def newer(tmp_path: Path) -> Bundle:
    folder = write_policies(tmp_path / "newer", decision={**DECISION, "rung": "category"})
    return make_bundle(make_archive(folder), seq=2)


@asynccontextmanager
async def serve(offered: Offered, key: OpaKey) -> AsyncIterator[str]:
    port = free_port()
    listener = build_bundle_listener(
        BundleServer(lambda: offered.bundle, key, TOKEN), "127.0.0.1", port
    )
    async with serve_app(listener.app, port):
        yield f"http://127.0.0.1:{port}"


async def test_only_the_token_gets_the_bundle_and_its_tag_saves_sending_it(
    bundle: Bundle, newer: Bundle
) -> None:
    offered, key = Offered(bundle), OpaKey.generate()
    async with serve(offered, key) as url, httpx.AsyncClient(base_url=url) as client:
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = await client.get(PATH, headers=headers)
            assert answer.status_code == 401
            assert TOKEN not in answer.text
        given = {"Authorization": f"Bearer {TOKEN}"}
        first = await client.get(PATH, headers=given)
        assert (first.status_code, first.headers["content-type"]) == (200, "application/gzip")
        again = {**given, "If-None-Match": first.headers["etag"]}
        assert (await client.get(PATH, headers=again)).status_code == 304
        offered.bundle = newer
        second = await client.get(PATH, headers=again)
        assert second.status_code == 200
        assert second.headers["etag"] != first.headers["etag"]
        assert (await client.get("/bundles/other.tar.gz", headers=given)).status_code == 404
        assert (await client.post(PATH, headers=given)).status_code == 405


async def test_a_real_opa_follows_the_broker(
    binary: Path, tmp_path: Path, bundle: Bundle, newer: Bundle
) -> None:
    offered, key = Offered(bundle), OpaKey.generate()
    async with serve(offered, key) as url:
        port = free_port()
        token = tmp_path / "token"
        token.write_text(TOKEN, encoding="ascii")
        config = build_config(int(url.rpartition(":")[2]), str(token), key.public_pem)
        config["bundles"]["datwat"]["polling"] = {"min_delay_seconds": 1, "max_delay_seconds": 1}
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            binary, "run", "--server", f"--addr=127.0.0.1:{port}", "--disable-telemetry",
            f"--config-file={tmp_path / 'config.json'}", "--log-level=error",
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            external = ExternalOpa(f"http://127.0.0.1:{port}", "unused", bundle, is_tried=True)
            async with external as opa:
                await until(opa.is_ready)
                assert (await opa.evaluate([make_evaluation()]))[0].rung == "dat"
                changed: list[str] = []
                offered.bundle = newer
                await opa.activate(newer, on_active=lambda: changed.append(opa.revision))
                assert changed == [newer.revision]
                assert (await opa.evaluate([make_evaluation()]))[0].rung == "category"
        finally:
            process.terminate()
            await process.wait()


async def test_an_opa_that_does_not_follow_leaves_the_old_one_in_force(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, newer: Bundle
) -> None:
    monkeypatch.setattr("broker.adapters.opa_external._LOADED_WITHIN", 0.2)
    async with ExternalOpa("http://127.0.0.1:1", "unused", bundle, is_tried=True) as opa:
        with pytest.raises(OpaBehindError):
            await opa.activate(newer, on_active=lambda: pytest.fail("it is not in force"))
        assert opa.revision == bundle.revision
        assert not await opa.is_ready()
        with pytest.raises(PolicyUnavailableError):
            await opa.evaluate([make_evaluation()])


def test_the_secrets_are_made_once_and_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir(mode=0o700)
    create_opa_secrets(tmp_path)
    pem, token = read_opa_key(tmp_path).public_pem, read_opa_token(tmp_path)
    create_opa_secrets(tmp_path)
    assert (read_opa_key(tmp_path).public_pem, read_opa_token(tmp_path)) == (pem, token)
    server = BundleServer(lambda: pytest.fail("not asked"), read_opa_key(tmp_path), token)
    assert token not in repr(server)


def test_the_command_prints_what_opa_needs_and_no_secret(tmp_path: Path) -> None:
    home = tmp_path / "broker"
    init = [
        "init", "--home", str(home), "--id", "00000099000000003000:broker", "--name", "Broker",
        "--url", "http://127.0.0.1:1", "--origin", "log.example/log/1", "--bundle", str(tmp_path),
    ]  # fmt: skip
    runner = CliRunner()
    assert runner.invoke(broker_app, init).exit_code == 0
    told = runner.invoke(
        broker_app, ["opa-config", "--home", str(home), "--port", "8182", "--json"]
    )
    assert told.exit_code == 0
    printed = json.loads(told.stdout)
    assert printed["opa"]["services"]["broker"]["url"] == "http://127.0.0.1:8182"
    assert printed["opa"]["keys"]["broker"]["key"] == read_opa_key(home).public_pem
    assert read_opa_token(home) not in told.stdout
    assert "PRIVATE" not in told.stdout
    assert "bundles_port = 8182" in (home / "settings.toml").read_text(encoding="utf-8")
