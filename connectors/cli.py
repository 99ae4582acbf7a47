"""The commands of a connector: set up, serve, give applications a token, check the source, sync.

`status`, `check`, `sync`, `figures`, `token` and `revoke` talk to the running process; `init` needs
a home of its own.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from connectors.app import open_party
from connectors.errors import SyncEndsTooManyError, SyncSourceEmptyError
from connectors.identity_key import build_jwk, create_signing_key
from connectors.keys_cli import PARTNER_KEYS
from connectors.settings import ConnectorSettings
from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, OutOption, print_result, write_result
from datwat.party.faults import describe_first_fault
from datwat.party.init import (
    COVENANT_DAYS,
    ContactOption,
    DaysOption,
    HostOption,
    IdOption,
    NameOption,
    PortOption,
    WithParentOption,
    derive_covenant_end,
    making_home,
    serve_home,
    write_card,
)
from datwat.party.own_keys_cli import build_keys_app
from datwat.party.settings import Plain, SettingsError, write_secret
from datwat.protocol.trust import BsnRight, Card, Partner
from datwat.web.staff import HIGH, STAFF_SECRET_NAME, SUBSTANTIAL
from datwat.web.staff_options import (
    PagesHostOption,
    PagesPortOption,
    PagesUrlOption,
    StaffClientOption,
    StaffIdOption,
    StaffIssuerOption,
    StaffLevelsOption,
    StaffSecretOption,
)

_PARTY = "connector"
_POLL_SECONDS = 0.2
_RIGHT_PARTS = {"law": "the law", "whose": "whose BSN", "uses": "the classes"}
_call = partial(call_party, _PARTY)

app = typer.Typer(
    help="A partner's connector: client and gateway.",
    epilog="Example: datwat connector status --home youth-help",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(build_keys_app(_PARTY, _PARTY, PARTNER_KEYS), name="keys")

DomainOption = Annotated[str, typer.Option(help="Domain of the function, such as youth.")]
UrlOption = Annotated[
    str, typer.Option(help="Address at which the broker reaches the gateway; '' for none.")
]
ProfileOption = Annotated[str, typer.Option(help="What it does, in one plain sentence.")]
RightOption = Annotated[
    list[str] | None,
    typer.Option("--bsn-right", help="law;whose;classes, where a law lets it use the BSN."),
]
DeclarationOption = Annotated[
    list[Path] | None, typer.Option(help="File of a source declaration; may be repeated.")
]
WithheldOption = Annotated[
    Path | None, typer.Option(help="File of what this source keeps to itself.")
]
StaffRoleOption = Annotated[str, typer.Option(help="The claim with somebody's function.")]
LocalPortOption = Annotated[int, typer.Option(help="Port of the local API; 0: a free one.")]


@app.command(
    epilog="Example: datwat connector init --home youth-help --id 00000099000000001000:youth-help "
    "--name 'Youth help' --domain youth --url http://127.0.0.1:8083 "
    "--bsn-right 'Jeugdwet 7.2.1;youth;register,inquire' --contact '010 000 00 00'"
)
def init(  # noqa: PLR0913 - each parameter is an option of the command
    *,
    home: HomeOption,
    party_id: IdOption,
    name: NameOption,
    domain: DomainOption,
    url: UrlOption = "",
    contact: ContactOption = "",
    profile: ProfileOption = "",
    bsn_right: RightOption = None,
    enforcement: Annotated[bool, typer.Option("--enforcement", help="It enforces.")] = False,
    declaration: DeclarationOption = None,
    withheld: WithheldOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 0,
    local_port: LocalPortOption = 0,
    pages_url: PagesUrlOption = "",
    pages_host: PagesHostOption = "127.0.0.1",
    pages_port: PagesPortOption = 0,
    staff_issuer: StaffIssuerOption = "",
    staff_client_id: StaffClientOption = "",
    staff_client_secret_file: StaffSecretOption = None,
    staff_id_claim: StaffIdOption = "sub",
    staff_role_claim: StaffRoleOption = "role",
    staff_levels: StaffLevelsOption = f"{SUBSTANTIAL},{HIGH}",
    covenant_days: DaysOption = COVENANT_DAYS,
    as_json: JsonOption = False,
) -> None:
    """Make the home folder, the signing key, and the card for the covenant."""
    rights = tuple(_read_right(text) for text in bsn_right or ())
    # Read first: a file that is not there must not leave half a home behind.
    secret = staff_client_secret_file.read_bytes().strip() if staff_client_secret_file else None
    values: dict[str, Plain] = {"id": party_id, "name": name, "url": url}
    values |= {"host": host, "port": port, "local_port": local_port}
    values["declaration"] = ",".join(str(path.resolve()) for path in declaration or ())
    values["withheld"] = str(withheld.resolve()) if withheld else ""
    if pages_url or staff_issuer or staff_client_id:
        values |= {"pages_url": pages_url, "pages_host": pages_host, "pages_port": pages_port}
        values |= {"staff_issuer": staff_issuer, "staff_client_id": staff_client_id}
        values |= {"staff_id_claim": staff_id_claim, "staff_role_claim": staff_role_claim}
        values["staff_levels"] = staff_levels
    with making_home(home, _PARTY, ConnectorSettings, values) as settings:
        if secret is not None:
            write_secret(home, STAFF_SECRET_NAME, secret)
        partner = Partner(
            id=settings.id,
            name=settings.name,
            domain=domain,
            enforcement=enforcement,
            covenant_until=derive_covenant_end(covenant_days),
            keys=(build_jwk(create_signing_key(home)),),
            gateway_url=url or None,
            bsn_rights=rights,
            contact=contact,
            profile=profile,
        )
        write_card(home, Card(v=1, role="partner", partner=partner), as_json=as_json)


@app.command(epilog="Example: datwat connector serve --home youth-help")
def serve(*, home: HomeOption, with_parent: WithParentOption = False) -> None:
    """Run the connector until it is stopped."""
    serve_home(_PARTY, ConnectorSettings, open_party, home=home, with_parent=with_parent)


@app.command(epilog="Example: datwat connector status --home youth-help --json")
def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what the running connector goes by, and how the last sync went."""
    print_result(_call(home, "status"), as_json=as_json)


