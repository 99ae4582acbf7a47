"""The main path: register, open an occasion, ask who is involved; and what each refusal says."""

from __future__ import annotations

import asyncio

import pytest

from broker.exchange.errors import HandleUnknownError, MembersDifferError, PersonTwiceError
from broker.exchange.members import MemberMissingError, MemberNotAllowedError
from datwat.party.spent import RidReusedError
from datwat.protocol.acts import CloseOccasion, Statement
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Running,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    draw,
    inquire,
    inquiry_part,
    member,
    now,
    open_household,
    opens,
    register,
    registers,
    say,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()


async def test_what_is_registered_is_found_by_whoever_may_see_it(broker: Running) -> None:
    father, mother = next(NUMBERS), next(NUMBERS)
    await register(broker, "debt-counselling", father, "debt_counselling")
    home = await open_household(broker, father, mother)
    answer = await inquire(broker, home, father, mother)
    found, nothing = inquiry_part(answer, 0), inquiry_part(answer, 1)
    assert [(one.kind, one.rung) for one in found.pointers] == [("debt_counselling", "dat")]
    assert found.pointers[0].contact.name == "A. Bakker"
    assert nothing.pointers == ()
    assert found.weighing == nothing.weighing
    assert found.scope == nothing.scope
    assert found.scope.partners_asked > 0


async def test_the_same_involvement_twice_is_one_and_writes_no_second_entry(
    broker: Running,
) -> None:
    bsn = next(NUMBERS)
    first = await register(broker, "debt-counselling", bsn, "debt_counselling")
    size = broker.broker.log.size
    second = await register(broker, "debt-counselling", bsn, "debt_counselling")
    assert (first.state, second.state) == ("registered", "reconfirmed")
    assert (first.involvement, first.handle) == (second.involvement, second.handle)
    assert broker.broker.log.size == size


async def test_eight_registrations_at_once_give_one_involvement(broker: Running) -> None:
    bsn = next(NUMBERS)
    parts = await asyncio.gather(
        *(register(broker, "debt-counselling", bsn, "debt_counselling") for _ in range(8))
    )
    assert len({part.involvement for part in parts}) == 1
    assert sorted(part.state or "" for part in parts) == ["reconfirmed"] * 7 + ["registered"]


async def test_the_same_bytes_get_the_recorded_answer(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    sent = broker.world.build(
        "social-team",
        "inquire",
        [by_handle(home.handles[bsn])],
        say(occasion=home.occasion),
        purpose=broker.purpose("coordinate_family_help"),
        rung="dat",
    )
    size = broker.broker.log.size
    answers = [await broker.send(sent), *await asyncio.gather(*[broker.send(sent)] * 3)]
    assert broker.broker.log.size == size + 1
    parts = {broker.verify(answer, sent).persons[0].part.model_dump_json() for answer in answers}
    assert len(parts) == 1


async def test_the_same_bytes_at_the_same_moment_wait_for_one_answer(broker: Running) -> None:
    person = by_bsn(
        next(NUMBERS), registers=registers("debt_counselling"), identity="document", told_at=now()
    )
    sent = broker.world.build("debt-counselling", "register", [person], say())
    size = broker.broker.log.size
    answers = await asyncio.gather(*(broker.send(sent) for _ in range(5)))
    assert len(set(answers)) == 1
    assert broker.broker.log.size == size + 1


async def test_another_message_under_the_same_rid_is_refused(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    world = broker.world
    first = world.build(
        "social-team", "close_occasion", [by_handle(home.handles[bsn])], _closes(home.occasion)
    )
    await broker.send(first)
    other = world.build(
        "social-team",
        "close_occasion",
        [by_handle(home.handles[bsn])],
        _closes(home.occasion),
        rid_of=first.rid,
    )
    with pytest.raises(RidReusedError):
        await broker.send(other)


def _closes(occasion: bytes) -> Statement:
    return say(
        occasion=occasion,
        closes=CloseOccasion(reason="completed", goals_reached="yes", plan_made=True),
    )


async def test_closing_ends_the_right_to_ask(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    closed = await broker.ask(
        "social-team", "close_occasion", [by_handle(home.handles[bsn])], _closes(home.occasion)
    )
    assert act_part(closed).state == "closed"
    part = inquiry_part(await inquire(broker, home, bsn))
    assert not part.weighing.permitted
    assert "occasion_open" in {one.code for one in part.weighing.findings if not one.satisfied}
    assert part.pointers == ()


async def test_an_act_on_an_occasion_names_every_member(broker: Running) -> None:
    first, second = next(NUMBERS), next(NUMBERS)
    home = await open_household(broker, first, second)
    size = broker.broker.log.size
    with pytest.raises(MembersDifferError):
        await broker.ask(
            "social-team",
            "close_occasion",
            [by_handle(home.handles[first])],
            _closes(home.occasion),
        )
    assert broker.broker.log.size == size


async def test_another_teams_occasion_is_weighed_explained_and_logged(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    theirs = await open_household(
        broker,
        bsn,
        function="veilig-thuis",
        kind="report",
        inform_by=now().replace(year=now().year, month=12, day=30),
    )
    size = broker.broker.log.size
    home.occasion = theirs.occasion
    part = inquiry_part(await inquire(broker, home, bsn))
    assert "occasion_own" in {one.code for one in part.weighing.findings if not one.satisfied}
    assert broker.broker.log.size == size + 1


async def test_a_handle_of_another_partner_ends_at_the_door(broker: Running) -> None:
    bsn = next(NUMBERS)
    theirs = await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, next(NUMBERS))
    size = broker.broker.log.size
    assert theirs.handle is not None
    for handle in (theirs.handle, draw()):
        home.handles["x"] = handle
        with pytest.raises(HandleUnknownError):
            await inquire(broker, home, "x")
    assert broker.broker.log.size == size


async def test_members_that_do_not_belong_are_refused(broker: Running) -> None:
    with pytest.raises(MemberNotAllowedError) as caught:
        await broker.ask(
            "debt-counselling",
            "register",
            [by_bsn(next(NUMBERS), registers=registers("debt_counselling"), role="parent")],
            say(),
        )
    assert caught.value.place == "persons[0].role"
    with pytest.raises(MemberMissingError):
        await broker.ask("social-team", "open_occasion", [member(next(NUMBERS))], say())


async def test_the_same_person_twice_in_one_message_is_refused(broker: Running) -> None:
    bsn = next(NUMBERS)
    with pytest.raises(PersonTwiceError):
        await broker.ask(
            "social-team", "open_occasion", [member(bsn), member(bsn)], say(opens=opens())
        )
