"""What every command of a party has around it: the usual options, and how a result is printed.

Commands raise errors of ours; the root command says them in one line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from datwat.party.settings import HOME_VARIABLE

HomeOption = Annotated[
    Path,
    typer.Option(
        "--home", envvar=HOME_VARIABLE, help="Home folder of the party.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_result(members: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what a command found: JSON, or one `name  value` line each and tables for lists."""
    if as_json:
        typer.echo(json.dumps(members, ensure_ascii=False, default=str))
        return
    console = Console(soft_wrap=True, highlight=False)
    width = max((len(name) for name in members), default=0)
    for name, value in members.items():
        if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            console.print(_build_table(name, list(value)))
        else:
            console.print(f"[bold]{name.ljust(width)}[/bold]  {escape(_format(value))}")


def _build_table(title: str, rows: list[Mapping[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(escape(_format(value)) for value in row.values()))
    return table


def _format(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(str, value)) or "-"
    return str(value)
