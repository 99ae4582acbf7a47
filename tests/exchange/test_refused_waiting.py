"""What is refused while it states to tell later: it waits for a person, and is never lost.

And nobody is introduced from an occasion while telling waits.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker.involvement.special_situations import (
    REFUSED_TERM,
    RenewalRefusedError,
    SpecialSituationRow,
    derive_state,
)
from datwat.protocol.acts import Professional
from tests.exchange.test_terms import at, command
from tests.exchange.world import (
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
    register,
    say,
)
from tests.transparency.test_access_log import events, log_in, situation

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
BOSS = Professional(id="d.baas", role="directeur")
TOO_LONG = timedelta(days=29)


def find_new(running: Running, known: list[SpecialSituationRow]) -> list[SpecialSituationRow]:
    ids = {row.id for row in known}
    return [row for row in running.broker.openings.list_waiting() if row.id not in ids]


async def test_a_refused_declaration_waits_until_a_person_opens_it(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    known = list(broker.broker.openings.list_waiting())
    answer = await broker.ask(
        "social-team",
        "declare_special_situation",
        [by_handle(home.handles[bsn])],
        say(occasion=home.occasion, special_situation=situation(decider=WORKER)),
    )
    assert act_part(answer).state == "refused"
    assert answer.persons[0].core is not None
    assert answer.persons[0].core.notice == "later"
    (row,) = find_new(broker, known)
    (resident,) = await log_in(broker, bsn)
    told = ["open_occasion", "register"]
    assert events(await resident.read()) == told
    # It took no effect: what is asked now is told now.
    asked = await inquire(broker, home, bsn)
    assert len(inquiry_part(asked).pointers) == 1
    assert events(await resident.read()) == ["inquire", *told]
    assert await broker.broker.openings.open(row, BOSS) == 1
    page = await resident.read()
    assert events(page) == ["declare_special_situation", "inquire", *told]
    assert not page.cards[0].permitted


@pytest.mark.parametrize(
    "changes",
    [
        {"until_at": now() + TOO_LONG},
        {"opening": "automatic"},
        {"opening": "automatic", "until_at": now() - timedelta(days=365)},
        {"ground": "childs_safety"},
        {"decider": WORKER},
    ],
)
async def test_a_refused_opening_is_not_told_before_a_person_decides(
    broker: Running, changes: dict[str, object]
) -> None:
    bsn = next(NUMBERS)
    known = list(broker.broker.openings.list_waiting())
    stated = opens(
        kind="report",
        inform_by=now() + timedelta(days=60),
        special_situation=situation(**changes),
    )
    answer = await broker.ask(
        "veilig-thuis",
        "open_occasion",
        [member(bsn, conversation=None, told_at=None)],
        say(opens=stated),
    )
    assert act_part(answer).state == "refused"
    (row,) = find_new(broker, known)
    assert row.stated.opening == "by_person"
    assert derive_state(row, now()) == "refused"
    (resident,) = await log_in(broker, bsn)
    assert events(await resident.read()) == []
    housekeeper, openings = at(broker, REFUSED_TERM + timedelta(minutes=1))
    await housekeeper.run_round()
    (resident,) = await log_in(broker, bsn)
    assert events(await resident.read()) == []
    assert row in openings.list_waiting()
    assert derive_state(row, now() + REFUSED_TERM) == "overdue"
    assert await broker.broker.openings.open(row, BOSS) == 1
    (card,) = (await resident.read()).cards
    assert (card.event, card.permitted) == ("open_occasion", False)
    assert find_new(broker, known) == []


async def test_a_refused_declaration_does_not_open_with_what_opens_by_itself(
    broker: Running,
) -> None:
    bsn = next(NUMBERS)
    known = list(broker.broker.openings.list_waiting())
    first = situation(ground="rights_of_others", opening="automatic")
    home = await open_household(broker, bsn, special_situation=first)
    answer = await broker.ask(
        "social-team",
        "declare_special_situation",
        [by_handle(home.handles[bsn])],
        say(occasion=home.occasion, special_situation=situation(until_at=now() + TOO_LONG)),
    )
    assert act_part(answer).state == "refused"
    (row,) = [one for one in find_new(broker, known) if one.refused]
    await at(broker, timedelta(days=11))[0].run_round()
    (resident,) = await log_in(broker, bsn)
    assert events(await resident.read()) == ["open_occasion"]
    assert await broker.broker.openings.open(row, BOSS) == 1
    assert events(await resident.read()) == ["declare_special_situation", "open_occasion"]


async def test_what_was_refused_is_listed_as_such_and_never_renewed(broker: Running) -> None:
    known = list(broker.broker.openings.list_waiting())
    stated = situation(until_at=now() + TOO_LONG)
    await broker.ask(
        "social-team",
        "open_occasion",
        [member(next(NUMBERS)), member(next(NUMBERS))],
        say(opens=opens(special_situation=stated)),
    )
    (row,) = find_new(broker, known)
    listed = (await command(broker, "special_list"))["special_situations"]
    assert "refused" in {one["state"] for one in listed}
    with pytest.raises(RenewalRefusedError):
        await broker.broker.openings.renew(
            row, row.stated.until_at + timedelta(days=1), BOSS, "Het gevaar is er nog."
        )
    assert await broker.broker.openings.open(row, BOSS) == 2


async def test_who_is_not_named_after_all_waits_with_the_occasion(broker: Running) -> None:
    """One member is permitted and one is not: both are told when the one situation opens."""
    known = list(broker.broker.openings.list_waiting())
    named, refused = next(NUMBERS), next(NUMBERS)
    persons = [
        member(named),
        by_bsn(refused, role="parent", source="told", told_at=now(), may_look_up=True),
    ]
    answer = await broker.ask(
        "social-team", "open_occasion", persons, say(opens=opens(special_situation=situation()))
    )
    assert [act_part(answer, number).state for number in range(2)] == ["opened", "refused"]
    (row,) = find_new(broker, known)
    assert not row.refused
    residents = [(await log_in(broker, bsn))[0] for bsn in (named, refused)]
    assert [events(await one.read()) for one in residents] == [[], []]
    assert await broker.broker.openings.open(row, BOSS) == 2
    assert [events(await one.read()) for one in residents] == [["open_occasion"]] * 2


async def test_nobody_is_introduced_while_telling_waits(broker: Running) -> None:
    bsn = next(NUMBERS)
    known = list(broker.broker.openings.list_waiting())
    home = await open_household(broker, bsn, special_situation=situation())
    (row,) = find_new(broker, known)

    async def introduce() -> bytes | None:
        answer = await broker.ask(
            "social-team",
            "introduce",
            [by_handle(home.handles[bsn], role="parent")],
            say(occasion=home.occasion),
            to=broker.world.members["school"].id,
        )
        return act_part(answer).introduction

    assert await introduce() is None
    (resident,) = await log_in(broker, bsn)
    assert events(await resident.read()) == []
    assert await broker.broker.openings.open(row, BOSS) == 2
    assert events(await resident.read()) == ["introduce", "open_occasion"]
    assert await introduce() is not None
