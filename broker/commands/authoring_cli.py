"""The commands of the life of a purpose, which talk to the running broker.

Who acts follows from a named token, in the file that DATWAT_TOKEN_FILE names. `approve --key` signs
on this machine, after it made sure by itself that what is signed is what is shown.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.commands.approval_check import read_home_keys, require_as_shown
from broker.commands.authoring_printing import print_preview, print_proposal, print_rows
from broker.commands.purposes_options import Language, LanguageOption
from broker.policy.publication import read_policy_keys
from broker.policy.sealed_keys import SealedKeys
from datwat.party.admin import call_party
from datwat.party.console import HomeOption, JsonOption, print_result
from datwat.party.errors import PartyError
from datwat.party.files import describe_obstacle, replace_file
from datwat.party.settings import require_home
from datwat.party.strict_yaml import MAX_BYTES
from datwat.protocol.purpose_approval import sign_approval

_call = partial(call_party, "broker")

life = typer.Typer(add_completion=False)
draft = typer.Typer(
    help="Drafts of purposes: begin one, save it, look at it, drop it.",
    epilog="Example: datwat purpose draft begin debt_counselling --home broker",
    no_args_is_help=True,
    add_completion=False,
)

IdArgument = Annotated[str, typer.Argument(help="The id that the list shows.", show_default=False)]
TextArgument = Annotated[Path, typer.Argument(help="The purpose, as YAML.", show_default=False)]
CasesOption = Annotated[
    Path | None, typer.Option("--cases", help="Its cases, as YAML; none: those in force.")
]
ReasonOption = Annotated[str, typer.Option(help="Why; the approvers read it.")]


class DraftFileError(PartyError):
    """A file of a draft that cannot be read or written."""

    code = "draft_file"
    default_detail = "The file of the draft cannot be read."


@draft.command("list", epilog="Example: datwat purpose draft list --home broker")
def list_drafts(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what is being written, the last changed first."""
    print_rows(_call(home, "purpose_drafts"), "drafts", as_json=as_json)


