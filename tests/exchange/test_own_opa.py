"""A broker whose OPA somebody else runs: from waiting to the next bundle, and past a bad one."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker import following as following_module
from broker import policy_start
from broker.adapters.opa_process import OpaMissingError, find_opa
from broker.api_wiring import build_health
from broker.app import build_bundle_listeners
from broker.cli import app
from broker.following import Following
from broker.policy.engine import PolicyUnavailableError
from broker.policy_folders import BUNDLE_RATCHET
from datwat.party.settings import change_settings, write_secret
from tests.exchange.source import free_port, serve_app
from tests.exchange.test_following import Officers, weigh
from tests.exchange.world import Running, World, open_world
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


def build_own(folder: Path) -> tuple[World, Path, int, int]:
    """Return a broker that asks an OPA of somebody's, that one's configuration, and two ports."""
    world, served, asked = World(folder), free_port(), free_port()
    arguments = ["opa-config", "--home", str(world.home), "--port", str(served), "--json"]
    config = json.loads(CliRunner().invoke(app, arguments).stdout)["opa"]
    config["bundles"]["datwat"]["polling"] = {"min_delay_seconds": 1, "max_delay_seconds": 1}
    path = folder / "opa.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    write_secret(world.home, "opa.token", b"of-this-opa")
    change_settings(world.home, {"opa_url": f"http://127.0.0.1:{asked}"})
    return world, path, served, asked


async def test_an_opa_of_ones_own_from_its_first_bundle_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_module, "_SOON_SECONDS", 0.1)
    world, path, served, asked = build_own(tmp_path)
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


@asynccontextmanager
async def following_beside(running: Running, served: int) -> AsyncIterator[Officers]:
    """Serve the bundle to that OPA, and look for the next one, as the broker does."""
    officers = Officers(running)
    async with AsyncExitStack() as stack:
        (listener,) = build_bundle_listeners(running.broker)
        await stack.enter_async_context(serve_app(listener.app, served))
        follows = asyncio.ensure_future(officers.following.run())
        stack.callback(follows.cancel)
        yield officers


def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_module, "_SOON_SECONDS", 0.1)
    monkeypatch.setattr(following_module, "LOOK_SECONDS", 0.2)


def take_opa_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the broker without an OPA that it could start."""

    async def find_none() -> Path:
        raise OpaMissingError

    monkeypatch.setattr(policy_start, "find_opa", find_none)


async def test_without_an_opa_of_its_own_no_start_puts_an_untried_bundle_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_often(monkeypatch)
    take_opa_away(monkeypatch)
    world, path, served, asked = build_own(tmp_path)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(run_opa(path, asked))
        async with following_beside(await open_world(world, stack), served) as officers:
            following = officers.following

            async def is_active() -> bool:
                return following.is_active

            await until(is_active)
            first = officers.bundle
            assert await weigh(officers.running) == first.revision
            officers.put(officers.fail_a_case())
            await until(lambda: refuses(following, "bundle_cases"))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(run_opa(path, asked))
        async with following_beside(await open_world(world, stack), served) as again:
            assert again.bundle.digest == first.digest
            await until(lambda: refuses(again.following, "bundle_cases"))
            mark = again.running.broker.ratchet.value(BUNDLE_RATCHET)
            assert mark is not None
            assert mark.number == first.seq
            seq = again.put(again.change_purpose(owner="Another"), seq=first.seq + 2)

            async def is_taken_up() -> bool:
                return again.following.state.seq == seq

            await until(is_taken_up)


async def test_a_first_bundle_that_fails_is_never_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_often(monkeypatch)
    world, path, served, asked = build_own(tmp_path)
    async with AsyncExitStack() as stack:  # read once, only to make the bad one of it
        officers = Officers(await open_world(world, stack))
        good, bad = officers.bundle.archive, officers.fail_a_case()
    shutil.rmtree(world.home / "policy-in-force", ignore_errors=True)
    take_opa_away(monkeypatch)
    officers.put(bad, seq=officers.bundle.seq)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(run_opa(path, asked))
        async with following_beside(await open_world(world, stack), served) as again:
            await until(lambda: refuses(again.following, "bundle_cases"))
            assert not again.following.is_active
            assert again.running.broker.ratchet.value(BUNDLE_RATCHET) is None
            with pytest.raises(PolicyUnavailableError):
                await weigh(again.running)
            seq = again.put(good, seq=officers.bundle.seq + 1)

            async def is_taken_up() -> bool:
                return again.following.is_active and again.following.state.seq == seq

            await until(is_taken_up)
            assert await weigh(again.running) == again.bundle.revision


async def refuses(following: Following, code: str) -> bool:
    return following.state.refused is not None and following.state.refused.code == code
