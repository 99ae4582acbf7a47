"""The command of the demo: builds the covenant, plays the cases, ends with nothing left behind."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from datwat.party.console import JsonOption
from datwat.party.errors import PartyError
from datwat.protocol.bundle import TEXTS_PATH, read_archive
from demo.covenant import APPLICATION, Covenant, build_login, prepare
from demo.model import CASES, Case, load_cases, load_partners
from demo.player import play_case
from demo.processes import Processes
from demo.setting_up import build
from demo.show import Story

_KEEP_SECONDS = 0.5

app = typer.Typer(add_completion=False)


class CaseUnknownError(PartyError):
    """There is no case with this number."""

    code = "demo_case_unknown"
    default_detail = "There is no case with this number: choose one of 1 to 6."


@app.command(epilog="Example: datwat demo --case 3")
def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the parties running until Ctrl-C.")
    ] = False,
    case: Annotated[
        list[int] | None,
        typer.Option("--case", help="Play this case only (can be given more than once)."),
    ] = None,
    cases: Annotated[Path, typer.Option(help="Folder with the case files.")] = CASES,
    as_json: JsonOption = False,
) -> None:
    """Play the six cases with real processes; exit 1 if anything comes out otherwise."""
    began = time.monotonic()
    chosen = _choose(load_cases(cases), case)
    console = Console(soft_wrap=False, highlight=False, quiet=as_json)
    with _end_by_signal(), open_folder() as folder, Processes(folder) as processes:
        progress = _build_progress(console, began)
        covenant = prepare(folder, load_partners())
        try:
            build(covenant, chosen, processes, progress)
            differences = _play(covenant, chosen, console)
            seconds = round(time.monotonic() - began, 1)
            _print_end(differences, chosen, seconds, console, as_json=as_json)
            if keep:
                _keep(covenant, chosen, processes, console)
        finally:
            covenant.close()
    if any(differences.values()):
        raise typer.Exit(1)


def _choose(cases: Sequence[Case], numbers: Sequence[int] | None) -> list[Case]:
    chosen = [one for one in cases if not numbers or one.number in numbers]
    if not chosen or (numbers and set(numbers) - {one.number for one in chosen}):
        raise CaseUnknownError
    return chosen


def _play(covenant: Covenant, cases: Sequence[Case], console: Console) -> dict[int, list[str]]:
    archive = (covenant.home("policy") / "bundle.tar.gz").read_bytes()
    texts = json.loads(read_archive(archive)[TEXTS_PATH])
    story = Story(console, covenant.partners, texts)
    differences: dict[int, list[str]] = {}
    for one in cases:
        story.begin(one)
        differences[one.number] = play_case(covenant, one, story.show)
        story.end(one, differences[one.number])
    return differences


def _print_end(
    differences: dict[int, list[str]],
    cases: Sequence[Case],
    seconds: float,
    console: Console,
    *,
    as_json: bool,
) -> None:
    if as_json:
        played: list[dict[str, Any]] = [
            {"case": one.number, "title": one.title, "differences": differences[one.number]}
            for one in cases
        ]
        typer.echo(json.dumps({"seconds": seconds, "cases": played}, ensure_ascii=False))
        return
    failed = [text for found in differences.values() for text in found]
    console.print()
    for text in failed:
        console.print(f"[bold red]NOT AS EXPECTED[/bold red] {text}", markup=True)
    count = len(cases)
    word = "came out as expected" if not failed else f"{len(failed)} expectations failed"
    console.print(f"[bold]{count} of {count} cases played in {seconds} s: {word}.[/bold]")


def _keep(
    covenant: Covenant, cases: Sequence[Case], processes: Processes, console: Console
) -> None:
    """Say where everything is, and wait for Ctrl-C or for a process that ends by itself."""
    console.print("\n[bold]The covenant is running. Ctrl-C ends it.[/bold]")
    for name in ("broker", "key-holder", "portal", "identity"):
        console.print(f"  {name:18} {covenant.url(name)}")
    for function in covenant.partners:
        token = covenant.home(function) / "secrets" / f"{APPLICATION}.token"
        local = covenant.local_url(function)
        console.print(f"  {function:18} {local}  token in {token}", soft_wrap=True)
    logins = ", ".join(build_login(one, who) for one in cases for who in one.people)
    console.print(f"  log in at {covenant.url('portal')}/login as: {logins}", soft_wrap=True)
    console.print("For another terminal, as docs/tutorial/new-partner.md uses them:")
    places = {
        "COVENANT": str(covenant.folder),
        "TEAM": covenant.local_url("social-team"),
        "PORTAL": covenant.url("portal"),
    }
    line = " ".join(f"{name}={shlex.quote(value)}" for name, value in places.items())
    console.print(f"  export {line}", soft_wrap=True)
    while processes.find_ended() is None:
        time.sleep(_KEEP_SECONDS)


def _build_progress(console: Console, began: float) -> Callable[[str], None]:
    def progress(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:5.1f} s[/dim]  {text}")

    return progress


@contextmanager
def open_folder() -> Iterator[Path]:
    """Yield a private folder that is gone afterwards, with what lies beside it under its name."""
    folder = Path(tempfile.mkdtemp(prefix="datwat-demo-"))
    try:
        yield folder
    finally:
        for path in folder.parent.glob(f"{folder.name}*"):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _end_by_signal() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an ordinary end, so that everything is cleared away."""

    def end(_number: int, _frame: object) -> None:
        sys.exit(1)

    earlier = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Abort from None
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
