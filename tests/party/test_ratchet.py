"""The ratchet: what rises stays risen, through crashes, damage and attempts to cut it back."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datwat.party import ratchet as rt

A, B = bytes(32), bytes([1]) * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ratchet"


def test_values_and_records_are_there_after_opening_again(path: Path) -> None:
    with rt.Ratchet.open(path) as ratchet:
        assert ratchet.value("log") is None
        ratchet.advance("log", 3, A)
        ratchet.advance("bundle", 1, B)
        ratchet.record("erased", "one")
        ratchet.record("erased", "two")
        ratchet.record("erased", "one")
        ratchet.advance("log", 4, B)
        ratchet.record("withdrawn", "one")
    with rt.Ratchet.open(path) as ratchet:
        assert ratchet.value("log") == rt.Mark(4, B)
        assert ratchet.value("bundle") == rt.Mark(1, B)
        assert ratchet.records("erased") == ("one", "two")
        assert ratchet.records("withdrawn") == ("one",)
    assert path.stat().st_mode & 0o777 == 0o600


def test_lower_is_refused_equal_is_nothing_and_another_digest_an_alarm(path: Path) -> None:
    with rt.Ratchet.open(path) as ratchet:
        ratchet.advance("log", 5, A)
        ratchet.advance("log", 5, A)
        with pytest.raises(rt.RatchetRefusedError):
            ratchet.advance("log", 4, A)
        with pytest.raises(rt.RatchetAlarmError):
            ratchet.advance("log", 5, B)
        assert ratchet.value("log") == rt.Mark(5, A)


def test_only_one_process_holds_it(path: Path) -> None:
    with rt.Ratchet.open(path), pytest.raises(rt.RatchetLockedError):
        rt.Ratchet.open(path)
    rt.Ratchet.open(path).close()


def test_a_torn_slot_leaves_the_one_before(path: Path) -> None:
    with rt.Ratchet.open(path) as ratchet:
        ratchet.advance("log", 1, A)
        ratchet.advance("log", 2, B)
    content = bytearray(path.read_bytes())
    newest = content.index(b'"seq":3') // 8_192 * 8_192
    content[newest + 60 : newest + 70] = bytes(10)
    path.write_bytes(content)
    with rt.Ratchet.open(path) as ratchet:
        assert ratchet.value("log") == rt.Mark(1, A)
        ratchet.advance("log", 2, B)
    with rt.Ratchet.open(path) as ratchet:
        assert ratchet.value("log") == rt.Mark(2, B)


def test_both_slots_damaged_is_damage(path: Path) -> None:
    rt.Ratchet.open(path).close()
    path.write_bytes(b"\xff" * len(path.read_bytes()))
    with pytest.raises(rt.RatchetDamagedError):
        rt.Ratchet.open(path)


def test_a_torn_record_is_dropped_and_written_over(path: Path) -> None:
    with rt.Ratchet.open(path) as ratchet:
        ratchet.record("erased", "one")
        ratchet.record("erased", "two")
    path.write_bytes(path.read_bytes()[:-5])
    with rt.Ratchet.open(path) as ratchet:
        assert ratchet.records("erased") == ("one",)
        ratchet.record("erased", "three")
    with rt.Ratchet.open(path) as ratchet:
        assert ratchet.records("erased") == ("one", "three")


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_journal_cut_back_or_changed_below_what_a_slot_states_is_damage(
    path: Path, damage: str
) -> None:
    with rt.Ratchet.open(path) as ratchet:
        ratchet.record("erased", "one")
        ratchet.record("erased", "two")
        ratchet.advance("log", 1, A)
    content = path.read_bytes()
    path.write_bytes(content[:-5] if damage == "cut" else content.replace(b"one", b"onE"))
    with pytest.raises(rt.RatchetDamagedError):
        rt.Ratchet.open(path)


def test_a_failed_sync_is_final(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "injected")

    with rt.Ratchet.open(path) as ratchet:
        ratchet.advance("log", 1, A)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fail)
            with pytest.raises(rt.RatchetBrokenError):
                ratchet.advance("log", 2, B)
        with pytest.raises(rt.RatchetBrokenError):
            ratchet.advance("log", 3, B)
        with pytest.raises(rt.RatchetBrokenError):
            ratchet.record("erased", "one")
        assert ratchet.value("log") == rt.Mark(1, A)


def test_what_is_too_much_is_refused_and_nothing_is_lost(path: Path) -> None:
    with rt.Ratchet.open(path) as ratchet:
        with pytest.raises(rt.RatchetError):
            ratchet.record("erased", "x" * 2_000)
        for number in range(70):
            ratchet.advance(f"name-{number}", 1, A)
        with pytest.raises(rt.RatchetError, match="room"):
            ratchet.advance("x" * 8_000, 1, A)
    with rt.Ratchet.open(path) as ratchet:
        assert ratchet.value("name-50") == rt.Mark(1, A)


def test_it_is_refused_beside_the_database(tmp_path: Path) -> None:
    with pytest.raises(rt.RatchetError):
        rt.require_apart(tmp_path / "ratchet", tmp_path / "broker.db")
    (tmp_path / "apart").mkdir()
    rt.require_apart(tmp_path / "apart" / "ratchet", tmp_path / "broker.db")


@settings(deadline=None)  # each step waits for the disk
@given(
    steps=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.booleans()), max_size=20)
)
def test_a_name_never_goes_back(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("ratchet") / "file"
    highest: dict[str, int] = {}
    ratchet = rt.Ratchet.open(path)
    for name, number, again in steps:
        try:
            ratchet.advance(name, number, A)
        except rt.RatchetRefusedError:
            assert number < highest[name]
        else:
            assert number >= highest.get(name, 0)
            highest[name] = number
        if again:
            ratchet.close()
            ratchet = rt.Ratchet.open(path)
        for known, value in highest.items():
            assert ratchet.value(known) == rt.Mark(value, A)
    ratchet.close()


_CHILD = """
import sys
from pathlib import Path
from datwat.party.ratchet import Ratchet
ratchet = Ratchet.open(Path(sys.argv[1]))
start = ratchet.value("log")
number = start.number if start else 0
while True:
    number += 1
    ratchet.record("erased", str(number))
    ratchet.advance("log", number, number.to_bytes(32, "big"))
    print(number, flush=True)
