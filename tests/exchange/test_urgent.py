"""The reason of an urgent wish to be called: it stands in the entry that the resident reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
import pytest_asyncio

from broker.audit.payloads import Record, parse_payload
from datwat.protocol.acts import Contact, Motivation
from tests.exchange.test_written import read_contents
from tests.exchange.world import (
    Running,
    World,
    act_part,
    bsns,
    by_handle,
    now,
    open_household,
    open_world,
    register,
    say,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
REASON = "He stands outside and has nowhere to sleep tonight."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await open_world(World(tmp_path_factory.mktemp("world")), stack)


async def test_a_crisis_gives_contact_for_a_reason_that_the_resident_reads(
    broker: Running,
) -> None:
    known, nobody = next(NUMBERS), next(NUMBERS)
    await register(broker, "debt-counselling", known, "debt_counselling")
    ends = now() + timedelta(days=13)
    home = await open_household(broker, known, nobody, kind="crisis", inform_by=ends)
    for bsn in (known, nobody):
        answer = await broker.ask(
            "social-team",
            "request_contact",
            [by_handle(home.handles[bsn])],
            say(
                occasion=home.occasion,
                call_back=Contact(role="Coordinator", phone="020 111 1111"),
                motivation=Motivation(purpose=REASON),
            ),
            purpose=broker.purpose("coordinate_family_help"),
            source=broker.world.members["debt-counselling"].id,
        )
        weighing = act_part(answer).weighing
        assert weighing.permitted
        assert "review_afterwards" in {one.code for one in weighing.obligations}
    asked = [record for record in read_records(broker) if record.event == "request_contact"]
    assert len(asked) == 2
    assert [
        one.asked.motivation.purpose for one in asked if one.asked and one.asked.motivation
    ] == [
        REASON,
        REASON,
    ]


def read_records(running: Running) -> list[Record]:
    return [parse_payload(content.payload) for content in read_contents(running)]
