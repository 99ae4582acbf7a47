"""The commands of the witness: set up, serve, and look at alarms.

`status` and `clear-alarm` talk to the running process; `init` needs a home of its own.
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
    PortOption,
    WithParentOption,
    making_home,
    serve_home,
    write_card,
)
from datwat.party.own_keys_cli import build_keys_app
from datwat.party.settings import Plain, write_secret
from datwat.protocol.trust import Card, Witness
from witness.app import open_party
from witness.cosign import build_vkey
from witness.own_key import KEY_NAME, WITNESS_KEYS, draw_key, open_keys
from witness.settings import WitnessSettings

_PARTY = "witness"
_call = partial(call_party, _PARTY)

app = typer.Typer(
    help="A witness: follows the log from outside, and vouches for what it has followed.",
    epilog="Example: datwat witness status --home witness",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(build_keys_app(_PARTY, _PARTY, WITNESS_KEYS), name="keys")


@app.command(
    epilog="Example: datwat witness init --home witness --id 00000099000000004000:witness "
    "--name witness.example/w1 --url http://127.0.0.1:8083"
)
def init(
    *,
    home: HomeOption,
    party_id: IdOption,
    name: Annotated[str, typer.Option(help="Name of the witness's key, without spaces or plus.")],
    url: Annotated[str, typer.Option(help="Address at which the log asks it.")],
    host: HostOption = "127.0.0.1",
    port: PortOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Make the home folder, the key, and the card for the covenant."""
    values: dict[str, Plain] = {"id": party_id, "name": name, "url": url}
    values |= {"host": host, "port": port}
    with making_home(home, _PARTY, WitnessSettings, values) as settings:
        write_secret(home, KEY_NAME, draw_key())
        (key,) = open_keys(home).keys
        vkey = build_vkey(settings.name, key.public.raw)
        witness = Witness(name=settings.name, vkey=vkey, url=settings.url)
        write_card(home, Card(v=1, role="witness", witness=witness), as_json=as_json)


@app.command(epilog="Example: datwat witness serve --home witness")
def serve(*, home: HomeOption, with_parent: WithParentOption = False) -> None:
    """Run the witness until it is stopped."""
    serve_home(_PARTY, WitnessSettings, open_party, home=home, with_parent=with_parent)


@app.command(epilog="Example: datwat witness status --home witness")
def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show how far the log was followed, what was vouched for, and which alarms stand."""
    print_result(_call(home, "status"), as_json=as_json)


@app.command(epilog="Example: datwat witness clear-alarm --home witness 1 --by 'A. Smit'")
def clear_alarm(
    number: Annotated[int, typer.Argument(min=1, help="The alarm's number, from `status`.")],
    *,
    home: HomeOption,
    by: Annotated[str, typer.Option(help="Who looked at it.")],
    as_json: JsonOption = False,
) -> None:
    """Say that a person looked at an alarm. What caused it raises it anew while it lasts."""
    print_result(_call(home, "clear_alarm", number=number, by=by), as_json=as_json)
