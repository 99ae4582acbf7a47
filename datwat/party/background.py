"""What a party does for ever beside its answers: what fails there is told, and begins anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final

from datwat.party.telemetry import get_logger, name_failure

_PAUSE_SECONDS: Final = 5.0
_log = get_logger("background")

Work = Callable[[], Coroutine[Any, Any, None]]


async def run_on(work: Work) -> None:
    """Run work until it ends by itself; begin it anew where it fails, after a pause."""
    while True:
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - without it nobody would know that it ended
            _log.error("work_failed", exception=name_failure(error))
        await asyncio.sleep(_PAUSE_SECONDS)


def start(stack: AsyncExitStack, *works: Work) -> None:
    """Run each of these on until `stack` ends."""
    for work in works:
        stack.callback(asyncio.ensure_future(run_on(work)).cancel)
