"""Special situations that open, or are declared anew, while something else is going on.

What waits is told with the situation that it waited for: never lost, and never a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from broker.involvement.special_situations import SpecialSituationRow
from broker.policy.engine import Decisions
from broker.policy.evaluation import Evaluation
from datwat.protocol.acts import Professional
from datwat.protocol.values import encode_bytes
from tests.exchange.test_terms import at
from tests.exchange.world import (
    MOTIVATION,
    Household,
    Running,
    act_part,
    bsns,
    by_handle,
    inquire,
    inquiry_part,
    now,
    open_household,
    register,
    release_part,
    say,
)
from tests.transparency.test_access_log import events, log_in, situation

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
BOSS = Professional(id="d.baas", role="directeur")
# A gateway is named, and the tests stand at the broker's end of the line to it.
GATEWAYS = {"debt-counselling": "http://127.0.0.1:9"}


async def open_waiting(running: Running, *persons: str) -> tuple[Household, SpecialSituationRow]:
    """Open an occasion under a special situation, and return both."""
    before = {row.id for row in running.broker.openings.list_waiting()}
    home = await open_household(running, *persons, special_situation=situation())
    (row,) = [one for one in running.broker.openings.list_waiting() if one.id not in before]
    return home, row


async def declare(running: Running, home: Household, bsn: str, **changes: object) -> str | None:
    answer = await running.ask(
        "social-team",
        "declare_special_situation",
        [by_handle(home.handles[bsn])],
        say(occasion=home.occasion, special_situation=situation(**changes)),
    )
    return act_part(answer).state


async def test_what_is_asked_while_it_opens_does_not_wait(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    bsn = next(NUMBERS)
    home, row = await open_waiting(broker, bsn)
    evaluate = broker.broker.engine.evaluate
    opened: list[int] = []

    async def open_meanwhile(evaluations: Sequence[Evaluation]) -> Decisions:
        decisions = await evaluate(evaluations)
        if not opened:
            opened.append(await broker.broker.openings.open(row, BOSS))
        return decisions

    monkeypatch.setattr(broker.broker.engine, "evaluate", open_meanwhile)
    answer = await inquire(broker, home, bsn)
    assert opened == [1]
    core = answer.persons[0].core
    assert core is not None
    assert core.notice == "now"
    (resident,) = await log_in(broker, bsn)
    assert events(await resident.read()) == ["inquire", "open_occasion"]


async def test_the_outcome_of_a_release_is_told_where_its_question_is(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home, row = await open_waiting(broker, bsn)
    (pointer,) = inquiry_part(await inquire(broker, home, bsn)).pointers
    send_order = broker.broker.gateways.send_order
    opened: list[int] = []

    async def open_meanwhile(*arguments: Any) -> bytes:  # noqa: ANN401 - as it is called
        opened.append(await broker.broker.openings.open(row, BOSS))
        return await send_order(*arguments)

    monkeypatch.setattr(broker.broker.gateways, "send_order", open_meanwhile)
    answer = await broker.ask(
        "social-team",
        "release",
        [by_handle(home.handles[bsn], involvement=pointer.involvement)],
        say(occasion=home.occasion, motivation=MOTIVATION),
        purpose=broker.purpose("coordinate_family_help"),
        source=broker.world.members["debt-counselling"].id,
        product="schuldregeling",
        fields=["regeling.status"],
        reply_key=encode_bytes(bytes(range(32))),
    )
    assert release_part(answer).failure == "source_unreachable"
    assert opened == [3]
    (resident,) = await log_in(broker, bsn)
    (card, *_) = (await resident.read()).cards
    assert (card.event, card.failure) == ("release", "source_unreachable")
    assert len(card.proofs) == 2


async def test_each_situation_opens_only_what_waited_for_it(broker: Running) -> None:
    bsn = next(NUMBERS)
    home, first = await open_waiting(broker, bsn)
    assert await broker.broker.openings.open(first, BOSS) == 1
    assert await declare(broker, home, bsn) == "declared"
    (second,) = [
        row for row in broker.broker.openings.list_waiting() if row.occasion_id == first.occasion_id
    ]
    await inquire(broker, home, bsn)
    (resident,) = await log_in(broker, bsn)
    assert events(await resident.read()) == ["open_occasion"]
    assert await broker.broker.openings.open(second, BOSS) == 2
    page = await resident.read()
    assert events(page) == ["inquire", "declare_special_situation", "open_occasion"]
    assert [len(card.proofs) for card in page.cards] == [1, 1, 1]


async def test_declaring_again_renews_what_waits(broker: Running) -> None:
    bsn = next(NUMBERS)
    home, row = await open_waiting(broker, bsn)
    later = now() + timedelta(days=14)
    assert await declare(broker, home, bsn, until_at=later + timedelta(hours=1)) == "refused"
    assert await declare(broker, home, bsn, until_at=later) == "declared"
    (renewed,) = [one for one in broker.broker.openings.list_waiting() if one.id == row.id]
    assert renewed.stated.until_at == later
    assert renewed.declared_at == row.declared_at
    (resident,) = await log_in(broker, bsn)
    assert events(await resident.read()) == []
    assert await broker.broker.openings.open(renewed, BOSS) == 3
    told = events(await resident.read())
    assert told == ["declare_special_situation", "declare_special_situation", "open_occasion"]


async def test_what_opens_in_a_later_quarter_can_be_read(broker: Running) -> None:
    bsn = next(NUMBERS)
    _, row = await open_waiting(broker, bsn)
    _, openings = at(broker, timedelta(days=100))
    assert await openings.open(row, BOSS) == 1
    (resident,) = await log_in(broker, bsn)
    assert events(await resident.read()) == ["open_occasion"]
