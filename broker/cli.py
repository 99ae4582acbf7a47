"""The commands of the broker: set up, serve, status, suspend a partner, and special situations.

`init` needs a home of its own; all others but `serve` talk to the running process.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from broker.adapters.database import migrate, open_engine
from broker.adapters.log_store import SqlLogStore
from broker.adapters.secrets import BrokerSecrets, create_secrets
from broker.app import open_party
from broker.audit.log import create_log
from broker.audit.sealing import Sealing
from broker.clients_cli import clients
from broker.ends_cli import erase
from broker.opa_cli import opa_config
from broker.roles_cli import roles, tokens
from broker.said_cli import list_erasures
from broker.settings import BrokerSettings
from datwat.party.admin import call_party
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
from datwat.party.settings import Plain, make_private_folder, write_secret
from datwat.protocol.trust import BrokerEntry, Card, LogEntry, PublicJwk
from datwat.protocol.values import FormError, decode_moment, encode_moment
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


def build_card(settings: BrokerSettings, secrets: BrokerSecrets) -> Card:
    """Return what the covenant is told of this broker and its log."""
    entry = BrokerEntry(
        id=settings.id,
        name=settings.name,
        keys=(PublicJwk(kty="OKP", crv="Ed25519", x=secrets.signing.public.raw),),
        x25519=(secrets.exchange.public.raw,),
        url=settings.url,
    )
    origin = settings.log_origin
    log = LogEntry(origin=origin, vkeys=(secrets.build_signer(origin).vkey,))
    return Card(v=1, role="broker", broker=entry, log=log)


@app.command(epilog="Example: datwat broker serve --home broker")
def serve(*, home: HomeOption, with_parent: WithParentOption = False) -> None:
    """Run the broker, with OPA beside it, until it is stopped."""
    serve_home(_PARTY, BrokerSettings, open_party, home=home, with_parent=with_parent)


@app.command(epilog="Example: datwat broker status --home broker")
def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show the trust list, the policies, the log, and what waits for a person."""
    print_result(_call(home, "status"), as_json=as_json)


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
app.add_typer(roles, name="roles")
app.add_typer(tokens, name="tokens")
app.command(
    "opa-config", epilog="Example: datwat broker opa-config --home broker --port 8182 --json"
)(opa_config)


@special.command("list", epilog="Example: datwat special list --home broker")
def list_waiting(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what is not opened yet, the earliest end first."""
    found: list[dict[str, Any]] = []
    page = _call(home, "special_list")["special_situations"]
    while page:
        found += page
        place = {name: page[-1][name] for name in ("until_at", "number")}
        page = _call(home, "special_list", **place)["special_situations"]
    if found or as_json:
        print_result({"special_situations": found}, as_json=as_json)
    else:
        typer.echo("No special situation waits to be opened.")


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
    answer = _call(home, "special_open", number=number, by=by, role=role)
    print_result(answer, as_json=as_json)


@special.command(
    "renew",
    epilog="Example: datwat special renew --home broker 3f2a9c01b7de --until 2026-04-01T00:00:00Z "
    "--by m.jansen --role 'team manager' --reason 'The danger is not over yet'",
)
def renew_situation(
    number: NumberArgument,
    *,
    home: HomeOption,
    until: Annotated[str, typer.Option(help="The new end, such as 2026-04-01T00:00:00Z.")],
    by: Annotated[str, typer.Option(help="Who decides, as your own organisation knows them.")],
    role: Annotated[str, typer.Option(help="In which role; the resident reads it later.")],
    reason: Annotated[str, typer.Option(help="Why; the resident reads it when it opens.")],
    as_json: JsonOption = False,
) -> None:
    """Move the end of a term with a reason, no further from now than the policy allows."""
    decided = {"by": by, "role": role, "reason": reason}
    until_at = _read_moment(until)
    answer = _call(home, "special_renew", number=number, until_at=until_at, **decided)
    print_result(answer, as_json=as_json)


def _read_moment(text: str) -> str:
    """Return the moment that was typed; raise typer.BadParameter, which says how one is written."""
    try:
        return encode_moment(decode_moment(text))
    except FormError as error:
        raise typer.BadParameter(str(error), param_hint="--until") from None


@special.command(
    epilog="Example: datwat special audit --home broker --by m.jansen --role auditor "
    "--second-by p.smit --second-role 'data protection officer' "
    "--reason 'Yearly check that all was opened in time' --out delayed.json"
)
def audit(  # noqa: PLR0913 - one parameter per option
    *,
    home: HomeOption,
    by: Annotated[str, typer.Option(help="Who looks, as your own organisation knows them.")],
    role: Annotated[str, typer.Option(help="In which role; the residents read it later.")],
    second_by: Annotated[str, typer.Option(help="Who looks together with them.")],
    second_role: Annotated[str, typer.Option(help="In which role.")],
    reason: Annotated[str, typer.Option(help="Why; the residents read it later.")],
    out: Annotated[Path, typer.Option(help="File to write the bundle to.")],
    quarter: Annotated[
        list[str] | None, typer.Option(help="Such as 2026Q4; may be repeated. None: this one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Let two persons see which delayed entries were opened, without contents or names.

    It is written down for each person whom something waiting is about. Check the file with
    `datwat log check-mine`.
    """
    asked = {"by": by, "role": role, "second_by": second_by, "second_role": second_role}
    if out.exists() or not out.parent.is_dir():
        raise typer.BadParameter("--out names a new file, in a folder that exists.")
    # First the file: nothing is written down about a look whose result would have nowhere to go.
    with out.open("xb") as file:
        out.chmod(0o600)
        try:
            answer = _call(home, "special_audit", **asked, reason=reason, quarters=quarter or [])
        except BaseException:
            out.unlink()
            raise
        file.write(orjson.dumps(answer["bundle"]))
    print_result({"bundle": str(out), "entries": answer["entries"]}, as_json=as_json)
