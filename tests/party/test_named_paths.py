"""Paths and names that a person types: a wrong one is named, before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from datwat.cli import run

PAIR = (
    "--by",
    "m.jansen",
    "--role",
    "auditor",
    "--second-by",
    "p.smit",
    "--second-role",
    "officer",
)


@pytest.mark.parametrize("wrong", ["--key", "--mirror", "file"])
def test_restore_names_the_path_that_is_not_there(
    tmp_path: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {"--key": tmp_path / "key", "--mirror": tmp_path / "mirror", "file": tmp_path / "age"}
    paths["--mirror"].mkdir()
    paths["--key"].touch()
    paths["file"].touch()
    paths[wrong] = tmp_path / "nope"
    options = ("--key", str(paths["--key"]), "--mirror", str(paths["--mirror"]))
    assert run(["restore", "--home", str(tmp_path), *options, str(paths["file"])]) == 2
    said = capsys.readouterr().err
    assert f"Invalid value for '{wrong}'" in said
    assert "does not exist" in said


@pytest.mark.parametrize("out", ["there.json", "no-such-folder/new.json"])
def test_an_audit_wants_a_new_file(
    tmp_path: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.json").write_text("kept")
    options = ("--home", str(tmp_path), *PAIR, "--reason", "Yearly check", "--out")
    assert run(["special", "audit", *options, str(tmp_path / out)]) == 2
    assert "--out names a new file" in capsys.readouterr().err
    assert (tmp_path / "there.json").read_text() == "kept"


@pytest.mark.parametrize("command", [("verify", "mirror"), ("mirror", "mirror", "folder")])
def test_a_name_of_ten_kilobytes_is_refused(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["log", *command, "--key", "k", "--origin", "a" * 10_000]) == 2
    said = capsys.readouterr().err
    assert "--origin is too long" in said
    assert len(said) < 200
