"""`datwat purpose try | mutate | replay`: a draft tried, by an officer or on the files of a folder.

Rules: with a home it is tried by the running broker, on the bundle in force; without one on a
folder of policies, here. What is printed names nobody.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from broker.commands.authoring_cli import read_text
from broker.commands.trial_printing import print_cases, print_mutation, print_replay
from broker.policy.publication import build_publication
from broker.policy.trial import open_trial_bundle
from broker.purposes.bundled_cases import read_bases, read_cases
from broker.purposes.case_texts import derive_era, read_case_text
from broker.purposes.cases import Case
from broker.purposes.errors import PolicyFileError
from broker.purposes.models import Purpose
from broker.trying.trial_process import Task, TaskName, run_task
from datwat.party import clock
from datwat.party.admin import call_party
from datwat.party.console import JsonOption, print_result
from datwat.party.settings import HOME_VARIABLE
from datwat.party.strict_yaml import read_model

_call = partial(call_party, "broker")
_POLICIES = Path(__file__).resolve().parents[2] / "policies"
_PAUSE = 1.0
_HEX_LENGTH = 32

replay = typer.Typer(
    help="What a draft would have decided: every decision that was kept, put to it.",
    epilog="Example: datwat purpose replay start debt_counselling.yaml --home broker",
    no_args_is_help=True,
    add_completion=False,
)

DraftArgument = Annotated[
    str,
    typer.Argument(
        help="A YAML file with the purpose; with --home also the id of a draft.",
        show_default=False,
    ),
]
CasesOption = Annotated[
    Path | None,
    typer.Option("--cases", help="A YAML file with its cases.", show_default="those in force"),
]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar=HOME_VARIABLE,
        help="Home folder of the running broker.",
        show_default="none: on the folder of policies",
    ),
]
RunningOption = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar=HOME_VARIABLE,
        help="Home folder of the running broker.",
        show_default=False,
    ),
]
PoliciesOption = Annotated[
    Path,
    typer.Option("--policies", envvar="DATWAT_POLICIES", help="The folder with Rego and YAML."),
]
NumberArgument = Annotated[
    int | None,
    typer.Argument(help="The number of the replay.", show_default="the newest", min=1),
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until it is done.")]


def try_draft(
    draft: DraftArgument,
    *,
    home: HomeOption = None,
    cases: CasesOption = None,
    policies: PoliciesOption = _POLICIES,
    as_json: JsonOption = False,
) -> None:
    """Put the cases to a draft: found beside expected. Exits 1 if any comes out otherwise."""
    if home is None:
        result = _run_here("cases", draft, cases, policies)
    else:
        result = _call(home, "trial_cases", **_read_draft(draft, cases))
    if as_json:
        print_result(result, as_json=True)
    else:
        print_cases(result)
    if result["failed"]:
        raise typer.Exit(1)


def mutate(
    draft: DraftArgument,
    *,
    home: HomeOption = None,
    cases: CasesOption = None,
    policies: PoliciesOption = _POLICIES,
    as_json: JsonOption = False,
) -> None:
    """Take each condition of a draft out in turn. Exits 1 if no case notices one of them."""
    if home is None:
        result = _run_here("mutate", draft, cases, policies)
    else:
        _call(home, "trial_mutate", **_read_draft(draft, cases))
        result = _await_mutation(home)
    if as_json:
        print_result(result, as_json=True)
    else:
        print_mutation(result)
    if result["unnoticed"]:
        raise typer.Exit(1)


@replay.command(epilog="Example: datwat purpose replay start debt_counselling.yaml --home broker")
def start(
    draft: DraftArgument,
    *,
    home: RunningOption,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Begin to put every decision that was kept to a draft."""
    begun = _call(home, "replay_start", **_read_draft(draft, None))
    _show(home, begun, wait=wait, as_json=as_json)


