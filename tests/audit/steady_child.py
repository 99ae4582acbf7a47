"""A process that appends one entry after another and says on standard output how each ended.

`written <index>` only after the receipt; `refused` where it may be tried again; `stopped` where the
log has stopped, and then it ends. Environment: `STEADY_COUNT` entries, `STEADY_SYNCHRONOUS` to take
SQLite's durability away (a control that must fail), `STEADY_KILL_AT` to be killed before that step,
`STEADY_WRITER=thread` to have no batch written by the event loop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, event

from broker.adapters.database import open_engine
from broker.adapters.kek_file import FileKek
from broker.adapters.log_store import SqlLogStore
from broker.audit.log import Log
from broker.audit.records import ChainRef, EntryDraft, Job, LogError, LogStoppedError
from broker.audit.sealing import Sealing
from datwat.party.ratchet import Ratchet
from datwat.protocol.checkpoint import CheckpointSigner
from tests.audit.conftest import AT, ORIGIN

_KILL_AT = int(os.environ.get("STEADY_KILL_AT", "0"))
_IS_SHORT = os.environ.get("STEADY_WRITER") != "thread"
_RETRIES = 200
_steps = 0


def say(words: str) -> None:
    """Write a line with one system call."""
    os.write(sys.stdout.fileno(), f"{words}\n".encode())


def step() -> None:
    """Count what is about to be done, and be killed instead where that was asked for."""
    global _steps  # noqa: PLW0603 - the whole process is one test's child
    _steps += 1
    if _steps == _KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)


def counted(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the call with a step before it."""

    @wraps(call)
    def wrapper(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the call takes
        step()
        return call(*arguments, **named)

    return wrapper


def count_steps(engine: Engine) -> None:
    """Make a step of every statement, every write and sync of the ratchet, every signature."""

    def trace(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        if hasattr(connection, "set_trace_callback"):
            connection.set_trace_callback(lambda _statement: step())

    event.listen(engine, "connect", trace)
    for name in ("execute", "executemany"):
        setattr(psycopg.Cursor, name, counted(getattr(psycopg.Cursor, name)))
    for name in ("pwrite", "fdatasync"):
        setattr(os, name, counted(getattr(os, name)))
    CheckpointSigner.sign = counted(CheckpointSigner.sign)  # type: ignore[method-assign]


def weaken(engine: Engine, synchronous: str) -> None:
    """Take SQLite's durability away, as a control."""

    def set_pragma(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        connection.execute(f"PRAGMA synchronous={synchronous}")

    event.listen(engine, "connect", set_pragma)


async def _append(log: Log, sealing: Sealing) -> str:
    keys = sealing.mint_subject(AT)
    draft = EntryDraft(
        chain=ChainRef(keys.subject_id, "open"),
        core=b"core",
        payload=b"payload" * 40,
        at=AT,
        retention_until=AT + timedelta(days=1),
    )
    entry = sealing.prepare_entry(keys, draft)
    try:
        appended = await log.append(Job(lambda _: [entry], keys=(keys,), is_short=_IS_SHORT))
    except LogStoppedError:
        return "stopped"
    except LogError:
        return "refused"
    return f"written {appended.entries[0].index} {appended.checkpoint.encode().hex()}"


async def _run(url: str, folder: Path, private_key: str) -> None:
    engine = open_engine(url)
    if synchronous := os.environ.get("STEADY_SYNCHRONOUS"):
        weaken(engine, synchronous)
    store = SqlLogStore(engine)
    sealing = Sealing(FileKek.open(folder / "kek"), store)
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private_key))
    log = Log(store, Ratchet.open(folder / "ratchet"), CheckpointSigner(ORIGIN, key))
    log.start()
    if _KILL_AT:
        count_steps(engine)
        engine.dispose()
    left, retries = int(os.environ.get("STEADY_COUNT", "20")), _RETRIES
    while left and retries:
        outcome = await _append(log, sealing)
        say(outcome)
        if outcome == "stopped":
            return
        if outcome == "refused":
            retries -= 1
            await asyncio.sleep(0.02)
        else:
            left -= 1
    say(f"done {_steps}")


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
