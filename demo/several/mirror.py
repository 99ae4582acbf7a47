"""Somebody outside who keeps a mirror of the log, from the first entry to the last.

Run: `python -m demo.several.mirror LOG FOLDER TOLD RUNS`. Each second it does what `datwat log
mirror` does; a timer would. TOLD names the list and its hash that this somebody typed over last:
JSON {"list", "pin"}. Each run that differs from the one before adds a line to RUNS: JSON {"at",
"entries", "root", "said"}; `said` is the error code of one that was refused.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

from datwat.cli import run
from datwat.party import clock
from datwat.protocol.values import encode_moment

_PAUSE_SECONDS = 1.0


def look(log: str, folder: str, told: Path) -> dict[str, Any]:
    """Bring the mirror up to date once; return what came of it."""
    keys = json.loads(told.read_text(encoding="utf-8"))
    known = ("--trust-list", keys["list"], "--pin", keys["pin"])
    printed, wrong = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(wrong):
        code = run(["log", "mirror", log, folder, *known, "--json"])
    if code:
        return {"entries": None, "root": None, "said": read_code(printed.getvalue())}
    found = json.loads(printed.getvalue())
    return {"entries": found["entries"], "root": found["root"], "said": None}


def read_code(printed: str) -> str:
    """Return the code of an error that a command printed as JSON."""
    try:
        return str(json.loads(printed)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "unreadable"


def main() -> None:
    """Keep the mirror until stopped."""
    log, folder, told, runs = sys.argv[1:]
    before: dict[str, Any] = {}
    while True:
        found = look(log, folder, Path(told))
        if found != before:
            line = {"at": encode_moment(clock.now().replace(microsecond=0)), **found}
            with Path(runs).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            before = found
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    main()
