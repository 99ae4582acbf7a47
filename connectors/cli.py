"""The commands of a connector: set up, serve, give applications a token, check the source, sync.

`status`, `check`, `sync`, `token` and `revoke` talk to the running process; `init` needs a home of
its own.
"""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from connectors.app import open_party
from connectors.errors import SyncEndsTooManyError, SyncSourceEmptyError
from connectors.identity_key import build_jwk, create_signing_key
from connectors.settings import ConnectorSettings
from datwat.party import clock
from datwat.party.admin import call_running, create_admin_token
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.serve import serve as run_party
from datwat.party.settings import SettingsError, load_settings, write_settings
from datwat.party.telemetry import configure_logging
from datwat.protocol.trust import BsnRight, Card, Partner

CARD_FILE = "card.json"
_POLL_SECONDS = 0.2
_COVENANT_DAYS = 365

app = typer.Typer(
    help="A partner's connector: client and gateway.",
    epilog="Example: datwat connector status --home youth-help",
    no_args_is_help=True,
    add_completion=False,
)


@app.command(
    epilog="Example: datwat connector init --home youth-help --id 00000099000000001000:youth-help "
    "--name 'Youth help' --domain youth --url http://127.0.0.1:8083 "
    "--bsn-right 'Jeugdwet 7.2.1;youth;register,inquire' --contact 'Front desk, 010 000 00 00'"
)
def init(  # noqa: PLR0913 - each parameter is an option of the command
    *,
    home: HomeOption,
    party_id: Annotated[str, typer.Option("--id", help="OIN, colon, function.")],
    name: Annotated[str, typer.Option(help="Name for people.")],
    domain: Annotated[str, typer.Option(help="Domain of the function, such as youth.")],
    url: Annotated[
        str, typer.Option(help="Address at which the broker reaches the gateway; '' for none.")
    ] = "",
    contact: Annotated[str, typer.Option(help="How residents reach the organisation.")] = "",
    profile: Annotated[str, typer.Option(help="What it does, in one plain sentence.")] = "",
    bsn_right: Annotated[
        list[str] | None,
        typer.Option("--bsn-right", help="law;whose;classes, where a law lets it use the BSN."),
    ] = None,
    enforcement: Annotated[bool, typer.Option("--enforcement", help="It enforces.")] = False,
    declaration: Annotated[
        list[Path] | None, typer.Option(help="File of a source declaration; may be repeated.")
    ] = None,
    withheld: Annotated[
        Path | None, typer.Option(help="File of what this source keeps to itself.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address of the gateway.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the gateway; 0 takes a free one.")] = 0,
    local_port: Annotated[int, typer.Option(help="Port of the local API; 0: a free one.")] = 0,
    covenant_days: Annotated[int, typer.Option(min=1, help="Term of the covenant.")] = (
        _COVENANT_DAYS
    ),
    as_json: JsonOption = False,
) -> None:
    """Make the home folder, the signing key, and the card for the covenant."""
    rights = tuple(_read_right(text) for text in bsn_right or ())
    write_settings(
        home,
        {
            "id": party_id,
            "name": name,
            "url": url,
            "host": host,
            "port": port,
            "local_port": local_port,
            "declaration": ",".join(str(path.resolve()) for path in declaration or ()),
            "withheld": str(withheld.resolve()) if withheld else "",
        },
    )
    settings = load_settings(ConnectorSettings, home)
    key = create_signing_key(home)
    create_admin_token(home)
    partner = Partner(
        id=settings.id,
        name=settings.name,
        domain=domain,
        enforcement=enforcement,
        covenant_until=clock.now() + timedelta(days=covenant_days),
        keys=(build_jwk(key),),
        gateway_url=url or None,
        bsn_rights=rights,
        contact=contact,
        profile=profile,
    )
    card = home / CARD_FILE
    text = Card(v=1, role="partner", partner=partner).model_dump_json(indent=2)
    card.write_text(text, encoding="utf-8")
    print_result({"home": str(home), "card": str(card)}, as_json=as_json)


