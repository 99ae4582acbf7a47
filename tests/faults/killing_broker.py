"""Starts a broker that kills itself (SIGKILL) before or after one step of a question's life.

For tests only. Which step is what the file that `KILL_FILE` names says: `{"point", "act", "skip"}`,
written by the test while the broker runs; it is gone once the broker is.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from broker.adapters.gateways import HttpGateways
from broker.audit.signer import Signer
from broker.exchange.handover import HandOver
from broker.exchange.life import Life
from datwat.cli import main
from tests.faults.quick_refresh import refresh_every_second

STEPS: tuple[tuple[type, str], ...] = (
    (Life, "_gather"),
    (Life, "_weigh"),
    (Life, "_prepare"),
    (Life, "_log"),
    (HandOver, "_send"),
    (HttpGateways, "send_order"),
    (HandOver, "_append_outcome"),
    (Signer, "sign"),
)
_ACT: ContextVar[str] = ContextVar("act", default="")
_FILE = Path(os.environ.get("KILL_FILE", "/nonexistent"))


def die_at(point: str) -> None:
    """End this process, with nothing tidied up, if this is where the test wants it to end."""
    try:
        wanted = json.loads(_FILE.read_text(encoding="utf-8"))
    except OSError:
        return
    if wanted["point"] != point or wanted["act"] not in ("", _ACT.get()):
        return
    if wanted["skip"]:
        arm(_FILE, wanted["point"], wanted["act"], wanted["skip"] - 1)
        return
    _FILE.unlink()
    os.kill(os.getpid(), signal.SIGKILL)


def arm(path: Path, point: str, act: str, skip: int = 0) -> None:
    """Say where the broker is to die; an empty `act` means whatever is asked."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"point": point, "act": act, "skip": skip}), encoding="utf-8")
    new.replace(path)


def wrap(owner: type, name: str) -> None:
    step: Callable[..., Any] = getattr(owner, name)
    point = f"{owner.__name__}.{name}"
    if inspect.iscoroutinefunction(step):

        async def later(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - any step
            die_at(point + ":before")
            found = await step(*args, **more)
            die_at(point + ":after")
            return found

        setattr(owner, name, later)
        return

    def now(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - any step
        die_at(point + ":before")
        found = step(*args, **more)
        die_at(point + ":after")
        return found

    setattr(owner, name, now)


def note_act() -> None:
    answer = Life.answer

    async def noted(self: Life, question: Any, *args: Any) -> bytes:  # noqa: ANN401 - as it came
        _ACT.set(question.object.type)
        return await answer(self, question, *args)

    setattr(Life, "answer", noted)  # noqa: B010 - assigned, it would be refused: it is a method


if __name__ == "__main__":
    refresh_every_second()
    note_act()
    for owner, name in STEPS:
        wrap(owner, name)
    main()
