"""`datwat demo` from outside: exit codes, what it says, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.model import CASES

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(500),
]
ROOT = Path(__file__).resolve().parents[2]
MARK = "DEMO_TEST_MARK"
START = "from datwat.cli import main; main()"


class Run:
    """One run of the command; every process that comes from it carries a mark."""

    def __init__(self, temporary: Path, *arguments: str) -> None:
        self.mark = uuid.uuid4().hex
        self.temporary = temporary
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, "demo", *arguments],
            cwd=ROOT,
            env={**os.environ, MARK: self.mark, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def find_left(self) -> list[str]:
        """Return the command lines of all that still runs, except the command itself."""
        left = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            marked = f"{MARK}={self.mark}".encode() in environment
            if marked and state != "Z" and int(folder.name) != self.process.pid:
                left.append(line.replace(b"\0", b" ").decode(errors="replace"))
        return left

    def read_until_kept(self) -> tuple[str, Path]:
        """Return what was said until the covenant is kept running, and where its folder is."""
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            found = re.search(r"export COVENANT=(\S+)", line)
            if found:
                return said, Path(found[1])
        pytest.fail(said + self.process.communicate()[1])

    def await_children(self, count: int) -> None:
        until = time.monotonic() + 120
        while len(self.find_left()) < count:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until
            time.sleep(0.1)

    def await_nothing_left(self) -> None:
        until = time.monotonic() + 20
        while left := self.find_left():
            assert time.monotonic() < until, left
            time.sleep(0.1)


def read_pid(folder: Path, party: str) -> int:
    """Return the process of a party, as its run file says."""
    return int(json.loads((folder / party / "run" / "serve.json").read_text())["pid"])


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A short path that PostgreSQL's own user gets through, unlike pytest's folders."""
    folder = Path(tempfile.mkdtemp(prefix="dw-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def test_a_broken_expectation_fails_says_which_and_leaves_nothing(
    temporary: Path, tmp_path: Path
) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    text = (CASES / "case5.yaml").read_text(encoding="utf-8")
    assert text.count("status: loopt") == 1
    broken = text.replace("status: loopt", "status: afgerond")
    (cases / "case5.yaml").write_text(broken, encoding="utf-8")
    run = Run(temporary, "--cases", str(cases), "--json")
    said, wrong = run.process.communicate(timeout=400)
    assert (run.process.returncode, bool(said)) == (1, True), wrong
    (case,) = json.loads(said)["cases"]
    assert len(case["differences"]) == 1
    assert "case 5, step 3 (ask_known)" in case["differences"][0]
    assert "afgerond" in case["differences"][0]
    run.await_nothing_left()
    assert list(run.temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing(temporary: Path, number: signal.Signals) -> None:
    run = Run(temporary, "--case", "5")
    run.await_children(6)
    run.process.send_signal(number)
    _, wrong = run.process.communicate(timeout=60)
    assert run.process.returncode not in (0, None)
    assert "Traceback" not in wrong
    run.await_nothing_left()
    assert list(run.temporary.iterdir()) == []


def test_a_run_that_is_killed_leaves_no_process(temporary: Path) -> None:
    run = Run(temporary, "--case", "5")
    run.await_children(6)
    run.process.kill()
    run.process.communicate(timeout=60)
    run.await_nothing_left()


def test_ctrl_c_ends_a_kept_covenant_and_is_no_failure(temporary: Path) -> None:
    run = Run(temporary, "--keep", "--case", "5")
    said, _ = run.read_until_kept()
    assert said.count("How to read this") == 1
    assert "The requester must have an occasion" in " ".join(said.split())  # text, not code
    assert "occasion_own" not in said
    run.process.send_signal(signal.SIGINT)
    assert run.process.stdout is not None
    assert any("Stopping: every party is ended" in line for line in run.process.stdout)
    run.process.send_signal(signal.SIGINT)  # somebody impatient cuts nothing short
    _, wrong = run.process.communicate(timeout=60)
    assert (run.process.returncode, wrong) == (0, "")
    run.await_nothing_left()
    assert list(run.temporary.iterdir()) == []


def test_a_party_that_ends_by_itself_is_named_and_its_log_is_kept(temporary: Path) -> None:
    run = Run(temporary, "--keep", "--case", "5")
    _, folder = run.read_until_kept()
    with (folder / "youth-help.log").open("a") as log:
        log.write("the last words\n")
    # One that somebody stops is named too, and ends nothing.
    assert run.process.stdout is not None
    os.kill(read_pid(folder, "school"), signal.SIGTERM)
    assert run.process.stdout.readline() == "school was stopped; the others go on.\n"
    os.kill(read_pid(folder, "youth-help"), signal.SIGKILL)
    _, wrong = run.process.communicate(timeout=60)
    assert run.process.returncode == 1
    (kept,) = run.temporary.iterdir()
    assert wrong.startswith("error: youth-help ended by itself")
    assert str(kept) in wrong
    assert kept.read_text().endswith("the last words\n")
    run.await_nothing_left()


def test_an_unknown_case_is_one_line(temporary: Path) -> None:
    run = Run(temporary, "--case", "8")
    _, wrong = run.process.communicate(timeout=60)
    assert run.process.returncode != 0
    assert wrong.strip() == "error: There is no case with this number: choose one of 1 to 7."
