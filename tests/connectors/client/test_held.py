"""What a requester lists of the answers that it got about one client, from a real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from sqlalchemy import Engine

from connectors.client.held import is_client, list_held
from connectors.client.outgoing import Person
from connectors.client.store import ClientStore
from connectors.gateway.evidence import mark_told
from datwat.protocol.acts import Statement
from tests.exchange.test_openings import BOSS
from tests.exchange.world import (
    ORIGIN,
    Running,
    World,
    act_part,
    bsns,
    member,
    now,
    open_world,
    opens,
    say,
)
from tests.transparency.test_access_log import situation

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await open_world(World(tmp_path_factory.mktemp("world")), stack)


async def ask(
    running: Running, store: ClientStore, act: str, persons: list[Person], statement: Statement
) -> list[bytes]:
    """Do an act as the client does, its message and answer on record; return the handles."""
    sent = running.world.build("social-team", act, persons, statement)
    store.record_sent(sent, None, now())
    raw = await running.send(sent)
    store.record_answer(sent.rid, raw, "answered")
    answer = running.verify(raw, sent)
    return [act_part(answer, number).handle or b"" for number in range(len(persons))]


async def test_answers_are_listed_by_the_clients_own_number(
    broker: Running, own_engine: Engine
) -> None:
    store = ClientStore(own_engine)
    persons = [member(next(NUMBERS)), member(next(NUMBERS))]
    first, second = await ask(broker, store, "open_occasion", persons, say(opens=opens()))
    store.keep_handles({"K-1": first, "K-2": second}, now())
    one, other = (list_held(own_engine, number, ORIGIN) for number in ("K-1", "K-2"))
    assert [entry.act for entry in one] == [entry.act for entry in other] == ["open_occasion"]
    assert one[0].index != other[0].index
    row = find_public(broker, one[0].index)
    assert (row[2:34], row[34:]) == (one[0].tag, one[0].commit)
    assert list_held(own_engine, "K-3", ORIGIN) == []
    assert list_held(own_engine, "K-1", "another/log/1") == []


async def test_what_is_told_later_is_listed_once_it_was_opened(
    broker: Running, own_engine: Engine
) -> None:
    store = ClientStore(own_engine)
    bsn = next(NUMBERS)
    stated = say(opens=opens(special_situation=situation()))
    (handle,) = await ask(broker, store, "open_occasion", [member(bsn)], stated)
    store.keep_handles({"K-1": handle}, now())
    assert list_held(own_engine, "K-1", ORIGIN) == []
    index = broker.broker.log.size - 1
    (row,) = broker.broker.openings.list_waiting()
    assert await broker.broker.openings.open(row, BOSS) == 1
    for commit, listed in ((b"c" * 32, []), (find_public(broker, index)[34:], [index])):
        with own_engine.begin() as connection:
            mark_told(connection, ORIGIN, index, commit, now())
        assert [entry.index for entry in list_held(own_engine, "K-1", ORIGIN)] == listed


async def test_a_client_without_entries_is_told_from_nobody(
    broker: Running, own_engine: Engine
) -> None:
    assert not is_client(own_engine, "K-1")
    ClientStore(own_engine).keep_handles({"K-1": b"h" * 16}, now())
    assert is_client(own_engine, "K-1")
    assert list_held(own_engine, "K-1", ORIGIN) == []
    assert not is_client(own_engine, "k-1")


def find_public(running: Running, index: int) -> bytes:
    with running.broker.store.reading() as connection:
        row = running.broker.store.find_entry(connection, index)
    assert row is not None
    return row.entry
