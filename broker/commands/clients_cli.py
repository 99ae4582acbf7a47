"""The commands about systems that ask for decisions (AuthZEN): clients, and the log of decisions.

All talk to the running broker. A partner's own signing key asks without being added here.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.files import describe_obstacle
from datwat.protocol.values import FormError, decode_moment, encode_moment

_call = partial(call_party, "broker")
_LONGEST_KEY = 8_192

clients = typer.Typer(
    help="Systems that ask for decisions on behalf of a partner (AuthZEN).",
    epilog="Example: datwat broker clients list --home broker",
    no_args_is_help=True,
    add_completion=False,
)

ClientArgument = Annotated[
    str, typer.Argument(help="The client's id, such as city-portal.", show_default=False)
]


@clients.command(
    "add",
    epilog="Example: datwat broker clients add city-portal --home broker "
    "--partner 00000099000000001000:social-team --key client.jwk --until 2027-06-01T00:00:00Z",
)
def add_client(
    client: ClientArgument,
    *,
    home: HomeOption,
    partner: Annotated[str, typer.Option(help="The partner that it asks for.")],
    key: Annotated[Path, typer.Option(help="File with its public key, as one JWK.")],
    until: Annotated[str, typer.Option(help="When it ends, such as 2027-06-01T00:00:00Z.")],
    as_json: JsonOption = False,
) -> None:
    """Let a system ask for decisions with its own key, until a date."""
    try:
        until_at = encode_moment(decode_moment(until))
    except FormError as error:
        raise typer.BadParameter(str(error), param_hint="--until") from None
    answer = _call(
        home,
        "clients_add",
        client=client,
        partner=partner,
        jwk=_read_key(key),
        until_at=until_at,
    )
    print_result(answer, as_json=as_json)


@clients.command("list", epilog="Example: datwat broker clients list --home broker")
def list_clients(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show the clients, the partner of each, its key's thumbprint and its end."""
    found = _call(home, "clients_list")
    if not found["clients"] and not as_json:
        typer.echo("There is no client; a partner may ask with its own signing key.")
        return
    print_result(found, as_json=as_json)


@clients.command("end", epilog="Example: datwat broker clients end city-portal --home broker")
def end_client(client: ClientArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """Let a client ask no more, from this moment: its tokens end too."""
    print_result(_call(home, "clients_end", client=client), as_json=as_json)


@clients.command(
    "check-decisions", epilog="Example: datwat broker clients check-decisions --home broker"
)
def check_decisions(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Walk along the log of decisions, and say whether nothing is missing in it or was changed."""
    found = _call(home, "decisions_check")
    print_result(found, as_json=as_json)
    if not found["holds"]:
        raise typer.Exit(1)


def _read_key(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(describe_obstacle(error, path), param_hint="--key") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is no text: name a JWK.", param_hint="--key") from None
    if len(text) > _LONGEST_KEY:
        raise typer.BadParameter(f"{path} is too long for one JWK.", param_hint="--key")
    return text
