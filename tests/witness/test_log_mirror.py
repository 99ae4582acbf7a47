"""`datwat log mirror`: a folder that any web server shows as the log, and that never goes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.witness.conftest import RunCommand
from tests.witness.log_maker import LogMaker, TestWitness, build_log, read_folder, serving
from witness import follow
from witness.mirror import PROGRESS_FILE

ByKey = Callable[[LogMaker], tuple[str, ...]]
OWN = (PROGRESS_FILE, ".lock")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have even a small log come in several parts."""
    monkeypatch.setattr(follow.follow, "__kwdefaults__", {"part_entries": 512})


def test_a_mirror_is_the_log_byte_for_byte_and_can_be_verified_and_mirrored(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    maker = build_log(2_300, every=500)
    first, second = tmp_path / "first", tmp_path / "second"
    with serving(maker.show(tmp_path / "log")) as server:
        done = command("log", "mirror", server.url, first, *by_key(maker))
    assert (done.code, done.said["new_entries"]) == (0, 2_300), done.error
    assert read_folder(first, without=OWN) == maker.files()
    assert command("log", "verify", first, *by_key(maker)).said["entries"] == 2_300
    with serving(first) as server:  # any static web server
        assert command("log", "verify", server.url, *by_key(maker)).code == 0
        assert command("log", "mirror", server.url, second, *by_key(maker)).code == 0
    assert read_folder(second, without=OWN) == maker.files()


def test_a_mirror_grows_and_fetches_only_what_is_new(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    maker, mirror, log = build_log(1), tmp_path / "mirror", tmp_path / "log"
    with serving(log) as server:
        for step in (254, 1, 1, 256, 700, 0):
            maker.add_persons(step)
            maker.show(log)
            server.asked.clear()
            done = command("log", "mirror", server.url, mirror, *by_key(maker))
            assert (done.code, done.said["new_entries"]) == (0, step + (step == 254)), done.error
            read = [path for path in server.asked if "entries" in path]
            assert len(read) <= (step + 255) // 256 + 1
            held = read_folder(mirror, without=OWN)
            assert maker.files().items() <= held.items()
            assert not [
                name for name in held if f"{name.partition('.p/')[0]}" in held and ".p/" in name
            ]
            assert command("log", "verify", mirror, *by_key(maker)).code == 0


def test_newer_cosignatures_come_along(tmp_path: Path, command: RunCommand, by_key: ByKey) -> None:
    maker, witness, log = build_log(300), TestWitness(), tmp_path / "log"
    keys = (*by_key(maker), "--witness", witness.vkey)
    maker.show(log, note=witness.cosign(maker.note(), age=3_600))
    assert command("log", "mirror", log, tmp_path / "mirror", *keys).code == 0
    maker.show(log, note=witness.cosign(maker.note()))
    done = command("log", "mirror", log, tmp_path / "mirror", *keys)
    assert done.said["cosigned_seconds_ago"] < 60
    assert (tmp_path / "mirror" / "checkpoint").read_bytes() == (log / "checkpoint").read_bytes()
    maker.show(log)
    lacking = command("log", "mirror", log, tmp_path / "mirror", *keys)
    assert "must" in lacking.error
    assert b"witness.example" in (tmp_path / "mirror" / "checkpoint").read_bytes()


def test_nothing_changes_in_a_mirror_when_the_log_is_refused(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    maker, mirror, log = build_log(1_500, every=400), tmp_path / "mirror", tmp_path / "log"
    assert command("log", "mirror", maker.show(log), mirror, *by_key(maker)).code == 0
    before = read_folder(mirror)
    fork = LogMaker(maker.origin, maker.key, maker.entries[:1_000]).add_persons(900, "fork")
    same = LogMaker(maker.origin, maker.key, maker.entries[:1_000]).add_persons(500, "fork")
    shrunk = LogMaker(maker.origin, maker.key, maker.entries[:1_400])
    other = LogMaker("other.example/log/1").add_persons(5)
    for forged, keys, sentence in (
        (fork, maker, "signed two different histories"),
        (same, maker, "signed two different histories"),
        (shrunk, maker, "smaller checkpoint"),
        (other, other, "the folder of another log"),
        (other, maker, "No known key"),
    ):
        done = command("log", "mirror", forged.show(log), mirror, *by_key(keys))
        assert (done.code, sentence in done.error) == (1, True), done.error
        assert read_folder(mirror) == before
    maker.add_persons(700)
    maker.show(log)
    with serving(log) as server:
        for name, data in (
            ("tile/entries/006", bytes(17_408)),
            ("tile/0/008.p/152", bytes(152 * 32)),
            ("tile/1/000.p/8", b""),
            ("checkpoint", b"x" * 70_000),
            ("checkpoint", maker.note().replace(maker.origin.encode(), b"n" * 10_240)),
        ):
            server.changes = {name: data}
            done = command("log", "mirror", server.url, mirror, *by_key(maker))
            assert done.code == 1, name
            served = read_folder(mirror, without=OWN)
            assert {key: served[key] for key in before if key not in OWN} == {
                key: data for key, data in before.items() if key not in OWN
            }
        server.changes = {}
        assert command("log", "mirror", server.url, mirror, *by_key(maker)).code == 0
    assert maker.files().items() <= read_folder(mirror).items()


def test_folders_of_others_are_refused(tmp_path: Path, command: RunCommand, by_key: ByKey) -> None:
    maker = build_log(300)
    log, used, file = maker.show(tmp_path / "log"), tmp_path / "used", tmp_path / "file"
    used.mkdir()
    (used / "letter.txt").write_text("mine")
    file.write_text("mine")
    assert "holds other files" in command("log", "mirror", log, used, *by_key(maker)).error
    assert [path.name for path in used.iterdir()] == ["letter.txt"]
    assert (
        "is there already: name another"
        in command("log", "mirror", log, file, *by_key(maker)).error
    )
    assert command("log", "mirror", log, tmp_path / "mirror", *by_key(maker)).code == 0
    (tmp_path / "mirror" / PROGRESS_FILE).write_text("{}")
    assert "damaged" in command("log", "mirror", log, tmp_path / "mirror", *by_key(maker)).error


def test_a_mirror_killed_at_any_moment_goes_on_and_shows_a_whole_log_meanwhile(
    tmp_path: Path, command: RunCommand, by_key: ByKey
) -> None:
    maker, mirror, log = build_log(600, every=400), tmp_path / "mirror", tmp_path / "log"
    assert command("log", "mirror", maker.show(log), mirror, *by_key(maker)).code == 0
    maker.add_persons(30_000)
    maker.show(log)
    program = "from witness import follow\n"
    program += "follow.follow.__kwdefaults__ = {'part_entries': 512}\n"
    program += "from witness.log_cli import app\napp()"
    words = [sys.executable, "-c", program, "mirror", str(log), str(mirror), *by_key(maker)]
    killed = 0
    for _ in range(40):
        child = subprocess.Popen(
            words, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        before = (mirror / PROGRESS_FILE).read_bytes()
        until = time.monotonic() + 30
        while (mirror / PROGRESS_FILE).read_bytes() == before and child.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.001)
        time.sleep(0.0007 * (killed % 7))
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            killed += 1
        if child.wait() == 0:
            break
        seen = command("log", "verify", mirror, *by_key(maker))
        assert (seen.code, seen.said["entries"]) == (0, 600), seen.error
        if killed >= 4:
            break
    assert killed
    assert command("log", "mirror", log, mirror, *by_key(maker)).code == 0
    assert command("log", "verify", mirror, *by_key(maker)).said["entries"] == maker.size