@replay.command(epilog="Example: datwat purpose replay without early_debt_signals --home broker")
def without(
    purpose: Annotated[str, typer.Argument(help="The purpose to take out.", show_default=False)],
    *,
    home: RunningOption,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Begin the same for a purpose that would be withdrawn."""
    begun = _call(home, "replay_withdrawal", purpose=purpose)
    _show(home, begun, wait=wait, as_json=as_json)


@replay.command(epilog="Example: datwat purpose replay status --home broker")
def status(
    number: NumberArgument = None, *, home: RunningOption, as_json: JsonOption = False
) -> None:
    """Show how far a replay is."""
    print_replay(_call(home, "replay_status", number=number), as_json=as_json, is_short=True)


@replay.command(epilog="Example: datwat purpose replay result --home broker")
def result(
    number: NumberArgument = None, *, home: RunningOption, as_json: JsonOption = False
) -> None:
    """Show what would be decided otherwise, by purpose and partner."""
    print_replay(_call(home, "replay_status", number=number), as_json=as_json)


@replay.command("list", epilog="Example: datwat purpose replay list --home broker")
def list_replays(*, home: RunningOption, as_json: JsonOption = False) -> None:
    """Show the newest replays."""
    found = _call(home, "replay_list")
    if not found["replays"] and not as_json:
        typer.echo("No replay was begun yet.")
        return
    names = ("number", "state", "purpose", "at_index", "to_index", "newly_allowed", "started_at")
    rows = [{name: one[name] for name in names} for one in found["replays"]]
    print_result(found if as_json else {"replays": rows}, as_json=as_json)


@replay.command(epilog="Example: datwat purpose replay stop --home broker")
def stop(
    number: NumberArgument = None, *, home: RunningOption, as_json: JsonOption = False
) -> None:
    """Stop a replay; what was counted stays."""
    print_replay(_call(home, "replay_stop", number=number), as_json=as_json, is_short=True)


@replay.command(epilog="Example: datwat purpose replay resume --home broker --wait")
def resume(
    number: NumberArgument = None,
    *,
    home: RunningOption,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with a replay that was stopped, was interrupted or failed."""
    _show(home, _call(home, "replay_resume", number=number), wait=wait, as_json=as_json)


@replay.command("sign-off", epilog="Example: datwat purpose replay sign-off --home broker")
def sign_off(
    number: NumberArgument = None, *, home: RunningOption, as_json: JsonOption = False
) -> None:
    """State on the log that what the draft newly allows is meant; it names no person."""
    signed = _call(home, "replay_sign_off", number=number)
    print_replay(signed, as_json=as_json, is_short=True)


def _read_draft(draft: str, cases: Path | None) -> dict[str, Any]:
    """Return what the broker is asked to try: an id, or the texts of files."""
    path = Path(draft)
    if len(draft) == _HEX_LENGTH and not path.exists():
        return {"draft": draft}
    return {"text": read_text(path), "cases": "" if cases is None else read_text(cases)}


def _run_here(name: TaskName, draft: str, cases: Path | None, policies: Path) -> dict[str, Any]:
    """Try a file on a folder of policies, without a broker."""
    purpose: Purpose = read_model(Path(draft), Purpose, PolicyFileError)
    archive = build_publication(policies)
    task = Task(
        name=name,
        archive=archive,
        now=clock.now().replace(microsecond=0),
        purpose=purpose.id,
        draft=purpose,
        cases=None if cases is None else _read_cases(cases, purpose, archive),
    )
    with asyncio.Runner() as runner:
        found: dict[str, Any] = runner.run(run_task(task, lambda _line: None))
    return found


def _read_cases(path: Path, purpose: Purpose, archive: bytes) -> tuple[Case, ...]:
    bundled = open_trial_bundle(archive).cases
    era = derive_era(read_cases(bundled), purpose)
    return read_case_text(read_text(path), path.name, purpose, read_bases(bundled), era)


def _await_mutation(home: Path) -> dict[str, Any]:
    """Return the result of the mutation check that runs."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("Mutants", total=None)
        while (job := _call(home, "trial_mutation"))["state"] == "running":
            progress.update(bar, total=job["total"] or None, completed=job["done"])
            time.sleep(_PAUSE)
    if job["result"] is None:
        raise PolicyFileError(job["detail"])
    found: dict[str, Any] = job["result"]
    return found


def _show(home: Path, found: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    """Print a replay that runs, or wait for its end and print what it found."""
    if wait:
        number = found["number"]
        with Progress(console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("Decisions", total=found["to_index"])
            while found["state"] == "running":
                progress.update(bar, completed=found["at_index"])
                time.sleep(_PAUSE)
                found = _call(home, "replay_status", number=number)
    print_replay(found, as_json=as_json, is_short=not wait)
