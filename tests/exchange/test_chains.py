"""Which chain an entry is in: what is for the person alone, and what waits, stays so in every act.

A parent who is logged in for a child reads the open chain; before a special situation opens neither
they nor the child may see that anything happened.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from broker.adapters.log_tables import LogEntry
from broker.adapters.tables import InvolvementRecord, table_of
from broker.involvement.contacts import ContactRequest
from connectors.client.outgoing import Person
from connectors.client.verification import VerifiedAnswer
from datwat.protocol.acts import (
    Authority,
    CloseOccasion,
    Consent,
    Contact,
    Handler,
    Objection,
    Professional,
    SpecialSituation,
)
from datwat.protocol.answers import ActPart
from datwat.protocol.values import encode_bytes
from tests.exchange.source import free_port
from tests.exchange.world import (
    MOTIVATION,
    Household,
    Running,
    act_part,
    bsns,
    by_handle,
    conversation,
    draw,
    inquire,
    inquiry_part,
    now,
    open_household,
    register,
    registers,
    say,
)
from tests.transparency.test_access_log import Resident, events, log_in, represent

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
ENTRIES, INVOLVEMENTS = table_of(LogEntry), table_of(InvolvementRecord)
OPENER = Professional(id="d.baas", role="directeur")
GATEWAYS = {"debt-counselling": f"http://127.0.0.1:{free_port()}"}  # down, and there


def situation() -> SpecialSituation:
    return SpecialSituation(
        ground="child_safety",
        decider=Professional(id="v.dijk", role="vertrouwensarts"),
        until_at=now() + timedelta(days=10),
        opening="by_person",
        reason="Onveilig.",
    )


@dataclass
class Views:
    """What the child and a parent read of the child, and how long the log is."""

    child: list[str]
    parent: list[str]
    size: int


@dataclass
class Case:
    """A child with an open pointer, a household in one of the private chains, and who reads it."""

    running: Running
    chain: str
    bsn: str
    own_handle: bytes
    child: Resident
    parent: Resident

    async def read(self) -> Views:
        pages = [[card.number for card in (await one.read(limit=100)).cards] for one in self.both]
        child, parent = ([str(number) for number in page] for page in pages)
        return Views(child, parent, self.running.broker.log.size)

    @property
    def both(self) -> tuple[Resident, Resident]:
        return self.child, self.parent

    async def open_household(self) -> Household:
        if self.chain == "own":
            return await open_household(self.running, self.bsn, confidential=True)
        return await open_household(self.running, self.bsn, special_situation=situation())

    async def act(
        self,
        act: str,
        home: Household,
        statement: Mapping[str, Any] | None = None,
        **members: Any,  # noqa: ANN401 - members of the person part
    ) -> ActPart:
        person = by_handle(home.handles[self.bsn], **members)
        said = say(occasion=home.occasion, **(statement or {}))
        return act_part(await self.running.ask("social-team", act, [person], said))

    async def request_contact(self, home: Household) -> bytes:
        """Ask to be called, and return the source's own reference to the request."""
        source = self.running.world.members["debt-counselling"].id
        before = {one.id for one in self.list_requests()}
        answer = await self.running.ask(
            "social-team",
            "request_contact",
            [by_handle(home.handles[self.bsn])],
            say(occasion=home.occasion, call_back=Contact(role="Regisseur", phone="020 111 2222")),
            purpose=self.running.purpose("coordinate_family_help"),
            source=source,
        )
        assert act_part(answer).state == "sent"
        (request,) = {one.id for one in self.list_requests()} - before
        rooms = self.running.broker.rooms
        with rooms.reading() as conn:
            theirs = rooms.registers.references.find_reference(
                conn, source, "contact_request", request, now()
            )
        assert theirs is not None
        return theirs

    def list_requests(self) -> list[ContactRequest]:
        rooms = self.running.broker.rooms
        with rooms.reading() as conn:
            return rooms.registers.contacts.list_undelivered(conn, now(), 500)

    async def introduce(self) -> ActPart:
        """Hand the child to a school, which registers by the code."""
        school = self.running.world.members["school"].id
        home = await self.open_household()
        person = by_handle(home.handles[self.bsn], role="parent")
        given = act_part(
            await self.running.ask(
                "social-team", "introduce", [person], say(occasion=home.occasion), to=school
            )
        )
        assert given.state == "given", given.weighing
        members = {"registers": registers("school_care"), "identity": "register", "told_at": now()}
        redeemed = Person(code=given.introduction, members=members)
        part = act_part(await self.running.ask("school", "register", [redeemed], say()))
        assert part.state == "registered", part.weighing
        return part


async def begin(running: Running, chain: str) -> Case:
    bsn = next(NUMBERS)
    part = await register(running, "debt-counselling", bsn, "debt_counselling")
    assert part.handle is not None
    (child,) = await log_in(running, bsn)
    parent = await represent(running, next(NUMBERS), bsn)
    return Case(running, chain, bsn, part.handle, child, parent)


