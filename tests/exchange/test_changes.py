"""What changes while a question is weighed counts: it is weighed anew before it is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from broker.exchange.changes import CHANGING, Change, ChangesHere
from broker.exchange.life import ATTEMPTS
from broker.exchange.members import MEMBERS
from broker.policy.engine import Decisions
from broker.policy.evaluation import Evaluation
from broker.pseudonyms.errors import RaceLost
from datwat.protocol.acts import CloseOccasion, Consent, Objection, Wish
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.values import encode_bytes
from tests.exchange.world import (
    MOTIVATION,
    ON_EACH_DATABASE,
    Household,
    Running,
    act_part,
    bsns,
    by_handle,
    conversation,
    inquire,
    inquiry_part,
    now,
    open_household,
    register,
    release_part,
    say,
)
from tests.transparency.test_access_log import log_in

CONN: Any = None  # one process keeps what changed in memory
NUMBERS = bsns()
PURPOSE = "coordinate_family_help"
GATEWAYS = {"debt-counselling": "http://127.0.0.1:9"}


@dataclass
class Case:
    """Somebody whose debt counselling was shown to the team."""

    running: Running
    bsn: str
    home: Household
    involvement: bytes

    async def act(self, act: str, statement: dict[str, object], **person: object) -> None:
        people = [by_handle(self.home.handles[self.bsn], **person)]
        words = say(occasion=self.home.occasion, **statement)
        part = act_part(await self.running.ask("social-team", act, people, words))
        assert part.state in ("closed", "recorded"), part.weighing

    async def release(self) -> bool:
        answer = await self.running.ask(
            "social-team",
            "release",
            [by_handle(self.home.handles[self.bsn], involvement=self.involvement)],
            say(occasion=self.home.occasion, motivation=MOTIVATION),
            purpose=self.running.purpose(PURPOSE),
            source=self.running.world.members["debt-counselling"].id,
            product="schuldregeling",
            fields=["regeling.status"],
            reply_key=encode_bytes(ExchangeKey.generate().public.raw),
        )
        return release_part(answer).weighing.permitted


async def begin(running: Running) -> Case:
    bsn = next(NUMBERS)
    await register(running, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(running, bsn)
    pointer = inquiry_part(await inquire(running, home, bsn)).pointers[0]
    return Case(running, bsn, home, pointer.involvement)


async def closing(case: Case) -> None:
    closes = CloseOccasion(reason="completed", goals_reached="yes", plan_made=True)
    await case.act("close_occasion", {"closes": closes})


async def objecting(case: Case) -> None:
    objection = Objection(purpose=PURPOSE, reason="", made_at=case.running.broker.rooms.clock())
    await case.act("record_objection", {}, objection=objection)


async def conversing(case: Case) -> None:
    await case.act("record_conversation", {}, conversation=conversation(reaction="objects"))


async def wishing(case: Case) -> None:
    (resident,) = await log_in(case.running, case.bsn)
    made_at = case.running.broker.rooms.clock()
    wish = Wish(objection=Objection(purpose=PURPOSE, reason="Nee.", made_at=made_at))
    answer = await case.running.ask("portal", "wish", [by_handle(resident.handle, wish=wish)])
    assert act_part(answer).state == "recorded"


@ON_EACH_DATABASE
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("change", [closing, objecting, conversing, wishing])
async def test_what_is_written_while_a_question_is_weighed_counts_for_it(
    broker: Running, monkeypatch: pytest.MonkeyPatch, change: Callable[[Case], Awaitable[None]]
) -> None:
    case, engine = await begin(broker), broker.broker.engine
    assert await case.release()
    evaluate, weighed = engine.evaluate, 0

    async def change_meanwhile(evaluations: Sequence[Evaluation]) -> Decisions:
        nonlocal weighed
        weighed += 1
        decisions = await evaluate(evaluations)
        if weighed == 1:
            monkeypatch.setattr(engine, "evaluate", evaluate)
            await change(case)
            monkeypatch.setattr(engine, "evaluate", change_meanwhile)
        return decisions

    monkeypatch.setattr(engine, "evaluate", change_meanwhile)
    assert not await case.release()
    assert weighed == 2


async def another_conversing(case: Case) -> None:
    theirs = await open_household(case.running, case.bsn, function="debt-counselling")
    people = [by_handle(theirs.handles[case.bsn], conversation=conversation())]
    answer = await case.running.ask(
        "debt-counselling", "record_conversation", people, say(occasion=theirs.occasion)
    )
    assert act_part(answer).state == "recorded"


async def another_refused(case: Case) -> None:
    """Somebody states a consent on an occasion that is not theirs."""
    theirs = await open_household(case.running, case.bsn, function="debt-counselling")
    consent = Consent(
        kind="no_objection",
        purpose=PURPOSE,
        given_by="self",
        written=True,
        given_at=now(),
        until_at=now() + timedelta(days=30),
    )
    people = [by_handle(theirs.handles[case.bsn], consent=consent)]
    answer = await case.running.ask(
        "debt-counselling", "record_consent", people, say(occasion=case.home.occasion)
    )
    assert act_part(answer).state == "refused"


@ON_EACH_DATABASE
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("meanwhile", [another_conversing, another_refused])
async def test_what_changes_nothing_for_a_question_does_not_hold_it_up(
    broker: Running, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Case], Awaitable[None]]
) -> None:
    case, engine = await begin(broker), broker.broker.engine
    evaluate, weighed = engine.evaluate, 0

    async def act_meanwhile(evaluations: Sequence[Evaluation]) -> Decisions:
        nonlocal weighed
        weighed += 1
        decisions = await evaluate(evaluations)
        if weighed == 1:
            monkeypatch.setattr(engine, "evaluate", evaluate)
            await meanwhile(case)
            monkeypatch.setattr(engine, "evaluate", act_meanwhile)
        return decisions

    monkeypatch.setattr(engine, "evaluate", act_meanwhile)
    assert await case.release()
    assert weighed == 1


def test_what_is_read_while_it_is_written_is_refused_and_what_is_read_after_it_is_not() -> None:
    changes, change = ChangesHere(), Change([b"a", b"b"])
    before = changes.read_moment(CONN)
    changes.require_same(CONN, [b"a"], before)
    changes.begin(CONN, change)
    changes.begin(CONN, change)
    for moment in (before, changes.read_moment(CONN)):
        with pytest.raises(RaceLost):
            changes.require_same(CONN, [b"c", b"b"], moment)
    changes.require_same(CONN, [b"c"], before)
    between = changes.read_moment(CONN)
    changes.end(change)
    changes.end(change)
    for moment in (before, between):
        with pytest.raises(RaceLost):
            changes.require_same(CONN, [b"a"], moment)
    changes.require_same(CONN, [b"a", b"b", b"c"], changes.read_moment(CONN))


def test_what_never_began_ends_without_a_trace_and_what_is_forgotten_is_refused() -> None:
    changes = ChangesHere(most_kept=2)
    first = changes.read_moment(CONN)
    changes.end(Change([b"a"]))
    changes.require_same(CONN, [b"a"], first)
    for subject_id in (b"a", b"b", b"c"):
        change = Change([subject_id])
        changes.begin(CONN, change)
        changes.end(change)
    with pytest.raises(RaceLost):
        changes.require_same(CONN, [b"z"], first)
    changes.require_same(CONN, [b"a", b"b", b"c"], changes.read_moment(CONN))


def test_every_changing_act_is_one_of_the_protocol() -> None:
    assert MEMBERS.keys() > CHANGING
    assert ATTEMPTS > 1
