"""How tables are printed: to a program no word is broken, and an empty list is said."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from broker.commands import special_cli
from datwat.party.console import print_result

ID = "00000099000000050000:debt-counselling-of-a-long-name"
ROWS: list[dict[str, object]] = [
    {"number": "3f2a9c01b7de", "partner": ID, "said": "one word after another " * 9, "last": 1},
    {"number": "3f2a9c01b7df", "partner": ID, "said": "little [red]", "last": None},
]


@pytest.mark.parametrize("columns", [None, "40", "80", "120"])
def test_no_id_is_broken_when_it_goes_to_a_program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str | None
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    print_result({"found": ROWS, "seq": 2}, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    for row in ROWS:
        assert sum(str(row["number"]) in line and ID in line for line in lines) == 1
    assert any("little [red]" in line for line in lines)
    assert lines[-1] == "seq    2"
    rows = [line for line in lines if line.startswith("│")]
    if columns is None:
        assert len(rows) == len(ROWS)  # a row is one line, for grep
    else:
        assert len(rows) > len(ROWS)
        assert len({len(line) for line in rows}) == 1


def test_counts_by_name_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    answers = {"questions": {"waiting": 2, "more": False}, "disputes": {"waiting": 0, "more": True}}
    print_result({"answers": answers, "none": {}}, as_json=False)
    title, _, names, _, *rows, _, last = capsys.readouterr().out.splitlines()
    assert title.strip() == "answers"
    assert names.replace("┃", " ").split() == ["answers", "waiting", "more"]
    found = [row.replace("│", " ").split() for row in rows]
    assert found == [["questions", "2", "no"], ["disputes", "0", "yes"]]
    assert last == "none     -"


def test_what_is_no_table_keeps_its_names(capsys: pytest.CaptureFixture[str]) -> None:
    print_result({"opa": {"keys": {"broker": {"alg": "x"}}, "bundles": {"a": 1}}}, as_json=False)
    said = capsys.readouterr().out.strip()
    assert said == "opa  keys=broker=alg=x, bundles=a=1"


def test_that_nothing_waits_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(special_cli, "_call", lambda *_, **__: {"special_situations": []})
    said = CliRunner().invoke(special_cli.special, ["list", "--home", "x"])
    assert said.stdout == "No special situation waits to be opened.\n"
    said = CliRunner().invoke(special_cli.special, ["list", "--home", "x", "--json"])
    assert said.stdout == '{"special_situations": []}\n'