"""


def test_killed_at_any_moment_nothing_told_is_lost(path: Path) -> None:
    told = 0
    for lines in (3, 17, 40):
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        with child.stdout:
            for _ in range(lines):
                told = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().split()
        child.wait()
        told = int(rest[-1]) if rest else told
        with rt.Ratchet.open(path) as ratchet:
            mark = ratchet.value("log")
            assert mark is not None
            assert mark.number >= told
            assert mark.digest == mark.number.to_bytes(32, "big")
            assert len(ratchet.records("erased")) >= mark.number


def test_many_records_are_one_sync_and_as_good_as_one_each(tmp_path: Path) -> None:
    path = tmp_path / "ratchet"
    with rt.Ratchet.open(path) as ratchet:
        ratchet.record("consent", "a")
        with patch("os.fdatasync", wraps=os.fdatasync) as sync:
            ratchet.record_all([("consent", "a"), ("pointer", "b"), ("pointer", "b")])
            ratchet.record_all([("consent", "a"), ("consent", "c")])
            ratchet.record_all([("consent", "a")])
        assert sync.call_count == 2
        with pytest.raises(rt.RatchetError):
            ratchet.record_all([("consent", "d"), ("consent", "e" * 2_000)])
    with rt.Ratchet.open(path) as ratchet:
        assert ratchet.records("consent") == ("a", "c")
        assert ratchet.records("pointer") == ("b",)


def _fill(ratchet: rt.Ratchet) -> None:
    """Write records of two generations, and of a kind that stays."""
    ratchet.record_all([("pointer", "a"), ("consent", "b"), ("suspension", "p 1")])
    ratchet.record("generation", "1")
    ratchet.record_all([("pointer", "c"), ("consent", "d")])
    ratchet.advance("log", 1, A)


_BEFORE = {"pointer": ("a", "c"), "consent": ("b", "d"), "suspension": ("p 1",)}
_AFTER = {"pointer": ("c",), "consent": ("d",), "suspension": ("p 1",)}
_KINDS = ("pointer", "consent")


def _read(ratchet: rt.Ratchet) -> dict[str, tuple[str, ...]]:
    return {kind: ratchet.records(kind) for kind in _BEFORE}


def test_what_was_recorded_before_a_mark_is_forgotten_and_all_else_stays(path: Path) -> None:
    with rt.Ratchet.open(path) as ratchet:
        _fill(ratchet)
        length = path.stat().st_size
        assert ratchet.forget(_KINDS, ("generation", "2")) == 0  # no such mark
        assert ratchet.forget(_KINDS, ("generation", "1")) == 2
        assert ratchet.forget(_KINDS, ("generation", "1")) == 0
        assert _read(ratchet) == _AFTER
        assert path.stat().st_size < length
        ratchet.record("pointer", "a")
        ratchet.advance("log", 2, B)
    with rt.Ratchet.open(path) as ratchet:
        assert _read(ratchet) == {**_AFTER, "pointer": ("c", "a")}
        assert ratchet.records("generation") == ("1",)
        assert ratchet.value("log") == rt.Mark(2, B)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("writes", [1, 2])
def test_after_forgetting_a_torn_slot_still_leaves_the_one_before(path: Path, writes: int) -> None:
    """Whichever of the two places the new file's slot has, the next write goes to the other."""
    with rt.Ratchet.open(path) as ratchet:
        _fill(ratchet)
        for number in range(1, writes + 1):
            ratchet.advance("log", number, A)
        ratchet.forget(_KINDS, ("generation", "1"))
        before = path.read_bytes()
        ratchet.advance("other", 1, B)
        content = bytearray(path.read_bytes())
    at = next(at for at in range(len(before)) if before[at] != content[at]) // 8_192 * 8_192
    content[at + 40 : at + 50] = bytes(10)
    path.write_bytes(content)
    with rt.Ratchet.open(path) as ratchet:
        assert (ratchet.value("log"), ratchet.value("other")) == (rt.Mark(writes, A), None)
        assert _read(ratchet) == _AFTER


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_journal_that_was_shortened_is_as_hard_to_cut_back(path: Path, damage: str) -> None:
    with rt.Ratchet.open(path) as ratchet:
        _fill(ratchet)
        ratchet.forget(_KINDS, ("generation", "1"))
    content = path.read_bytes()
    path.write_bytes(content[:-5] if damage == "cut" else content.replace(b'"d"', b'"e"'))
    with pytest.raises(rt.RatchetDamagedError):
        rt.Ratchet.open(path)


