"""Serving, its commands, and what happens when a parent ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from datwat.party import admin
from datwat.party.admin import (
    CommandRefusedError,
    CommandSlowError,
    call_running,
    create_admin_token,
)
from datwat.party.running import (
    AlreadyRunningError,
    HeldStoppedError,
    NotRunningError,
    find_running,
    has_served,
    holding_process,
    holding_stopped,
    list_processes,
    wait_until_ready,
    write_run_file,
)
from datwat.party.settings import SecretError

pytestmark = pytest.mark.processes

SCRIPT = """
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from datwat.party.admin import build_admin_listener
from datwat.party.errors import PartyError
from datwat.party.serve import serve
from datwat.party.telemetry import configure_logging

configure_logging()
home = Path(sys.argv[1])

async def echo(members):
    if "bad" in members:
        raise PartyError("No, because.")
    return {"got": members}

@asynccontextmanager
async def open_party():
    yield [build_admin_listener(home, {"echo": echo})]
    print("closed", flush=True)

serve(open_party, home=home, with_parent="--with-parent" in sys.argv)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_admin_token(tmp_path)
    return tmp_path


@pytest.fixture
def process(home: Path) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(home)], stdout=subprocess.PIPE, text=True
    )
    wait_until_ready(home, seconds=20, is_alive=lambda: started.poll() is None)
    yield started
    if started.poll() is None:
        started.kill()
    started.communicate(timeout=10)


def test_a_command_reaches_the_running_process(home: Path, process: subprocess.Popen[str]) -> None:
    assert call_running(home, "echo", a=1) == {"got": {"a": 1}}
    with pytest.raises(CommandRefusedError, match="nothing at this address"):
        call_running(home, "other")
    running = find_running(home)
    assert running is not None
    assert running.pid == process.pid


def test_without_the_token_nothing_is_done(home: Path, process: subprocess.Popen[str]) -> None:
    running = find_running(home)
    assert running is not None
    url = f"http://127.0.0.1:{running.ports['admin']}/v1/commands/echo"
    for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": "Bearer"}):
        answer = httpx.post(url, json={}, headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (403, "admin_token")
    token = home / "secrets" / "admin.token"
    token.chmod(0o644)
    with pytest.raises(SecretError):
        call_running(home, "echo")


def test_a_party_that_says_nothing_in_time_is_not_said_to_be_down(
    home: Path, process: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "_SECONDS", 0.4)
    monkeypatch.setattr(admin, "_STATUS_SECONDS", 0.2)
    process.send_signal(signal.SIGSTOP)
    try:
        for command in ("echo", "status"):
            with pytest.raises(CommandSlowError):
                call_running(home, command)
    finally:
        process.send_signal(signal.SIGCONT)


def test_it_ends_gracefully(home: Path, process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert out.strip().endswith("closed")
    assert find_running(home) is None
    with pytest.raises(NotRunningError):
        call_running(home, "echo")


def test_it_says_which_address_is_what(home: Path) -> None:
    terminal, stdout = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(home)], stdout=stdout, stderr=subprocess.PIPE, text=True
    )
    os.close(stdout)
    try:
        running = wait_until_ready(home, seconds=20, is_alive=lambda: process.poll() is None)
    finally:
        process.send_signal(signal.SIGINT)
    _, logged = process.communicate(timeout=10)
    address = f"http://127.0.0.1:{running.ports['admin']}"
    said = os.read(terminal, 10_000).decode().splitlines()
    os.close(terminal)
    assert f"  {address}" in next(line for line in said if "admin listener" in line)
    events = [json.loads(line) for line in logged.splitlines()]
    assert next(one for one in events if one["event"] == "serving")["admin"] == address


def test_a_program_reads_nothing_but_the_log(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)
    assert out == "closed\n"


def test_after_a_kill_the_home_is_free_again(home: Path, process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(timeout=10)
    assert (home / "run" / "serve.json").exists()
    assert find_running(home) is None


def test_none_starts_where_it_is_held_stopped(home: Path) -> None:
    with holding_stopped(home), pytest.raises(HeldStoppedError), holding_process(home, 1):
        pass
    assert not has_served(home)
    with holding_process(home, 1), holding_process(home, 3):
        assert list_processes(home) == [1, 3]
        with pytest.raises(AlreadyRunningError), holding_stopped(home):
            pass
        with pytest.raises(AlreadyRunningError), holding_process(home, 3):
            pass
    with holding_stopped(home):
        for number in (1, 2, 3):  # one that never served either
            with pytest.raises(HeldStoppedError), holding_process(home, number):
                pass
        with pytest.raises(AlreadyRunningError), holding_stopped(home):
            pass
    with holding_process(home, 1), holding_process(home, 2):
        pass  # what was refused left nothing held


def test_a_process_of_an_older_version_is_running_too(home: Path) -> None:
    with holding_process(home, 2) as folder:
        write_run_file(folder, {})
        (home / "process.lock").unlink()  # which those do not hold
        with pytest.raises(AlreadyRunningError), holding_stopped(home):
            pass


def test_many_who_look_take_no_dead_process_for_a_running_one(home: Path) -> None:
    with holding_process(home, 1) as folder:
        write_run_file(folder, {"admin": 1})  # and is killed: it stays
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda _: find_running(home), range(4_000))
        assert set(found) == {None}


def test_who_looks_whether_it_runs_keeps_nobody_from_starting(home: Path) -> None:
    with holding_process(home, 1):
        pass
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            assert find_running(home) is None

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            for _ in range(2_000):
                with holding_process(home, 1):
                    pass
        finally:
            done.set()
        looking.result(timeout=10)


def test_a_child_ends_with_its_parent(home: Path) -> None:
    spawn = (
        "import subprocess, sys, time; "
        "subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2], '--with-parent']); "
        "time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", spawn, SCRIPT, str(home)], stdout=subprocess.DEVNULL
    )
    running = wait_until_ready(home, seconds=20)
    assert running.pid != parent.pid
    parent.kill()
    parent.wait(timeout=10)
    until = time.monotonic() + 10
    while find_running(home) is not None and time.monotonic() < until:
        time.sleep(0.05)
    while is_there(running.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_there(running.pid)


def is_there(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
