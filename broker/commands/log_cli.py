"""The broker's commands about its log: the key to check it with, and going on after a loss.

`key` reads the home; `new-generation` needs the broker stopped.
"""

from __future__ import annotations

from typing import Annotated

import typer

from broker.adapters.secrets import load_secrets
from broker.audit.past_log import parse_origin
from broker.commands.card import build_card
from broker.new_generation import Wanted, begin_generation, derive_next_origin
from broker.settings import BrokerSettings
from datwat.party import clock
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.init import CARD_FILE
from datwat.party.running import AlreadyRunningError, holding_stopped
from datwat.party.settings import load_settings, require_home

_PARTY = "broker"
_LONGEST_REASON = 400

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command(epilog="Example: datwat log key --home broker")
def key(
    *,
    home: HomeOption,
    generation: Annotated[
        int | None, typer.Option(min=1, help="An earlier generation of the log, by its number.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the verifier key of the broker's log, as other verifiers take it."""
    require_home(home, _PARTY)
    settings = load_settings(BrokerSettings, home)
    origin = _name_generation(settings.log_origin, generation)
    vkey = load_secrets(settings.home).build_signer(origin).vkey
    if as_json:
        print_result({"origin": origin, "vkey": vkey}, as_json=True)
    else:
        typer.echo(vkey)


def _name_generation(origin: str, generation: int | None) -> str:
    """Return the name of a generation up to this one; raise BadParameter for a later one."""
    if generation is None:
        return origin
    found = parse_origin(origin)
    if found is None or generation > found.generation:
        raise typer.BadParameter(f"the log is {origin}.", param_hint="--generation")
    return f"{found.base}{generation}"


@app.command(
    "new-generation",
    epilog="Example: datwat log new-generation --home broker "
    "--reason 'disk failure on 3 March, no backup after 2 March'",
)
def new_generation(
    *,
    home: HomeOption,
    reason: Annotated[
        str, typer.Option(help="Why, for residents and outsiders: it becomes public.")
    ],
    witness: Annotated[
        list[str] | None, typer.Option(help="Address of a witness, to ask what it saw last.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to go on.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Go on in a new log after a loss; entries that are still there are taken along."""
    require_home(home, _PARTY)
    settings = load_settings(BrokerSettings, home)
    reason = " ".join(reason.split())
    if not reason or len(reason) > _LONGEST_REASON:
        raise typer.BadParameter(
            f"say in 1 to {_LONGEST_REASON} characters why.", param_hint="--reason"
        )
    new = derive_next_origin(settings.log_origin)
    with holding_stopped(settings.home):
        pass  # else it is said before anybody is asked
    if not yes:
        typer.echo(
            f"The log {settings.log_origin} ends and {new} begins. Every party learns it from the "
            "next trust list; what was signed before this moment is refused. It cannot be undone."
        )
        typer.confirm("Go on?", abort=True)
    with holding_stopped(settings.home):
        settings = load_settings(BrokerSettings, home)  # another one may have begun meanwhile
        if derive_next_origin(settings.log_origin) != new:
            raise AlreadyRunningError
        now = clock.now().replace(microsecond=0)
        found = begin_generation(settings, Wanted(reason, tuple(witness or ())), now)
    settings = load_settings(BrokerSettings, home)
    card = build_card(settings, load_secrets(settings.home))
    path = home / CARD_FILE
    path.write_text(card.model_dump_json(indent=2), encoding="utf-8")
    print_result({**found, "card": str(path)}, as_json=as_json)
    if not as_json:
        typer.echo("Now take this card up in the trust list, sign the list, and serve again.")
