"""The command of the demo: builds the covenant, plays the cases, ends with nothing left behind."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from datwat.party.console import JsonOption
from datwat.party.errors import PartyError
from datwat.protocol.bundle import TEXTS_PATH, read_archive
from demo.covenant import (
    APPLICATION,
    WITH_PAGES,
    Covenant,
    build_users,
    find_staff,
    prepare,
)
from demo.model import CASES, Case, load_cases, load_partners
from demo.officers import OFFICERS, PASSPHRASE
from demo.player import play_case
from demo.processes import ChildEndedError, Processes, keep_log
from demo.setting_up import build
from demo.several.playing import Meanwhile, Report, TooFewCasesError
from demo.several.saying import describe_report, explain_meanwhile, print_report
from demo.several.servers import Servers
from demo.several.soon import SOON
from demo.show import Story

_KEEP_SECONDS = 0.5

app = typer.Typer(add_completion=False)


class StoppedError(PartyError):
    """Somebody stopped the demo before it was through."""

    code = "demo_stopped"
    default_detail = "The demo was stopped before its end: every party has ended, nothing is left."


class CaseUnknownError(PartyError):
    """There is no case with this number."""

    code = "demo_case_unknown"
    default_detail = "There is no case with this number: choose one of 1 to 7."


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
    brokers: Annotated[
        int,
        typer.Option(
            min=1,
            max=8,
            help="More than 1: the broker is so many processes on PostgreSQL with a standby, which "
            "is promoted, and every key is replaced, while cases are played.",
        ),
    ] = 1,
    cases: Annotated[Path, typer.Option(help="Folder with the case files.")] = CASES,
    as_json: JsonOption = False,
) -> None:
    """Play the seven cases with real processes; exit 1 if anything comes out otherwise."""
    began = time.monotonic()
    chosen = _choose(load_cases(cases), case)
    if brokers > 1 and len(chosen) == 1:
        raise TooFewCasesError
    # This stream, also while the printing of a command beside the cases is caught.
    console = Console(file=sys.stdout, soft_wrap=False, highlight=False, quiet=as_json)
    differences: dict[int, list[str]] = {}
    with (
        _stop_by_signal(is_kept=keep),
        open_folder() as folder,
        Processes(folder, SOON if brokers > 1 else ()) as processes,
        _say_stop(console),
        contextlib.closing(prepare(folder, load_partners(), brokers=brokers)) as covenant,
    ):
        servers = Servers(folder, processes) if brokers > 1 else None
        build(covenant, chosen, processes, _build_progress(console, began), servers)
        meanwhile = None
        if servers is not None:
            numbers = [one.number for one in chosen]
            meanwhile = Meanwhile(covenant, processes, servers, numbers, began=began)
        differences = _play(covenant, chosen, console, meanwhile)
        report = meanwhile.report if meanwhile else None
        seconds = round(time.monotonic() - began, 1)
        _print_end(differences, chosen, seconds, console, report, as_json=as_json)
        if keep:
            _print_places(covenant, chosen, console)
            await_stop(processes, lambda text: console.print(text, soft_wrap=True))
    if any(differences.values()) or (report is not None and report.differences):
        raise typer.Exit(1)


def _choose(cases: Sequence[Case], numbers: Sequence[int] | None) -> list[Case]:
    chosen = [one for one in cases if not numbers or one.number in numbers]
    if not chosen or (numbers and set(numbers) - {one.number for one in chosen}):
        raise CaseUnknownError
    return chosen


def _play(
    covenant: Covenant, cases: Sequence[Case], console: Console, meanwhile: Meanwhile | None
) -> dict[int, list[str]]:
    archive = (covenant.home("policy") / "bundle.tar.gz").read_bytes()
    texts = json.loads(read_archive(archive)[TEXTS_PATH])
    story = Story(console, covenant.partners, texts)
    story.explain()
    differences: dict[int, list[str]] = {}
    if meanwhile is not None:
        explain_meanwhile(covenant.brokers, console)
        meanwhile.begin()
    for one in cases:
        story.begin(one)
        play = meanwhile.play if meanwhile else partial(play_case, covenant)
        differences[one.number] = play(one, story.show)
        story.end(one, differences[one.number])
    if meanwhile is not None:
        meanwhile.end()
    return differences


def _print_end(
    differences: dict[int, list[str]],
    cases: Sequence[Case],
    seconds: float,
    console: Console,
    report: Report | None,
    *,
    as_json: bool,
) -> None:
    if as_json:
        played: list[dict[str, Any]] = [
            {"case": one.number, "title": one.title, "differences": differences[one.number]}
            for one in cases
        ]
        beside = {} if report is None else {"meanwhile": describe_report(report)}
        said = {"seconds": seconds, "cases": played, **beside}
        typer.echo(json.dumps(said, ensure_ascii=False))
        return
    failed = [text for found in differences.values() for text in found]
    if report is not None:
        print_report(report, console)
        failed += report.differences
    console.print()
    for text in failed:
        console.print(f"[bold red]NOT AS EXPECTED[/bold red] {text}", markup=True)
    count = len(cases)
    word = "came out as expected" if not failed else f"{len(failed)} expectations failed"
    console.print(f"[bold]{count} of {count} cases played in {seconds} s: {word}.[/bold]")


def _print_places(covenant: Covenant, cases: Sequence[Case], console: Console) -> None:
    """Say where everything is, and who can log in."""
    console.print("\n[bold]The covenant is running. Ctrl-C ends it.[/bold]")
    for name in ("broker", "key-holder", "witness", "portal", "identity"):
        console.print(f"  {name:18} {covenant.url(name)}")
    for function in covenant.partners:
        token = covenant.home(function) / "secrets" / f"{APPLICATION}.token"
        local = covenant.local_url(function)
        console.print(f"  {function:18} {local}  token in {token}", soft_wrap=True)
    for function in WITH_PAGES:
        staff = ", ".join(find_staff(cases, function)) or "nobody of the cases that were played"
        where = f"{covenant.pages_url(function)}/login"
        console.print(f"  staff of {function}: log in at {where} as: {staff}", soft_wrap=True)
    officers = ", ".join(f"{name} ({role})" for name, (role, _key) in OFFICERS.items())
    where = f"{covenant.pages_url('broker')}/login"
    console.print(f"  officers: log in at {where} as: {officers}", soft_wrap=True)
    console.print(f"  passphrase of both approvers' keys: {PASSPHRASE}", soft_wrap=True)
    logins = ", ".join(build_users(cases))
    where = f"{covenant.url('portal')}/login"
    console.print(f"  residents: log in at {where} as: {logins}", soft_wrap=True)
    console.print("For another terminal, as docs/tutorial/new-partner.md uses them:")
    places = {
        "COVENANT": str(covenant.folder),
        "TEAM": covenant.local_url("social-team"),
        "PORTAL": covenant.url("portal"),
    }
    line = " ".join(f"{name}={shlex.quote(value)}" for name, value in places.items())
    console.print(f"  export {line}", soft_wrap=True)


def await_stop(processes: Processes, say: Callable[[str], None]) -> None:
    """Wait until a signal stops this process; raise ChildEndedError if another ends by itself.

    A process that somebody stops (exit code 0) is said, and the others go on without it.
    """
    while (ended := processes.find_ended()) is None or not ended.process.returncode:
        if ended is None:
            time.sleep(_KEEP_SECONDS)
            continue
        processes.children.remove(ended)
        say(f"{ended.name} was stopped; the others go on.")
    raise ChildEndedError(
        f"{ended.name} ended by itself (exit code {ended.process.returncode}), so everything was "
        f"ended; its log is kept in {keep_log(ended)}."
    )


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
def _stop_by_signal(*, is_kept: bool) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into an ordinary end, so that everything is cleared away.

    Who keeps the covenant running ends it in this way: that is no failure.
    """
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(_number: int, _frame: object) -> None:
        for name in names:
            signal.signal(name, signal.SIG_IGN)  # a second one must not cut the clearing away short
        raise KeyboardInterrupt

    earlier = {name: signal.signal(name, stop) for name in names}
    try:
        yield
    except KeyboardInterrupt:
        if not is_kept:
            raise StoppedError from None
    finally:
        for name, handler in earlier.items():
            signal.signal(name, handler)


@contextmanager
def _say_stop(console: Console) -> Iterator[None]:
    """Say that all is being ended, before it is: that takes a few seconds."""
    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal may be gone
            console.print("\n[bold]Stopping: every party is ended, and the folder cleared.[/bold]")
        raise
