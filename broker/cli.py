"""The commands of the broker: set up, serve, status, suspend a partner, and special situations.

`init` needs a home of its own; all others but `serve` talk to the running process.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.adapters.database import migrate, open_engine
from broker.adapters.log_store import SqlLogStore
from broker.adapters.secrets import create_secrets
from broker.app import open_party
from broker.audit.log import create_log
from broker.audit.sealing import Sealing
from broker.settings import BrokerSettings
from datwat.party.admin import call_running, create_admin_token
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.database import find_sqlite_file
from datwat.party.serve import serve as run_party
from datwat.party.settings import load_settings, make_private_folder, write_settings
from datwat.party.telemetry import configure_logging
from datwat.protocol.trust import BrokerEntry, Card, LogEntry, PublicJwk

CARD_FILE = "card.json"

app = typer.Typer(
    help="The broker: weighs, writes down, and passes on what it cannot read.",
    epilog="Example: datwat broker status --home broker",
    no_args_is_help=True,
    add_completion=False,
)
special = typer.Typer(
    help="Special situations: why a resident is told later, until when, and opening them.",
    epilog="Example: datwat special list --home broker",
    no_args_is_help=True,
    add_completion=False,
)

PartnerArgument = Annotated[str, typer.Argument(help="The partner's id: OIN, colon, function.")]
NumberArgument = Annotated[str, typer.Argument(help="The number that `list` shows.")]


@app.command(
    epilog="Example: datwat broker init --home broker --id 00000099000000003000:broker "
    "--name Broker --url http://127.0.0.1:8080 --origin log.example/log/1 --bundle policy"
)
def init(  # noqa: PLR0913 - one parameter per option
    *,
    home: HomeOption,
    party_id: Annotated[str, typer.Option("--id", help="OIN, colon, function.")],
    name: Annotated[str, typer.Option(help="Name for people.")],
    url: Annotated[str, typer.Option(help="Address at which partners reach it.")],
    origin: Annotated[str, typer.Option(help="Name of the log; ends in a generation.")],
    bundle: Annotated[Path, typer.Option(help="Folder of the signed policy bundle.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    database_url: Annotated[str, typer.Option(help="PostgreSQL URL; empty: a SQLite file.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make the home folder, the secrets, the database with an empty log, and the card."""
    written: dict[str, str | int | bool] = {
        "id": party_id,
        "name": name,
        "url": url,
        "host": host,
        "port": port,
        "log_origin": origin,
        "bundle": str(bundle.resolve()),
    }
    if database_url:
        written["database_url"] = database_url
    write_settings(home, written)
    settings = load_settings(BrokerSettings, home)
    secrets = create_secrets(home)
    create_admin_token(home)
    database = find_sqlite_file(settings.database)
    if database is not None:
        make_private_folder(database.parent)
    engine = open_engine(settings.database)
    migrate(engine)
    store = SqlLogStore(engine)
    create_log(store, Sealing(secrets.kek, store), origin)
    store.close()
    engine.dispose()
    entry = BrokerEntry(
        id=settings.id,
        name=settings.name,
        keys=(PublicJwk(kty="OKP", crv="Ed25519", x=secrets.signing.public.raw),),
        x25519=(secrets.exchange.public.raw,),
        url=settings.url,
    )
    log = LogEntry(origin=origin, vkeys=(secrets.build_signer(origin).vkey,))
    card = home / CARD_FILE
    content = Card(v=1, role="broker", broker=entry, log=log).model_dump_json(indent=2)
    card.write_text(content, encoding="utf-8")
    print_result({"home": str(home), "card": str(card)}, as_json=as_json)


@app.command(epilog="Example: datwat broker serve --home broker")
def serve(
    *,
    home: HomeOption,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when the starting process ends.")
    ] = False,
) -> None:
    """Run the broker, with OPA beside it, until it is stopped."""
    settings = load_settings(BrokerSettings, Path(home))
    configure_logging(settings.log_level)
    run_party(partial(open_party, settings), home=settings.home, with_parent=with_parent)


@app.command(epilog="Example: datwat broker status --home broker")
def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show the trust list, the policies, the log, and what waits for a person."""
    print_result(call_running(home, "status"), as_json=as_json)


@app.command(epilog="Example: datwat broker suspend --home broker 00000099000000001000:youth-help")
def suspend(partner: PartnerArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """Close a partner here at once, whatever the trust list says."""
    print_result(call_running(home, "suspend", partner=partner), as_json=as_json)


@app.command(epilog="Example: datwat broker resume --home broker 00000099000000001000:youth-help")
def resume(partner: PartnerArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """Open a partner again that was suspended here."""
    print_result(call_running(home, "resume", partner=partner), as_json=as_json)


@special.command("list", epilog="Example: datwat special list --home broker")
def list_waiting(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what is not opened yet, the earliest end first."""
    found: list[dict[str, Any]] = []
    page = call_running(home, "special_list")["special_situations"]
    while page:
        found += page
        place = {name: page[-1][name] for name in ("until_at", "number")}
        page = call_running(home, "special_list", **place)["special_situations"]
    print_result({"special_situations": found}, as_json=as_json)


@special.command(
    "open",
    epilog="Example: datwat special open --home broker 3f2a9c01b7de --by m.jansen "
    "--role 'team manager'",
)
def open_situation(
    number: NumberArgument,
    *,
    home: HomeOption,
    by: Annotated[str, typer.Option(help="Who decides, as your own organisation knows them.")],
    role: Annotated[str, typer.Option(help="In which role; the resident reads it.")],
    as_json: JsonOption = False,
) -> None:
    """Let the residents see what waited, and tell the parties to it."""
    answer = call_running(home, "special_open", number=number, by=by, role=role)
    print_result(answer, as_json=as_json)


@special.command(
    "renew",
    epilog="Example: datwat special renew --home broker 3f2a9c01b7de --until 2026-04-01T00:00:00Z",
)
def renew_situation(
    number: NumberArgument,
    *,
    home: HomeOption,
    until: Annotated[str, typer.Option(help="The new end, such as 2026-04-01T00:00:00Z.")],
    as_json: JsonOption = False,
) -> None:
    """Move the end of a term, no further from now than the policy allows."""
    print_result(
        call_running(home, "special_renew", number=number, until_at=until), as_json=as_json
    )
