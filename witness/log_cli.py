"""The commands of an outsider: verify a log, and keep a mirror of it.

Rule: anybody can run them with nothing but the addresses and the keys; they write only into the
folder that is named, and need no party's home.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from datwat.party import clock
from datwat.party.console import JsonOption, print_result
from datwat.party.http_out import HttpOut
from witness.keys import LogKeys, Seen, derive_age, fetch_keys
from witness.mirror import Report, mirror_log
from witness.source import FolderSource, HttpSource, Source
from witness.verify import verify_log

app = typer.Typer(
    help="The log, as outsiders check it: verify, mirror, compare.",
    epilog="Example: datwat log verify http://127.0.0.1:8080/v1/log "
    "--trust-list trust/trust-list.json --pin 3f9a…",
    no_args_is_help=True,
    add_completion=False,
)

SourceArgument = Annotated[
    str, typer.Argument(help="The log's prefix (what stands before /checkpoint), or a folder.")
]
ListOption = Annotated[
    str, typer.Option("--trust-list", help="Path or URL of the trust list that has the keys.")
]
PinOption = Annotated[str, typer.Option("--pin", help="The hash of that list, typed over (hex).")]
KeyOption = Annotated[
    list[str] | None, typer.Option("--key", help="Instead of a list: a verifier key of the log.")
]
_MAX_ORIGIN = 250  # a name in a signed note (C2SP signed-note)
OriginOption = Annotated[str, typer.Option("--origin", help="With --key: the name of the log.")]
WitnessOption = Annotated[
    list[str] | None,
    typer.Option("--witness", help="With --key: a verifier key of a witness that must vouch."),
]

ResultT = TypeVar("ResultT")
_Open = Callable[[Source, LogKeys, Report], Awaitable[ResultT]]


@app.command(
    epilog="Example: datwat log verify mirror --key broker.example/log/1+5d99ff4c+ARdF… "
    "--origin broker.example/log/1 --state verified"
)
def verify(
    source: SourceArgument,
    *,
    trust_list: ListOption = "",
    pin: PinOption = "",
    key: KeyOption = None,
    origin: OriginOption = "",
    witness: WitnessOption = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder in which to keep what was verified, to go on from next time."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify every entry, tile and tag root of a log, from its public bytes alone."""
    keys = _Keys(trust_list, pin, tuple(key or ()), origin, tuple(witness or ()))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as unkept:
        folder = state or Path(unkept) / "state"

        async def run(opened: Source, known: LogKeys, report: Report) -> dict[str, Any]:
            found = await verify_log(opened, known, folder, report)
            said = _describe(found.seen, known)
            return {
                **said,
                "new_entries": found.new,
                "tag_roots": found.roots,
                "counted_up_to": found.covered,
                "not_counted_yet": said["entries"] - found.covered,
                "seconds": round(time.monotonic() - began, 2),
            }

        print_result({"verified": True, **_run(source, keys, run)}, as_json=as_json)


@app.command(
    epilog="Example: datwat log mirror http://127.0.0.1:8080/v1/log mirror "
    "--trust-list trust/trust-list.json --pin 3f9a…"
)
def mirror(
    source: SourceArgument,
    folder: Annotated[Path, typer.Argument(help="The folder to keep the mirror in.")],
    *,
    trust_list: ListOption = "",
    pin: PinOption = "",
    key: KeyOption = None,
    origin: OriginOption = "",
    witness: WitnessOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a log into a folder that any static web server can serve; verify what is fetched."""
    keys = _Keys(trust_list, pin, tuple(key or ()), origin, tuple(witness or ()))

    async def run(opened: Source, known: LogKeys, report: Report) -> dict[str, Any]:
        found = await mirror_log(opened, known, folder, report)
        return {
            "mirror": str(folder),
            **_describe(found.seen, known),
            "new_entries": found.new,
        }

    print_result(_run(source, keys, run), as_json=as_json)


class _Keys:
    """Where the keys come from: a pinned list, or the command line."""

    def __init__(
        self,
        trust_list: str,
        pin: str,
        keys: tuple[str, ...],
        origin: str,
        witnesses: tuple[str, ...],
    ) -> None:
        if bool(trust_list) == bool(keys):
            raise typer.BadParameter("Name the keys: --trust-list with --pin, or --key.")
        if trust_list and not pin:
            raise typer.BadParameter("--trust-list needs --pin: the hash of the list, typed over.")
        if keys and not origin:
            raise typer.BadParameter("--key needs --origin: the name of the log.")
        if len(origin) > _MAX_ORIGIN:
            raise typer.BadParameter("--origin is too long: it is the name before the + of --key.")
        self._list = (trust_list, pin)
        self._typed = None if trust_list else LogKeys.typed_in(origin, keys, witnesses)

    async def fetch(self, http: HttpOut) -> LogKeys:
        return self._typed or await fetch_keys(*self._list, http)


def _run(source: str, keys: _Keys, run: _Open[ResultT]) -> ResultT:
    """Open the source, fetch the keys, and carry out `run` under a bar on standard error."""

    async def carry_out(report: Report) -> ResultT:
        async with HttpOut() as http:
            is_url = source.startswith(("http://", "https://"))
            opened = HttpSource(http, source) if is_url else FolderSource(Path(source))
            return await run(opened, await keys.fetch(http), report)

    with _bar() as report:
        return asyncio.run(carry_out(report))


@contextmanager
def _bar() -> Iterator[Report]:
    """Show how far it is, to a person who looks."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    columns = (TextColumn("entries"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("entries", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _describe(seen: Seen, keys: LogKeys) -> dict[str, Any]:
    """Return what is said of a checkpoint; the age is that of the cosignature that completes it."""
    age = derive_age(seen, keys.threshold, clock.now())
    return {
        "origin": seen.checkpoint.origin,
        "entries": seen.checkpoint.size,
        "root": seen.checkpoint.root.hex(),
        "cosignatures": len(seen.cosignatures),
        "cosignatures_needed": keys.threshold,
        "cosigned_by": [one.name for one in seen.cosignatures],
        "cosigned_seconds_ago": None if age is None else int(age.total_seconds()),
    }
