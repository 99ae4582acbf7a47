"""Contact requests underway: a gateway that is down, or is not there, holds up nobody else."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

import broker.exchange.outbox as module
from broker.adapters.tables import ContactRequestRecord, NoticeRecord, table_of
from broker.app import build_commands
from broker.involvement.contacts import ContactRequest
from broker.involvement.notices import Notice, OpenedEntry, derive_notice_end
from datwat.protocol.acts import Contact
from datwat.protocol.answers import ActPart
from datwat.protocol.deliveries import EndedNotice
from tests.exchange.source import Source, free_port, serve_source
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Running,
    act_part,
    bsns,
    by_handle,
    draw,
    now,
    open_household,
    outbox,
    register,
    say,
)
from tests.transparency.test_access_log import log_in

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
LATER = timedelta(seconds=6)
DEAD, ALIVE = free_port(), free_port()
GATEWAYS = {
    "debt-counselling": f"http://127.0.0.1:{DEAD}",
    "income": f"http://127.0.0.1:{ALIVE}",
}


async def request_contact(running: Running, bsn: str, function: str) -> ActPart:
    home = await open_household(running, bsn)
    answer = await running.ask(
        "social-team",
        "request_contact",
        [by_handle(home.handles[bsn])],
        say(occasion=home.occasion, call_back=Contact(role="Regisseur", phone="020 111 2222")),
        purpose=running.purpose("coordinate_family_help"),
        source=running.world.members[function].id,
    )
    part = act_part(answer)
    assert part.state == "sent", part.weighing
    return part


def waiting(running: Running, ahead: timedelta = timedelta(0)) -> list[ContactRequest]:
    rooms = running.broker.rooms
    with rooms.reading() as conn:
        return rooms.registers.contacts.list_undelivered(conn, now() + ahead, 500)


async def test_a_gateway_that_is_down_is_tried_ever_less_often_and_others_are_served(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request a round: what failed makes room for the next one."""
    monkeypatch.setattr(module, "_MOST_A_ROUND", 1)
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    down, up = next(NUMBERS), next(NUMBERS)
    await register(broker, "debt-counselling", down, "debt_counselling")
    await register(broker, "income", up, "income_support")
    await request_contact(broker, down, "debt-counselling")
    await asyncio.sleep(1.1)  # moments are whole seconds: the oldest goes first
    await request_contact(broker, up, "income")
    source = Source(broker.world.folder / "up", broker, up, draw(), "income")
    async with serve_source(source, ALIVE):
        assert [await outbox(broker).deliver_due() for _ in range(3)] == [0, 1, 0]
    assert waiting(broker) == []
    (left,) = waiting(broker, LATER)
    assert (left.source, left.tries) == (broker.world.members["debt-counselling"].id, 1)
    assert await outbox(broker, LATER).deliver_due() == 0
    assert waiting(broker, 2 * LATER - timedelta(seconds=2)) == []  # twice as late each time
    assert [one.tries for one in waiting(broker, timedelta(seconds=30))] == [2]


async def test_where_there_is_no_gateway_nobody_is_reached_and_it_looks_the_same(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source loses its gateway while one request is underway, and another comes after it."""
    source = broker.world.members["debt-counselling"].id
    directory = broker.broker.keeper.directory
    gone = directory.partners[source].model_copy(update={"gateway_url": None})
    underway, after = next(NUMBERS), next(NUMBERS)
    for bsn in (underway, after):
        await register(broker, "debt-counselling", bsn, "debt_counselling")
    parts = [await request_contact(broker, underway, "debt-counselling")]
    assert source in {one.source for one in waiting(broker)}
    with monkeypatch.context() as patch:
        patch.setattr(directory, "partners", {**directory.partners, source: gone})
        parts.append(await request_contact(broker, after, "debt-counselling"))
        await outbox(broker, timedelta(minutes=5)).deliver_due()
    assert waiting(broker, timedelta(days=1)) == []
    assert parts[0].weighing == parts[1].weighing
    told = []
    for bsn in (underway, after):
        (resident,) = await log_in(broker, bsn)
        told.append((await resident.read()).cards[0].details["contact_state"])
    assert told == ["relayed", "not_relayed"]


async def test_what_does_not_open_is_counted_and_holds_up_nobody(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row at a time, the spoilt ones first: without a key restored they never open."""
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    numbers = [next(NUMBERS) for _ in range(2)]
    for bsn in numbers:
        await register(broker, "income", bsn, "income_support")
        await request_contact(broker, bsn, "income")
    running = broker.broker
    contacts, notices = table_of(ContactRequestRecord), table_of(NoticeRecord)
    spoilt = next(one for one in waiting(broker) if one.source.endswith(":income"))
    told = [
        Notice(
            id=draw(),
            to=broker.world.members["income"].id,
            type="ended",
            content=EndedNotice(
                kind="involvement", reference=draw(), reason="ended", ended_at=now()
            ),
            until_at=derive_notice_end(now()),
        )
        for _ in range(2)
    ]
    early = now() - timedelta(minutes=1)
    with running.store.writing() as conn:
        for notice in told:
            running.rooms.registers.notices.add(conn, notice, early)
        for table, spoilt_id in ((contacts, spoilt.id), (notices, min(one.id for one in told))):
            conn.execute(
                update(table).where(table.c.id == spoilt_id).values(sealed=bytes(64), next_at=early)
            )
    source = Source(broker.world.folder / "spoilt", broker, numbers[0], draw(), "income")
    async with serve_source(source, ALIVE):
        assert await running.outbox.deliver_due() == 2
    assert running.outbox.count_unreadable() == 2
    status = await build_commands(running, lambda: None)["status"]({})
    assert status["outbox_unreadable"] == 2
    assert waiting(broker) == []  # put off, as what fails is


async def test_a_notice_whose_entry_is_gone_holds_up_nobody(broker: Running) -> None:
    """Its person ended meanwhile, or a restore lost the entry: there is no receipt to tell with."""
    running, to = broker.broker, broker.world.members["income"].id
    gone = OpenedEntry(
        core=b"{}", payload_hash=draw(32), commit=draw(32), subject_id=draw(), audience="own"
    )
    ended = EndedNotice(kind="involvement", reference=draw(), reason="ended", ended_at=now())
    until_at, bsn = derive_notice_end(now()), next(NUMBERS)
    with running.store.writing() as conn:
        for minutes, notice in (
            (2, Notice(id=draw(), to=to, type="opened", content=gone, until_at=until_at)),
            (1, Notice(id=draw(), to=to, type="ended", content=ended, until_at=until_at)),
        ):
            due = now() - timedelta(minutes=minutes)
            running.rooms.registers.notices.add(conn, notice, due)
    before = running.outbox.count_unreadable()
    source = Source(broker.world.folder / "gone", broker, bsn, draw(), "income")
    async with serve_source(source, ALIVE):
        assert await running.outbox.deliver_due() == 1
    assert running.outbox.count_unreadable() == before + 1
