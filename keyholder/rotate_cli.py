"""`datwat keyholder rotate`: a new scalar without a pause, and without anybody's BSN.

Each command talks to the running key holder. Between `begin` and `finish` the broker turns its
pseudonyms while questions go on; `status` says how far that is and what to do next.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, print_result

_call = partial(call_party, "keyholder")

rotate = typer.Typer(
    help="Renew the scalar: begin, see how far it is, finish.",
    epilog="Example: datwat keyholder rotate status --home keyholder",
    no_args_is_help=True,
    add_completion=False,
)


@rotate.command(epilog="Example: datwat keyholder rotate begin --home keyholder")
def begin(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Draw the scalar of a new epoch. The card then names both: have the trust list signed."""
    print_result(_call(home, "rotate_begin"), as_json=as_json)


@rotate.command(epilog="Example: datwat keyholder rotate status --home keyholder --json")
def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show how far the broker is, and what to do next."""
    print_result(_call(home, "rotate_status"), as_json=as_json)


@rotate.command(epilog="Example: datwat keyholder rotate abort --home keyholder")
def abort(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Go back to the epoch before; what the broker has turned, it turns back."""
    print_result(_call(home, "rotate_abort"), as_json=as_json)


@rotate.command(epilog="Example: datwat keyholder rotate finish --home keyholder")
def finish(
    *,
    home: HomeOption,
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once", help="Do not wait for messages of the last ten minutes: they are refused."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Destroy the scalar of the epoch that is left. Then have the new card signed in."""
    print_result(_call(home, "rotate_finish", at_once=at_once), as_json=as_json)
