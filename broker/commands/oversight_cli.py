"""The commands of oversight: review lists, looks, findings, samples; figures; the register.

All talk to the running broker. Looking at an entry is written into its person's own log first.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, OutOption, print_result, write_result

_call = partial(call_party, "broker")

reviews = typer.Typer(
    help="What an officer should look at: lists with why, looks, findings, samples.",
    epilog="Example: datwat reviews list volume --home broker",
    no_args_is_help=True,
    add_completion=False,
)
figures = typer.Typer(
    help="Figures of a month: the public ones, and each partner's own.",
    epilog="Example: datwat figures public --home broker --month 2026-10",
    no_args_is_help=True,
    add_completion=False,
)
processing = typer.Typer(
    help="The register of processing activities and the fact sheet for a DPIA.",
    epilog="Example: datwat processing register --home broker",
    no_args_is_help=True,
    add_completion=False,
)


class ReviewCode(StrEnum):
    """The lists."""

    VOLUME = "volume"
    HOURS = "hours"
    NOTHING = "nothing"
    REFUSED = "refused"
    SIDES = "sides"
    RELATIONS = "relations"
    GUESSING = "guessing"
    SAMPLE = "sample"


class OutcomeCode(StrEnum):
    """What came of a finding."""

    NOTHING_WRONG = "nothing_wrong"
    EXPLAINED = "explained"
    ASKED = "asked"
    REPORTED = "reported"
    DATA_BREACH = "data_breach"
    RULE_TO_CHANGE = "rule_to_change"


ListArgument = Annotated[ReviewCode, typer.Argument(help="Which list.", show_default=False)]
ByOption = Annotated[
    str, typer.Option(help="Who acts, as your own organisation knows them; a token says it itself.")
]
RoleOption = Annotated[str, typer.Option(help="In which role; the resident reads it.")]
DutchOption = Annotated[bool, typer.Option("--dutch", help="Say it in Dutch.")]
MonthOption = Annotated[
    str | None, typer.Option(help="A month that is over, such as 2026-10; else the last one.")
]


@reviews.command("list", epilog="Example: datwat reviews list volume --home broker")
def show_list(
    code: ListArgument, *, home: HomeOption, dutch: DutchOption = False, as_json: JsonOption = False
) -> None:
    """Count a list now, and show each row with why it is there; it judges nobody."""
    answer = _call(home, "reviews_list", list=code.value, language="nl" if dutch else "en")
    if as_json:
        print_result(answer, as_json=True)
        return
    typer.echo(f"{answer['title']}\n{answer['about']}\n")
    for row in answer["rows"]:
        whom = " ".join(one for one in (row["partner"], row["who"]) if one)
        entries = ", ".join(map(str, row["entries"]))
        typer.echo(f"- {whom or 'a resident'}: {row['why']} Entries: {entries or 'none'}")
    if not answer["rows"]:
        typer.echo("Nobody stands out.")


@reviews.command(
    "look",
    epilog="Example: datwat reviews look 4711 --home broker --by m.jansen "
    "--role reviewer --reason 'Random sample of October'",
)
def look(
    number: Annotated[int, typer.Argument(help="The entry's number.", show_default=False, min=0)],
    *,
    home: HomeOption,
    reason: Annotated[str, typer.Option(help="Why you look; the resident reads it.")],
    by: ByOption = "",
    role: RoleOption = "reviewer",
    second_by: Annotated[
        str, typer.Option(help="With whom: asked for an entry that the resident does not see yet.")
    ] = "",
    second_role: Annotated[str, typer.Option(help="In which role.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Look at one entry: who asked what, why, and what was decided. The resident sees the look."""
    members: dict[str, Any] = {"number": number, "reason": reason, "by": by, "role": role}
    if second_by:
        members |= {"second_by": second_by, "second_role": second_role}
    print_result(_call(home, "reviews_look", **members), as_json=as_json)


@reviews.command(
    "find",
    epilog="Example: datwat reviews find volume --home broker --by m.jansen --role reviewer "
    "--outcome explained --who K7Q2MX --note 'A project week; the manager confirmed it.'",
)
def add_finding(  # noqa: PLR0913 - each is an option of the command
    code: ListArgument,
    *,
    home: HomeOption,
    outcome: Annotated[OutcomeCode, typer.Option(help="What came of it.")],
    note: Annotated[str, typer.Option(help="What you saw and did; no citizen service number.")],
    by: ByOption = "",
    role: RoleOption = "reviewer",
    partner: Annotated[str | None, typer.Option(help="About which partner.")] = None,
    who: Annotated[str | None, typer.Option(help="The six signs of the row.")] = None,
    entry: Annotated[list[int] | None, typer.Option(help="An entry that you looked at.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Record what you found about a row, and what came of it; it is kept for two years."""
    answer = _call(
        home,
        "reviews_find",
        list=code.value,
        outcome=outcome.value,
        note=note,
        partner=partner,
        who=who,
        entries=entry or [],
        by=by,
        role=role,
    )
    print_result(answer, as_json=as_json)


@reviews.command("findings", epilog="Example: datwat reviews findings --home broker")
def show_findings(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what was found, the newest first."""
    print_result(_call(home, "reviews_findings"), as_json=as_json)


@reviews.command("sample", epilog="Example: datwat reviews sample --home broker --count 25")
def draw_sample(
    *,
    home: HomeOption,
    count: Annotated[int, typer.Option(help="How many entries.", min=1, max=1_000)] = 25,
    as_json: JsonOption = False,
) -> None:
    """Draw a random sample, and state the seed of the next one; the first time only the latter."""
    answer = _call(home, "reviews_sample", count=count)
    print_result(answer, as_json=as_json)
    if not answer["drawn"] and not as_json:
        typer.echo("A seed was stated in the log. Draw again when entries have followed.", err=True)


@figures.command("public", epilog="Example: datwat figures public --home broker --csv")
def show_public(
    *,
    home: HomeOption,
    month: MonthOption = None,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    dutch: DutchOption = False,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the public figures of a month: always the same tables, cells under ten put together."""
    kind, language = "csv" if csv else "json", "nl" if dutch else "en"
    answer = _call(home, "indicators", month=month, format=kind, language=language)
    write_result(answer["csv"] if csv else answer, out, as_json=as_json)


@figures.command(
    "partner",
    epilog="Example: datwat figures partner 00000099000000001000:social-team --home broker",
)
def show_use(
    partner: Annotated[str, typer.Argument(help="The partner's id.", show_default=False)],
    *,
    home: HomeOption,
    month: MonthOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a partner's own use of a month, as it reads it itself: only what it was told."""
    write_result(_call(home, "partner_use", partner=partner, month=month), out, as_json=as_json)


@processing.command("register", epilog="Example: datwat processing register --home broker")
def show_register(*, home: HomeOption, out: OutOption = None, as_json: JsonOption = False) -> None:
    """Show the register of processing activities (AVG 30) of what is in force, as JSON by rvva."""
    write_result(_call(home, "processing_register"), out, as_json=as_json)


@processing.command("dpia", epilog="Example: datwat processing dpia --home broker")
def show_dpia(*, home: HomeOption, out: OutOption = None, as_json: JsonOption = False) -> None:
    """Show the facts for a data protection impact assessment (AVG 35) of what is in force."""
    write_result(_call(home, "dpia"), out, as_json=as_json)
