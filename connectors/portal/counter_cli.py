"""The commands of two employees at a counter, for somebody who has no login.

Rules: number, surname and date of birth are typed at a terminal and shown on none: never an option,
never a pipe, so that they are in no history and no list of processes; what is printed is a new file
that only who made it can read.
"""

from __future__ import annotations

import base64
import os
import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any, Final, Self

import typer

from datwat.party.admin import CommandRefusedError, call_party
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.protocol.values import encode_moment

_call = partial(call_party, "portal")
_CONSENT_DAYS: Final = 180
_SHORTEST_REASON: Final = 10

desk = typer.Typer(
    help="The counter: two employees help somebody who has no login.",
    epilog="Example: datwat portal desk begin --home portal --by m.jansen --role 'desk employee' "
    "--reason 'Came without a login, showed a passport'",
    no_args_is_help=True,
    add_completion=False,
)

ByOption = Annotated[str, typer.Option(help="Who you are, as your organisation knows you.")]
RoleOption = Annotated[str, typer.Option(help="In which role; the resident reads it.")]


class ConsentKind(StrEnum):
    """In which form a consent is given."""

    EXPLICIT = "explicit"
    NO_OBJECTION = "no_objection"


class PrintLanguage(StrEnum):
    """In which language the print is."""

    NL = "nl"
    EN = "en"


@desk.command(
    epilog="Example: datwat portal desk begin --home portal --by m.jansen --role 'desk employee' "
    "--reason 'Came without a login, showed a passport'"
)
def begin(  # noqa: PLR0913 - one parameter per option
    *,
    home: HomeOption,
    by: ByOption,
    role: RoleOption,
    reason: Annotated[str, typer.Option(help="Why, and which document; the resident reads it.")],
    asks: Annotated[bool, typer.Option("--asks", help="They ask a question: type it.")] = False,
    to: Annotated[str | None, typer.Option(help="Whom they ask; none: the officer.")] = None,
    objects: Annotated[bool, typer.Option("--objects", help="They object: type why.")] = False,
    purpose: Annotated[
        str | None, typer.Option(help="Purpose of the objection or consent; none: all.")
    ] = None,
    consents: Annotated[
        ConsentKind | None, typer.Option(help="They signed a consent of this kind.")
    ] = None,
    consent_days: Annotated[
        int, typer.Option(help="For how many days they consent.", min=1)
    ] = _CONSENT_DAYS,
    withdraws: Annotated[
        int | None, typer.Option(help="Number of the consent that they withdraw.", min=0)
    ] = None,
    lifts: Annotated[
        int | None, typer.Option(help="Number of what else they take back.", min=0)
    ] = None,
    blocks: Annotated[
        str | None, typer.Option(help="Id of the organisation that may not look.")
    ] = None,
    shields: Annotated[
        bool, typer.Option("--shields", help="They want a shielded address.")
    ] = False,
    erases: Annotated[
        int | None, typer.Option(help="Number of the entry that is to be destroyed.", min=0)
    ] = None,
    no_print: Annotated[bool, typer.Option("--no-print", help="They want no print.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Note what the first employee reads in the document, and what the person came for.

    Nothing happens until another employee confirms it, within ten minutes.
    """
    _require_terminal()
    if len(reason.strip()) < _SHORTEST_REASON:
        raise typer.BadParameter(
            "say why, in a sentence of at least ten characters.", param_hint="--reason"
        )
    if consents is not None and purpose is None:
        raise typer.BadParameter("a consent names its --purpose.", param_hint="--consents")
    wish: dict[str, Any] = {}
    if asks:
        wish["asks"] = {"text": typer.prompt("Their question"), "to": to}
    now = datetime.now(UTC)
    if objects:
        made = {"purpose": purpose, "made_at": encode_moment(now)}
        wish["objection"] = {**made, "reason": typer.prompt("Why they object")}
    if consents is not None:
        wish["consent"] = {
            "kind": consents.value,
            "purpose": purpose,
            "given_by": "self",
            "written": True,
            "given_at": encode_moment(now),
            "until_at": encode_moment(now + timedelta(days=consent_days)),
        }
    wish |= {"withdraws": withdraws, "lifts": lifts, "blocks": blocks, "erases": erases}
    wish["shields"] = True if shields else None
    wish = {name: value for name, value in wish.items() if value is not None}
    asked: dict[str, Any] = {"by": by, "role": role, "reason": reason, "wish": wish}
    asked["copy_given"] = not no_print
    answer = _call(home, "desk_begin", **asked, **_type_shown())
    print_result(answer, as_json=as_json)


@desk.command(
    epilog="Example: datwat portal desk confirm K7Q2MB --home portal --by p.smit "
    "--role 'team manager' --out print.pdf"
)
def confirm(
    number: Annotated[
        str, typer.Argument(help="The number that `begin` showed.", show_default=False)
    ],
    *,
    home: HomeOption,
    by: ByOption,
    role: RoleOption,
    out: Annotated[
        Path | None, typer.Option(help="New file for the print; more get -2, -3.")
    ] = None,
    language: Annotated[PrintLanguage, typer.Option(help="Of the print.")] = PrintLanguage.NL,
    as_json: JsonOption = False,
) -> None:
    """Read the document too, and do what the person came for; it is in their log at once."""
    _require_terminal()
    if out is not None and (out.exists() or not out.parent.is_dir()):
        raise typer.BadParameter("--out names a new file, in a folder that exists.")
    asked = {"number": number, "by": by, "role": role, "language": language.value}
    with _Place(out) as place:
        answer = _call(home, "desk_confirm", **asked, has_place=out is not None, **_type_shown())
        files = place.write([base64.b64decode(one) for one in answer["documents"]])
    print_result({"entry": answer["entry"], "files": files}, as_json=as_json)


class _Place:
    """Where prints go: made before anything is asked, and gone where nothing came of it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._is_written = False

    def __enter__(self) -> Self:
        if self._path is not None:
            _create(self._path).close()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._path is not None and not self._is_written:
            self._path.unlink(missing_ok=True)

    def write(self, prints: list[bytes]) -> list[str]:
        """Write each print and return the files."""
        files = []
        for place, content in enumerate(prints, start=1):
            assert self._path is not None  # noqa: S101 - the portal prints for who has a place
            if place == 1:
                path = self._path
                path.write_bytes(content)
            else:
                path = self._path.with_stem(f"{self._path.stem}-{place}")
                with _create(path) as file:
                    file.write(content)
            self._is_written = True
            files.append(str(path))
        return files


def _create(path: Path) -> Any:  # noqa: ANN401 - an open binary file
    """Open a new file that nobody else on this machine can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _require_terminal() -> None:
    """Refuse pipes: what is typed into one stands in a history or a file."""
    if not sys.stdin.isatty():
        raise CommandRefusedError(
            "Run this at a terminal: the number is typed there, and shown nowhere."
        )


def _type_shown() -> dict[str, str]:
    """Return what an employee reads in the document; nothing of it is shown while it is typed."""
    bsn = getpass("BSN (not shown): ")
    surname = getpass("Surname (not shown): ").strip()
    born = getpass("Date of birth, such as 17-03-1980 (not shown): ").strip()
    return {"bsn": bsn, "surname": surname, "born": _read_day(born)}


def _read_day(typed: str) -> str:
    for pattern in ("%d-%m-%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(typed, pattern).date().isoformat()  # noqa: DTZ007 - a day
        except ValueError:
            continue
    raise CommandRefusedError("Type the date of birth as day-month-year, such as 17-03-1980.")
