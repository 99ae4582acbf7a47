from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from broker.adapters import opa_process
from broker.adapters.opa import SupervisedOpa
from broker.adapters.opa_link import OpaLink
from broker.adapters.opa_process import OpaMissingError, OpaProcess, OpaStartError, find_opa
from broker.policy.bundle import OpaKey, build_opa_archive, pack_archive
from broker.policy.engine import PolicyUnavailableError
from datwat.protocol.bundle import MANIFEST_PATH, Bundle, read_archive
from datwat.protocol.bundle import ROOT as ROOT_OF_DATA
from tests.policy.opa_world import (
    DECISION,
    make_archive,
    make_bundle,
    make_evaluation,
    until,
    write_policies,
)

ROOT = Path(__file__).parents[2]
DECISION_PATH = "v1/data/datwat/ask/decision"


def fake_opa(path: Path, version: str) -> Path:
    path.write_text(f"#!/bin/sh\necho 'Version: {version}'\n", encoding="utf-8")
    path.chmod(0o700)
    return path


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def find_leftovers(folder: Path) -> list[Path]:
    return list(folder.glob("datwat-opa-*"))


def find_secret(secret: str, paths: list[Path]) -> list[Path]:
    assert paths
    return [path for path in paths if secret.encode() in path.read_bytes()]


def listening_addresses(port: int) -> set[str]:
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    rows = [
        line.split()
        for table in tables
        if table.exists()
        for line in table.read_text(encoding="ascii").splitlines()
    ]
    return {row[1] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}


async def until_gone(pid: int) -> None:
    async def is_gone() -> bool:
        return not is_running(pid)

    await until(is_gone)


@pytest.fixture
async def process(binary: Path, bundle: Bundle) -> AsyncIterator[OpaProcess]:
    running = await OpaProcess.start(binary, bundle)
    link = OpaLink("127.0.0.1", running.port, token=running.token)
    await link.open()
    await until(link.is_ready)
    yield running
    await link.close()
    await running.stop()


@pytest.mark.parametrize("version", ["1.22.0", "1.20.2", "1.23.0", "2.22.3", "unknown"])
async def test_an_opa_of_another_version_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(OpaMissingError):
        await find_opa(str(fake_opa(tmp_path / "opa", version)))


async def test_the_opa_that_is_named_is_taken_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting = fake_opa(tmp_path / "opa", "1.22.7")
    assert await find_opa(str(fitting)) == fitting
    monkeypatch.setenv("DATWAT_OPA", str(fitting))
    assert await find_opa() == fitting
    with pytest.raises(OpaMissingError):
        await find_opa(str(tmp_path / "absent"))


@pytest.mark.parametrize("token", [None, "", "Bearer", "Bearer wrong", "Basic d3Jvbmc6"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "health?bundles=true"), ("POST", DECISION_PATH)]
)
async def test_nothing_is_answered_without_the_token(
    process: OpaProcess, token: str | None, method: str, path: str
) -> None:
    headers = {} if token is None else {"Authorization": token}
    url = f"http://127.0.0.1:{process.port}/{path}"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, url, json={"input": {"now": "x"}}) as answer,
    ):
        assert answer.status == 401
        assert b"rung" not in await answer.read()


async def test_with_the_token_only_health_and_the_decisions_can_be_reached(
    process: OpaProcess,
) -> None:
    headers = {"Authorization": f"Bearer {process.token}"}
    root = f"http://127.0.0.1:{process.port}"
    refused = [
        ("GET", "v1/data"), ("GET", "v1/data/datwat"), ("POST", "v1/data/datwat/ask"),
        ("GET", DECISION_PATH), ("PUT", DECISION_PATH), ("PATCH", "v1/data/datwat"),
        ("DELETE", "v1/data/datwat/catalogue"), ("POST", "v1/data/system/authz/allow"),
        ("GET", "v1/policies"), ("PUT", "v1/policies/mine"), ("POST", "v1/query"),
        ("POST", "v1/compile"), ("GET", "v1/config"), ("GET", "v1/status"), ("GET", "metrics"),
        ("GET", "debug/pprof"), ("POST", ""), ("POST", "v0/data/datwat/ask/decision"),
        ("POST", DECISION_PATH + "/rung"), ("POST", "v1/data/datwat/ask/../../system"),
        ("POST", "v1/batch/data/datwat/ask/decision"), ("POST", "health"),
    ]  # fmt: skip
    async with aiohttp.ClientSession(headers=headers) as session:
        for method, path in refused:
            async with session.request(method, f"{root}/{path}", json={"input": {}}) as answer:
                assert answer.status in {401, 404, 405}, (method, path, answer.status)
        # OPA before 1.21.2 read an encoded slash one way for the guard and another for the answer.
        encoded = URL(f"{root}/v1/data/datwat%2Fask/decision", encoded=True)
        async with session.post(encoded, json={"input": {}}) as answer:
            assert answer.status == 401
        # The guard is still there with the bundle active: it was not erased by it.
        async with session.post(f"{root}/{DECISION_PATH}", json={"input": {"now": "x"}}) as answer:
            assert (await answer.json())["result"] == DECISION