async def opening(case: Case) -> None:
    await case.open_household()


async def inquiring(case: Case) -> None:
    part = inquiry_part(await inquire(case.running, await case.open_household(), case.bsn))
    assert part.pointers


async def releasing(case: Case) -> None:
    home = await case.open_household()
    answer = await release(case.running, case.bsn, home)
    assert answer.persons[0].core is not None


async def release(running: Running, bsn: str, home: Household) -> VerifiedAnswer:
    (pointer,) = inquiry_part(await inquire(running, home, bsn)).pointers
    answer = await running.ask(
        "social-team",
        "release",
        [by_handle(home.handles[bsn], involvement=pointer.involvement)],
        say(occasion=home.occasion, motivation=MOTIVATION),
        purpose=running.purpose("coordinate_family_help"),
        source=running.world.members["debt-counselling"].id,
        product="schuldregeling",
        fields=["regeling.status"],
        reply_key=encode_bytes(draw(32)),
    )
    assert answer.persons[0].part.failure == "source_unreachable"  # type: ignore[union-attr]
    return answer


async def answering(case: Case) -> None:
    reference = await case.request_contact(await case.open_household())
    for state in ("seen", "answered"):
        person = by_handle(case.own_handle, contact_request=reference, contact_state=state)
        answer = await case.running.ask("debt-counselling", "answer_contact", [person], say())
        assert act_part(answer).state == state


async def handing_over(case: Case) -> None:
    handler = Handler(professional="k.nieuw", role="coordinator", from_at=now())
    part = await case.act("hand_over", await case.open_household(), {"handlers": (handler,)})
    assert part.state == "handed_over"


async def closing(case: Case) -> None:
    closes = CloseOccasion(reason="completed", goals_reached="yes", plan_made=True)
    part = await case.act("close_occasion", await case.open_household(), {"closes": closes})
    assert part.state == "closed"


async def conversing(case: Case) -> None:
    home = await case.open_household()
    part = await case.act("record_conversation", home, conversation=conversation())
    assert part.state == "recorded", part.weighing


async def recording(case: Case) -> None:
    home = await case.open_household()
    consent = Consent(
        kind="explicit",
        purpose="coordinate_family_help",
        given_by="self",
        written=True,
        given_at=now(),
        until_at=now() + timedelta(days=90),
    )
    authority = Authority(
        kind="guardian",
        scope="Gezag",
        source="register",
        checked_at=now(),
        until_at=now() + timedelta(days=30),
    )
    objection = Objection(purpose="coordinate_family_help", reason="", made_at=now())
    for act, members in (
        ("record_consent", {"consent": consent}),
        ("record_objection", {"objection": objection}),
        ("record_authority", {"authority": authority}),
    ):
        part = await case.act(act, home, **members)
        assert part.state == "recorded", (act, part.weighing)


async def declaring(case: Case) -> None:
    home = await case.open_household()
    part = await case.act("declare_special_situation", home, {"special_situation": situation()})
    assert part.state == "declared", part.weighing


async def reporting_wrong(case: Case) -> None:
    part = await case.act("report_wrong_person", await case.open_household())
    assert part.state == "annulled"


async def registering_anew(case: Case) -> None:
    part = await case.introduce()
    size = case.running.broker.log.size
    for shielded in (False, True):  # a mere reconfirmation, and one that is told
        stated = registers("school_care", shielded=shielded)
        person = by_handle(part.handle or b"", registers=stated, told_at=now())
        again = act_part(await case.running.ask("school", "register", [person], say()))
        assert again.state == "reconfirmed"
    assert case.running.broker.log.size == size + 1


async def ending(case: Case) -> None:
    part = await case.introduce()
    person = by_handle(part.handle or b"", ends="ended")
    answer = await case.running.ask("school", "end", [person], say())
    assert act_part(answer).state == "ended"


async def taking_back(case: Case) -> None:
    part = await case.introduce()
    answer = await case.running.ask(
        "school", "report_wrong_person", [by_handle(part.handle or b"")], say()
    )
    assert act_part(answer).state == "annulled"


async def expiring(case: Case) -> None:
    part = await case.introduce()
    expire(case.running, "school", part)
    size = case.running.broker.log.size
    await case.running.broker.housekeeper.run_round()
    assert case.running.broker.log.size == size + 1


def expire(running: Running, function: str, part: ActPart) -> None:
    """Put a source's pointer past its term."""
    rooms, source = running.broker.rooms, running.world.members[function].id
    assert part.involvement is not None
    with rooms.reading() as conn:
        target = rooms.registers.references.find_target(
            conn, source, "involvement", part.involvement, now()
        )
    assert target is not None
    past = now() - timedelta(seconds=1)
    with running.broker.store.writing() as conn:
        this = INVOLVEMENTS.c.id == target.target
        conn.execute(update(INVOLVEMENTS).where(this).values(expires_at=past))


