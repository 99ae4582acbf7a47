"""Objections, questions, special situations and erasures in the lists, and what an answer does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from broker.exchange.answering_desk import (
    ControllerMissingError,
    SecondMissingError,
    TermMissingError,
)
from broker.exchange.answering_listing import ItemUnknownError
from broker.exchange.answering_telling import AnsweredAlreadyError, NumberInAnswerError
from broker.exchange.looking import SecondPersonError
from broker.exchange.opening import RenewalReasonError
from broker.involvement.special_situations import RenewalRefusedError
from datwat.protocol.acts import Objection, Question
from tests.answers.world import (
    COLLEAGUE,
    OFFICER,
    TEXT,
    build_desk,
    count_pointers,
    give,
    list_numbers,
)
from tests.exchange.test_openings import open_waiting
from tests.exchange.test_wishes import log_in, release
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Running,
    bsns,
    inquire,
    inquiry_part,
    now,
    open_household,
    register,
)
from tests.transparency.test_access_log import log_in as log_in_to_read

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()


async def test_an_objection_that_is_upheld_stops_the_next_release_and_a_rejected_one_does_not(
    broker: Running,
) -> None:
    """Registered to effective: the very next question, in the transaction of its entry."""
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    (pointer,) = inquiry_part(await inquire(broker, home, bsn)).pointers
    handle = home.handles[bsn]
    (resident,) = await log_in(broker, bsn)
    before = await release(broker, home.occasion, handle, pointer.involvement)
    assert before.weighing.permitted, before.weighing

    number = await resident.record(objection=Objection(made_at=now(), reason="Ik wil dit niet."))
    stopped = await release(broker, home.occasion, handle, pointer.involvement)
    assert not stopped.weighing.permitted
    one = build_desk(broker).lists.require_item("objections", str(number))
    assert (one.text, one.facts["behaviour"]) == ("Ik wil dit niet.", "all")

    came_of = await give(broker, "objections", one.number, "rejected", controller="public")
    assert came_of == {"outcome": "rejected", "remedy": "administrative"}
    after = await release(broker, home.occasion, handle, pointer.involvement)
    assert after.weighing.permitted

    again = await resident.record(objection=Objection(made_at=now()))
    await give(broker, "objections", str(again), "upheld", controller="other")
    upheld = await release(broker, home.occasion, handle, pointer.involvement)
    assert not upheld.weighing.permitted
    assert not {str(number), str(again)} & list_numbers(broker, "objections")
    answered = build_desk(broker).require_answered("objections", str(again))
    assert (answered.outcome, answered.remedy, answered.text) == ("upheld", "court", TEXT)


@pytest.mark.parametrize(
    ("purpose", "behaviour"),
    [
        ("income_support", "none"),
        ("debt_counselling", "suspend"),
        ("coordinate_family_help", "suspend_unless_danger"),
        ("never_was", "gone"),
        (None, "all"),
    ],
)
async def test_a_list_says_what_an_objection_does_by_its_purpose(
    broker: Running, purpose: str | None, behaviour: str
) -> None:
    assert build_desk(broker).lists.find_behaviour(purpose) == behaviour


async def test_an_objection_waits_a_month_with_its_reminders(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    number = str(await resident.record(objection=Objection(made_at=now())))
    for days, reminder, overdue in ((0, "none", False), (16, "half", False), (32, "end", True)):
        lists = build_desk(broker, timedelta(days=days)).lists
        one = lists.require_item("objections", number)
        assert (one.reminder, one.overdue) == (reminder, overdue)
    assert build_desk(broker, timedelta(days=32)).lists.count()["objections"].overdue >= 1
    found = build_desk(broker, timedelta(days=32)).lists.list_waiting("objections")
    assert [one.due_at for one in found] == sorted(one.due_at for one in found)


async def test_an_answer_names_whose_decision_it_is_and_no_bsn(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    number = str(await resident.record(objection=Objection(made_at=now())))
    with pytest.raises(ControllerMissingError):
        await give(broker, "objections", number, "upheld")
    text = "Uw nummer is 999990019, dat klopt."
    with pytest.raises(NumberInAnswerError):
        await give(broker, "objections", number, "upheld", controller="public", text=text)
    assert number in list_numbers(broker, "objections")


async def test_a_question_is_answered_once(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    number = str(await resident.record(asks=Question(text="Waarom vroeg u dit?")))
    assert build_desk(broker).lists.require_item("questions", number).text == "Waarom vroeg u dit?"
    with pytest.raises(ItemUnknownError):
        build_desk(broker).require_answered("questions", number)
    await give(broker, "questions", number, "answered")
    with pytest.raises(AnsweredAlreadyError):
        await give(broker, "questions", number, "answered")
    for wrong in ("", "-1", "x", "9" * 30, "٣"):
        with pytest.raises(ItemUnknownError):
            await give(broker, "questions", wrong, "answered")
    answered = build_desk(broker).require_answered("questions", number)
    assert (answered.text, answered.remedy, answered.outcome) == (TEXT, None, None)


async def test_two_officers_at_once_answer_once(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    number = str(await resident.record(objection=Objection(made_at=now())))
    size = broker.broker.log.size
    answers = await asyncio.gather(
        *(
            give(broker, "objections", number, outcome, controller="public")
            for outcome in ("upheld", "rejected")
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(one, AnsweredAlreadyError) for one in answers) == 1
    assert broker.broker.log.size == size + 1


async def test_a_longer_term_needs_a_reason_that_the_person_reads_when_it_opens(
    broker: Running,
) -> None:
    bsn = next(NUMBERS)
    before = list_numbers(broker, "special")
    await open_waiting(broker, bsn)
    (number,) = list_numbers(broker, "special") - before
    one = build_desk(broker).lists.require_item("special", number)
    assert (one.facts["ground"], one.facts["decider"]) == ("child_safety", "vertrouwensarts")
    longer = one.due_at + timedelta(days=1)
    with pytest.raises(TermMissingError):
        await give(broker, "special", number, "renew")
    with pytest.raises(RenewalReasonError):
        await give(broker, "special", number, "renew", until_at=longer, text="kort")
    far = one.due_at + timedelta(days=90)
    with pytest.raises(RenewalRefusedError):
        await give(broker, "special", number, "renew", until_at=far)
    why = "De ouder is nog niet veilig ondergebracht."
    await give(broker, "special", number, "renew", until_at=longer, text=why)
    assert build_desk(broker).lists.require_item("special", number).due_at == longer
    (resident,) = await log_in_to_read(broker, bsn)
    assert (await resident.read()).cards == ()

    await give(broker, "special", number, "open")

    renewed = next(card for card in (await resident.read()).cards if card.event == "renewed")
    assert renewed.details["decided_because"] == why
    assert renewed.details["decider_role"] == OFFICER.role


async def test_a_request_to_destroy_takes_two_and_ends_the_pointer(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    assert await count_pointers(broker, home, bsn) == 1
    (resident,) = await log_in(broker, bsn)
    (reading,) = await log_in_to_read(broker, bsn)
    card = next(one for one in (await reading.read()).cards if one.event == "register")
    number = str(await resident.record(erases=card.number))
    one = build_desk(broker).lists.require_item("erasures", number)
    assert one.about == card.number
    with pytest.raises(SecondMissingError):
        await give(broker, "erasures", number, "decide")
    with pytest.raises(SecondPersonError):
        await give(broker, "erasures", number, "decide", second=OFFICER)
    came_of = await give(broker, "erasures", number, "decide", second=COLLEAGUE)
    assert came_of["outcome"] in {"erased", "kept"}
    assert number not in list_numbers(broker, "erasures")
    expected = 0 if came_of["outcome"] == "erased" else 1
    assert await count_pointers(broker, home, bsn) == expected
