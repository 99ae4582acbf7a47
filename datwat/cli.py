"""The root command `datwat`: mounts each party's commands, and says every error in one line.

Responsibility: mount the Typer applications that the entry points in group `datwat.commands` name,
and turn every error into one line on stderr with an exit code. An entry point named `log.x` adds
its commands to the group `log`: several parties may add to one. Rules enforced: the root imports no
party (architecture, "Layout and layers"), so that a key holder's machine needs no broker; nobody
ever sees a traceback, since one may show values. A frame's file and line hold none, so an error
that nobody foresaw names those.
"""

from __future__ import annotations

import copy
import json
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Annotated

import pydantic
import typer

from datwat.party.faults import describe_first_fault, format_steps
from datwat.party.files import describe_obstacle
from datwat.protocol.errors import DatwatError

COMMAND_GROUP = "datwat.commands"
EXIT_ERROR = 1


# What a word that stands in the wrong place may hold: who logs in and how, or a person's number.
_HIDDEN = re.compile(r"(?<=://)\S*(?=@)|(?<!\d)\d{8,9}(?!\d)")
_CODE_ROOT = Path(__file__).resolve().parents[1]
_ABBREVIATIONS = {"serve": ("broker", "serve")}
_HELP = """Who is involved, and what is known: weighed, written down, and shown to the resident.

`datwat serve` is short for `datwat broker serve`.
"""
_EPILOG = "Example: datwat demo --case 1"


class CommandUnavailableError(DatwatError):
    """A party's commands cannot be loaded from what is installed here."""

    code = "command_unavailable"
    default_detail = "A command cannot be loaded. Run `make setup`."


def build_app(commands: Iterable[EntryPoint]) -> typer.Typer:
    """Return the root application with the given parties mounted under their names.

    An application with one command and no callback becomes that command itself (`datwat demo`).

    Raises:
        CommandUnavailableError: a module that an entry point names cannot be imported.
    """
    root = typer.Typer(
        name="datwat",
        help=_HELP,
        epilog=_EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    root.callback()(_root_options)
    groups: dict[str, list[typer.Typer]] = {}
    for entry in sorted(commands, key=lambda command: command.name):
        groups.setdefault(_find_group(entry), []).append(_load_app(entry))
    for name, apps in groups.items():
        _mount(root, name, _merge(apps))
    return root


def run(arguments: Sequence[str], commands: Iterable[EntryPoint] | None = None) -> int:
    """Carry out one command line and return its exit code; `commands` are those installed."""
    available = tuple(entry_points(group=COMMAND_GROUP) if commands is None else commands)
    expanded = (
        [*_ABBREVIATIONS.get(arguments[0], arguments[:1]), *arguments[1:]] if arguments else []
    )
    # Only the named party is imported: a process that serves carries no other party's code.
    named = [command for command in available if _find_group(command) in expanded[:1]]
    try:
        root = typer.main.get_command(build_app(named or available))
        result = root.main(args=expanded, prog_name="datwat", standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - the edge: an error that escapes is a traceback
        code, sentence, place = _describe(error)
        _print_error(code, sentence, place, as_json="--json" in arguments)
        return error.exit_code if isinstance(error, typer.TyperException) else EXIT_ERROR
    return result if isinstance(result, int) else 0


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"datwat {version('datwat')}")
        raise typer.Exit


def _root_options(
    *,
    _show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and stop.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Options before the name of a party; each is done by its own callback."""


def _load_app(entry: EntryPoint) -> typer.Typer:
    try:
        app = entry.load()
    except (ImportError, AttributeError) as error:
        detail = f"The command `{entry.name}` cannot be loaded ({error}). Run `make setup`."
        raise CommandUnavailableError(detail) from error
    if not isinstance(app, typer.Typer):
        detail = f"The command `{entry.name}` is no Typer application ({entry.value})."
        raise CommandUnavailableError(detail)
    return app


def _find_group(entry: EntryPoint) -> str:
    """Return the name under which an entry point's commands are found."""
    return entry.name.partition(".")[0]


def _merge(apps: Sequence[typer.Typer]) -> typer.Typer:
    """Return one application with the commands of all, and the help of the one that has some."""
    if len(apps) == 1:
        return apps[0]
    told = next((app for app in apps if isinstance(app.info.help, str)), apps[0])
    merged = typer.Typer(
        help=told.info.help, epilog=told.info.epilog, no_args_is_help=True, add_completion=False
    )
    for app in apps:
        merged.registered_commands += app.registered_commands
        merged.registered_groups += app.registered_groups
    names = [
        one.name or getattr(one.callback, "__name__", "") for one in merged.registered_commands
    ]
    if len(set(names)) != len(names):
        raise CommandUnavailableError("A command is there twice in one group. Run `make setup`.")
    return merged


def _mount(root: typer.Typer, name: str, app: typer.Typer) -> None:
    single = len(app.registered_commands) == 1 and not app.registered_groups
    if single and app.registered_callback is None:
        command = copy.copy(app.registered_commands[0])
        command.name = name
        root.registered_commands.append(command)
    else:
        root.add_typer(app, name=name)


def _describe(error: Exception) -> tuple[str, str, str | None]:
    """Return the code, the sentence and the place of an error, without any value of a message."""
    match error:
        case DatwatError():
            return error.code, error.detail, error.place
        case typer.TyperException():
            return "usage", _HIDDEN.sub("…", error.format_message()), None
        case typer.Abort():
            return "aborted", "Stopped, nothing more was done.", None
        case pydantic.ValidationError():
            sentence, steps = describe_first_fault(error)
            return "invalid", f"{error.title}: {sentence}", format_steps(steps) or None
        case OSError(errno=int()):
            return "system", describe_obstacle(error), None
        case _:
            return _describe_unforeseen(error)


def _describe_unforeseen(error: Exception) -> tuple[str, str, str | None]:
    """Return the same of what only a database that went away raises, or else a defect."""
    if "sqlalchemy" in sys.modules:  # only who loaded it has a database to lose
        from datwat.party.database_errors import (  # noqa: PLC0415 - costs each command a second
            find_away,
        )

        away = find_away(error)
        if away is not None:
            return away.code, away.detail, None
    detail = f"Unexpected {type(error).__name__}, which is a defect: please report it."
    return "unexpected", detail, _find_frame(error)


def _find_frame(error: Exception) -> str | None:
    """Return file and line of the innermost frame in our own code, if there is one."""
    frames = [
        f"{Path(frame.filename).relative_to(_CODE_ROOT)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(_CODE_ROOT)
        and "site-packages" not in Path(frame.filename).parts
    ]
    return frames[-1] if frames else None


def _print_error(code: str, sentence: str, place: str | None, *, as_json: bool) -> None:
    detail = " ".join(sentence.split())
    if as_json:
        problem = {"error": {"code": code, "detail": detail, "place": place}}
        typer.echo(json.dumps(problem, ensure_ascii=False), err=True)
    elif detail:  # empty when Typer has shown the help instead
        typer.echo(f"error: {detail}" + (f" (at {place})" if place else ""), err=True)
