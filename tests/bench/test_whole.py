"""The bench itself, small, with every party: each figure is there and was measured."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.meter import list_descendants
from tests.browser import find_browser

pytestmark = [
    pytest.mark.processes,
    pytest.mark.long,
    pytest.mark.xdist_group("bench"),
    pytest.mark.timeout(900),
]
ROOT = Path(__file__).resolve().parents[2]
_PARTS = {
    "": (
        "inquiry, 3 pointers: broker CPU",
        "household of four: p99 at a third of capacity",
        "database: an entry with its contents",
        "release, through a gateway: delivered",
        "release, beside a direct call: its own overhead, p50",
        "a resident's own log: a page of 25 cards, broker CPU",
        "a bundle of 500 entries: built, broker CPU",
        "a bundle of 500 entries: checked by Python",
        "a bundle of 500 entries: checked in Chromium, p50",
        "a flood of refusals by one partner: p99 beside it / alone",
        "append → receipt, 16 clients: entries",
        "append → receipt, 4 processes of 16 clients on PostgreSQL: entries",
        "a whole log verified from a mirror: entries",
    ),
    "--database postgresql": (
        "inquiry, 3 pointers: database CPU",
        "register, a batch: database CPU per row",
        "a resident's own log: a page of 25 cards, database CPU",
    ),
    "--database postgresql --brokers 2": (
        "inquiry, 3 pointers: broker CPU",
        "release, through a gateway: delivered",
    ),
    "--full --sizes 300 --processes 1": (
        "between these: inquiry's CPU on PostgreSQL / SQLite, 300 pointers",
    ),
    "--soak": (
        "many questions: asked, a quarter of them refused or broken",
        "many questions: broker: memory at the end",
    ),
    "--soak --database postgresql --brokers 2": (
        "many questions: broker 2: memory at the end",
        "many questions: broker 2: first levels of the tags, beside that",
        "many questions: database: memory at the end",
    ),
    "--ends": (
        "contents that end, questions going on: seconds for 100,000",
        "contents that end, questions going on: p99 beside it / without",
    ),
    "--pages": (
        "residents' pages: a page of 25 entries, CPU at portal and broker",
        "residents' pages: a page of 25 entries, size",
        "residents' pages: 200 residents, 10 s of thinking: p99",
        "residents' pages: PDF of 500 entries, from button to file, median",
        "residents' pages: requests of the first page, nothing kept, in Chromium",
        "residents' pages: proof of 500 entries, checked in the page, in Chromium",
        "the log on paper: PDF of 500 entries, CPU",
        "professional's pages: who is involved, from the question to its page, median",
    ),
}


@pytest.mark.parametrize("part", _PARTS)
def test_every_figure_is_measured(tmp_path: Path, part: str, *, whole: bool) -> None:
    if not whole:
        pytest.skip("minutes: `make test-long` does it")
    out = tmp_path / "bench.json"
    arguments = ["--scale", "0.03", "--pointers", "3000", "--out", str(out), *part.split()]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    rows = json.loads(out.read_text(encoding="utf-8"))["figures"]
    found = {f"{row['group']}: {row['name']}": row["value"] for row in rows}
    for name in _PARTS[part]:
        assert name in found
        if "Chromium" not in name or find_browser():
            assert found[name], name


def test_what_was_ended_leaves_no_server_behind(tmp_path: Path, *, whole: bool) -> None:
    if not whole:
        pytest.skip("starts everything once: `make test-long` does it")
    out = tmp_path / "bench.json"
    arguments = ["--database", "postgresql", "--pointers", "300", "--out", str(out)]
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "yardstick" in line:
                break
        started = list_descendants([process.pid])
        servers = find_servers()
        process.terminate()
        assert process.wait(timeout=120) == 130
    assert servers
    assert started
    assert not find_servers() & servers
    assert not out.exists()


def find_servers() -> set[str]:
    """Return the data folders of the servers that the bench started, and nobody else."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            if b"shared_buffers=1GB" in words and b"-D" in words:
                found.add(words[words.index(b"-D") + 1].decode())
    return found
