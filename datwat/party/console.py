"""What every command of a party has around it: the usual options, and how a result is printed.

Commands raise errors of ours; the root command says them in one line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from datwat.party.files import describe_obstacle
from datwat.party.settings import HOME_VARIABLE

HomeOption = Annotated[
    Path,
    typer.Option(
        "--home", envvar=HOME_VARIABLE, help="Home folder of the party.", show_default=False
    ),
]
_ENDLESS = 100_000
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Write it to this new file.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_result(members: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what a command found: JSON, or one `name  value` line each and tables for lists.

    No id in a table is broken where the output goes to a file or a program. There a row is one
    line, unless COLUMNS asks for less.
    """
    if as_json:
        typer.echo(json.dumps(members, ensure_ascii=False, default=str))
        return
    console = Console(soft_wrap=True, highlight=False)
    width = max((len(name) for name in members), default=0)
    for name, value in members.items():
        if rows := _find_rows(name, value):
            _print_table(console, _build_table(name, rows))
        else:
            console.print(f"[bold]{name.ljust(width)}[/bold]  {escape(_format(value))}")


def write_result(found: Mapping[str, Any] | str, out: Path | None, *, as_json: bool) -> None:
    """Write what a command found to a new file (JSON, or a text as it is), or print it.

    Ends the command with 1 where the file is there already, or cannot be written, and says why.
    """
    if out is None and not isinstance(found, str):
        print_result(found, as_json=as_json)
        return
    text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, indent=2)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        typer.echo(f"error: {describe_obstacle(error, out)}", err=True)
        raise typer.Exit(1) from None


def _find_rows(name: str, value: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - of a result
    """Return the rows of what is a table: a list of mappings, or of equal ones by name."""
    if isinstance(value, Mapping) and all(isinstance(row, Mapping) for row in value.values()):
        is_even = len({tuple(row) for row in value.values()}) == 1
        value = [{name: key, **row} for key, row in value.items()] if is_even else []
    is_table = isinstance(value, list | tuple) and value and isinstance(value[0], Mapping)
    return list(value) if is_table else []


def _build_table(title: str, rows: list[Mapping[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(escape(str(name)), overflow="fold")
    for row in rows:
        table.add_row(*(escape(_format(value)) for value in row.values()))
    return table


def _print_table(console: Console, table: Table) -> None:
    """Print a table so wide that every word is whole; a terminal that is too narrow folds words."""
    room = console.options.update(max_width=_ENDLESS)
    needed = [Measurement.get(console, room, column) for column in _measure_columns(table)]
    frame = 3 * len(needed) + 1
    least = frame + sum(one.minimum for one in needed)
    if not console.is_terminal:
        most = frame + sum(one.maximum for one in needed)
        asked = console.width if "COLUMNS" in os.environ else most
        console = Console(width=max(asked, least), soft_wrap=True, highlight=False)
    if least <= console.width:
        for column, one in zip(table.columns, needed, strict=True):
            column.min_width = one.minimum
    console.print(table)


def _measure_columns(table: Table) -> Iterator[Text]:
    """Yield each column's texts, one under the other."""
    for column in table.columns:
        yield Text("\n").join(
            Text.from_markup(str(cell)) for cell in (column.header, *column.cells)
        )


def _format(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(str, value)) or "-"
        case Mapping():
            return ", ".join(f"{name}={_format(one)}" for name, one in value.items()) or "-"
    return str(value)
