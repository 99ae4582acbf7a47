"""The officers and operators of the demo: who they are, their roles, keys and tokens.

Rule: roles, tokens and sealed keys are given by the commands that an administrator types.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from datwat.party.admin import TOKEN_VARIABLE
from demo.covenant import LEVEL, ONE_COMMAND, Covenant, run_command

ORGANISATION: Final = "rijnstad"
ROLES_CLAIM: Final = "broker/roles"
# The passphrase under which both approvers' keys are sealed, so that a reader can try the pages.
PASSPHRASE: Final = "fiets kaas regen toren anker"  # noqa: S105 - of a demo, and printed by it
# By login name, which is the staff id too: the role, and an approver's key.
OFFICERS: Final[dict[str, tuple[str, str]]] = {
    "daan": ("author", ""),
    "eva": ("approver", "policy-1.key"),
    "farid": ("approver", "policy-2.key"),
    "gerda": ("reviewer", ""),
    "hugo": ("auditor", ""),
    "ilse": ("operator", ""),
    "joost": ("data_protection_officer", ""),
}


def build_officers() -> dict[str, dict[str, Any]]:
    """Return the claims of every officer, as their own identity provider makes them."""
    return {
        name: {"acr": LEVEL, ROLES_CLAIM: [f"{ORGANISATION}:{role}"]}
        for name, (role, _key) in OFFICERS.items()
    }


def appoint(covenant: Covenant) -> None:
    """Give every officer their role and a token, and seal the approvers' keys."""
    for name in OFFICERS:
        _appoint(covenant, name, covenant.home("policy"))


def give_new_keys(covenant: Covenant, folder: Path) -> None:
    """Have every approver approve with the key of the same name in `folder` from now on."""
    home = ["--home", str(covenant.home("broker"))]
    for name, (role, key) in OFFICERS.items():
        if key:
            asked = ["--organisation", ORGANISATION, "--role", role, "--staff", name]
            run_command("broker", "roles", "end", *asked, *home)
            _appoint(covenant, name, folder)


def _appoint(covenant: Covenant, name: str, keys: Path) -> None:
    role, key = OFFICERS[name]
    home = ["--home", str(covenant.home("broker"))]
    asked = ["--organisation", ORGANISATION, "--role", role, "--staff", name]
    path = str(keys / key)
    run_command("broker", "roles", "give", *asked, *(["--key", path] if key else []), *home)
    made = run_command("broker", "tokens", "create", name, *asked, *home)
    token = find_token(covenant, name)
    token.write_text(made["token"], encoding="utf-8")
    token.chmod(0o600)
    if key:
        with ONE_COMMAND, typing_in(f"{PASSPHRASE}\n"):
            run_command("purpose", "seal-key", path, *home)


def find_token(covenant: Covenant, name: str) -> Path:
    """Return the file with an officer's token."""
    return covenant.folder / f"{name}.token"


def run_as(covenant: Covenant, name: str, *arguments: str, typed: str = "") -> dict[str, Any]:
    """Run a command in an officer's name; `typed` is what they type into it."""
    with ONE_COMMAND:
        before = os.environ.get(TOKEN_VARIABLE)
        os.environ[TOKEN_VARIABLE] = str(find_token(covenant, name))
        try:
            with typing_in(typed):
                return run_command(*arguments, "--home", str(covenant.home("broker")))
        finally:
            os.environ.pop(TOKEN_VARIABLE)
            if before is not None:
                os.environ[TOKEN_VARIABLE] = before


@contextmanager
def typing_in(text: str) -> Iterator[None]:
    """Have commands of this process read `text` as what somebody types."""
    before = sys.stdin
    sys.stdin = io.StringIO(text)
    try:
        yield
    finally:
        sys.stdin = before