ACTS: tuple[Callable[[Case], Awaitable[None]], ...] = (
    opening,
    inquiring,
    releasing,
    answering,
    handing_over,
    closing,
    conversing,
    recording,
    declaring,
    reporting_wrong,
)
# Nobody is introduced from what waits, so there is no more to hide.
BY_INTRODUCTION = (registering_anew, ending, taking_back, expiring)
CASES = [(chain, act) for chain in ("own", "delayed") for act in ACTS]
CASES += [("own", act) for act in BY_INTRODUCTION]


@pytest.mark.parametrize(("chain", "act"), CASES, ids=lambda one: getattr(one, "__name__", one))
async def test_nothing_of_a_private_chain_is_seen_by_whom_it_is_kept_from(
    broker: Running, chain: str, act: Callable[[Case], Awaitable[None]]
) -> None:
    case = await begin(broker, chain)
    before = await case.read()
    assert before.parent == before.child  # the look-out works: the first pointer is told to both
    assert len(before.parent) == 1
    await act(case)
    after = await case.read()
    assert after.size > before.size
    assert after.parent == before.parent
    assert (after.child == before.child) == (chain == "delayed")


async def test_what_followed_on_a_request_that_waits_is_told_when_it_opens(
    broker: Running,
) -> None:
    case = await begin(broker, "delayed")
    waiting = {one.id for one in broker.broker.openings.list_waiting()}
    await answering(case)
    (row,) = [one for one in broker.broker.openings.list_waiting() if one.id not in waiting]
    assert await broker.broker.openings.open(row, OPENER) == 4
    told = ["answer_contact", "answer_contact", "request_contact", "open_occasion", "register"]
    for reader in case.both:
        assert events(await reader.read()) == told


async def test_a_pointer_of_a_function_that_is_for_the_person_alone_ends_there(
    broker: Running,
) -> None:
    """Nothing in what Veilig Thuis registers says so: the covenant does."""
    child = next(NUMBERS)
    part = await register(broker, "veilig-thuis", child, "domestic_violence_report")
    assert part.state == "registered", part.weighing
    expire(broker, "veilig-thuis", part)
    await broker.broker.housekeeper.run_round()
    parent = await represent(broker, next(NUMBERS), child)
    assert (await parent.read()).cards == ()
    (own,) = await log_in(broker, child)
    assert events(await own.read()) == ["expired", "register"]


@pytest.mark.parametrize("cleaned", [False, True], ids=["before-the-round", "after-it"])
async def test_what_is_registered_anew_after_its_term_stays_for_the_person_alone(
    broker: Running, *, cleaned: bool
) -> None:
    """The source states it openly the second time: a late renewal tells nobody else either."""
    child = next(NUMBERS)
    parent = await represent(broker, next(NUMBERS), child)
    part = await register(broker, "debt-counselling", child, "debt_counselling", confidential=True)
    expire(broker, "debt-counselling", part)
    if cleaned:
        await broker.broker.housekeeper.run_round()
    again = await register(broker, "debt-counselling", child, "debt_counselling")
    assert again.state == "registered"
    assert (await parent.read()).cards == ()


async def test_an_expiry_is_kept_as_long_as_the_covenant_says(broker: Running) -> None:
    part = await register(broker, "debt-counselling", next(NUMBERS), "debt_counselling")
    expire(broker, "debt-counselling", part)
    await broker.broker.housekeeper.run_round()
    newest = select(ENTRIES.c.at, ENTRIES.c.retention_until).order_by(ENTRIES.c.idx.desc())
    with broker.broker.store.reading() as conn:
        row = conn.execute(newest.limit(1)).one()
    days = broker.broker.policy.bundle.catalogue["covenant"]["retention_days"]
    assert row.retention_until - row.at == timedelta(days=days)


async def test_a_pointer_for_the_person_alone_is_shown_where_only_they_read_it(
    broker: Running,
) -> None:
    """The occasion is open; who is involved with the child is not for the parent."""
    child = next(NUMBERS)
    part = await register(broker, "debt-counselling", child, "debt_counselling", confidential=True)
    assert part.handle is not None
    home = await open_household(broker, child)
    (own,) = await log_in(broker, child)
    parent = await represent(broker, next(NUMBERS), child)
    case = Case(broker, "own", child, part.handle, own, parent)
    await release(broker, child, home)
    reference = await case.request_contact(home)
    person = by_handle(part.handle, contact_request=reference, contact_state="answered")
    answer = await broker.ask("debt-counselling", "answer_contact", [person], say())
    assert act_part(answer).state == "answered"
    assert events(await parent.read()) == ["open_occasion"]
    assert events(await own.read()) == [
        "answer_contact",
        "request_contact",
        "release",
        "inquire",
        "open_occasion",
        "register",
    ]
