"""The commands of the key holder: set up, serve, and decide which partners are open.

`enable`, `disable` and `status` talk to the running process; `init` needs a home of its own.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, print_result
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
from datwat.party.own_keys_cli import build_keys_app
from datwat.party.settings import Plain
from keyholder import shares_cli
from keyholder.app import open_party
from keyholder.card import build_card
from keyholder.keys_cli import HOLDER_KEYS
from keyholder.rotate_cli import rotate
from keyholder.secrets import create_secrets
from keyholder.settings import KeyHolderSettings

_PARTY = "keyholder"
_call = partial(call_party, _PARTY)

app = typer.Typer(
    help="The key holder: keeps the BSN from the broker.",
    epilog="Example: datwat keyholder status --home keyholder",
    no_args_is_help=True,
    add_completion=False,
)

app.add_typer(rotate, name="rotate")
app.add_typer(build_keys_app(_PARTY, _PARTY, HOLDER_KEYS), name="keys")
app.command(epilog="Example: datwat keyholder backup --home keyholder --out shares")(
    shares_cli.backup
)
app.command(
    epilog="Example: datwat keyholder restore --home keyholder /media/a/share-1.json "
    "/media/b/share-3.json"
)(shares_cli.restore)

PartnerArgument = Annotated[str, typer.Argument(help="The partner's id: OIN, colon, function.")]


@app.command(
    epilog="Example: datwat keyholder init --home keyholder "
    "--id 00000099000000002000:key-holder --name 'Key holder' --url http://127.0.0.1:8081"
)
def init(
    *,
    home: HomeOption,
    party_id: IdOption,
    name: NameOption,
    url: Annotated[str, typer.Option(help="Address at which connectors reach it.")],
    host: HostOption = "127.0.0.1",
    port: PortOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Make the home folder, the secrets, and the card for the covenant."""
    values: dict[str, Plain] = {"id": party_id, "name": name, "url": url}
    values |= {"host": host, "port": port}
    with making_home(home, _PARTY, KeyHolderSettings, values) as settings:
        write_card(home, build_card(settings, create_secrets(home)), as_json=as_json)


@app.command(epilog="Example: datwat keyholder serve --home keyholder")
def serve(*, home: HomeOption, with_parent: WithParentOption = False) -> None:
    """Run the key holder until it is stopped."""
    serve_home(_PARTY, KeyHolderSettings, open_party, home=home, with_parent=with_parent)


@app.command(epilog="Example: datwat keyholder status --home keyholder")
def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show which partners are open, what they used today, and how a rotation is."""
    print_result(_call(home, "status"), as_json=as_json)


@app.command(
    epilog="Example: datwat keyholder enable --home keyholder 00000099000000001000:youth-help"
)
def enable(
    partner: PartnerArgument,
    *,
    home: HomeOption,
    first_load: Annotated[
        int,
        typer.Option(
            min=0, max=10_000_000, help="Registrations allowed beyond the daily quota, in all."
        ),
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Open a partner: until then it is closed, whatever the trust list says."""
    answer = _call(home, "enable", partner=partner, first_load=first_load)
    print_result(answer, as_json=as_json)


@app.command(
    epilog="Example: datwat keyholder disable --home keyholder 00000099000000001000:youth-help"
)
def disable(partner: PartnerArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """Close a partner at once."""
    print_result(_call(home, "disable", partner=partner), as_json=as_json)
