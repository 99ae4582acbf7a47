"""Terms: special situations that are renewed, open by themselves or wait; what is over is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from broker.adapters.delayed_subjects import find_delayed_subjects
from broker.adapters.purging import purge_ended
from broker.adapters.tables import SPENT, InvolvementRecord, ShieldRecord, table_of
from broker.app import build_commands
from broker.audit.payloads import Organisation
from broker.audit.records import Job
from broker.exchange.housekeeping import Housekeeper
from broker.exchange.opening import OpeningEarlyError, Openings
from broker.involvement.special_situations import RenewalRefusedError, derive_number
from broker.pseudonyms.subjects import draw_id
from broker.wiring import build_renewals
from datwat.party import clock
from datwat.party.problems import InputInvalidError
from datwat.party.spent import SpentRequests
from datwat.protocol.acts import Professional, SpecialSituation
from datwat.protocol.values import encode_moment
from tests.adapters.registers import build_contact_request, build_shield
from tests.exchange.world import (
    BROKER,
    ON_EACH_DATABASE,
    Running,
    bsns,
    inquire,
    inquiry_part,
    now,
    open_household,
    register,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
WHY = {"by": "d.baas", "role": "directeur", "reason": "Het gevaar is er nog."}
SHIELDS, INVOLVEMENTS = table_of(ShieldRecord), table_of(InvolvementRecord)


def at(running: Running, ahead: timedelta) -> tuple[Housekeeper, Openings]:
    """Return the housekeeper as it will be after some time."""

    def ahead_of() -> datetime:
        return clock.now() + ahead

    rooms = replace(running.broker.rooms, clock=ahead_of)
    openings = Openings(
        rooms,
        running.broker.store,
        Organisation(id=BROKER, name="Broker"),
        find_subjects=find_delayed_subjects,
        find_renewal=build_renewals(lambda: running.broker.policy.bundle),
    )
    return Housekeeper(rooms, openings, SpentRequests(SPENT), purge_ended), openings


async def declare(running: Running, ground: str, opening: str, days: int = 7) -> str:
    """Open an occasion under a special situation, and return its number."""
    before = {derive_number(row) for row in running.broker.openings.list_waiting()}
    situation = SpecialSituation.model_validate(
        {
            "ground": ground,
            "decider": Professional(id="v.dijk", role="teamleider"),
            "until_at": now() + timedelta(days=days),
            "opening": opening,
            "reason": "Een reden.",
        }
    )
    await open_household(running, next(NUMBERS), special_situation=situation)
    (number,) = {derive_number(row) for row in running.broker.openings.list_waiting()} - before
    return number


async def command(running: Running, name: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    return await build_commands(running.broker, lambda: None)[name](members)


async def read_states(running: Running) -> dict[str, str]:
    rows = (await command(running, "special_list"))["special_situations"]
    return {row["number"]: row["state"] for row in rows}


@pytest.mark.parametrize(
    ("ground", "opening", "days"),
    [("child_safety", "by_person", 14), ("rights_of_others", "automatic", 7)],
)
async def test_a_term_is_renewed_by_the_days_of_its_ground_and_that_is_written_down(
    broker: Running, ground: str, opening: str, days: int
) -> None:
    """As the policy counts a partner's renewal: so many days from now, wherever the term ends."""
    number = await declare(broker, ground, opening, days=3)
    row = broker.broker.openings.require_waiting(number)
    until_at, size = row.stated.until_at, broker.broker.log.size
    for wrong in (until_at, now() + timedelta(days=days, minutes=1)):
        with pytest.raises(RenewalRefusedError):
            await command(
                broker, "special_renew", number=number, until_at=encode_moment(wrong), **WHY
            )
    assert broker.broker.log.size == size
    longest = now() + timedelta(days=days)
    renewed = encode_moment(longest)
    answer = await command(broker, "special_renew", number=number, until_at=renewed, **WHY)
    assert answer == {"number": number, "until_at": renewed}
    assert broker.broker.openings.require_waiting(number).stated.until_at == longest
    assert broker.broker.log.size == size + 1  # one person, one delayed entry
    by = Professional(id="d.baas", role="directeur")
    opened = await broker.broker.openings.open(broker.broker.openings.require_waiting(number), by)
    assert opened == 2  # the opening of the occasion, and the renewal
    with pytest.raises(RenewalRefusedError):
        await broker.broker.openings.renew(row, longest + timedelta(seconds=1), by, WHY["reason"])


async def test_only_what_opens_by_itself_is_opened_at_the_end_of_its_term(
    broker: Running,
) -> None:
    automatic = await declare(broker, "rights_of_others", "automatic")
    by_person = await declare(broker, "child_safety", "by_person")
    row = broker.broker.openings.require_waiting(automatic)
    with pytest.raises(OpeningEarlyError):
        await broker.broker.openings.open(row, None)
    await broker.broker.housekeeper.run_round()
    assert (await read_states(broker)).items() >= {automatic: "declared"}.items()
    size = broker.broker.log.size
    housekeeper, openings = at(broker, timedelta(days=8))
    await housekeeper.run_round()
    left = {derive_number(one) for one in openings.list_waiting()}
    assert automatic not in left
    assert by_person in left
    assert broker.broker.log.size == size + 1
    with pytest.raises(OpeningEarlyError):
        await openings.open(openings.require_waiting(by_person), None)


