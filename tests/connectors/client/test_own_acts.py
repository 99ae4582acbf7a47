"""What staff find again of what they did: their own, from the evidence, against a real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import Engine

from connectors.client.outgoing import Person
from connectors.client.own_acts import OwnActs
from connectors.client.store import ClientStore
from connectors.gateway.evidence import mark_told
from datwat.protocol.acts import Statement
from datwat.protocol.answers import ActPart
from tests.connectors.client.test_held import find_public
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
ACTS = ("open_occasion", "record_conversation")
OFTEN_AGO = timedelta(days=1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await open_world(World(tmp_path_factory.mktemp("world")), stack)


async def do(
    running: Running, store: ClientStore, act: str, persons: list[Person], statement: Statement
) -> list[ActPart]:
    """Do an act as the client does, its message and answer on record; return what was answered."""
    sent = running.world.build("social-team", act, persons, statement)
    store.record_sent(sent, None, now(), statement)
    raw = await running.send(sent)
    store.record_answer(sent.rid, raw, "answered")
    answer = running.verify(raw, sent)
    return [act_part(answer, number) for number in range(len(persons))]


async def test_staff_find_their_own_acts_and_those_on_an_occasion(
    broker: Running, own_engine: Engine
) -> None:
    store, acts = ClientStore(own_engine), OwnActs(own_engine)
    statement = say(opens=opens())
    staff = statement.professional.id
    persons = [member(next(NUMBERS)), member(next(NUMBERS))]
    first, second = await do(broker, store, "open_occasion", persons, statement)
    assert first.handle
    assert second.handle
    assert first.occasion
    store.keep_handles({"K-1": first.handle, "K-2": second.handle}, now())
    (opened,) = acts.list_by(staff, ACTS, now() - OFTEN_AGO, ORIGIN)
    assert [one.client for one in opened.persons] == ["K-1", "K-2"]
    assert [one.notice for one in opened.persons] == ["now", "now"]
    assert {one.stated.role for one in opened.persons} == {persons[0].members["role"]}
    assert opened.persons[0].entry != opened.persons[1].entry
    assert acts.find_opening(first.occasion, now(), ORIGIN) == opened
    assert acts.find_opening(bytes(16), now(), ORIGIN) is None
    assert acts.list_on(first.occasion, ACTS, ORIGIN) == []
    # Nothing for a colleague, nothing of another act, nothing of before.
    assert acts.list_by("somebody.else", ACTS, now() - OFTEN_AGO, ORIGIN) == []
    assert acts.list_by(staff, ("inquire",), now() - OFTEN_AGO, ORIGIN) == []
    assert acts.list_by(staff, ACTS, now() + OFTEN_AGO, ORIGIN) == []


async def test_what_the_resident_reads_later_is_marked_until_it_was_opened(
    broker: Running, own_engine: Engine
) -> None:
    store, acts = ClientStore(own_engine), OwnActs(own_engine)
    statement = say(opens=opens(special_situation=situation()))
    (part,) = await do(broker, store, "open_occasion", [member(next(NUMBERS))], statement)
    assert part.handle
    store.keep_handles({"K-1": part.handle}, now())
    staff = statement.professional.id
    (later,) = acts.list_by(staff, ACTS, now() - OFTEN_AGO, ORIGIN)
    assert (later.persons[0].notice, later.persons[0].opened_at) == ("later", None)
    entry = later.persons[0].entry
    assert entry is not None
    for commit, is_opened in ((bytes(32), False), (find_public(broker, entry)[34:], True)):
        with own_engine.begin() as connection:
            mark_told(connection, ORIGIN, entry, commit, now())
        (opened,) = acts.list_by(staff, ACTS, now() - OFTEN_AGO, ORIGIN)
        assert (opened.persons[0].opened_at is not None) is is_opened


async def test_a_message_without_an_answer_says_that_there_is_none(
    broker: Running, own_engine: Engine
) -> None:
    store, acts = ClientStore(own_engine), OwnActs(own_engine)
    statement = say(opens=opens())
    sent = broker.world.build("social-team", "open_occasion", [member(next(NUMBERS))], statement)
    store.record_sent(sent, None, now(), statement)
    (found,) = acts.list_by(statement.professional.id, ACTS, now() - OFTEN_AGO, ORIGIN)
    assert found.state == "pending"
    assert (found.persons[0].answer, found.persons[0].client) == (None, None)
