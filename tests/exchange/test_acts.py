"""Batches, introductions, contact requests, hand-overs, endings, wrong persons, consents."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from broker.exchange.errors import IntroductionUnknownError
from broker.policy.engine import Decisions, PolicyUnavailableError
from broker.policy.evaluation import Evaluation
from connectors.client.outgoing import Person
from datwat.protocol.acts import Consent, Contact, Handler
from datwat.protocol.answers import ActPart
from tests.exchange.source import Source, free_port, serve_source
from tests.exchange.world import (
    ON_EACH_DATABASE,
    WORKER,
    Running,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    inquire,
    inquiry_part,
    member,
    now,
    open_household,
    opens,
    outbox,
    register,
    registers,
    say,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
PORT = free_port()
GATEWAYS = {"debt-counselling": f"http://127.0.0.1:{PORT}"}


def batch(size: int) -> list[Person]:
    return [
        by_bsn(
            next(NUMBERS),
            registers=registers("debt_counselling"),
            identity="document",
            told_at=now(),
        )
        for _ in range(size)
    ]


async def test_a_batch_is_answered_row_by_row_under_one_checkpoint(broker: Running) -> None:
    size = broker.broker.log.size
    answer = await broker.ask("debt-counselling", "register", batch(70), say())
    assert len(answer.persons) == 70
    assert {act_part(answer, number).state for number in range(70)} == {"registered"}
    assert broker.broker.log.size == size + 70


async def test_a_batch_that_was_cut_off_is_resumed_under_the_same_rid(broker: Running) -> None:
    """Cut after the first chunk; the same bytes go on, and nothing is written twice."""
    sent = broker.world.build("debt-counselling", "register", batch(70), say())
    size, engine = broker.broker.log.size, broker.broker.engine
    evaluate, calls = engine.evaluate, 0

    async def fail_second(evaluations: Sequence[Evaluation]) -> Decisions:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise PolicyUnavailableError
        return await evaluate(evaluations)

    engine.evaluate = fail_second  # type: ignore[method-assign] # the fault under test
    try:
        with pytest.raises(PolicyUnavailableError):
            await broker.send(sent)
    finally:
        engine.evaluate = evaluate  # type: ignore[method-assign]
    assert broker.broker.log.size == size + 32
    answer = broker.verify(await broker.send(sent), sent)
    assert broker.broker.log.size == size + 70
    assert len({person.index for person in answer.persons}) == 70


async def test_an_introduction_is_redeemed_once_by_the_partner_named(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    school = broker.world.members["school"]
    given = act_part(
        await broker.ask(
            "social-team",
            "introduce",
            [by_handle(home.handles[bsn], role="parent")],
            say(occasion=home.occasion),
            to=school.id,
        )
    )
    code = given.introduction
    assert code is not None, given.weighing
    with pytest.raises(IntroductionUnknownError):
        await _redeem(broker, "youth-help", code)
    part = await _redeem(broker, "school", code)
    assert part.state == "registered", part.weighing
    assert part.handle not in (None, home.handles[bsn])
    with pytest.raises(IntroductionUnknownError):
        await _redeem(broker, "school", code)


async def _introduce(running: Running, to: str) -> ActPart:
    home = await open_household(running, bsn := next(NUMBERS))
    people, words = [by_handle(home.handles[bsn], role="parent")], say(occasion=home.occasion)
    return act_part(await running.ask("social-team", "introduce", people, words, to=to))


@pytest.mark.parametrize("why", ["unlisted", "over", "suspended"])
async def test_nobody_is_introduced_to_who_takes_no_part(
    broker: Running, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Policy says so, with a code that is explained; the code is never given."""
    keeper, school = broker.broker.keeper, broker.world.members["school"].id
    directory, to = keeper.directory, school
    if why == "unlisted":
        to = "00000099000000009999:school"
    elif why == "over":
        over = directory.partners[school].model_copy(update={"covenant_until": now()})
        monkeypatch.setattr(directory, "partners", {**directory.partners, school: over})
    else:
        monkeypatch.setattr(keeper, "directory", directory.with_closed(frozenset({school})))
    part = await _introduce(broker, to)
    assert (part.state, part.introduction) == ("refused", None)
    unmet = [one.code for one in part.weighing.findings if not one.satisfied]
    assert unmet == ["partner_in_force"]


async def _redeem(running: Running, function: str, code: bytes) -> ActPart:
    person = Person(
        code=code,
        members={
            "registers": registers("school_care"),
            "identity": "register",
            "told_at": now(),
        },
    )
    return act_part(await running.ask(function, "register", [person], say()))


