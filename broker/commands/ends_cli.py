"""The commands about ends: housekeeping, erasure on request, backup, restore.

`housekeep`, `erase` and `backup` talk to the running broker, `restore` needs it stopped.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.restoring import Restoration, Wanted
from broker.settings import BrokerSettings
from datwat.party import clock
from datwat.party.admin import call_party, call_running
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.running import holding_stopped
from datwat.party.settings import load_settings, require_home

_call = partial(call_party, "broker")

housekeep_app = typer.Typer(no_args_is_help=False, add_completion=False)
backup_app = typer.Typer(add_completion=False)
restore_app = typer.Typer(add_completion=False)


@housekeep_app.command(epilog="Example: datwat housekeep --home broker --dry-run")
def housekeep(
    *,
    home: HomeOption,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what is due; change nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """End now, in the running broker, what is due, instead of in its next rounds."""
    if dry_run:
        print_result(_call(home, "housekeep_due")["due"], as_json=as_json)
        return
    ended: Counter[str] = Counter()
    answer: dict[str, Any] = {"more": True}
    keeper = _call(home, "status")["housekeeper"]
    while answer["more"]:
        answer = call_running(home, "housekeep", process=keeper)
        ended.update(answer["ended"])
        if answer["failed"]:
            break
    print_result({**ended, "failed": answer["failed"]}, as_json=as_json)


def erase(
    number: Annotated[
        int,
        typer.Argument(
            help="The number of the wish, as the portal gave it to the resident.",
            show_default=False,
            min=0,
        ),
    ],
    *,
    home: HomeOption,
    by: Annotated[str, typer.Option(help="Who decides, as your own organisation knows them.")],
    role: Annotated[str, typer.Option(help="In which role; the resident reads it.")],
    second_by: Annotated[str, typer.Option(help="Who decides together with them.")],
    second_role: Annotated[str, typer.Option(help="In which role.")],
    reason: Annotated[str, typer.Option(help="Why; the resident reads it.")],
    as_json: JsonOption = False,
) -> None:
    """Answer a resident's wish that contents of their log be erased (AVG 17).

    Contents, and the pointer that they tell of, are destroyed, unless a law obliges to keep them;
    either answer stands in the resident's log. The same again changes nothing.
    """
    asked = {"by": by, "role": role, "second_by": second_by, "second_role": second_role}
    answer = _call(home, "erase", number=number, **asked, reason=reason)
    print_result(answer, as_json=as_json)


@backup_app.command(epilog="Example: datwat backup --home broker /backups/broker-monday.age")
def backup(
    file: Annotated[Path, typer.Argument(help="The new file.", show_default=False)],
    *,
    home: HomeOption,
    to: Annotated[
        str, typer.Option(help="An age public key; empty: `backup_recipient` of the settings.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Write the running broker's database to a file that its keys and another one open."""
    answer = _call(home, "backup", path=str(file.absolute()), recipient=to)
    while not answer["done"]:
        answer = _call(home, "backup_wait")
    print_result({"file": str(file), **answer}, as_json=as_json)


@restore_app.command(
    epilog="Example: datwat restore --home broker --key backup.key --mirror mirror monday.age"
)
def restore(
    file: Annotated[
        Path, typer.Argument(help="The backup.", show_default=False, exists=True, dir_okay=False)
    ],
    *,
    home: HomeOption,
    key: Annotated[
        Path,
        typer.Option(
            help="File with the age private key.", show_default=False, exists=True, dir_okay=False
        ),
    ],
    mirror: Annotated[
        Path | None,
        typer.Option(
            help="Folder made by `datwat log mirror`, for entries after the backup.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Put a stopped broker's database back, with what ended since ended again.

    Ends with 1, after everything else was put back, where keys in the backup do not open.
    """
    require_home(home, "broker")
    settings = load_settings(BrokerSettings, home)
    with holding_stopped(settings.home):
        result = Restoration(settings, Wanted(file, key, mirror), clock.now()).run()
    print_result(result, as_json=as_json)
    if not result["whole"]:
        typer.echo(_describe_damage(result), err=True)
        raise typer.Exit(1)


def _describe_damage(result: dict[str, Any]) -> str:
    """Say what did not open, what that means and what to do; whose it is, is not said."""
    said = ["The database is put back and takes its place, but not everything in it opens."]
    persons = result["chain_keys_damaged"]
    if persons:
        said.append(
            f"The chain keys of {persons} person(s) are damaged: nothing new can be logged about "
            f"them, and of the {result['entries_of_unknown']} entries of nobody known some may be "
            "theirs."
        )
    if result["auditors_chain_key_damaged"]:
        said.append("The chain key of the auditor's roll is damaged: the broker will not start.")
    said.append(
        "Restore an older backup in which they are whole, or begin a new generation of the log: "
        "it gives everybody a new chain key (datwat log new-generation)."
    )
    return " ".join(said)
