"""With a witness threshold an order carries what witnesses vouched for, or it is refused."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from datwat.protocol.answers import ReleasePart
from tests.audit.witnesses import TestWitness
from tests.exchange.source import Source, free_port, serve_source
from tests.exchange.test_release import Asked
from tests.exchange.world import (
    World,
    bsns,
    inquire,
    inquiry_part,
    open_household,
    open_world,
    register,
    release_part,
)
from tests.party.web import serving


async def test_an_order_needs_the_word_of_enough_witnesses(tmp_path: Path) -> None:
    port, numbers = free_port(), bsns()
    world = World(tmp_path, {"debt-counselling": f"http://127.0.0.1:{port}"})
    assert world.card.log is not None
    witness = TestWitness("witness.test/one", world.card.log)
    async with AsyncExitStack() as stack:
        url = stack.enter_context(serving(witness.build_app()))
        world.witnesses, world.witness_threshold = (witness.list_at(url),), 1
        world.write_list(1)
        running = await open_world(world, stack)
        bsn = next(numbers)
        part = await register(running, "debt-counselling", bsn, "debt_counselling")
        assert part.involvement is not None
        home = await open_household(running, bsn)
        pointer = inquiry_part(await inquire(running, home, bsn)).pointers[0]
        source = Source(tmp_path / "source", running, bsn, part.involvement)
        asked = Asked(running, source, port, bsn, home, pointer.involvement)
        cosigning = running.broker.publishing.cosigning

        async with serve_source(source, port):
            assert (await _release(asked)).failure == "source_refused_order"
        for _ in range(2):
            await asyncio.gather(*await cosigning.begin_round())
            async with serve_source(source.reopen(), port):
                assert (await _release(asked)).failure is None


async def _release(asked: Asked) -> ReleasePart:
    return release_part(await asked.ask())
