"""The root command: parties by entry point, one-line errors, and never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated

import psycopg
import pydantic
import pytest
import typer
from sqlalchemy.exc import OperationalError

from datwat.cli import (
    COMMAND_GROUP,
    CommandUnavailableError,
    build_app,
    run,
)
from datwat.party.console import JsonOption, print_result
from datwat.protocol.errors import ProtocolError

SECRET = "999990019"

party = typer.Typer()


class Settings(pydantic.BaseModel):
    port: int


@party.command()
def show(number: Annotated[int, typer.Argument()], *, as_json: JsonOption = False) -> None:
    print_result({"number": number}, as_json=as_json)


@party.command()
def refuse() -> None:
    raise ProtocolError("The order does not fit its receipt.", place="order.receipt")


@party.command("cut-off")
def cut_off() -> None:
    cut = psycopg.OperationalError(f"server at {SECRET} closed the connection")
    raise OperationalError("SELECT 1", {}, cut)


@party.command()
def defect() -> None:
    raise RuntimeError(SECRET)


@party.command()
def missing_file() -> None:
    Path("no-such-folder/keys.json").read_bytes()


@party.command()
def misconfigured() -> None:
    Settings(port=SECRET + "x")  # type: ignore[arg-type]


@party.command()
def stop() -> None:
    raise typer.Exit(3)


single = typer.Typer()


@single.command()
def play(*, keep: Annotated[bool, typer.Option("--keep")] = False) -> None:
    typer.echo(f"played, keep={keep}")


def entry(name: str, attribute: str) -> EntryPoint:
    return EntryPoint(name=name, value=f"{__name__}:{attribute}", group=COMMAND_GROUP)


PARTIES = (entry("party", "party"), entry("demo", "single"))
BROKEN = EntryPoint(name="broken", value="no_such_module:app", group=COMMAND_GROUP)


def test_party_is_mounted_under_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["party", "show", "7"], PARTIES) == 0
    assert capsys.readouterr().out == "number  7\n"


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["party", "show", "7", "--json"], PARTIES) == 0
    assert json.loads(capsys.readouterr().out) == {"number": 7}


def test_single_command_takes_the_name_of_its_entry_point(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["demo", "--keep"], PARTIES) == 0
    assert capsys.readouterr().out == "played, keep=True\n"


def test_error_is_one_line_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["party", "refuse"], PARTIES) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: The order does not fit its receipt. (at order.receipt)\n"


def test_error_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["party", "show", "7", "--json", "--nonsense"], PARTIES) == 2
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "usage"


def test_defect_names_its_line_but_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["party", "defect"], PARTIES) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "RuntimeError" in error
    assert "tests/test_cli_root.py:" in error
    assert SECRET not in error
    assert "Traceback" not in error


def test_a_database_that_went_away_meanwhile_is_no_defect(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["party", "cut-off"], PARTIES) == 1
    said = capsys.readouterr().err
    assert said == "error: The database does not answer now: try again in a moment.\n"


def test_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["party", "missing-file"], PARTIES) == 1
    assert capsys.readouterr().err == (
        "error: no-such-folder/keys.json is not there: check the path.\n"
    )


def test_wrong_setting_is_named_without_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["party", "misconfigured"], PARTIES) == 1
    error = capsys.readouterr().err
    assert error == "error: Settings: A whole number is needed here, without quotes. (at port)\n"


@pytest.mark.parametrize("arguments", [["party", "nothing"], ["party", "show"], ["nobody"]])
def test_wrong_usage_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments, PARTIES) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["party", "show", "7", "postgresql://datwat:geh@im/#1@db.example/broker"],
        ["party", "postgresql://datwat:geheim@db.example/broker"],
        ["party", "show", "7", SECRET],
        [SECRET],
    ],
)
def test_what_was_typed_in_the_wrong_place_is_not_said_where_it_is_a_secret(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments, PARTIES) == 2
    said = capsys.readouterr().err
    assert "geh" not in said
    assert "datwat:" not in said
    assert SECRET not in said


def test_exit_code_of_a_command_is_kept() -> None:
    assert run(["party", "stop"], PARTIES) == 3


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([], PARTIES) == 2
    captured = capsys.readouterr()
    assert "Example" in captured.out + captured.err
    assert "party" in captured.out + captured.err


def test_help_names_the_parties_and_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"], PARTIES) == 0
    output = capsys.readouterr().out
    assert "party" in output
    assert "Example" in output


def test_serve_is_short_for_broker_serve(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve"], PARTIES) == 2
    assert "broker" in capsys.readouterr().err


def test_missing_party_fails_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandUnavailableError):
        build_app([BROKEN])
    assert run(["--help"], [*PARTIES, BROKEN]) == 1
    assert "`broken`" in capsys.readouterr().err


def test_only_the_named_party_is_loaded() -> None:
    assert run(["demo"], [*PARTIES, BROKEN]) == 0


def test_several_parties_add_to_one_group(capsys: pytest.CaptureFixture[str]) -> None:
    both = (entry("log.b", "single"), entry("log.a", "party"), *PARTIES)
    assert run(["log", "show", "7"], both) == 0
    assert run(["log", "play"], both) == 0
    assert capsys.readouterr().out == "number  7\nplayed, keep=False\n"
    assert run(["party", "play"], both) == 2
    twice = (entry("log.a", "party"), entry("log.b", "party"))
    with pytest.raises(CommandUnavailableError, match="twice"):
        build_app(twice)


def test_root_imports_no_party() -> None:
    code = (
        "import sys, datwat.cli\n"
        "parties = {'broker', 'connectors', 'keyholder', 'witness', 'demo'}\n"
        "print(sorted(parties & {name.partition('.')[0] for name in sys.modules}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout == "[]\n"


def list_help(command: object, path: str) -> Iterator[tuple[str, str]]:
    yield path, f"{getattr(command, 'help', None)}\n{getattr(command, 'epilog', None)}"
    for name, child in getattr(command, "commands", {}).items():
        yield from list_help(child, f"{path} {name}")


def test_every_help_has_an_example() -> None:
    root = typer.main.get_command(build_app(entry_points(group=COMMAND_GROUP)))
    pages = dict(list_help(root, "datwat"))
    assert {"datwat broker", "datwat keyholder", "datwat demo"} <= set(pages)
    assert [path for path, text in pages.items() if "Example" not in text] == []


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"], PARTIES) == 0
    assert capsys.readouterr().out.startswith("datwat ")
