"""A broker whose OPA somebody else runs: from waiting to the next bundle, and past a bad one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker import following as following_module
from broker.adapters.opa_process import find_opa
from broker.api_wiring import build_health
from broker.app import build_bundle_listeners
from broker.cli import app
from broker.policy_folders import BUNDLE_RATCHET
from datwat.party.settings import change_settings, write_secret
from tests.exchange.source import free_port, serve_app
from tests.exchange.test_following import Officers, weigh
from tests.exchange.world import World, open_world
from tests.policy.opa_world import until


@asynccontextmanager
async def run_opa(config: Path, port: int) -> AsyncIterator[None]:
    """Run OPA as an operator would, with what `opa-config` printed."""
    process = await asyncio.create_subprocess_exec(
        await find_opa(), "run", "--server", f"--addr=127.0.0.1:{port}", "--disable-telemetry",
        f"--config-file={config}", "--log-level=error", stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_an_opa_of_ones_own_from_its_first_bundle_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_module, "_SOON_SECONDS", 0.1)
    world, served, asked = World(tmp_path), free_port(), free_port()
    arguments = ["opa-config", "--home", str(world.home), "--port", str(served), "--json"]
    config = json.loads(CliRunner().invoke(app, arguments).stdout)["opa"]
    config["bundles"]["datwat"]["polling"] = {"min_delay_seconds": 1, "max_delay_seconds": 1}
    path = tmp_path / "opa.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    write_secret(world.home, "opa.token", b"of-this-opa")
    change_settings(world.home, {"opa_url": f"http://127.0.0.1:{asked}"})
    async with AsyncExitStack() as stack:
        officers = Officers(await open_world(world, stack))
        broker, following = officers.running.broker, officers.following
        assert not following.is_active
        assert build_health(broker).status == "waiting"
        assert broker.ratchet.value(BUNDLE_RATCHET) is None
        (listener,) = build_bundle_listeners(broker)
        await stack.enter_async_context(serve_app(listener.app, served))
        await stack.enter_async_context(run_opa(path, asked))
        follows = asyncio.ensure_future(following.run())
        stack.callback(follows.cancel)

        async def is_active() -> bool:
            return following.is_active

        await until(is_active)
        assert build_health(broker).status == "ok"
        assert broker.ratchet.value(BUNDLE_RATCHET) is not None
        first = officers.bundle
        assert await weigh(officers.running) == first.revision

        officers.put(officers.fail_a_case())
        state = await following.look()
        assert state.refused is not None
        assert state.refused.code == "bundle_cases"
        assert following.offered is first  # the bad one was never offered to anybody's OPA
        assert await weigh(officers.running) == first.revision

        seq = officers.put(officers.change_purpose(owner="Another"))
        for _ in range(5):
            if (await following.look()).refused is None:
                break
        assert following.state.seq == seq
        assert await weigh(officers.running) == officers.bundle.revision != first.revision