async def test_it_listens_on_loopback_only_and_its_files_are_private(process: OpaProcess) -> None:
    folder = process.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not find_secret(process.token, [path for path in folder.rglob("*") if path.is_file()])
    assert not find_secret(process.token, [Path(f"/proc/{process.pid}/cmdline")])
    assert process.token not in repr(process)
    assert listening_addresses(process.port) == {f"0100007F:{process.port:04X}"}


async def test_stopping_leaves_no_process_and_no_file(process: OpaProcess) -> None:
    folder = process.folder
    await process.stop()
    assert not is_running(process.pid)
    assert not folder.exists()


async def start_with(
    monkeypatch: pytest.MonkeyPatch, binary: Path, bundle: Bundle, archive_for_opa: bytes
) -> None:
    """Start OPA with other bytes on disk than those that the broker signed for it."""
    monkeypatch.setattr(opa_process, "build_opa_archive", lambda *_: archive_for_opa)
    async with SupervisedOpa(binary, bundle):
        pass


async def test_opa_itself_refuses_a_bundle_signed_with_another_key(
    monkeypatch: pytest.MonkeyPatch, binary: Path, bundle: Bundle
) -> None:
    with pytest.raises(OpaStartError):
        await start_with(
            monkeypatch, binary, bundle, build_opa_archive(bundle.archive, OpaKey.generate())
        )


async def test_opa_itself_refuses_a_bundle_without_signature(
    monkeypatch: pytest.MonkeyPatch, binary: Path, bundle: Bundle
) -> None:
    with pytest.raises(OpaStartError):
        await start_with(monkeypatch, binary, bundle, bundle.archive)


async def test_opa_itself_refuses_a_file_that_was_changed_after_signing(
    monkeypatch: pytest.MonkeyPatch, binary: Path, bundle: Bundle, tmp_path: Path
) -> None:
    key = OpaKey.generate()
    monkeypatch.setattr(OpaKey, "generate", classmethod(lambda _: key))
    folder = write_policies(tmp_path / "other", decision={**DECISION, "rung": "wat"})
    other = make_bundle(make_archive(folder))
    genuine = build_opa_archive(bundle.archive, key)
    signature = read_archive(genuine)[".signatures.json"]
    tampered = pack_archive({**read_archive(other.archive), ".signatures.json": signature})
    with pytest.raises(OpaStartError):
        await start_with(monkeypatch, binary, bundle, tampered)
    # The same way of packing with the right files starts: the refusal is about the content.
    await start_with(monkeypatch, binary, bundle, pack_archive(read_archive(genuine)))


async def test_opa_itself_refuses_data_that_would_be_added_without_signature(
    monkeypatch: pytest.MonkeyPatch, binary: Path, bundle: Bundle
) -> None:
    # A delta bundle, which no signature covers: OPA before 1.21.3 put it in force.
    change = {"op": "upsert", "path": "/datwat/catalogue/purposes/mine", "value": {}}
    delta = {
        MANIFEST_PATH: json.dumps({"revision": bundle.revision, "roots": [ROOT_OF_DATA]}).encode(),
        "patch.json": json.dumps({"data": [change]}).encode(),
    }
    with pytest.raises(OpaStartError):
        await start_with(monkeypatch, binary, bundle, pack_archive(delta))


_BROKER = """
import asyncio, sys
from pathlib import Path
from broker.adapters.opa import SupervisedOpa
from tests.policy.opa_world import make_archive, make_bundle
async def main():
    bundle = make_bundle(make_archive(Path(sys.argv[2])))
    async with SupervisedOpa(Path(sys.argv[1]), bundle) as opa:
        print(opa.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_opa_is_gone_when_its_broker_is_killed(binary: Path, tmp_path: Path) -> None:
    folder = write_policies(tmp_path / "policies")
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _BROKER, str(binary), str(folder)),
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_running(pid)
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    await until_gone(pid)
    assert not find_leftovers(tmp_path)


async def test_the_launcher_does_not_start_opa_for_a_parent_that_is_gone(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    launcher = Path(opa_process.__file__).with_name("opa_child.py")
    finished = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", launcher, "1", "/usr/bin/touch", str(marker)
    )
    assert await finished.wait() == 1
    assert not marker.exists()


async def test_a_binary_that_ends_at_once_is_a_failed_start(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(OpaStartError):
        async with SupervisedOpa(fake_opa(tmp_path / "opa", "1.22.3"), bundle):
            pass


async def test_before_the_start_and_after_the_stop_everything_is_denied(
    binary: Path, bundle: Bundle
) -> None:
    opa = SupervisedOpa(binary, bundle)
    with pytest.raises(PolicyUnavailableError):
        await opa.evaluate([make_evaluation()])
    async with opa:
        pid = opa.pid
        assert pid is not None
        assert len(await opa.evaluate([make_evaluation()])) == 1
    await until_gone(pid)
    with pytest.raises(PolicyUnavailableError):
        await opa.evaluate([make_evaluation()])
