"""How the commands of the life of a purpose print what the broker answers."""

from __future__ import annotations

from typing import Any

import typer

from broker.purposes.phrases_guards import GUARDS, Guard
from datwat.party.console import print_result


def print_rows(found: dict[str, Any], name: str, *, as_json: bool) -> None:
    """Print the rows of a list, or that there are none."""
    if found[name] or as_json:
        print_result(found, as_json=as_json)
    else:
        typer.echo("There is nothing in this list.")


def print_preview(found: dict[str, Any]) -> None:
    """Print the faults of a draft with their places, or what it would be."""
    for fault in found["faults"]:
        place = f"line {fault['line']}, column {fault['column']}" if fault["line"] else "the draft"
        member = f" ({fault['member']})" if fault["member"] else ""
        typer.echo(f"{place}{member}: {fault['sentence']}{_say_guard(fault['guard'])}")
    for line in found["sentences"]:
        typer.echo(line)
    for title, lines in (
        ("What changes:", found["changes"]),
        ("Could be plainer:", [f"{one['member']}: {one['sentence']}" for one in found["warnings"]]),
    ):
        if lines:
            typer.echo(f"\n{title}")
        for line in lines:
            typer.echo(f"- {line}")


def _say_guard(guard: Guard | None) -> str:
    """Return which guard rail a fault would break and by which law, if it is one."""
    if guard is None:
        return ""
    (_, english), law = GUARDS[guard]
    return f" Guard rail: {english.removesuffix('.')} ({law})."


def print_proposal(found: dict[str, Any], *, as_json: bool) -> None:
    """Print a proposal as its approvers read it."""
    if as_json:
        print_result(found, as_json=True)
        return
    print_result(found["line"], as_json=False)
    for line in ("", found["text"], "", "What changes:", *found["changes"]):
        typer.echo(line)
    if found["stale_changes"]:
        typer.echo("\nSomething else was published since:")
        for line in found["stale_changes"]:
            typer.echo(f"- {line}")
