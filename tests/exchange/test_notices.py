"""What partners are told of by themselves, at their real gateways: annulled, ended, opened."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from broker.adapters.tables import InvolvementRecord, NoticeRecord, table_of
from connectors.gateway.evidence import list_orders
from connectors.gateway_tables import gateway_ended
from datwat.protocol.acts import Professional, SpecialSituation
from datwat.protocol.messages import OutcomeCore
from datwat.protocol.values import encode_bytes
from tests.exchange.source import Source, free_port, serve_source
from tests.exchange.world import (
    MOTIVATION,
    ON_EACH_DATABASE,
    Household,
    Running,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    draw,
    inquire,
    inquiry_part,
    now,
    open_household,
    outbox,
    register,
    release_part,
    say,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
DEBTS, TEAM = free_port(), free_port()
INVOLVEMENTS, NOTICES = table_of(InvolvementRecord), table_of(NoticeRecord)
GATEWAYS = {
    "debt-counselling": f"http://127.0.0.1:{DEBTS}",
    "social-team": f"http://127.0.0.1:{TEAM}",
}


@dataclass
class Shown:
    """A person whose debt counselling the social team has seen, each with its own references."""

    bsn: str
    home: Household
    own: bytes
    theirs: bytes
    handle: bytes


async def show(running: Running, situation: SpecialSituation | None = None) -> Shown:
    bsn = next(NUMBERS)
    part = await register(running, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(running, bsn, special_situation=situation)
    (pointer,) = inquiry_part(await inquire(running, home, bsn)).pointers
    assert part.involvement is not None
    assert part.handle is not None
    assert pointer.involvement != part.involvement
    return Shown(bsn, home, part.involvement, pointer.involvement, part.handle)


def waiting(running: Running) -> list[tuple[str, str, int]]:
    wanted = select(NOTICES.c.partner, NOTICES.c.type, NOTICES.c.tries).order_by(NOTICES.c.partner)
    with running.broker.rooms.reading() as conn:
        return [tuple(row) for row in conn.execute(wanted)]


def told(source: Source) -> list[tuple[bytes, str, str]]:
    columns = (gateway_ended.c.reference, gateway_ended.c.type, gateway_ended.c.reason)
    with source.engine.connect() as conn:
        return [tuple(row) for row in conn.execute(select(*columns))]


def party(running: Running, function: str) -> str:
    return running.world.members[function].id


async def test_who_was_shown_a_wrong_person_is_told_also_when_down_at_first(
    broker: Running,
) -> None:
    shown, team = await show(broker), party(broker, "social-team")
    answer = await broker.ask(
        "debt-counselling", "report_wrong_person", [by_handle(shown.handle)], say()
    )
    assert act_part(answer).state == "annulled", act_part(answer).weighing
    assert waiting(broker) == [(team, "annulled", 0)]  # and not the one that reported
    assert await outbox(broker).deliver_due() == 0
    assert waiting(broker) == [(team, "annulled", 1)]
    source = Source(broker.world.folder / "annulled", broker, shown.bsn, draw(), "social-team")
    async with serve_source(source, TEAM):
        assert await outbox(broker).deliver_due() == 0  # not due yet
        assert await outbox(broker, timedelta(seconds=6)).deliver_due() == 1
        assert waiting(broker) == []
        assert await outbox(broker, timedelta(seconds=12)).deliver_due() == 0
        assert told(source) == [(shown.theirs, "annulled", "wrong_person")]


async def test_what_its_source_ended_is_told_without_saying_how(broker: Running) -> None:
    shown = await show(broker)
    person = by_handle(shown.handle, involvement=shown.own, ends="died")
    answer = await broker.ask("debt-counselling", "end", [person], say())
    assert act_part(answer).state == "ended"
    source = Source(broker.world.folder / "ended", broker, shown.bsn, draw(), "social-team")
    async with serve_source(source, TEAM):
        assert await outbox(broker).deliver_due() == 1
        assert told(source) == [(shown.theirs, "ended", "ended")]
    assert waiting(broker) == []


async def test_what_expires_is_written_down_and_told_to_source_and_requester(
    broker: Running,
) -> None:
    shown, running = await show(broker), broker.broker
    over = now() - timedelta(seconds=1)
    debts = party(broker, "debt-counselling")
    with running.rooms.reading() as conn:
        target = running.rooms.registers.references.find_target(
            conn, debts, "involvement", shown.own, now()
        )
    assert target is not None
    with running.store.writing() as conn:
        conn.execute(
            update(INVOLVEMENTS).where(INVOLVEMENTS.c.id == target.target).values(expires_at=over)
        )
    size = running.log.size
    await running.housekeeper.run_round()
    assert running.log.size == size + 1
    await running.housekeeper.run_round()
    assert running.log.size == size + 1
    assert inquiry_part(await inquire(broker, shown.home, shown.bsn)).pointers == ()
    folder = broker.world.folder
    source = Source(folder / "expired", broker, shown.bsn, shown.own)
    other = Source(folder / "expired-team", broker, shown.bsn, draw(), "social-team")
    async with serve_source(source, DEBTS), serve_source(other, TEAM):
        assert await outbox(broker).deliver_due() == 2
        assert told(source) == [(shown.own, "ended", "expired")]
        assert told(other) == [(shown.theirs, "ended", "ended")]


async def test_an_opening_is_proved_to_the_parties_to_what_waited(broker: Running) -> None:
    """A release under a special situation; at the end of its term the housekeeper opens it."""
    until_at = now() + timedelta(seconds=5)
    situation = SpecialSituation(
        ground="rights_of_others",
        decider=Professional(id="v.dijk", role="teamleider"),
        until_at=until_at,
        opening="automatic",
        reason="Een melder moet eerst veilig zijn.",
    )
    shown = await show(broker, situation)
    source = Source(broker.world.folder / "opened", broker, shown.bsn, shown.own)
    team = Source(broker.world.folder / "opened-team", broker, shown.bsn, draw(), "social-team")
    async with serve_source(source, DEBTS), serve_source(team, TEAM):
        sent = broker.world.build(
            "social-team",
            "release",
            [by_handle(shown.home.handles[shown.bsn], involvement=shown.theirs)],
            say(occasion=shown.home.occasion, motivation=MOTIVATION),
            purpose=broker.purpose("coordinate_family_help"),
            source=party(broker, "debt-counselling"),
            product="schuldregeling",
            fields=["regeling.status"],
            reply_key=encode_bytes(draw(32)),
        )
        answer = broker.verify(await broker.send(sent), sent)
        assert release_part(answer).fields == ("regeling.status",), release_part(answer)
        core = answer.persons[0].core
        assert isinstance(core, OutcomeCore)
        assert core.notice == "later"
        await broker.broker.housekeeper.run_round()
        assert list_orders(source.engine) == []
        await asyncio.sleep(max(0.0, (until_at - now()).total_seconds()) + 1)
        await broker.broker.housekeeper.run_round()
        assert list_orders(source.engine) == []
        # To the team: opening, inquiry, release, outcome; to the source: the release.
        assert await outbox(broker).deliver_due() == 5
        (order,) = list_orders(source.engine)
        assert order.core_hash == core.core_hash
    assert waiting(broker) == []


async def test_a_report_takes_back_everything_and_is_told_where_it_was_hidden(
    broker: Running,
) -> None:
    """Two occasions, one of them under a special situation, and a pointer; one is cited."""
    wrong, right, other = next(NUMBERS), next(NUMBERS), next(NUMBERS)
    await register(broker, "social-team", wrong, "social_team_support")
    cited = await open_household(broker, wrong, other)
    hidden = await open_household(
        broker,
        wrong,
        special_situation=SpecialSituation(
            ground="child_safety",
            decider=Professional(id="v.dijk", role="teamleider"),
            until_at=now() + timedelta(days=3),
            opening="by_person",
            reason="Onveilig.",
        ),
    )
    size = broker.broker.log.size
    persons = [by_handle(cited.handles[wrong]), by_bsn(right, identity="document")]
    answer = await broker.ask(
        "social-team", "report_wrong_person", persons, say(occasion=cited.occasion)
    )
    parts = [act_part(answer, number) for number in (0, 1)]
    assert [part.state for part in parts] == ["annulled", "noted"], parts[0].weighing
    assert broker.broker.log.size == size + 2
    cores = [person.core for person in answer.persons]
    assert [core.notice for core in cores if core is not None] == ["later", "now"]
    again = await register(broker, "social-team", wrong, "social_team_support")
    assert again.state == "registered"
    assert again.handle not in (None, cited.handles[wrong])
    for home in (cited, hidden):
        home.handles["again"] = again.handle or b""
        part = inquiry_part(await inquire(broker, home, "again"))
        missing = {one.code for one in part.weighing.findings if not one.satisfied}
        assert "person_in_household" in missing
    assert inquiry_part(await inquire(broker, cited, other)).weighing.permitted