_FORGETTING = """
import os, signal, sys
from pathlib import Path
from datwat.party.ratchet import Ratchet
kill_at, steps = int(sys.argv[2]), 0
def count(name):
    real = getattr(os, name)
    def later(*arguments, **named):
        global steps
        steps += 1
        if steps == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)
    setattr(os, name, later)
with Ratchet.open(Path(sys.argv[1])) as ratchet:
    for name in ("open", "pwrite", "fsync", "fdatasync", "rename", "close"):
        count(name)
    ratchet.forget(("pointer", "consent"), ("generation", "1"))
    print("forgot", flush=True)
    ratchet.record("pointer", "new")
    print("noted", flush=True)
    print(steps)
"""


def test_killed_before_any_step_of_forgetting_leaves_the_old_file_or_the_new(path: Path) -> None:
    with rt.Ratchet.open(path) as ratchet:
        _fill(ratchet)
    template, seen, steps = path.read_bytes(), set(), 0
    for kill_at in range(1, 30):
        path.write_bytes(template)
        done = subprocess.run(
            [sys.executable, "-c", _FORGETTING, str(path), str(kill_at)],
            check=False,
            capture_output=True,
            text=True,
        )
        assert not done.stderr
        said = done.stdout.split()
        with rt.Ratchet.open(path) as ratchet:
            found = _read(ratchet)
            new = found["pointer"][-1:] == ("new",)
            old = {**found, "pointer": tuple(one for one in found["pointer"] if one != "new")}
            assert old in ([_AFTER] if "forgot" in said else [_BEFORE, _AFTER])
            assert new or "noted" not in said
            seen.add(old == _AFTER)
            ratchet.record("pointer", "later")
            assert ratchet.value("log") == rt.Mark(1, A)
        assert list(path.parent.iterdir()) == [path]
        if done.returncode == 0:
            steps = int(said[-1])
            break
        assert done.returncode == -signal.SIGKILL
    assert seen == {True, False}
    assert steps >= 8


