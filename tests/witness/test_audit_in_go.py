"""An audit of a live log by code that is not ours: Go's packages of the checksum database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.witness.log_maker import LogMaker, TestWitness, build_log, serving

SOURCE = Path(__file__).resolve().parents[2] / "tools" / "audit"


@pytest.fixture(scope="session")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the auditor's program, built from its pinned modules."""
    return build_audit(tmp_path_factory.mktemp("audit"))


def build_audit(folder: Path) -> Path:
    if shutil.which("go") is None and os.environ.get("CI") != "true":
        pytest.skip("Go is not installed: it builds the independent auditor")
    program = folder / "audit"
    command = ["go", "build", "-C", str(SOURCE), "-o", str(program), "."]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return program


def run_audit(program: Path, log: str, *words: str) -> tuple[int, str, str]:
    command = [str(program), "-log", log, *words]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def name_key(maker: LogMaker) -> tuple[str, ...]:
    return "-origin", maker.origin, "-key", maker.signer.vkey


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1_300, 66_000])
def test_another_implementation_reads_what_we_write(tmp_path: Path, audit: Path, size: int) -> None:
    maker, witness = build_log(size, every=300 if size < 2_000 else 20_000), TestWitness()
    with serving(maker.show(tmp_path, note=witness.cosign(maker.note()))) as server:
        code, said, error = run_audit(audit, server.url, *name_key(maker), "-witness", witness.vkey)
    assert code == 0, error
    found = json.loads(said)
    assert (found["size"], found["entries"], found["cosignatures"]) == (size, size, 1)
    assert found["tag_roots"] == sum(entry[1] == 2 for entry in maker.entries)


def test_another_implementation_finds_what_was_changed(tmp_path: Path, audit: Path) -> None:
    maker = build_log(1_300, every=300)
    removed = maker.fork()
    del removed.entries[700]
    removed.add_persons(1)
    wrong = maker.fork().add_root(root=bytes(32))
    files = maker.files()
    with serving(tmp_path) as server:
        for shown, note, sentence in (
            (removed, maker.note(), "do not lead to the signed root"),
            (wrong, None, "wrong root over the tags"),
            (maker, LogMaker(entries=maker.entries).note(), "checkpoint"),
        ):
            shown.show(tmp_path, note=note)
            code, _, error = run_audit(audit, server.url, *name_key(maker))
            assert (code, sentence in error) == (1, True), error
        maker.show(tmp_path)
        server.changes = {"tile/0/002": files["tile/0/001"]}
        code, _, error = run_audit(audit, server.url, *name_key(maker))
        assert (code, "tiles" in error) == (1, True), error
        server.changes = {}
        assert (
            run_audit(audit, server.url, *name_key(maker), "-witness", TestWitness().vkey)[0] == 1
        )
        assert run_audit(audit, server.url, *name_key(maker))[0] == 0