@app.command(epilog="Example: datwat connector serve --home youth-help")
def serve(
    *,
    home: HomeOption,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when the starting process ends.")
    ] = False,
) -> None:
    """Run the connector until it is stopped."""
    settings = load_settings(ConnectorSettings, Path(home))
    configure_logging(settings.log_level)
    run_party(partial(open_party, settings), home=settings.home, with_parent=with_parent)


@app.command(epilog="Example: datwat connector status --home youth-help --json")
def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what the running connector goes by, and how the last sync went."""
    print_result(call_running(home, "status"), as_json=as_json)


@app.command(epilog="Example: datwat connector check --home youth-help")
def check(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Hold the source declaration against the signed bundle's products; 1 if it does not fit."""
    answer = call_running(home, "check")
    if as_json or answer["findings"]:
        print_result(answer, as_json=as_json)
    else:
        print_result({"findings": "none: every declaration fits"}, as_json=False)
    if any(finding["severity"] == "error" for finding in answer["findings"]):
        raise typer.Exit(1)


@app.command(epilog="Example: datwat connector sync --home youth-help")
def sync(
    *,
    home: HomeOption,
    by: Annotated[str, typer.Option(help="Who does it, for the log.")] = "administrator",
    allow_ending: Annotated[
        bool,
        typer.Option(
            "--allow-ending", help="Also where the source misses over half of what is current."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Register, reconfirm and end involvements by difference; 1 if rows failed or it stopped."""
    state = call_running(home, "sync_start", by=by, allow_ending=allow_ending)
    console = Console(stderr=True)
    is_silent = as_json or not console.is_terminal
    with Progress(console=console, transient=True, disable=is_silent) as progress:
        task = progress.add_task("Sync", total=None)
        while state["finished_at"] is None:
            done = sum(state[name] for name in ("registered", "reconfirmed", "failed"))
            progress.update(task, total=state["total"] or None, completed=done)
            time.sleep(_POLL_SECONDS)
            state = call_running(home, "sync_status")["run"]
    for refusal in (SyncSourceEmptyError, SyncEndsTooManyError):
        if state["state"] == "stopped" and refusal.code in state["failures"]:
            raise refusal
    print_result(_describe_run(state), as_json=as_json)
    if state["failed"] or state["state"] != "finished":
        raise typer.Exit(1)


@app.command(epilog="Example: datwat connector token --home youth-help client-system")
def token(
    name: Annotated[str, typer.Argument(help="Name of the application.")],
    *,
    home: HomeOption,
    as_json: JsonOption = False,
) -> None:
    """Give an application a token for the local API. It is shown once and kept as a hash."""
    print_result(call_running(home, "token", name=name), as_json=as_json)


@app.command(epilog="Example: datwat connector revoke --home youth-help client-system")
def revoke(
    name: Annotated[str, typer.Argument(help="Name of the application.")],
    *,
    home: HomeOption,
    as_json: JsonOption = False,
) -> None:
    """Take an application's token away at once."""
    print_result(call_running(home, "revoke", name=name), as_json=as_json)


@app.command(
    "clear-alarm", epilog="Example: datwat connector clear-alarm --home youth-help 1 --by 'A. Smit'"
)
def clear_alarm(
    number: Annotated[int, typer.Argument(help="Number of the alarm, as `status` shows it.")],
    *,
    home: HomeOption,
    by: Annotated[str, typer.Option(help="Who looked, and decided to take orders again.")],
    as_json: JsonOption = False,
) -> None:
    """Take orders again after a fork of the log was looked into by a person."""
    print_result(call_running(home, "clear_alarm", number=number, by=by), as_json=as_json)


def _read_right(text: str) -> BsnRight:
    match text.split(";"):
        case [law, whose, classes]:
            uses = tuple(name.strip() for name in classes.split(","))
            return BsnRight.model_validate({"law": law, "whose": whose, "uses": uses})
    raise SettingsError("A BSN right has three parts: law;whose;classes (register,inquire,self).")


def _describe_run(state: dict[str, Any]) -> dict[str, Any]:
    failures = state["failures"]
    return {**state, "failures": [{"code": c, "rows": n} for c, n in failures.items()]}