@draft.command(epilog="Example: datwat purpose draft begin debt_counselling --home broker")
def begin(
    purpose: Annotated[str, typer.Argument(help="Id of the purpose.", show_default=False)],
    *,
    home: HomeOption,
    folder: Annotated[Path, typer.Option(help="Where the two files go.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write the newest revision of a purpose and its cases into files, to go on from."""
    found = _call(home, "purpose_begin", purpose=purpose)
    paths = [folder / f"{purpose}.yaml", folder / f"{purpose}-cases.yaml"]
    try:
        for path, text in zip(paths, (found["text"], found["cases"]), strict=True):
            replace_file(path, text.encode())
    except OSError as error:
        raise DraftFileError(describe_obstacle(error)) from None
    named = {"text": str(paths[0]), "cases": str(paths[1])}
    print_result({**named, "base_digest": found["base_digest"]}, as_json=as_json)


@draft.command(epilog="Example: datwat purpose draft check debt_counselling.yaml --home broker")
def check(
    text: TextArgument,
    *,
    home: HomeOption,
    cases: CasesOption = None,
    language: LanguageOption = Language.NL,
    as_json: JsonOption = False,
) -> None:
    """Show what a draft would be, in words, or each fault with its line. Exits 1 if there is one.

    Nothing is kept.
    """
    given = {"text": read_text(text), "cases": read_text(cases) if cases else ""}
    found = _call(home, "purpose_preview", language=language.value, **given)
    if as_json:
        print_result(found, as_json=True)
    else:
        print_preview(found)
    if found["faults"]:
        raise typer.Exit(1)


@draft.command(epilog="Example: datwat purpose draft save debt_counselling.yaml --home broker")
def save(
    text: TextArgument,
    *,
    home: HomeOption,
    cases: CasesOption = None,
    draft_id: Annotated[str | None, typer.Option("--draft", help="Which draft; none: new.")] = None,
    onto: Annotated[
        str | None, typer.Option(help="Digest of the revision that it is to rest on.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a draft at the broker, however unfinished."""
    given = {"text": read_text(text), "cases": read_text(cases) if cases else ""}
    found = _call(home, "purpose_save", draft_id=draft_id, base_digest=onto, **given)
    print_result({**found["line"], "base_digest": found["base_digest"]}, as_json=as_json)


@draft.command(epilog="Example: datwat purpose draft show 3f2a… --home broker")
def show(draft_id: IdArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show a draft, and what others changed since it was begun."""
    found = _call(home, "purpose_draft", id=draft_id)
    if as_json:
        print_result(found, as_json=True)
        return
    print_result({**found["line"], "base_digest": found["base_digest"]}, as_json=False)
    for line in ("", found["text"], *found["changes"]):
        typer.echo(line)


@draft.command(epilog="Example: datwat purpose draft drop 3f2a… --home broker")
def drop(draft_id: IdArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """Destroy a draft of your own."""
    print_result(_call(home, "purpose_drop", id=draft_id), as_json=as_json)


life.add_typer(draft, name="draft")


@life.command(epilog="Example: datwat purpose propose 3f2a… --home broker")
def propose(draft_id: IdArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """Propose a draft of your own: it is checked, and others approve it."""
    print_proposal(_call(home, "purpose_propose", id=draft_id), as_json=as_json)


@life.command(epilog="Example: datwat purpose proposals --home broker")
def proposals(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show what is proposed and was, newest first."""
    print_rows(_call(home, "purpose_proposals"), "proposals", as_json=as_json)


@life.command(epilog="Example: datwat purpose proposal 3f2a… --home broker")
def proposal(
    proposal_id: IdArgument,
    *,
    home: HomeOption,
    language: LanguageOption = Language.NL,
    as_json: JsonOption = False,
) -> None:
    """Show a proposal as its approvers read it."""
    found = _call(home, "purpose_proposal", id=proposal_id, language=language.value)
    print_proposal(found, as_json=as_json)


@life.command("take-back", epilog="Example: datwat purpose take-back 3f2a… --home broker")
def take_back(proposal_id: IdArgument, *, home: HomeOption, as_json: JsonOption = False) -> None:
    """Take your own proposal back."""
    print_result(_call(home, "purpose_take_back", id=proposal_id), as_json=as_json)


@life.command(
    epilog="Example: datwat purpose approve 3f2a… --home broker --key /media/key1/policy-1.key"
)
def approve(
    proposal_id: IdArgument,
    *,
    home: HomeOption,
    key: Annotated[
        Path | None, typer.Option(help="Your policy key; none: the one that is sealed there.")
    ] = None,
    language: LanguageOption = Language.NL,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Approve a proposal: read it, and sign its digest, its text and the bundle it makes."""
    found = _call(home, "purpose_to_sign", id=proposal_id)
    approval, statement = require_as_shown(found, read_home_keys(home))
    if not yes:
        for line in (found[f"text_{language.value}"], "", *found[f"changes_{language.value}"]):
            typer.echo(line, err=as_json)
        if not typer.confirm("\nDo you approve this?", err=as_json):
            raise typer.Exit(1)
    if key is not None:
        signed = sign_approval(approval, statement, read_policy_keys([key])[0])
        given: dict[str, Any] = {"signatures": signed.model_dump(mode="json")}
    else:
        given = {"passphrase": _ask_passphrase(confirm=False)}
    print_result(_call(home, "purpose_approve", id=proposal_id, **given), as_json=as_json)


@life.command(
    epilog="Example: datwat purpose withdraw debt_counselling --home broker --reason 'No basis'"
)
def withdraw(
    purpose: Annotated[str, typer.Argument(help="Id of the purpose.", show_default=False)],
    *,
    home: HomeOption,
    reason: ReasonOption,
    digest: Annotated[str | None, typer.Option(help="Only this revision of it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Propose that a purpose, or one revision of it, goes; others approve it."""
    found = _call(home, "purpose_withdraw", purpose=purpose, digest=digest, reason=reason)
    print_proposal(found, as_json=as_json)


@life.command(
    "roll-back", epilog="Example: datwat purpose roll-back 7 --home broker --reason 'Too wide'"
)
def roll_back(
    seq: Annotated[int, typer.Argument(help="Number that `history` shows.", min=1)],
    *,
    home: HomeOption,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Propose that all rules become those of an earlier publication; others approve it."""
    found = _call(home, "purpose_roll_back", seq=seq, reason=reason)
    print_proposal(found, as_json=as_json)


@life.command(epilog="Example: datwat purpose calendar --home broker")
def calendar(
    *, home: HomeOption, language: LanguageOption = Language.NL, as_json: JsonOption = False
) -> None:
    """Show what comes into force and ends, and when."""
    found = _call(home, "purpose_calendar", language=language.value)
    print_rows(found, "calendar", as_json=as_json)


@life.command(epilog="Example: datwat purpose history debt_counselling --home broker")
def history(
    purpose: Annotated[
        str | None, typer.Argument(help="Only of this purpose.", show_default=False)
    ] = None,
    *,
    home: HomeOption,
    language: LanguageOption = Language.NL,
    as_json: JsonOption = False,
) -> None:
    """Show what was published, newest first, with the number for `roll-back`."""
    found = _call(home, "purpose_history", purpose=purpose, language=language.value)
    if as_json:
        print_result(found, as_json=True)
        return
    told = ("seq", "at", "is_in_force", "effect", "purpose", "valid_from", "state")
    rows = [{name: row[name] for name in told} for row in found["publications"]]
    print_rows({"publications": rows}, "publications", as_json=False)


@life.command(
    "seal-key", epilog="Example: datwat purpose seal-key /media/key1/policy-1.key --home broker"
)
def seal_key(
    key: Annotated[Path, typer.Argument(help="Your policy key.", show_default=False)],
    *,
    home: HomeOption,
    as_json: JsonOption = False,
) -> None:
    """Seal your policy key under a passphrase in the broker's home, to approve on its pages.

    The stronger way is to keep the key to yourself and approve with `approve --key`.
    """
    require_home(home, "broker")
    signing = read_policy_keys([key])[0]
    path = SealedKeys(home).put(signing, _ask_passphrase(confirm=True))
    print_result({"key": signing.kid, "sealed": str(path)}, as_json=as_json)


def _ask_passphrase(*, confirm: bool) -> str:
    """Return a passphrase: typed, or the first line of what is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    asked: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return asked


def read_text(path: Path) -> str:
    """Return the text of a draft's file; raise DraftFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        return data.decode("utf-8")
    except OSError as error:
        raise DraftFileError(describe_obstacle(error, path)) from None
    except UnicodeDecodeError:
        raise DraftFileError(f"{path} is not UTF-8: save it as UTF-8.") from None
