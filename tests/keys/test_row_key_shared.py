"""The row key where several processes serve: each look at what others changed looks at it too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from broker.adapters.row_key_file import RowKeyFile
from broker.sharing import Sharing
from broker.sharing_wiring import follow_others
from tests.exchange.world import World, open_world
from tests.several.sessions import QuietSession


async def await_true(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not look():  # noqa: ASYNC110 - a look is of a thread
            await asyncio.sleep(0.02)


async def test_who_cannot_read_the_row_key_answers_nobody(tmp_path: Path) -> None:
    """Who went by an older one would not find a person, and make a second one of them."""
    world = World(tmp_path)
    async with AsyncExitStack() as stack:
        running = await open_world(world, stack)
        broker = running.broker
        path = broker.settings.home / "secrets" / "row.key"
        broker.sharing = sharing = Sharing(1, QuietSession(), is_shared=True)
        stack.callback(sharing.close)
        follow_others(broker, lambda: None)
        looking = asyncio.ensure_future(sharing.run())
        stack.callback(looking.cancel)
        number = RowKeyFile(path).start(broker.rooms.clock()).target
        await await_true(lambda: number in broker.secrets.row_file.keys.state.keys)
        assert sharing.is_current
        whole = path.read_bytes()
        path.write_bytes(b"{")
        await await_true(lambda: not sharing.is_current)
        path.write_bytes(whole)
        await await_true(lambda: sharing.is_current)
