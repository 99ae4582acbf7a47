"""The commands of the broker: set up, serve, status, and suspend a partner.

`init` needs a home of its own; all others but `serve` talk to the running process.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from broker.adapters.database import migrate, open_engine
from broker.adapters.log_store import SqlLogStore
from broker.adapters.secrets import BrokerSecrets, create_secrets
from broker.app import open_party
from broker.audit.log import create_log
from broker.audit.sealing import Sealing
from broker.commands.card import build_card
from broker.commands.clients_cli import clients
from broker.commands.ends_cli import erase
from broker.commands.keys_cli import keys
from broker.commands.opa_cli import opa_config
from broker.commands.roles_cli import roles, tokens
from broker.commands.said_cli import list_erasures
from broker.settings import BrokerSettings
from datwat.party.admin import CommandSlowError, call_party, call_running
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.database import find_sqlite_file
from datwat.party.init import (
    HostOption,
    IdOption,
    NameOption,
    PortOption,
    WithParentOption,
    making_home,
    serve_home,
    write_card,
)
from datwat.party.running import NotRunningError
from datwat.party.settings import Plain, make_private_folder, require_home, write_secret
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

_PARTY = "broker"
_call = partial(call_party, _PARTY)

app = typer.Typer(
    help="The broker: weighs, writes down, and passes on what it cannot read.",
    epilog="Example: datwat broker status --home broker",
    no_args_is_help=True,
    add_completion=False,
)

ProcessOption = Annotated[
    int,
    typer.Option(
        "--process", min=1, max=64, help="Which one of several processes on one database this is."
    ),
]
PartnerArgument = Annotated[str, typer.Argument(help="The partner's id: OIN, colon, function.")]


@app.command(
    epilog="Example: datwat broker init --home broker --id 00000099000000003000:broker "
    "--name Broker --url http://127.0.0.1:8080 --origin log.example/log/1 --bundle policy"
)
def init(  # noqa: PLR0913 - one parameter per option
    *,
    home: HomeOption,
    party_id: IdOption,
    name: NameOption,
    url: Annotated[str, typer.Option(help="Address at which partners reach it.")],
    origin: Annotated[str, typer.Option(help="Name of the log; ends in a generation.")],
    bundle: Annotated[Path, typer.Option(help="Folder of the signed policy bundle.")],
    host: HostOption = "127.0.0.1",
    port: PortOption = 0,
    database_url: Annotated[str, typer.Option(help="PostgreSQL URL; empty: a SQLite file.")] = "",
    pages_url: PagesUrlOption = "",
    pages_host: PagesHostOption = "127.0.0.1",
    pages_port: PagesPortOption = 0,
    staff_issuer: StaffIssuerOption = "",
    staff_client_id: StaffClientOption = "",
    staff_client_secret_file: StaffSecretOption = None,
    staff_id_claim: StaffIdOption = "sub",
    staff_roles_claim: Annotated[
        str, typer.Option(help="The claim with somebody's roles: a list of organisation:role.")
    ] = "roles",
    staff_levels: StaffLevelsOption = f"{SUBSTANTIAL},{HIGH}",
    as_json: JsonOption = False,
) -> None:
    """Make the home folder, the secrets, the database with an empty log, and the card."""
    # Read first: a file that is not there must not leave half a home behind.
    secret = staff_client_secret_file.read_bytes().strip() if staff_client_secret_file else None
    values: dict[str, Plain] = {"id": party_id, "name": name, "url": url}
    values |= {"host": host, "port": port, "log_origin": origin, "bundle": str(bundle.resolve())}
    if database_url:
        values["database_url"] = database_url
    if pages_url or staff_issuer or staff_client_id:
        values |= {"pages_url": pages_url, "pages_host": pages_host, "pages_port": pages_port}
        values |= {"staff_issuer": staff_issuer, "staff_client_id": staff_client_id}
        values |= {"staff_id_claim": staff_id_claim, "staff_roles_claim": staff_roles_claim}
        values["staff_levels"] = staff_levels
    with making_home(home, _PARTY, BrokerSettings, values) as settings:
        if secret is not None:
            write_secret(home, STAFF_SECRET_NAME, secret)
        secrets = create_secrets(home)
        card = build_card(settings, secrets)
        _create_database(settings, secrets)
        write_card(home, card, as_json=as_json)


def _create_database(settings: BrokerSettings, secrets: BrokerSecrets) -> None:
    """Make the tables, and a log without entries."""
    database = find_sqlite_file(settings.database)
    if database is not None:
        make_private_folder(database.parent)
    engine = open_engine(settings.database)
    migrate(engine)
    store = SqlLogStore(engine)
    create_log(store, Sealing(secrets.kek, store), settings.log_origin)
    store.close()
    engine.dispose()


@app.command(epilog="Example: datwat broker serve --home broker")
def serve(
    *, home: HomeOption, with_parent: WithParentOption = False, process: ProcessOption = 1
) -> None:
    """Run the broker, with OPA beside it, until it is stopped."""
    serve_home(
        *(_PARTY, BrokerSettings, open_party),
        home=home,
        with_parent=with_parent,
        process=process,
    )


@app.command(epilog="Example: datwat broker status --home broker")
def status(
    *,
    home: HomeOption,
    process: Annotated[
        int,
        typer.Option("--process", min=0, max=64, help="Which one; 0: the one that keeps house."),
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Show the trust list, the policies, the log, and what waits for a person."""
    require_home(home, _PARTY)
    found = call_running(home, "status", process=process or None)
    keeper = found["housekeeper"]
    if not process and keeper not in (None, found["process"]):
        # It runs on another machine, ended just now, or hangs.
        with suppress(NotRunningError, CommandSlowError):
            found = call_running(home, "status", process=keeper)
    print_result(found, as_json=as_json)


@app.command(epilog="Example: datwat broker suspend --home broker 00000099000000001000:youth-help")
def suspend(partner: PartnerArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """Close a partner here at once, whatever the trust list says."""
    print_result(_call(home, "suspend", partner=partner), as_json=as_json)


@app.command(epilog="Example: datwat broker resume --home broker 00000099000000001000:youth-help")
def resume(partner: PartnerArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """Open a partner again that was suspended here."""
    print_result(_call(home, "resume", partner=partner), as_json=as_json)


app.command(
    "erase",
    epilog="Example: datwat broker erase 4711 --home broker --by m.jansen --role 'privacy officer' "
    "--second-by p.smit --second-role 'team manager' --reason 'The help ended long ago'",
)(erase)
app.command("erasures", epilog="Example: datwat broker erasures --home broker")(list_erasures)
app.add_typer(clients, name="clients")
app.add_typer(keys, name="keys")
app.add_typer(roles, name="roles")
app.add_typer(tokens, name="tokens")
app.command(
    "opa-config", epilog="Example: datwat broker opa-config --home broker --port 8182 --json"
)(opa_config)