async def test_what_waits_for_a_person_is_listed_and_counted_as_overdue(
    broker: Running,
) -> None:
    before = (await command(broker, "status"))["special_overdue"]
    number = await declare(broker, "adult_safety", "by_person")
    assert (await read_states(broker))[number] == "declared"
    await move_term(broker, number, now() - timedelta(seconds=1))
    await broker.broker.housekeeper.run_round()
    assert (await read_states(broker))[number] == "overdue"
    assert (await command(broker, "status"))["special_overdue"] == before + 1
    with pytest.raises(InputInvalidError, match="the id of a member of staff") as caught:
        await command(broker, "special_open", number=number, by="Dirk de Baas!", role="directeur")
    assert "Dirk" not in caught.value.detail
    answer = await command(broker, "special_open", number=number, by="d.baas", role="directeur")
    assert answer == {"number": number, "opened": 1}
    assert number not in await read_states(broker)


async def move_term(running: Running, number: str, until_at: datetime) -> None:
    """Write another end of the term into the register, as if that much time had passed."""
    row = running.broker.openings.require_waiting(number)
    stated = row.stated.model_copy(update={"until_at": until_at})
    store = running.broker.rooms.registers.special_situations

    def work(conn: Any) -> list[Any]:  # noqa: ANN401 - a job of the log
        store.mark_opened(conn, row.occasion_id, None, now())
        store.declare(conn, replace(row, stated=stated))
        return []

    await running.broker.log.append(Job(work))


async def test_an_expired_pointer_is_gone_a_month_later_and_its_entry_is_not(
    broker: Running,
) -> None:
    bsn = next(NUMBERS)
    part = await register(broker, "debt-counselling", bsn, "debt_counselling")
    assert part.expires_at is not None
    ahead = part.expires_at - now() + timedelta(seconds=1)
    size, count = broker.broker.log.size, _counter(broker)
    there = count()
    await at(broker, ahead)[0].run_round()
    assert broker.broker.log.size == size + 1
    assert count() == there
    await at(broker, ahead + timedelta(days=31))[0].run_round()
    assert count() == there - 1
    assert broker.broker.log.size == size + 1
    home = await open_household(broker, bsn)
    assert inquiry_part(await inquire(broker, home, bsn)).pointers == ()
    again = await register(broker, "debt-counselling", bsn, "debt_counselling")
    assert again.state == "registered"
    assert again.involvement != part.involvement


def _counter(running: Running) -> Callable[[], int]:
    wanted = select(func.count()).select_from(INVOLVEMENTS)

    def count() -> int:
        with running.broker.store.reading() as conn:
            return conn.execute(wanted).scalar_one()

    return count


async def test_a_round_destroys_a_bounded_number_and_the_next_one_the_rest(
    broker: Running,
) -> None:
    consents = broker.broker.rooms.registers.consents
    with broker.broker.store.writing() as conn:
        for _ in range(501):
            consents.shield(conn, draw_id(), build_shield(now()))
    wanted = select(func.count()).select_from(SHIELDS).where(SHIELDS.c.until_at <= now())
    left = []
    for _ in range(2):
        await broker.broker.housekeeper.run_round()
        with broker.broker.store.reading() as conn:
            left.append(conn.execute(wanted).scalar_one())
    assert left == [1, 0]


async def test_what_cannot_be_done_now_holds_up_nothing_else(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An opening that fails: the round goes on, and what is over is destroyed."""
    await declare(broker, "rights_of_others", "automatic")
    housekeeper, openings = at(broker, timedelta(days=8))

    async def fail(*_arguments: object) -> int:
        raise OpeningEarlyError

    monkeypatch.setattr(openings, "open", fail)
    with broker.broker.store.writing() as conn:
        broker.broker.rooms.registers.consents.shield(conn, draw_id(), build_shield(now()))
    await housekeeper.run_round()
    wanted = select(func.count()).select_from(SHIELDS)
    with broker.broker.store.reading() as conn:
        assert conn.execute(wanted).scalar_one() == 0


async def test_contact_requests_that_are_overdue_are_counted(broker: Running) -> None:
    before = (await command(broker, "status"))["contact_requests_overdue"]
    late = build_contact_request(
        due_at=now() - timedelta(days=1), until_at=now() + timedelta(days=9)
    )
    with broker.broker.store.writing() as conn:
        broker.broker.rooms.registers.contacts.add(conn, late)
    assert (await command(broker, "status"))["contact_requests_overdue"] == before + 1
