"""Changing the cases that an officer wrote: proposed ones below them, or what came out taken over.

Rules: what was typed stays as it was, comments too, where the new ones can stand below it; else the
whole is written anew. Nothing is taken over but what somebody asked for. Pure.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any, Final

from broker.policy.trial import CaseResult
from datwat.party.strict_yaml import read_yaml_text, write_yaml
from datwat.protocol.errors import DatwatError

# How far the items of the list are moved in.
_ITEM: Final = re.compile(r"^( *)- +name:", re.MULTILINE)


class CasesUnreadableError(DatwatError):
    """The cases that stand there are no YAML, or no list of cases."""


def add_cases(text: str, purpose: str, proposed: Sequence[str]) -> str:
    """Return the cases of a purpose with the proposed ones below them.

    `proposed`: YAML of one item of the list each, its name on the first line. Raises
    CasesUnreadableError.
    """
    proposed = _list_once(proposed)
    wanted = [case for one in proposed for case in _read(one)]
    if not text.strip():
        return write_yaml({"purpose": purpose, "cases": wanted})
    held = _read(text)
    if not isinstance(held, dict) or not isinstance(held.get("cases"), list):
        raise CasesUnreadableError
    whole = {**held, "cases": [*held["cases"], *wanted]}
    below = _add_below(text, proposed)
    return below if below is not None and _find(below) == whole else write_yaml(whole)


def accept_outcomes(text: str, results: Sequence[CaseResult]) -> str:
    """Return the cases with what came out as what must come out, of the cases in `results`.

    A case is found by its name. Raises CasesUnreadableError, also where one is not there.
    """
    held = _read(text) if text.strip() else None
    if not isinstance(held, dict) or not isinstance(held.get("cases"), list):
        raise CasesUnreadableError
    for result in results:
        found = [one for one in held["cases"] if isinstance(one, dict) and _is_of(one, result)]
        if not found:
            raise CasesUnreadableError
        expect = found[0]["expect"]
        for one in result.members:
            came = ast.literal_eval(one.found)
            if one.member == "params":  # a case names only some of them
                came = {code: came[code] for code in expect["params"] if code in came}
            expect[one.member] = came
    return write_yaml(held)


def _is_of(case: dict[str, Any], result: CaseResult) -> bool:
    """Tell whether a result is of a case: by its name, and by what it was expected to be."""
    expect = case.get("expect")
    return (
        case.get("name") == result.name
        and isinstance(expect, dict)
        and all(one.member == "unmet" or one.member in expect for one in result.members)
    )


def _list_once(proposed: Sequence[str]) -> list[str]:
    """Return the proposed cases, of those that differ by their name only the first."""
    found: dict[str, str] = {}
    for one in proposed:
        found.setdefault(one.partition("\n")[2], one)
    return list(found.values())


def _add_below(text: str, proposed: Sequence[str]) -> str | None:
    """Return the text with the items below its last line, or None where it has no list of lines."""
    items = _ITEM.findall(text)
    if not items:
        return None
    lines = [f"{items[-1]}{line}" for one in proposed for line in one.rstrip("\n").split("\n")]
    return "\n".join((text.rstrip("\n"), *lines, ""))


def _find(text: str) -> Any:  # noqa: ANN401 - YAML
    try:
        return _read(text)
    except CasesUnreadableError:
        return None


def _read(text: str) -> Any:  # noqa: ANN401 - YAML
    return read_yaml_text(text, "The cases", CasesUnreadableError)
