"""The commands of an officer about what residents said: objections, questions, erasures.

All talk to the running broker. The resident reads each answer in their own log.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, print_result

_call = partial(call_party, "broker")

objections = typer.Typer(
    help="Objections of residents: what waits for an answer, and answering.",
    epilog="Example: datwat objections list --home broker",
    no_args_is_help=True,
    add_completion=False,
)
questions = typer.Typer(
    help="Questions of residents: what waits for an answer, and answering.",
    epilog="Example: datwat questions list --home broker",
    no_args_is_help=True,
    add_completion=False,
)

NumberArgument = Annotated[
    int, typer.Argument(help="The number that `list` shows.", show_default=False, min=0)
]
ByOption = Annotated[
    str, typer.Option(help="Who answers, as your own organisation knows them; a token says it too.")
]
RoleOption = Annotated[str, typer.Option(help="In which role; the resident reads it.")]
TextOption = Annotated[str, typer.Option(help="The answer, in plain words; the resident reads it.")]


class Outcome(StrEnum):
    """How an objection is decided."""

    UPHELD = "upheld"
    REJECTED = "rejected"


class Controller(StrEnum):
    """Whose decision it is: the remedy depends on it."""

    PUBLIC = "public"
    OTHER = "other"


@objections.command("list", epilog="Example: datwat objections list --home broker")
def list_objections(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what waits, the oldest first, with its number and until when an answer is due."""
    _print_list(_call(home, "objections_list"), "objections", as_json=as_json)


@objections.command(
    "answer",
    epilog="Example: datwat objections answer 4711 --home broker --outcome upheld "
    "--controller public --by m.jansen --role 'privacy officer' --text 'You are right: …'",
)
def answer_objection(
    number: NumberArgument,
    *,
    home: HomeOption,
    outcome: Annotated[
        Outcome, typer.Option(help="Upheld: it counts on. Rejected: it counts no more.")
    ],
    controller: Annotated[
        Controller,
        typer.Option(help="Who decides: a public body (objection under the Awb) or other (court)."),
    ],
    text: TextOption,
    by: ByOption = "",
    role: RoleOption = "",
    as_json: JsonOption = False,
) -> None:
    """Answer an objection; it takes effect at once, and the resident reads it with the remedy."""
    asked = {"by": by, "role": role, "text": text}
    answer = _call(
        home,
        "objections_answer",
        number=number,
        outcome=outcome.value,
        controller=controller.value,
        **asked,
    )
    print_result(answer, as_json=as_json)


@questions.command("list", epilog="Example: datwat questions list --home broker")
def list_questions(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what waits, the oldest first, with its number and until when an answer is due."""
    _print_list(_call(home, "questions_list"), "questions", as_json=as_json)


@questions.command(
    "answer",
    epilog="Example: datwat questions answer 4711 --home broker --by m.jansen "
    "--role 'privacy officer' --text 'The social team asked because …'",
)
def answer_question(
    number: NumberArgument,
    *,
    home: HomeOption,
    text: TextOption,
    by: ByOption = "",
    role: RoleOption = "",
    as_json: JsonOption = False,
) -> None:
    """Answer a question; the resident reads it in their log."""
    answer = _call(home, "questions_answer", number=number, by=by, role=role, text=text)
    print_result(answer, as_json=as_json)


def list_erasures(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show the wishes for erasure that wait, the oldest first, with the number for `erase`."""
    _print_list(_call(home, "erasures_list"), "erasures", as_json=as_json)


def _print_list(answer: dict[str, Any], name: str, *, as_json: bool) -> None:
    """Print what waits; a list that is full says that there may be more."""
    found, most = answer[name], answer["most"]
    if not found and not as_json:
        named = "wish for erasure" if name == "erasures" else name[:-1]
        typer.echo(f"No {named} waits for an answer.")
        return
    print_result({name: found}, as_json=as_json)
    if len(found) >= most:
        typer.echo(f"These are the {most} oldest: answer some and list again.", err=True)
