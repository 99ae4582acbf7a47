"""The key file keeps the contract of `KekPort`, and leaves no key where it lay."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.adapters.kek_file import FileKek, KekError
from broker.audit.ports import KekPort
from datwat.protocol.sealing import UnsealError
from tests.audit.kek_contract import KekContract

_NOW = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)


class TestFileKek(KekContract):
    @pytest.fixture
    def kek(self, tmp_path: Path) -> KekPort:
        return FileKek.create(tmp_path / "kek.json")

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], KekPort]:
        return lambda: FileKek.open(tmp_path / "kek.json")


def test_a_destroyed_key_is_overwritten_where_it_lay(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    kek = FileKek.create(path)
    kek.start_generation(_NOW)
    key = json.loads(path.read_bytes())["generations"][0]["key"]
    assert len(base64.urlsafe_b64decode(key + "=")) == 32
    # A second name for the old file: what the disk still holds of it once it has no name.
    os.link(path, tmp_path / "old")
    kek.destroy_generation(1)
    assert set((tmp_path / "old").read_bytes()) == {0}
    assert key.encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_a_crash_left_beside_the_file_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    kek = FileKek.create(path)
    sealed = kek.seal(b"plain", b"")
    (tmp_path / "kek.json.new").write_bytes(b'{"v": 1, "gen')
    kek.start_generation(_NOW)
    assert FileKek.open(path).unseal(sealed, b"") == b"plain"


def test_a_key_that_a_crash_left_beside_the_file_is_overwritten_too(tmp_path: Path) -> None:
    path, left = tmp_path / "kek.json", tmp_path / "kek.json.new"
    kek = FileKek.create(path)
    kek.start_generation(_NOW)
    left.write_bytes(path.read_bytes())
    os.link(left, tmp_path / "old")
    kek.destroy_generation(1)
    assert set((tmp_path / "old").read_bytes()) == {0}
    assert not left.exists()


def test_what_another_process_of_the_home_began_opens_and_seals_here(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    first = FileKek.create(path)
    second = FileKek.open(path)
    old = second.seal(b"plain", b"")
    first.start_generation(_NOW)
    assert second.unseal(first.seal(b"new", b""), b"") == b"new"
    assert second.read_generation(second.seal(b"plain", b"")) == 2
    assert second.start_generation(_NOW).number == 3
    first.reread()
    assert [one.number for one in first.list_generations()] == [1, 2, 3]
    second.destroy_generation(1)
    first.reread()
    with pytest.raises(UnsealError):
        first.unseal(old, b"")


def test_an_older_file_that_is_put_in_place_meanwhile_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    kek = FileKek.create(path)
    older = path.read_bytes()
    kek.start_generation(_NOW)
    sealed = kek.seal(b"plain", b"")
    path.unlink()
    kek.reread()
    path.write_bytes(older)
    path.chmod(0o600)
    kek.reread()
    assert kek.unseal(sealed, b"") == b"plain"


def test_a_file_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    kek = FileKek.create(path)
    path.unlink()
    (tmp_path / "kek.json.new").mkdir()
    with pytest.raises(KekError):
        kek.start_generation(_NOW)
    assert [one.number for one in kek.list_generations()] == [1]
    assert kek.read_generation(kek.seal(b"plain", b"")) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), "is not there: check the path; the file that belongs to"),
        (lambda path: path.chmod(0o640), "Others may read"),
        (lambda path: path.write_text("{}"), "is no key file, or damaged"),
        (lambda path: path.write_text("x" * 100_000), "is no key file, or damaged"),
        (lambda path: (path.unlink(), path.mkdir(mode=0o700)), "is a folder: name a file"),
    ],
    ids=["gone", "open", "other", "long", "folder"],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, change: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "kek.json"
    FileKek.create(path)
    change(path)
    with pytest.raises(KekError) as caught:
        FileKek.open(path)
    assert words in caught.value.detail
    assert str(path) in caught.value.detail


def test_a_key_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    FileKek.create(path)
    held = path.read_bytes()
    with pytest.raises(KekError, match="is there already"):
        FileKek.create(path)
    assert path.read_bytes() == held
