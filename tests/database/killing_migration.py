"""Runs a `datwat` command that kills itself (SIGKILL) before or after one statement it gives.

For tests only: `KILL_AT=7 python -m tests.database.killing_migration database migrate --home …`.
Statements that change something are counted from 1; without `KILL_AT` their number is written to
the file that `COUNT_FILE` names.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from datwat.cli import run

_CHANGES = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE")


def count_and_kill() -> list[str]:
    """Have the process die at its statement; return the list to which each is added."""
    seen: list[str] = []
    at = int(os.environ.get("KILL_AT", "0"))

    def note(_conn: object, _cursor: object, statement: str, *_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        if statement.lstrip().upper().startswith(_CHANGES):
            seen.append(statement)
            if len(seen) == at:
                os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "after_cursor_execute", note)
    return seen


if __name__ == "__main__":
    import sys

    given = count_and_kill()
    code = run(sys.argv[1:])
    if "COUNT_FILE" in os.environ:
        Path(os.environ["COUNT_FILE"]).write_text(str(len(given)), encoding="utf-8")
    sys.exit(code)
