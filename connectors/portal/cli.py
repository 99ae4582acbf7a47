"""The commands of the residents' portal: set up, serve, see how it is."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from connectors.identity_key import build_jwk, create_signing_key
from connectors.portal.app import open_party
from connectors.portal.settings import CLIENT_SECRET_NAME, HIGH, SUBSTANTIAL, PortalSettings
from datwat.party import clock
from datwat.party.admin import call_running, create_admin_token
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.serve import serve as run_party
from datwat.party.settings import load_settings, write_secret, write_settings
from datwat.party.telemetry import configure_logging
from datwat.protocol.trust import BsnRight, Card, Partner

CARD_FILE = "card.json"
_COVENANT_DAYS = 365

app = typer.Typer(
    help="The residents' portal: their own log, and what they want.",
    epilog="Example: datwat portal status --home portal",
    no_args_is_help=True,
    add_completion=False,
)


@app.command(
    epilog="Example: datwat portal init --home portal --id 00000099000000009000:portal "
    "--name 'Portal' --url http://127.0.0.1:8090 --issuer http://127.0.0.1:8091 --client-id portal"
)
def init(  # noqa: PLR0913 - each is an option of the command
    *,
    home: HomeOption,
    party_id: Annotated[str, typer.Option("--id", help="OIN, colon, function.")],
    name: Annotated[str, typer.Option(help="Name for people.")],
    url: Annotated[str, typer.Option(help="Address at which residents reach it.")],
    issuer: Annotated[str, typer.Option(help="The identity provider's issuer.")],
    client_id: Annotated[str, typer.Option(help="What the provider calls this portal.")],
    client_secret_file: Annotated[
        Path | None, typer.Option(help="File with the secret that the provider gave this client.")
    ] = None,
    bsn_claim: Annotated[str, typer.Option(help="The claim with the BSN.")] = "bsn",
    represents_claim: Annotated[
        str, typer.Option(help="The claim with a represented person.")
    ] = "represents",
    levels: Annotated[
        str, typer.Option(help="Accepted values of acr, separated by commas.")
    ] = f"{SUBSTANTIAL},{HIGH}",
    law: Annotated[str, typer.Option(help="The law that lets the portal use the BSN.")] = "Wabb 10",
    domain: Annotated[str, typer.Option(help="Domain of the function.")] = "care",
    contact: Annotated[str, typer.Option(help="How residents reach the organisation.")] = "",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    covenant_days: Annotated[int, typer.Option(min=1, help="Term of the covenant.")] = (
        _COVENANT_DAYS
    ),
    as_json: JsonOption = False,
) -> None:
    """Make the home folder, the signing key, and the card for the covenant."""
    write_settings(
        home,
        {
            "id": party_id,
            "name": name,
            "url": url,
            "issuer": issuer,
            "client_id": client_id,
            "bsn_claim": bsn_claim,
            "represents_claim": represents_claim,
            "levels": levels,
            "host": host,
            "port": port,
        },
    )
    settings = load_settings(PortalSettings, home)
    key = create_signing_key(home)
    create_admin_token(home)
    if client_secret_file is not None:
        write_secret(home, CLIENT_SECRET_NAME, client_secret_file.read_bytes().strip())
    partner = Partner(
        id=settings.id,
        name=settings.name,
        domain=domain,
        covenant_until=clock.now() + timedelta(days=covenant_days),
        keys=(build_jwk(key),),
        gateway_url=None,
        bsn_rights=(BsnRight(law=law, whose="resident", uses=("self",)),),
        contact=contact,
        profile="",
    )
    card = home / CARD_FILE
    text = Card(v=1, role="partner", partner=partner).model_dump_json(indent=2)
    card.write_text(text, encoding="utf-8")
    print_result({"home": str(home), "card": str(card)}, as_json=as_json)


@app.command(epilog="Example: datwat portal serve --home portal")
def serve(
    *,
    home: HomeOption,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when the starting process ends.")
    ] = False,
) -> None:
    """Run the portal until it is stopped."""
    settings = load_settings(PortalSettings, Path(home))
    configure_logging(settings.log_level)
    run_party(partial(open_party, settings), home=settings.home, with_parent=with_parent)


@app.command(epilog="Example: datwat portal status --home portal --json")
def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what the running portal goes by, and how many are logged in."""
    print_result(call_running(home, "status"), as_json=as_json)
