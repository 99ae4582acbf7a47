"""Who is involved and who was: all of one's own, with its end; never what waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import update

from broker.adapters.tables import InvolvementRecord, table_of
from broker.audit.payloads import Detail, Event, Organisation, Record
from broker.audit.told import ToldLine
from broker.transparency.own_involvements import InvolvementList
from datwat.protocol.acts import Contact, Professional, SpecialSituation
from datwat.protocol.own_affairs import OwnInvolvements
from tests.exchange.test_wishes import Resident, log_in
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
YEARS = timedelta(days=1_000)
_POINTERS = table_of(InvolvementRecord)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await open_world(World(tmp_path_factory.mktemp("world")), stack)


async def one(running: Running, bsn: str) -> Resident:
    (resident,) = await log_in(running, bsn)
    return resident


async def represented(running: Running, child: str) -> Resident:
    _, resident = await log_in(running, next(NUMBERS), child)
    return resident


def blank(found: OwnInvolvements) -> OwnInvolvements:
    return found.model_copy(update={"rid": bytes(16), "as_of": datetime(2000, 1, 1, tzinfo=UTC)})


async def end(running: Running, function: str, handle: bytes | None, how: str) -> int:
    assert handle is not None
    answer = await running.ask(function, "end", [by_handle(handle, ends=how)], say())
    assert act_part(answer).state == "ended"
    index = answer.persons[0].index
    assert index is not None
    return index


async def test_a_resident_sees_all_of_their_own(broker: Running) -> None:
    """Also where the pointer is the diagnosis, and what its source shields."""
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    await register(broker, "shelter", bsn, "shelter_stay", shielded=True)
    resident = await one(broker, bsn)
    found = await resident.read_involvements()
    assert {(held.kind, held.shielded) for held in found.now} == {
        ("debt_counselling", False),
        ("shelter_stay", True),
    }
    assert found.past == ()
    assert found.is_whole
    debts = next(held for held in found.now if held.kind == "debt_counselling")
    assert (debts.source_name, debts.domain) == ("Organisatie debt-counselling", "debt")
    assert (debts.contact.name, debts.central) == ("A. Bakker", "020 123 4567")
    assert debts.until_at is not None
    assert debts.as_of <= found.as_of < debts.until_at
    assert debts.number is not None
    shelter = next(held for held in found.now if held.kind == "shelter_stay")
    assert shelter.contact.name == "A. Bakker"


async def test_what_is_over_says_how_and_where_it_is_told(broker: Running) -> None:
    bsn = next(NUMBERS)
    part = await register(broker, "debt-counselling", bsn, "debt_counselling")
    told_in = await end(broker, "debt-counselling", part.handle, "superseded")
    resident = await one(broker, bsn)
    found = await resident.read_involvements()
    assert found.now == ()
    (past,) = found.past
    assert (past.kind, past.how, past.told_in) == ("debt_counselling", "superseded", told_in)
    # Registered again it goes on, and the history keeps the first time.
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    found = await resident.read_involvements()
    assert [(held.number, held.kind) for held in found.now] == [
        (broker.broker.log.size - 1, "debt_counselling")
    ]
    assert found.past == (past,)


def tell(number: int, event: Event, **detail: object) -> ToldLine:
    at = now() - timedelta(days=100 - number)
    record = Record(
        v=1,
        event=event,
        at=at,
        rid=bytes(16),
        requester=Organisation(id="00000099000000000001:social-team", name="Wijkteam"),
        notice="now",
        detail=Detail.model_validate(detail) if detail else None,
    )
    return ToldLine(number, at, record)


def begin(number: int, kind: str) -> ToldLine:
    moments = {"since_at": now() - timedelta(days=200), "expires_at": now() + timedelta(days=9)}
    return tell(number, "register", kind=kind, **moments)


async def test_one_end_of_several_kinds_ends_them_all_and_a_refused_one_none(
    broker: Running,
) -> None:
    kinds = ("social_team_support", "wmo_support")
    build = InvolvementList(broker.broker.keeper.directory, now(), is_represented=False)
    lines = [begin(number, kind) for number, kind in enumerate((*kinds, "youth_work"))]
    going_on, past = build.build([tell(4, "end"), *lines[::-1]], [])
    assert (len(going_on), past) == (3, ())
    ended = tell(5, "end", kind=kinds[0], kinds=kinds, reason="moved")
    going_on, past = build.build([ended, *lines[::-1]], [])
    assert [one.kind for one in going_on] == ["youth_work"]
    assert {(one.kind, one.how, one.told_in) for one in past} == {
        (kind, "moved", 5) for kind in kinds
    }


async def test_a_reconfirmation_is_as_fresh_as_the_pointer_says(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    later = now() + timedelta(hours=3)
    with broker.broker.store.writing() as conn:
        conn.execute(
            update(_POINTERS).values(reconfirmed_at=later).where(_POINTERS.c.ended_at.is_(None))
        )
    (held,) = (await (await one(broker, bsn)).read_involvements()).now
    assert held.as_of == later


async def test_a_term_that_is_over_ends_it_before_anybody_cleaned_up(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    resident = await one(broker, bsn)
    (held,) = (await resident.read_involvements()).now
    eyes = await resident._open("own_involvements")  # noqa: SLF001 - the same session, later
    own, directory = broker.api.own, broker.broker.keeper.directory
    assert held.until_at is not None
    later = replace(eyes, now=held.until_at)
    found = await own.fetch_involvements(later, directory)
    assert found.now == ()
    (past,) = found.past
    assert (past.how, past.ended_at, past.told_in) == ("expired", held.until_at, None)


async def test_a_representative_sees_what_is_open_and_no_worker(broker: Running) -> None:
    child = next(NUMBERS)
    await register(broker, "debt-counselling", child, "debt_counselling")
    await register(broker, "shelter", child, "shelter_stay", shielded=True)
    representative = await represented(broker, child)
    before = blank(await representative.read_involvements())
    debts, shelter = sorted(before.now, key=lambda held: held.domain)
    assert (debts.source_name, debts.kind) == ("Organisatie debt-counselling", "debt_counselling")
    assert (debts.contact.role, debts.contact.name) == ("central", None)
    assert debts.contact.phone == "020 123 4567"
    hidden = (shelter.source, shelter.source_name, shelter.kind, shelter.since_at)
    assert (shelter.domain, hidden) == ("housing", (None, None, None, None))
    # Confidential youth contact, and the child's own wish for a shield: nothing differs.
    own = await one(broker, child)
    await register(broker, "youth-help", child, "youth_help", confidential=True)
    await own.record(shields=True)
    assert blank(await representative.read_involvements()) == before
    assert "youth_help" in {held.kind for held in (await own.read_involvements()).now}


async def test_what_turns_confidential_ends_in_no_representatives_list(broker: Running) -> None:
    """Its source had confirmed it meanwhile: no moment jumps back when its pointer is withheld."""
    child = next(NUMBERS)
    part = await register(broker, "youth-help", child, "youth_help")
    with broker.broker.store.writing() as conn:
        later = {"reconfirmed_at": now() + timedelta(hours=1), "expires_at": now() + YEARS}
        conn.execute(update(_POINTERS).where(_POINTERS.c.kind == "youth_help").values(**later))
    representative = await represented(broker, child)
    (before,) = (await representative.read_involvements()).now
    await register(broker, "youth-help", child, "youth_help", confidential=True)
    (after,) = (await representative.read_involvements()).now
    assert after == before
    await end(broker, "youth-help", part.handle, "ended")
    found = await representative.read_involvements()
    assert (found.now, found.past) == ((before,), ())
    eyes = await representative._open("own_involvements")  # noqa: SLF001 - the same session, later
    later_eyes = replace(eyes, now=now() + 2 * YEARS)
    late = await broker.api.own.fetch_involvements(later_eyes, broker.broker.keeper.directory)
    assert (late.now, late.past) == ((before,), ())
    assert [past.how for past in (await (await one(broker, child)).read_involvements()).past] == [
        "ended"
    ]


async def test_an_end_that_waits_is_no_end_yet(broker: Running) -> None:
    """The wrong person's pointer is destroyed; the entry of that waits with a special situation.

    Whom to call went with the pointer: the organisation's central contact stands there instead.
    """
    bsn = next(NUMBERS)
    await register(broker, "social-team", bsn, "social_team_support")
    resident = await one(broker, bsn)
    before = blank(await resident.read_involvements())
    assert len(before.now) == 1
    situation = SpecialSituation(
        ground="child_safety",
        decider=Professional(id="v.dijk", role="vertrouwensarts"),
        until_at=now() + timedelta(days=10),
        opening="by_person",
        reason="Niemand mag dit weten.",
    )
    home = await open_household(
        broker,
        bsn,
        kind="report",
        inform_by=now() + timedelta(days=30),
        special_situation=situation,
    )
    answer = await broker.ask(
        "social-team", "report_wrong_person", [by_handle(home.handles[bsn])], say()
    )
    assert act_part(answer).state == "annulled"
    found = blank(await resident.read_involvements())
    (held,) = before.now
    central = Contact(role="central", phone="020 123 4567")
    assert found == before.model_copy(
        update={"now": (held.model_copy(update={"contact": central}),)}
    )


async def test_a_wrong_persons_pointer_is_over(broker: Running) -> None:
    bsn = next(NUMBERS)
    part = await register(broker, "debt-counselling", bsn, "debt_counselling")
    assert part.handle is not None
    answer = await broker.ask(
        "debt-counselling", "report_wrong_person", [by_handle(part.handle)], say()
    )
    assert act_part(answer).state == "annulled"
    found = await (await one(broker, bsn)).read_involvements()
    assert [past.how for past in found.past] == ["wrong_person"]
    assert found.now == ()