async def test_a_contact_request_reaches_its_source_and_looks_the_same_if_not(
    broker: Running,
) -> None:
    bsn, nobody = next(NUMBERS), next(NUMBERS)
    part = await register(broker, "debt-counselling", bsn, "debt_counselling")
    assert part.involvement is not None
    assert part.handle is not None
    home = await open_household(broker, bsn, nobody)
    parts = []
    for person in (bsn, nobody):
        answer = await broker.ask(
            "social-team",
            "request_contact",
            [by_handle(home.handles[person])],
            say(occasion=home.occasion, call_back=Contact(role="Regisseur", phone="020 111 2222")),
            purpose=broker.purpose("coordinate_family_help"),
            source=broker.world.members["debt-counselling"].id,
        )
        parts.append(act_part(answer))
    assert [one.state for one in parts] == ["sent", "sent"], parts[0].weighing
    assert parts[0].weighing == parts[1].weighing
    source = Source(broker.world.folder / "source", broker, bsn, part.involvement)
    assert await outbox(broker).deliver_due() == 0  # the source is down
    async with serve_source(source, PORT) as gateway:
        assert await outbox(broker).deliver_due() == 0  # not due yet
        assert await outbox(broker, timedelta(seconds=6)).deliver_due() == 1
        assert await outbox(broker, timedelta(seconds=6)).deliver_due() == 0
        (open_one,) = gateway.contacts.list_open(now())
    answered = await broker.ask(
        "debt-counselling",
        "answer_contact",
        [by_handle(part.handle, contact_request=open_one.reference, contact_state="answered")],
        say(),
    )
    assert act_part(answered).state == "answered", act_part(answered).weighing


async def test_a_hand_over_ends_the_right_of_who_handed_over(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    handler = Handler(professional="k.nieuw", role="coordinator", from_at=now())
    answer = await broker.ask(
        "social-team",
        "hand_over",
        [by_handle(home.handles[bsn])],
        say(occasion=home.occasion, handlers=(handler,)),
    )
    assert act_part(answer).state == "handed_over", act_part(answer).weighing
    await asyncio.sleep(1.1)  # moments are whole seconds
    part = inquiry_part(await inquire(broker, home, bsn))
    assert "handler_current" in {one.code for one in part.weighing.findings if not one.satisfied}
    assert WORKER.id != handler.professional


async def test_what_its_source_ended_is_not_found_any_more(broker: Running) -> None:
    bsn = next(NUMBERS)
    part = await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    assert inquiry_part(await inquire(broker, home, bsn)).pointers
    assert part.handle is not None
    ended = await broker.ask(
        "debt-counselling",
        "end",
        [by_handle(part.handle, involvement=part.involvement, ends="ended")],
        say(),
    )
    assert act_part(ended).state == "ended", act_part(ended).weighing
    assert inquiry_part(await inquire(broker, home, bsn)).pointers == ()


async def test_nobody_ends_what_is_not_its_own(broker: Running) -> None:
    bsn = next(NUMBERS)
    part = await register(broker, "debt-counselling", bsn, "debt_counselling")
    other = await broker.ask(
        "income",
        "end",
        [by_bsn(bsn, involvement=part.involvement, ends="ended")],
        say(),
    )
    assert act_part(other).state == "refused"
    home = await open_household(broker, bsn)
    assert inquiry_part(await inquire(broker, home, bsn)).pointers


async def test_a_wrong_person_is_annulled_and_both_logs_say_so(broker: Running) -> None:
    wrong, right = next(NUMBERS), next(NUMBERS)
    part = await register(broker, "debt-counselling", wrong, "debt_counselling")
    size = broker.broker.log.size
    assert part.handle is not None
    answer = await broker.ask(
        "debt-counselling",
        "report_wrong_person",
        [by_handle(part.handle), by_bsn(right, identity="document")],
        say(),
    )
    states = [act_part(answer, number) for number in (0, 1)]
    assert [one.state for one in states] == ["annulled", "noted"], states[1].weighing
    assert broker.broker.log.size == size + 2
    home = await open_household(broker, wrong)
    assert inquiry_part(await inquire(broker, home, wrong)).pointers == ()


async def test_a_consent_is_recorded_and_logged(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    consent = Consent(
        kind="no_objection",
        purpose="coordinate_family_help",
        product="inkomenssituatie",
        given_by="self",
        written=True,
        given_at=now(),
        until_at=now() + timedelta(days=90),
    )
    answer = await broker.ask(
        "social-team",
        "record_consent",
        [by_handle(home.handles[bsn], consent=consent)],
        say(occasion=home.occasion),
    )
    assert act_part(answer).state == "recorded", act_part(answer).weighing


async def test_opening_with_nobody_permitted_opens_nothing(broker: Running) -> None:
    stated = opens(handlers=(Handler(professional="x", role="consulted", from_at=now()),))
    answer = await broker.ask(
        "social-team", "open_occasion", [member(next(NUMBERS))], say(opens=stated)
    )
    part = act_part(answer)
    assert (part.state, part.occasion) == ("refused", None)
    assert "occasion_has_coordinator" in {
        one.code for one in part.weighing.findings if not one.satisfied
    }
