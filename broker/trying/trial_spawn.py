"""Starting a process for a trial, and talking with it: a task goes in, lines of JSON come out.

Rules: it dies with this one and is given nothing of our environment but where programs lie; what it
says of a refusal is a sentence of ours, and anything else it may say is not shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from broker.adapters import opa_child
from datwat.party.errors import PartyError

_LAUNCHER = Path(opa_child.__file__)
_LINE = 64 * 1_048_576
_PASSED_ON = ("PATH", "DATWAT_OPA", "HOME", "TMPDIR")


class TrialRefusedError(PartyError):
    """A draft that cannot be tried: it does not fit the rest."""

    code = "trial_refused"
    default_detail = "The draft cannot be tried: it does not fit what is in force."


class TrialFailedError(PartyError):
    """The process of a trial ended without a result."""

    code = "trial_failed"
    default_detail = "The trial gave no result: try again, and look whether OPA can run here."


class TrialBusyError(PartyError):
    """Another trial of this kind runs."""

    code = "trial_busy"
    default_detail = "Another one runs already: wait for it, or stop it."


async def spawn(module: str, *arguments: str, stdin: bool = False) -> asyncio.subprocess.Process:
    """Start a module of ours in a process that dies with this one, with nothing of our secrets."""
    pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    program = (sys.executable, "-I", "-m", module, *arguments)
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())),
            *program,
            stdin=pipe if stdin else none,
            stdout=pipe if stdin else none,
            stderr=none if stdin else pipe,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            limit=_LINE,
        )
    except OSError:
        raise TrialFailedError from None


async def converse(
    process: asyncio.subprocess.Process,
    given: bytes,
    on_progress: Callable[[dict[str, Any]], None] | None,
) -> Any:  # noqa: ANN401 - JSON
    """Hand a task in and return its result; raise TrialRefusedError or TrialFailedError."""
    if process.stdin is None or process.stdout is None:
        raise TrialFailedError
    with contextlib.suppress(ConnectionError):
        process.stdin.write(given)
        await process.stdin.drain()
    process.stdin.close()
    while line := await process.stdout.readline():
        said = orjson.loads(line)
        if "result" in said:
            return said["result"]
        if "error" in said:
            raise TrialRefusedError(said["error"]["detail"], place=said["error"]["place"])
        if on_progress is not None:
            on_progress(said)
    raise TrialFailedError


def kill(process: asyncio.subprocess.Process) -> None:
    """End a process at once, if it has not ended."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
