"""The resident's own log: cards with proofs, pages, what waits, and what a representative sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import Connection, null, update

from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.tables import SPENT
from broker.audit.records import Appendable, Job
from broker.exchange.admission import read_question
from broker.exchange.errors import HandleUnknownError
from broker.involvement.special_situations import derive_number
from broker.transparency.access_log import CursorError
from connectors.client.outgoing import draw_rid
from connectors.portal.own_log import verify_own_log
from datwat.party.http_in import read_message
from datwat.party.spent import SpentRequests
from datwat.protocol.access_log import AccessCard, AccessLog
from datwat.protocol.acts import Authority, Consent, Page, Professional, SpecialSituation, Wish
from datwat.protocol.messages import ActObject
from datwat.protocol.texts import Texts
from datwat.protocol.values import encode_bytes
from tests.exchange.world import (
    BROKER,
    Running,
    World,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    inquire,
    inquiry_part,
    member,
    now,
    open_household,
    open_world,
    opens,
    register,
    say,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
_ENTRIES = table_of(LogEntry)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await open_world(World(tmp_path_factory.mktemp("world")), stack)


@dataclass
class Resident:
    """Somebody who is logged in at the portal."""

    running: Running
    handle: bytes

    async def read(
        self, limit: int = 25, before: str | None = None, number: int | None = None
    ) -> AccessLog:
        """Read a page as the portal does, over everything but HTTP, and verify it."""
        running = self.running
        page = Page(limit=limit, before=before, number=number)
        sent = running.world.build("portal", "access_log", [by_handle(self.handle, page=page)])
        moment = running.broker.rooms.clock()
        directory = running.broker.keeper.directory
        admitted = read_message(sent.wire, directory, ActObject, aud=BROKER, now=moment)
        question = read_question(admitted, moment)
        view = await running.api.portal.open_view(question, lambda: None)
        with running.broker.rooms.reading() as conn:
            raw = running.api.reader.read_page(
                conn,
                view.subject_id,
                with_own=not view.is_represented,
                asked=view.page,
                rid=sent.rid,
            )
        bundle = running.broker.policy.bundle
        log, texts = directory.trust.log, Texts(bundle.texts)
        found, _ = verify_own_log(raw, sent.rid, log, texts, bundle.view)
        return found


async def log_in(running: Running, *persons: str) -> list[Resident]:
    answer = await running.ask(
        "portal", "open_session", [by_bsn(bsn, identity="document") for bsn in persons]
    )
    parts = [act_part(answer, number) for number in range(len(persons))]
    assert all(part.handle for part in parts), parts
    return [Resident(running, part.handle) for part in parts if part.handle]


async def forget_spent(running: Running) -> None:
    """Do what housekeeping does when a `rid` is old enough to be forgotten."""
    later = now() + timedelta(minutes=11)

    def work(conn: Connection) -> list[Appendable]:
        SpentRequests(SPENT).purge(conn, later)
        return []

    await running.broker.log.append(Job(work))


def events(page: AccessLog) -> list[str]:
    return [card.event for card in page.cards]


async def test_each_event_is_one_card_with_a_proof(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    await inquire(broker, home, bsn)
    (resident,) = await log_in(broker, bsn)
    page = await resident.read()
    assert events(page) == ["inquire", "open_occasion", "register"]
    asked = page.cards[0]
    assert asked.requester_name == "Organisatie social-team"
    assert asked.role == "regisseur"
    assert [(one.kind, one.rung) for one in asked.pointers] == [("debt_counselling", "dat")]
    assert "Organisatie social-team" in asked.summary.nl
    assert asked.permitted
    assert asked.support.nl
    assert {one.blade for one in asked.findings} == {
        "purpose",
        "subsidiarity",
        "proportionality",
        "efficiency",
        "transparency",
    }


async def test_reading_writes_no_entry(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    size = broker.broker.log.size
    assert (await resident.read()).cards == ()
    assert broker.broker.log.size == size


async def test_no_staff_id_and_no_other_member_is_told(broker: Running) -> None:
    first, second = next(NUMBERS), next(NUMBERS)
    home = await open_household(broker, first, second)
    await inquire(broker, home, first, second)
    (resident,) = await log_in(broker, first)
    told = (await resident.read()).model_dump_json()
    assert "j.jansen" not in told
    assert encode_bytes(home.handles[second]) not in told


async def test_pages_follow_one_another_without_gap_or_repeat(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    for _ in range(6):
        await inquire(broker, home, bsn)
    (resident,) = await log_in(broker, bsn)
    whole = [card.number for card in (await resident.read()).cards]
    found: list[AccessCard] = []
    cursor: str | None = None
    while True:
        page = await resident.read(limit=2, before=cursor)
        found += page.cards
        cursor = page.next
        if cursor is None:
            break
    assert [card.number for card in found] == whole
    assert whole == sorted(whole, reverse=True)


async def test_what_lies_below_many_erased_entries_is_shown(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    for _ in range(8):
        await inquire(broker, home, bsn)
    (resident,) = await log_in(broker, bsn)
    before = [card.number for card in (await resident.read()).cards]
    erased, left = before[:7], before[7:]

    def work(conn: Connection) -> list[Appendable]:
        conn.execute(update(_ENTRIES).where(_ENTRIES.c.idx.in_(erased)).values(sealed=null()))
        return []

    await broker.broker.log.append(Job(work))
    assert len(left) > 1
    assert [card.number for card in (await resident.read(limit=1)).cards] == left[:1]
    assert [card.number for card in (await resident.read()).cards] == left


async def test_a_cursor_of_another_person_is_refused(broker: Running) -> None:
    first, second = next(NUMBERS), next(NUMBERS)
    home = await open_household(broker, first, second)
    await inquire(broker, home, first, second)
    one, other = (await log_in(broker, first))[0], (await log_in(broker, second))[0]
    cursor = (await one.read(limit=1)).next
    with pytest.raises(CursorError):
        await other.read(limit=1, before=cursor)


async def test_a_session_that_ended_opens_nothing(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    running = broker
    sent = running.world.build("portal", "end_session", [by_handle(resident.handle)])
    moment = running.broker.rooms.clock()
    admitted = read_message(
        sent.wire, running.broker.keeper.directory, ActObject, aud=BROKER, now=moment
    )
    await running.api.portal.end_sessions(read_question(admitted, moment), lambda: None)
    with pytest.raises(HandleUnknownError):
        await resident.read()


async def test_a_consent_can_be_given_and_withdrawn_by_its_number(broker: Running) -> None:
    bsn = next(NUMBERS)
    (resident,) = await log_in(broker, bsn)
    consent = Consent(
        kind="explicit",
        purpose="coordinate_family_help",
        given_by="self",
        written=True,
        given_at=now(),
        until_at=now() + timedelta(days=90),
    )
    given = await broker.ask(
        "portal", "wish", [by_handle(resident.handle, wish=Wish(consent=consent))]
    )
    assert act_part(given).state == "recorded", act_part(given).weighing
    number = (await resident.read()).cards[0].number
    wish = Wish(withdraws=number)
    for state in ("recorded", "refused"):
        answer = await broker.ask("portal", "wish", [by_handle(resident.handle, wish=wish)])
        assert act_part(answer).state == state
    page = await resident.read()
    assert events(page)[-1] == "wish"
    assert page.cards[-1].details


@pytest.mark.parametrize("given_by", ["self", "representative", "both"])
async def test_only_who_is_logged_in_consents(broker: Running, given_by: str) -> None:
    parent, child = next(NUMBERS), next(NUMBERS)
    (own,) = await log_in(broker, child)
    view = await represent(broker, parent, child)
    consent = build_consent(given_by=given_by)
    states = []
    for resident in (own, view):
        wish = by_handle(resident.handle, wish=Wish(consent=consent))
        states.append(act_part(await broker.ask("portal", "wish", [wish])).state)
    assert (
        states
        == {
            "self": ["recorded", "refused"],
            "representative": ["refused", "recorded"],
            "both": ["refused", "refused"],
        }[given_by]
    )


async def test_a_representative_withdraws_no_consent_that_is_the_persons_own(
    broker: Running,
) -> None:
    parent, child = next(NUMBERS), next(NUMBERS)
    (own,) = await log_in(broker, child)
    view = await represent(broker, parent, child)

    async def wish(resident: Resident, **members: object) -> str | None:
        stated = by_handle(resident.handle, wish=Wish.model_validate(members))
        return act_part(await broker.ask("portal", "wish", [stated])).state

    assert await wish(own, consent=build_consent()) == "recorded"
    number = (await own.read()).cards[0].number
    assert (await view.read()).cards == ()
    refused = [await wish(view, withdraws=one) for one in (number, number + 10_000)]
    assert refused == ["refused", "refused"]
    assert await wish(own, withdraws=number) == "recorded"


async def represent(running: Running, parent: str, child: str) -> Resident:
    """Return what a parent sees of a child."""
    persons = [by_bsn(bsn, identity="document") for bsn in (parent, child)]
    handle = act_part(await running.ask("portal", "open_session", persons), 1).handle
    assert handle is not None
    return Resident(running, handle)


def build_consent(**changes: object) -> Consent:
    members = {
        "kind": "explicit",
        "purpose": "coordinate_family_help",
        "given_by": "self",
        "written": True,
        "given_at": now(),
        "until_at": now() + timedelta(days=90),
    }
    return Consent.model_validate({**members, **changes})


async def test_a_withdrawal_takes_back_the_very_consent_that_its_entry_tells_of(
    broker: Running,
) -> None:
    """Two consents under one `rid`, the older one recorded last."""
    bsn, rid = next(NUMBERS), draw_rid()
    home = await open_household(broker, bsn)
    numbers = []
    for given_at in (now(), now() - timedelta(days=2)):
        await forget_spent(broker)
        consent = Consent(
            kind="explicit",
            purpose="coordinate_family_help",
            given_by="self",
            written=True,
            given_at=given_at,
            until_at=given_at + timedelta(days=90),
        )
        person = by_handle(home.handles[bsn], consent=consent)
        stated = say(occasion=home.occasion)
        answer = await broker.ask("social-team", "record_consent", [person], stated, rid_of=rid)
        assert act_part(answer).state == "recorded"
        numbers.append(answer.persons[0].index)
    (resident,) = await log_in(broker, bsn)
    for number, state in ((1, "recorded"), (1, "refused"), (0, "recorded"), (0, "refused")):
        wish = Wish(withdraws=numbers[number])
        answer = await broker.ask("portal", "wish", [by_handle(resident.handle, wish=wish)])
        assert act_part(answer).state == state
    assert all("consent_id" not in card.details for card in (await resident.read()).cards)


def situation(**changes: object) -> SpecialSituation:
    members = {
        "ground": "child_safety",
        "decider": Professional(id="v.dijk", role="vertrouwensarts"),
        "until_at": now() + timedelta(days=10),
        "opening": "by_person",
        "reason": "Niemand mag dit lezen voordat het opent.",
    }
    return SpecialSituation.model_validate({**members, **changes})


async def test_what_waits_is_seen_only_when_a_person_opens_it(broker: Running) -> None:
    bsn = next(NUMBERS)
    before = await open_household(broker, bsn)
    await inquire(broker, before, bsn)
    (resident,) = await log_in(broker, bsn)
    earlier = events(await resident.read())
    stated = opens(
        kind="report", inform_by=now() + timedelta(days=30), special_situation=situation()
    )
    answer = await broker.ask(
        "veilig-thuis",
        "open_occasion",
        [member(bsn, conversation=None, told_at=None)],
        say(opens=stated),
    )
    part = act_part(answer)
    assert part.state == "opened", part.weighing
    core = answer.persons[0].core
    assert core is not None
    assert core.notice == "later"
    assert events(await resident.read()) == earlier
    openings = broker.broker.openings
    (row,) = openings.list_waiting()
    size = broker.broker.log.size
    count = await openings.open(row, Professional(id="d.baas", role="directeur"))
    assert count == 1
    assert broker.broker.log.size == size + 1
    page = await resident.read()
    card = page.cards[0]
    assert (card.event, len(page.cards)) == ("open_occasion", len(earlier) + 1)
    assert card.told_later_at is not None
    assert card.details["ground"] == "child_safety"
    assert "Niemand mag" not in page.model_dump_json()
    assert openings.list_waiting() == []
    assert derive_number(row)


async def test_a_representative_that_may_not_look_sees_what_an_unknown_person_shows(
    broker: Running,
) -> None:
    """Refused, absent and unknown: three handles, each with an empty log."""
    parent, child, unknown = next(NUMBERS), next(NUMBERS), next(NUMBERS)
    home = await open_household(broker, child)
    await inquire(broker, home, child)
    authority = Authority(
        kind="parent_without",
        scope="Gezag",
        source="register",
        checked_at=now(),
        until_at=now() + timedelta(days=30),
    )
    recorded = await broker.ask(
        "social-team",
        "record_authority",
        [by_handle(home.handles[child], authority=authority)],
        say(occasion=home.occasion),
    )
    assert act_part(recorded).state == "recorded", act_part(recorded).weighing
    seen = []
    for person in (child, unknown):
        persons = [by_bsn(bsn, identity="document") for bsn in (parent, person)]
        answer = await broker.ask("portal", "open_session", persons)
        part = act_part(answer, 1)
        assert part.handle is not None
        page = await Resident(broker, part.handle).read()
        seen.append((part.weighing, part.state, page.cards, page.next))
    assert seen[0] == seen[1]
    assert seen[0][2] == ()


async def test_a_representative_sees_the_open_chain_and_not_the_persons_own(
    broker: Running,
) -> None:
    parent, child = next(NUMBERS), next(NUMBERS)
    await open_household(broker, child)
    await open_household(broker, child, confidential=True)
    persons = [by_bsn(bsn, identity="document") for bsn in (parent, child)]
    answer = await broker.ask("portal", "open_session", persons)
    handle = act_part(answer, 1).handle
    assert handle is not None
    assert len((await Resident(broker, handle).read()).cards) == 1
    (own,) = await log_in(broker, child)
    assert len((await own.read()).cards) == 2


async def test_a_pointer_shown_is_told_with_its_rung(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling", shielded=True)
    home = await open_household(broker, bsn)
    shown = inquiry_part(await inquire(broker, home, bsn)).pointers
    (resident,) = await log_in(broker, bsn)
    (told, *_) = (await resident.read()).cards
    assert [one.rung for one in told.pointers] == [one.rung for one in shown]
    assert all(one.contact.name is None for one in shown)


@pytest.mark.parametrize("act", ["end", "report_wrong_person"])
async def test_the_end_of_what_is_for_the_person_alone_stays_so(broker: Running, act: str) -> None:
    parent, child = next(NUMBERS), next(NUMBERS)
    part = await register(broker, "youth-help", child, "youth_help", confidential=True)
    assert part.handle is not None
    members = {"ends": "ended"} if act == "end" else {}
    answer = await broker.ask("youth-help", act, [by_handle(part.handle, **members)], say())
    assert act_part(answer).state in ("ended", "annulled")
    persons = [by_bsn(bsn, identity="document") for bsn in (parent, child)]
    handle = act_part(await broker.ask("portal", "open_session", persons), 1).handle
    assert handle is not None
    assert (await Resident(broker, handle).read()).cards == ()
    (own,) = await log_in(broker, child)
    assert events(await own.read())[:2] == [act, "register"]
