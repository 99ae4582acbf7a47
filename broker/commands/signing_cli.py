"""`datwat purpose sign-approval`: an approver signs on a machine of their own, without the broker.

Rule enforced: it signs what it made sure of by itself, as `approve --key` does: texts, bundle and
effect fit, and the bundle in force is signed by the policy keys of the trust list that lies here.
What it prints is the body of `POST /v1/officers/approvals`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from broker.commands.approval_check import NotAsShownError, read_list_keys, require_as_shown
from broker.commands.purposes_options import Language, LanguageOption
from broker.policy.publication import read_policy_keys
from datwat.party.console import JsonOption, print_result
from datwat.party.files import describe_obstacle
from datwat.protocol.canonical import CanonicalError, decode_strict
from datwat.protocol.keys import KeyFormError, SigningKey
from datwat.protocol.purpose_approval import sign_approval

_MAX_BYTES = 64 * 1_048_576


def sign_approval_here(
    proposal_id: Annotated[
        str, typer.Argument(help="The id that the list shows.", show_default=False)
    ],
    to_sign: Annotated[
        Path, typer.Argument(help="The answer of `proposals/to-sign`.", show_default=False)
    ],
    *,
    key: Annotated[Path, typer.Option(help="Your policy key.")],
    trust_list: Annotated[Path, typer.Option(help="The signed trust list, as it is published.")],
    language: LanguageOption = Language.NL,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    as_json: JsonOption = True,
) -> None:
    """Sign a proposal on your own machine; prints what the officers' API takes as approval."""
    found = _read(to_sign)
    listed = read_list_keys(trust_list)
    approval, statement = require_as_shown(found, listed)
    own = _read_key(key)
    if own.kid not in listed.kids:
        raise NotAsShownError(
            f"{trust_list} does not name the key in {key} as a policy key: name your own policy "
            "key, and the newest trust list."
        )
    if not yes:
        for line in (found[f"text_{language.value}"], "", *found[f"changes_{language.value}"]):
            typer.echo(line, err=True)
        if not typer.confirm("\nDo you approve this?", err=True):
            raise typer.Exit(1)
    signed = sign_approval(approval, statement, own)
    given = {"id": proposal_id, "signatures": signed.model_dump(mode="json")}
    print_result(given, as_json=as_json)


def _read_key(path: Path) -> SigningKey:
    """Return the private key in a file; raise NotAsShownError or PublicationError."""
    try:
        return read_policy_keys([path])[0]
    except (KeyFormError, CanonicalError):
        raise NotAsShownError(f"{path} holds no private key that can be read.") from None


def _read(path: Path) -> dict[str, Any]:
    """Return what a file holds of the broker's answer; raise NotAsShownError."""
    try:
        found = decode_strict(path.read_bytes(), max_bytes=_MAX_BYTES)
    except OSError as error:
        raise NotAsShownError(describe_obstacle(error, path)) from None
    except CanonicalError:
        found = None
    if not isinstance(found, dict) or "approval" not in found:
        raise NotAsShownError(
            f"{path} is not the answer of proposals/to-sign: fetch it again, and sign what came."
        )
    return found
