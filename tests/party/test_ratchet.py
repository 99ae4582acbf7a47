"""The ratchet: what rises stays risen, through crashes, damage and attempts to cut it back."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
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
