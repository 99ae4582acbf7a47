"""What runs beside the broker: a round that fails is said, and tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text

import broker.publishing
from broker.adapters.database import BEGIN_OPTION, BEGIN_WRITING
from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.publication_store import SqlPublication
from broker.adapters.publication_tables import LOG_TAGS
from broker.audit.past_log import Generations
from broker.audit.tag_roots import TagRoots
from broker.audit.tiles import Tiles
from broker.publishing import Publishing
from datwat.party import clock
from datwat.party.database import BUSY_MILLISECONDS
from datwat.party.http_out import HttpOut
from datwat.party.ratchet_errors import RatchetAwayError
from datwat.party.tag_index import TagIndex
from tests.audit.conftest import LogWorld
from tests.audit.test_cosigning import Desk
from tests.audit.test_tag_roots import check_proofs, write

_ENTRIES = table_of(LogEntry)
# After it a round that waits for the database has failed; PostgreSQL's lock_timeout is as long.
_GIVEN_UP_SECONDS = BUSY_MILLISECONDS / 1_000 + 1.5


async def wait_for(publishing: Publishing, **wanted: object) -> None:
    async with asyncio.timeout(30):
        while any(  # noqa: ASYNC110 - what is waited for is a value, not an event
            publishing.build_status()[name] != value for name, value in wanted.items()
        ):
            await asyncio.sleep(0.02)


@asynccontextmanager
async def publish(world: LogWorld) -> AsyncIterator[Publishing]:
    """Yield the public log of a world whose rounds run."""
    desk = Desk(world)
    desk.threshold = 0
    store = SqlPublication(world.engine)
    async with HttpOut() as http:
        cosigning = desk.open(http)
        roots = TagRoots(world.log, store, TagIndex(LOG_TAGS, 8), clock.now)
        tiles = Tiles(world.log, store)
        publishing = Publishing(
            roots, desk.publication, cosigning, tiles, Generations(), store, world.log, clock.now
        )
        running = asyncio.ensure_future(publishing.run_tag_roots(0.05))
        try:
            yield publishing
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_round_that_fails_is_said_and_tried_again(world: LogWorld) -> None:
    leaves = await write(world, 4)
    with world.engine.begin() as conn:
        query = select(_ENTRIES).where(_ENTRIES.c.idx == 2)
        row: dict[str, Any] = dict(conn.execute(query).mappings().one())
        conn.execute(delete(_ENTRIES).where(_ENTRIES.c.idx == 2))
    async with publish(world) as publishing:
        await wait_for(publishing, tag_root_failure="log_damaged", tag_root_size=None)
        with world.engine.begin() as conn:
            conn.execute(insert(_ENTRIES), row)
        await wait_for(publishing, tag_root_failure=None, tag_root_size=4)
        base = publishing.read_base()
        assert (base.tag_size, base.tag_index, base.size) == (4, 4, 5)
        check_proofs(publishing.tag_roots, world, leaves)


async def test_a_database_that_others_hold_is_no_fault_of_the_log(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(world, 4)
    holding = world.engine.execution_options(**{BEGIN_OPTION: BEGIN_WRITING})
    async with publish(world) as publishing:
        with holding.begin() as conn:
            if conn.dialect.name == "postgresql":
                conn.execute(text("LOCK TABLE log_head IN ACCESS EXCLUSIVE MODE"))
            await asyncio.sleep(_GIVEN_UP_SECONDS)
            assert publishing.build_status()["tag_root_failure"] is None
            # One that stays so is told: a full disk, or a server that takes no changes.
            monkeypatch.setattr(broker.publishing, "_PASSES", timedelta(seconds=1))
            await wait_for(publishing, tag_root_failure="database_away")
        await wait_for(publishing, tag_root_failure=None, tag_root_size=4)


async def test_a_ratchet_server_that_is_away_for_a_moment_is_no_fault_of_the_log(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait_in_vain() -> bool:
        tried.set()
        raise RatchetAwayError

    tried = asyncio.Event()
    await write(world, 4)
    async with publish(world) as publishing:
        with monkeypatch.context() as patch:
            patch.setattr(publishing.tag_roots, "state", wait_in_vain)
            await asyncio.wait_for(tried.wait(), 30)
            assert publishing.build_status()["tag_root_failure"] is None
            patch.setattr(broker.publishing, "_PASSES", timedelta(0))
            await wait_for(publishing, tag_root_failure="ratchet_away")
        await wait_for(publishing, tag_root_failure=None, tag_root_size=4)
