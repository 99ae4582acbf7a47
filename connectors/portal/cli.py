"""The commands of the residents' portal: set up, serve, see how it is."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from connectors.identity_key import build_jwk, create_signing_key
from connectors.keys_cli import PARTNER_KEYS
from connectors.portal.app import open_party
from connectors.portal.counter_cli import desk
from connectors.portal.pages.screens import build_site
from connectors.portal.settings import CLIENT_SECRET_NAME, HIGH, SUBSTANTIAL, PortalSettings
from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, print_result
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
from datwat.party.settings import Plain, load_settings, write_secret
from datwat.protocol.trust import BsnRight, Card, Partner
from datwat.web.i18n import Code
from datwat.web.standalone import build_standalone

_PARTY = "portal"
_call = partial(call_party, _PARTY)

app = typer.Typer(
    help="The residents' portal: their own log, and what they want.",
    epilog="Example: datwat portal status --home portal",
    no_args_is_help=True,
    add_completion=False,
)

app.add_typer(desk, name="desk")
app.add_typer(build_keys_app(_PARTY, _PARTY, PARTNER_KEYS), name="keys")

SecretFileOption = Annotated[
    Path | None, typer.Option(help="File with the secret that the provider gave this client.")
]
RepresentsOption = Annotated[str, typer.Option(help="The claim with a represented person.")]
LevelsOption = Annotated[str, typer.Option(help="Accepted values of acr, separated by commas.")]


@app.command(
    epilog="Example: datwat portal init --home portal --id 00000099000000009000:portal "
    "--name 'Portal' --url http://127.0.0.1:8090 --issuer http://127.0.0.1:8091 --client-id portal"
)
def init(  # noqa: PLR0913 - each is an option of the command
    *,
    home: HomeOption,
    party_id: IdOption,
    name: NameOption,
    url: Annotated[str, typer.Option(help="Address at which residents reach it.")],
    issuer: Annotated[str, typer.Option(help="The identity provider's issuer.")],
    client_id: Annotated[str, typer.Option(help="What the provider calls this portal.")],
    client_secret_file: SecretFileOption = None,
    bsn_claim: Annotated[str, typer.Option(help="The claim with the BSN.")] = "bsn",
    represents_claim: RepresentsOption = "represents",
    levels: LevelsOption = f"{SUBSTANTIAL},{HIGH}",
    law: Annotated[str, typer.Option(help="The law that lets the portal use the BSN.")] = "Wabb 10",
    domain: Annotated[str, typer.Option(help="Domain of the function.")] = "care",
    contact: ContactOption = "",
    host: HostOption = "127.0.0.1",
    port: PortOption = 0,
    covenant_days: DaysOption = COVENANT_DAYS,
    as_json: JsonOption = False,
) -> None:
    """Make the home folder, the signing key, and the card for the covenant."""
    # Read first: a file that is not there must not leave half a home behind.
    secret = client_secret_file.read_bytes().strip() if client_secret_file else None
    values: dict[str, Plain] = {"id": party_id, "name": name, "url": url}
    values |= {"host": host, "port": port, "issuer": issuer, "client_id": client_id}
    values |= {"bsn_claim": bsn_claim, "represents_claim": represents_claim, "levels": levels}
    with making_home(home, _PARTY, PortalSettings, values) as settings:
        if secret is not None:
            write_secret(home, CLIENT_SECRET_NAME, secret)
        partner = Partner(
            id=settings.id,
            name=settings.name,
            domain=domain,
            covenant_until=derive_covenant_end(covenant_days),
            keys=(build_jwk(create_signing_key(home)),),
            gateway_url=None,
            bsn_rights=(BsnRight(law=law, whose="resident", uses=("self",)),),
            contact=contact,
            profile="",
        )
        write_card(home, Card(v=1, role="partner", partner=partner), as_json=as_json)


@app.command(epilog="Example: datwat portal serve --home portal")
def serve(*, home: HomeOption, with_parent: WithParentOption = False) -> None:
    """Run the portal until it is stopped."""
    serve_home(_PARTY, PortalSettings, open_party, home=home, with_parent=with_parent)


@app.command(epilog="Example: datwat portal status --home portal --json")
def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what the running portal goes by, and how many are logged in."""
    print_result(_call(home, "status"), as_json=as_json)


@app.command(name="help-page", epilog="Example: datwat portal help-page --home portal > 503.html")
def help_page(
    *,
    home: HomeOption,
    language: Annotated[str, typer.Option(help="nl or en.")] = "nl",
) -> None:
    """Print the page with everybody who can help, as one file for when all else is down."""
    settings = load_settings(PortalSettings, home)
    pages = build_site(settings).pages
    code: Code = "en" if language == "en" else "nl"
    typer.echo(build_standalone(pages, "help.html", code).decode(), nl=False)
