"""Writes docs/reference/commands.md: every command with the one line that its help begins with.

The commands themselves are the source: each party's Typer application, found by entry point.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import entry_points

import typer
from generated import write_page  # type: ignore[import-not-found] # beside this script
from typer.core import TyperCommand, TyperGroup

from datwat.cli import COMMAND_GROUP, build_app

_HEAD = """# Commands

Written by `scripts/list_commands.py`: change the command's help, then run it.

`datwat COMMAND --help` tells the options, with an example. Every command but `serve` has `--json`.
An error is one line on standard error that says what is wrong and what to do: exit code 2 for wrong
usage, else 1. A command either talks to the running party or needs it stopped; none does both.
`datwat serve` is short for `datwat broker serve`.

| command | what it does |
|---|---|
"""


def list_commands(command: object, name: str) -> Iterator[tuple[str, str]]:
    """Yield the full name and the first line of the help of every command below."""
    if isinstance(command, TyperGroup):
        for below in sorted(command.commands):
            yield from list_commands(command.commands[below], f"{name} {below}")
    elif isinstance(command, TyperCommand):
        yield name, (command.help or "").strip().splitlines()[0]


def build_document() -> str:
    """Return the whole document."""
    root = typer.main.get_command(build_app(entry_points(group=COMMAND_GROUP)))
    rows = (f"| `{name}` | {said} |\n" for name, said in list_commands(root, "datwat"))
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    sys.exit(write_page("commands.md", build_document()))
