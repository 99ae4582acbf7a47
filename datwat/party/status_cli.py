"""`datwat status`: how the party of a home is, part by part where it tells its parts."""

from __future__ import annotations

from typing import Any

import typer

from datwat.party.admin import call_running
from datwat.party.console import HomeOption, JsonOption, print_result

app = typer.Typer(add_completion=False)
_SHOWN = ("part", "word", "since_at", "what", "what_to_do")


@app.command(epilog="Example: datwat status --home broker --json")
def status(*, home: HomeOption, as_json: JsonOption = False) -> None:
    """Show each part of a running party: how it is, since when, and what to do.

    Ends with 1 where a part does not work.
    """
    found = call_running(home, "status")
    parts: list[dict[str, Any]] = found.get("parts", [])
    if as_json or not parts:
        print_result(found, as_json=as_json)
    else:
        rows = [{name: part[name] for name in _SHOWN} for part in parts]
        print_result({"id": found.get("id", found.get("name")), "parts": rows}, as_json=False)
    if any(part["state"] == "failed" for part in parts):
        raise typer.Exit(1)
