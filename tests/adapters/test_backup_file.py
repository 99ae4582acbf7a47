"""A backup's file is whole or not there, and what went wrong is said as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest
from pyrage import x25519

from broker.adapters.backup_file import (
    BackupError,
    BackupHeader,
    FileKey,
    Line,
    chain_lines,
    open_file,
    read_identity,
    read_lines,
    read_recipient,
    write_file,
)
from broker.adapters.kek_file import FileKek

_LINES: list[Line] = [{"table": "t", "columns": ["a"]}, *([[i, "x" * 90]] for i in range(2_000))]


def _build(tmp_path: Path) -> tuple[x25519.Identity, FileKek, FileKey, BackupHeader]:
    kek, key = FileKek.create(tmp_path / "kek.json"), FileKey.draw()
    header = BackupHeader(
        v=1,
        origin="log.example/log/1",
        size=1,
        root=bytes(32),
        revision="0005",
        made_at=datetime(2026, 11, 5, tzinfo=UTC),
        kek_sealed=key.seal(kek),
        row_check=bytes(32),
    )
    return x25519.Identity.generate(), kek, key, header


def test_what_was_written_is_read_and_nothing_lies_in_the_clear(tmp_path: Path) -> None:
    identity, kek, key, header = _build(tmp_path)
    path = tmp_path / "a.age"
    length = write_file(path, identity.to_public(), header, key, chain_lines(iter(_LINES)))
    assert path.stat().st_size == length
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"x" * 20 not in path.read_bytes()
    assert b"log.example" not in path.read_bytes()
    found, inner = open_file(path, identity, tmp_path)
    assert found == header
    assert b"x" * 20 not in inner.read_bytes()
    lines: list[Line] = []
    read_lines(inner, FileKey.unseal(found.kek_sealed, kek), lines.append)
    assert lines == [*_LINES, {"rows": 2_000}]


def test_a_file_whose_rows_are_cut_off_is_refused(tmp_path: Path) -> None:
    identity, _, key, header = _build(tmp_path)
    path = tmp_path / "a.age"
    write_file(path, identity.to_public(), header, key, iter(_LINES))  # without its last line
    _, inner = open_file(path, identity, tmp_path)
    with pytest.raises(BackupError):
        read_lines(inner, key, lambda _: None)


def test_what_the_rows_raise_comes_out_and_no_file_stays(tmp_path: Path) -> None:
    identity, _, key, header = _build(tmp_path)

    def fail() -> Iterator[Line]:
        yield _LINES[0]
        raise LookupError("the database")

    with pytest.raises(LookupError):
        write_file(tmp_path / "a.age", identity.to_public(), header, key, fail())
    assert {one.name for one in tmp_path.iterdir()} == {"kek.json"}


def test_a_disk_that_is_full_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity, _, key, header = _build(tmp_path)
    real = os.fdopen

    class Full:
        def __init__(self, file: Any) -> None:  # noqa: ANN401 - a file
            self.file = file

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, _data: bytes) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            self.file.flush()

    monkeypatch.setattr(os, "fdopen", lambda *given: Full(real(*given)))
    with pytest.raises(BackupError, match="room"):
        write_file(tmp_path / "a.age", identity.to_public(), header, key, iter(_LINES))
    monkeypatch.undo()
    assert {one.name for one in tmp_path.iterdir()} == {"kek.json"}
    with pytest.raises(BackupError, match="folder"):
        write_file(tmp_path / "no" / "a.age", identity.to_public(), header, key, iter(_LINES))


@pytest.mark.parametrize("text", ["", "age1zzz", "AGE-SECRET-KEY-1", "ssh-ed25519 AAAA", "ä"])
def test_what_is_no_key_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    with pytest.raises(BackupError) as of_recipient:
        read_recipient(text)
    with pytest.raises(BackupError) as of_identity:
        read_identity(file)
    for refused in (of_recipient, of_identity):
        assert not text or text not in refused.value.detail


def test_a_key_file_with_two_keys_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{x25519.Identity.generate()}\n{x25519.Identity.generate()}\n")
    with pytest.raises(BackupError):
        read_identity(file)
