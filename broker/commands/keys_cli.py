"""`datwat broker keys`: replaces the keys of a broker while it runs, unnoticed.

What lies in the database under a key (`row`, `kek`) the running broker moves itself; a key that the
trust list names (`signing`, `exchange`, `log`) changes as every party's does
(`datwat/party/own_keys_cli.py`). When to replace which is in docs/how-to/keys.md.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from broker.commands.own_keys import LISTED_KEYS
from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.own_keys_cli import (
    AtOnceOption,
    KeyKind,
    abort_next,
    describe_all,
    find_kind,
    finish_next,
    start_next,
)
from datwat.party.running import NotRunningError
from datwat.party.settings import require_home

_PARTY = "broker"
_call = partial(call_party, _PARTY)
_MOVED: Final = ("row", "kek")
_LOOK_EVERY: Final = 1.0

keys = typer.Typer(
    help="The broker's own keys: replace them while it runs.",
    epilog="Example: datwat broker keys status --home broker",
    no_args_is_help=True,
    add_completion=False,
)

KeyArgument = Annotated[
    str,
    typer.Argument(
        help="Which key: row, kek, signing, exchange or log.",
        show_default=False,
    ),
]


@keys.command(epilog="Example: datwat broker keys status --home broker")
def status(
    *,
    home: HomeOption,
    process: Annotated[
        int | None,
        typer.Option(min=1, help="Which process of several; else the one that keeps house."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which keys are in use, how far a rotation is, and what is to be done next."""
    require_home(home, _PARTY)
    moved = (
        _call(home, "keys_status", process=process) if process else _ask_keeper(home, "keys_status")
    )
    print_result({**moved, **describe_all(home, LISTED_KEYS)}, as_json=as_json)


@keys.command(epilog="Example: datwat broker keys rotate row --home broker --wait")
def rotate(
    key: KeyArgument,
    *,
    home: HomeOption,
    wait: Annotated[
        bool, typer.Option("--wait", help="Of `row`: show how it goes until every row is moved.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Begin to replace a key; no question waits for it.

    `row` and `kek` go on by themselves; of the others the covenant then takes up card.json.
    """
    require_home(home, _PARTY)
    if key not in _MOVED:
        print_result(start_next(home, _find_kind(key)), as_json=as_json)
        return
    answer = _ask_keeper(home, "keys_rotate", key=key)
    while wait and _is_busy(answer):
        _show_progress(answer)
        time.sleep(_LOOK_EVERY)
        answer = _ask_keeper(home, "keys_status")
    print_result(answer, as_json=as_json)


@keys.command(epilog="Example: datwat broker keys finish signing --home broker")
def finish(
    key: KeyArgument,
    *,
    home: HomeOption,
    at_once: AtOnceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Destroy the old signing, exchange or log key; the covenant then takes up card.json."""
    require_home(home, _PARTY)
    if key in _MOVED:
        raise typer.BadParameter(f"{key} finishes by itself: `keys status` says when.")
    print_result(finish_next(home, _find_kind(key), at_once=at_once), as_json=as_json)


@keys.command(epilog="Example: datwat broker keys abort row --home broker")
def abort(key: KeyArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """Turn a rotation back: the old key stays, and what went under the new one comes back."""
    require_home(home, _PARTY)
    if key in _MOVED:
        print_result(_ask_keeper(home, "keys_abort", key=key), as_json=as_json)
        return
    print_result(abort_next(home, _find_kind(key)), as_json=as_json)


def _find_kind(name: str) -> KeyKind:
    return find_kind(LISTED_KEYS, name, besides=_MOVED)


def _ask_keeper(home: Path, command: str, **members: str) -> dict[str, Any]:
    """Ask the process that keeps house: of several, it alone knows how far the rows are."""
    keeper = _call(home, "status")["housekeeper"]
    try:
        return _call(home, command, process=keeper, **members)
    except NotRunningError:  # it ended just now; another one takes its place
        return _call(home, command, **members)


def _is_busy(answer: dict[str, Any]) -> bool:
    return answer["row_key_step"] in {"preparing", "moving"}


def _show_progress(answer: dict[str, Any]) -> None:
    tables = f"{answer.get('tables_done', 0)}/{answer.get('tables', '?')} tables"
    typer.echo(f"{answer['row_key_step']}: {tables}, {answer.get('rows_moved', 0)} rows", err=True)