@app.command(epilog="Example: datwat connector check --home youth-help")
def check(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Hold the source declaration against the signed bundle's products; 1 if it does not fit."""
    answer = _call(home, "check")
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
    state = _call(home, "sync_start", by=by, allow_ending=allow_ending)
    console = Console(stderr=True)
    is_silent = as_json or not console.is_terminal
    with Progress(console=console, transient=True, disable=is_silent) as progress:
        task = progress.add_task("Sync", total=None)
        while state["finished_at"] is None:
            done = sum(state[name] for name in ("registered", "reconfirmed", "failed"))
            progress.update(task, total=state["total"] or None, completed=done)
            time.sleep(_POLL_SECONDS)
            state = _call(home, "sync_status")["run"]
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
    print_result(_call(home, "token", name=name), as_json=as_json)


@app.command(epilog="Example: datwat connector revoke --home youth-help client-system")
def revoke(
    name: Annotated[str, typer.Argument(help="Name of the application.")],
    *,
    home: HomeOption,
    as_json: JsonOption = False,
) -> None:
    """Take an application's token away at once."""
    print_result(_call(home, "revoke", name=name), as_json=as_json)


@app.command(
    "clear-alarm", epilog="Example: datwat connector clear-alarm --home youth-help 1 --by 'A. Smit'"
)
def clear_alarm(
    number: Annotated[
        int, typer.Argument(help="Number of the alarm, as `status` shows it.", min=1, max=2**31 - 1)
    ],
    *,
    home: HomeOption,
    by: Annotated[str, typer.Option(help="Who looked, and decided to take orders again.")],
    as_json: JsonOption = False,
) -> None:
    """Take orders again after a fork of the log was looked into by a person."""
    print_result(_call(home, "clear_alarm", number=number, by=by), as_json=as_json)


@app.command(epilog="Example: datwat connector entries --home youth-help --person K-1044 --json")
def entries(
    *,
    home: HomeOption,
    person: Annotated[str, typer.Option(help="Your own client number.")],
    as_json: JsonOption = False,
) -> None:
    """List what you hold of the log about a client; for the resident to compare (`log compare`).

    What the resident is told later is left out until it was opened.
    """
    held = _call(home, "entries", person=person)
    if as_json:
        print_result(held, as_json=True)
        return
    shown = ("index", "role", "act", "at", "tag")
    rows = [{name: entry[name] for name in shown} for entry in held["entries"]]
    print_result({"partner": held["partner"], "held": len(rows), "entries": rows}, as_json=False)


@app.command(
    epilog="Example: datwat connector figures --home youth-help --month 2026-10 --csv "
    "--out figures-2026-10.csv"
)
def figures(
    *,
    home: HomeOption,
    month: Annotated[
        str | None, typer.Option(help="A month that is over, such as 2026-10; else the last one.")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the figures of your own use of a month, as the broker counted them: asked and given."""
    answer = _call(home, "figures", month=month, format="csv" if csv else "json")
    write_result(answer["csv"] if csv else answer, out, as_json=as_json)


def _read_right(text: str) -> BsnRight:
    """Return the right that was typed; raise SettingsError, which says how one is written."""
    match text.split(";"):
        case [law, whose, classes]:
            uses = tuple(name.strip() for name in classes.split(","))
            try:
                return BsnRight.model_validate({"law": law, "whose": whose, "uses": uses})
            except ValidationError as error:
                sentence, place = describe_first_fault(error)
                raise SettingsError(
                    f"--bsn-right, {_RIGHT_PARTS[str(place[0])]}: {sentence}"
                ) from None
    raise SettingsError("A BSN right has three parts: law;whose;classes (register,inquire,self).")


def _describe_run(state: dict[str, Any]) -> dict[str, Any]:
    failures = state["failures"]
    return {**state, "failures": [{"code": c, "rows": n} for c, n in failures.items()]}
