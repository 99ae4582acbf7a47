"""The commands of an administrator about roles and named tokens; all talk to the running broker."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.commands.authoring_printing import print_rows
from broker.policy.publication import read_policy_keys
from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, print_result

_call = partial(call_party, "broker")

roles = typer.Typer(
    help="Who has which role for which organisation: give, end, list.",
    epilog="Example: datwat broker roles list --home broker",
    no_args_is_help=True,
    add_completion=False,
)
tokens = typer.Typer(
    help="Named tokens with which people with a role run commands.",
    epilog="Example: datwat broker tokens list --home broker",
    no_args_is_help=True,
    add_completion=False,
)


class RoleOf(StrEnum):
    """The roles."""

    AUTHOR = "author"
    APPROVER = "approver"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    DATA_PROTECTION_OFFICER = "data_protection_officer"


OrganisationOption = Annotated[
    str, typer.Option(help="For which organisation, as the login's claim spells it.")
]
RoleOption = Annotated[RoleOf, typer.Option(help="Which role.")]
StaffOption = Annotated[str, typer.Option(help="Who, as the staff login knows them.")]
NameArgument = Annotated[str, typer.Argument(help="Name of the token.", show_default=False)]


@roles.command("list", epilog="Example: datwat broker roles list --home broker")
def list_roles(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show who has which role, and who had it."""
    print_rows(_call(home, "roles_list"), "roles", as_json=as_json)


@roles.command(
    epilog="Example: datwat broker roles give --home broker --organisation rijnstad "
    "--role approver --staff m.jansen --key policy-1.key"
)
def give(
    *,
    home: HomeOption,
    organisation: OrganisationOption,
    role: RoleOption,
    staff: StaffOption,
    key: Annotated[
        str | None,
        typer.Option(help="An approver's policy key: its thumbprint, or the file with it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Give somebody a role; the log states that it was given, and not to whom."""
    members = {"organisation": organisation, "role": role.value, "staff": staff}
    answer = _call(home, "roles_give", key=_find_thumbprint(key), **members)
    print_result(answer, as_json=as_json)


@roles.command(
    epilog="Example: datwat broker roles end --home broker --organisation rijnstad "
    "--role approver --staff m.jansen"
)
def end(
    *,
    home: HomeOption,
    organisation: OrganisationOption,
    role: RoleOption,
    staff: StaffOption,
    keep_approvals: Annotated[
        str | None,
        typer.Option(help="Why approvals stay that carry what is not yet in force."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """End somebody's role at once, and their tokens for it."""
    members = {"organisation": organisation, "role": role.value, "staff": staff}
    answer = _call(home, "roles_end", keep_approvals=keep_approvals, **members)
    print_result(answer, as_json=as_json)


@tokens.command("list", epilog="Example: datwat broker tokens list --home broker")
def list_tokens(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show the names of the tokens, whose they are, and until when."""
    print_rows(_call(home, "tokens_list"), "tokens", as_json=as_json)


@tokens.command(
    epilog="Example: datwat broker tokens create jansen_author --home broker "
    "--organisation rijnstad --role author --staff m.jansen"
)
def create(
    name: NameArgument,
    *,
    home: HomeOption,
    organisation: OrganisationOption,
    role: RoleOption,
    staff: StaffOption,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it lasts.")] = 90,
    as_json: JsonOption = False,
) -> None:
    """Make a token for a role that somebody holds. It is shown once and kept as a hash."""
    members: dict[str, Any] = {"organisation": organisation, "role": role.value, "staff": staff}
    print_result(_call(home, "tokens_create", name=name, days=days, **members), as_json=as_json)


@tokens.command(epilog="Example: datwat broker tokens revoke jansen_author --home broker")
def revoke(name: NameArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """End a token at once."""
    print_result(_call(home, "tokens_revoke", name=name), as_json=as_json)


def _find_thumbprint(key: str | None) -> str | None:
    """Return the thumbprint that is given, or that of the key in the file that is."""
    if key is None or not Path(key).is_file():
        return key
    return read_policy_keys([Path(key)])[0].kid
