"""The commands of an officer about everything that waits for an answer: nine lists in one form.

All talk to the running broker. A named token, in the file that DATWAT_TOKEN_FILE names, says who
acts; with the home's own token, `--by` and `--role` do. The resident reads each answer in their own
log.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.files import describe_obstacle, replace_file
from datwat.protocol.values import FormError, decode_bytes, decode_moment, encode_moment

_call = partial(call_party, "broker")

answers = typer.Typer(
    help="Everything that residents wait for: lists with their terms, answers, and letters.",
    epilog="Example: datwat answers lists --home broker",
    no_args_is_help=True,
    add_completion=False,
)


class ListName(StrEnum):
    """The nine lists."""

    OBJECTIONS = "objections"
    QUESTIONS = "questions"
    DISPUTES = "disputes"
    WRONG_PERSON = "wrong_person"
    SPECIAL = "special"
    URGENT = "urgent"
    DESK = "desk"
    ERASURES = "erasures"
    TELL = "tell"


class LanguageName(StrEnum):
    """The language of an answer or a letter."""

    NL = "nl"
    EN = "en"


class ControllerName(StrEnum):
    """Whose decision an objection is about."""

    PUBLIC = "public"
    OTHER = "other"


ListArgument = Annotated[ListName, typer.Argument(help="Which list.", show_default=False)]
NumberArgument = Annotated[
    str, typer.Argument(help="The number that `list` shows.", show_default=False)
]
LanguageOption = Annotated[LanguageName, typer.Option(help="In which language.")]


@answers.command("lists", epilog="Example: datwat answers lists --home broker")
def show_lists(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show how each list stands: what waits, at half term, on its last day, and overdue."""
    print_result({"lists": _call(home, "answers_lists")["lists"]}, as_json=as_json)


@answers.command("list", epilog="Example: datwat answers list tell --home broker --overdue")
def show_list(
    name: ListArgument,
    *,
    home: HomeOption,
    partner: Annotated[str, typer.Option(help="Only of this partner.")] = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is overdue.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one list, what is overdue first."""
    asked: dict[str, Any] = {"list": name.value, "overdue": overdue}
    if partner:
        asked["partner"] = partner
    answer = _call(home, "answers_list", **asked)
    if not answer["list"] and not as_json:
        typer.echo("Nothing waits in this list.")
        return
    print_result({"list": answer["list"]}, as_json=as_json)
    if len(answer["list"]) >= answer["most"]:
        typer.echo(f"These are the first {answer['most']}: answer some, list again.", err=True)


@answers.command("show", epilog="Example: datwat answers show objections 4711 --home broker")
def show_item(
    name: ListArgument, number: NumberArgument, *, home: HomeOption, as_json: JsonOption = False
) -> None:
    """Show one that waits: its words, the outcomes there are, and the building blocks."""
    answer = _call(home, "answers_show", list=name.value, number=number)
    print_result(answer, as_json=as_json)


@answers.command(
    "answer",
    epilog="Example: datwat answers answer urgent 3f2a9c01b7de --home broker "
    "--outcome review_justified --block was_urgent --text 'Het was echt nodig.'",
)
def answer_item(  # noqa: PLR0913 - one parameter per option
    name: ListArgument,
    number: NumberArgument,
    *,
    home: HomeOption,
    outcome: Annotated[str, typer.Option(help="What is decided: `show` says which there are.")],
    controller: Annotated[
        ControllerName | None,
        typer.Option(help="Of an objection: whose decision it is; the remedy depends on it."),
    ] = None,
    block: Annotated[
        list[str] | None, typer.Option(help="A building block to begin with; may be repeated.")
    ] = None,
    language: LanguageOption = LanguageName.NL,
    text: Annotated[str, typer.Option(help="Your own words, plain; the resident reads them.")] = "",
    until: Annotated[
        str, typer.Option(help="Of a longer term: its end, such as 2026-04-01T00:00:00Z.")
    ] = "",
    by: Annotated[str, typer.Option(help="Who answers; not with a token of your own.")] = "",
    role: Annotated[str, typer.Option(help="In which role; the resident reads it.")] = "",
    second_by: Annotated[str, typer.Option(help="Of an erasure: the second person.")] = "",
    second_role: Annotated[str, typer.Option(help="In which role the second person acts.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Answer one that waits; it takes effect at once, and says which words may be hard to read."""
    given: dict[str, Any] = {
        "controller": controller.value if controller else None,
        "until_at": _read_moment(until) if until else None,
        "second_by": second_by or None,
        "second_role": second_role or None,
        "by": by or None,
        "role": role or None,
    }
    answer = _call(
        home,
        "answers_answer",
        list=name.value,
        number=number,
        outcome=outcome,
        blocks=block or [],
        language=language.value,
        text=text,
        **{key: value for key, value in given.items() if value is not None},
    )
    print_result(answer, as_json=as_json)


@answers.command(
    "letter",
    epilog="Example: datwat answers letter objections 4711 --home broker --out letter.pdf",
)
def write_letter(
    name: ListArgument,
    number: NumberArgument,
    *,
    home: HomeOption,
    out: Annotated[Path, typer.Option(help="Where to write the PDF.")],
    language: LanguageOption = LanguageName.NL,
) -> None:
    """Write the letter of what was answered, as PDF that screen readers can read."""
    answer = _call(home, "answers_letter", list=name.value, number=number, language=language.value)
    try:
        replace_file(out, decode_bytes(answer["pdf"]))
    except OSError as error:
        raise typer.BadParameter(describe_obstacle(error, out), param_hint="--out") from None
    typer.echo(f"Written: {out}")


def _read_moment(text: str) -> str:
    """Return the moment that was typed; raise typer.BadParameter, which says how one is written."""
    try:
        return encode_moment(decode_moment(text))
    except FormError as error:
        raise typer.BadParameter(str(error), param_hint="--until") from None
