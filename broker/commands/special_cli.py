"""`datwat special`: what waits to be opened, opened, moved, or looked at by two.

All talk to the running broker.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.protocol.values import FormError, decode_moment, encode_moment

_call = partial(call_party, "broker")

special = typer.Typer(
    help="Special situations: why a resident is told later, until when, and opening them.",
    epilog="Example: datwat special list --home broker",
    no_args_is_help=True,
    add_completion=False,
)

NumberArgument = Annotated[str, typer.Argument(help="The number that `list` shows.")]


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