def test_the_new_file_is_synced_before_it_takes_the_place_and_the_folder_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut leaves one of the two whole, and what is recorded after is in whichever it is."""
    order: list[str] = []
    with rt.Ratchet.open(path) as ratchet:
        _fill(ratchet)
        for name in ("pwrite", "fsync", "rename"):
            real = getattr(os, name)

            def later(*arguments: object, name: str = name, real: Any = real) -> object:  # noqa: ANN401 - os's
                target = arguments[0]
                is_folder = isinstance(target, int) and stat.S_ISDIR(os.fstat(target).st_mode)
                order.append(f"{name} folder" if is_folder else name)
                return real(*arguments)

            monkeypatch.setattr(os, name, later)
        ratchet.forget(_KINDS, ("generation", "1"))
    assert order == ["pwrite", "fsync", "rename", "fsync folder"]


@pytest.mark.parametrize(("name", "final"), [("fsync", False), ("pwrite", False), ("rename", True)])
def test_what_cannot_be_shortened_stays_as_it_is(
    path: Path, name: str, final: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "injected")

    with rt.Ratchet.open(path) as ratchet:
        _fill(ratchet)
        with monkeypatch.context() as patched:
            patched.setattr(os, name, fail)
            expected = rt.RatchetBrokenError if final else rt.RatchetError
            with pytest.raises(expected) as found:
                ratchet.forget(_KINDS, ("generation", "1"))
            assert isinstance(found.value, rt.RatchetBrokenError) == final
        assert final or list(path.parent.iterdir()) == [path]
        if final:
            with pytest.raises(rt.RatchetBrokenError):
                ratchet.record("pointer", "e")
        else:
            ratchet.record("pointer", "e")
    with rt.Ratchet.open(path) as ratchet:
        assert _read(ratchet)["consent"] == _BEFORE["consent"]
    assert list(path.parent.iterdir()) == [path]


def test_nobody_gets_hold_of_a_file_that_was_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened before the new file took its place, locked after the holder had let go of it."""
    first = rt.Ratchet.open(path)
    _fill(first)
    real = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        first.forget(_KINDS, ("generation", "1"))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(rt.RatchetLockedError):
        rt.Ratchet.open(path)
    first.record("pointer", "e")
    with pytest.raises(rt.RatchetLockedError):
        rt.Ratchet.open(path)
    first.close()
    with rt.Ratchet.open(path) as ratchet:
        assert ratchet.records("pointer") == ("c", "e")


@pytest.mark.parametrize("is_older", [True, False], ids=["an older copy", "nothing"])
def test_what_is_put_in_its_place_while_it_is_in_use_does_not_count(
    path: Path, *, is_older: bool
) -> None:
    with rt.Ratchet.open(path) as ratchet:
        ratchet.advance("log", 1, A)
        older = path.read_bytes()
        ratchet.advance("log", 2, B)
        ratchet.record_all([("erased", "a"), ("pointer", "b"), ("erased", "c")])
        path.unlink()
        if is_older:
            path.write_bytes(older)
        ratchet.record("pointer", "d")
        with pytest.raises(rt.RatchetLockedError):
            rt.Ratchet.open(path)
    with rt.Ratchet.open(path) as ratchet:
        assert ratchet.value("log") == rt.Mark(2, B)
        assert ratchet.records("erased") == ("a", "c")
        assert ratchet.records("pointer") == ("b", "d")
