"""What follows from an act is in its list at once, has its term, and is settled once and told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from broker.adapters.answer_tables import DutyRecord
from broker.adapters.tables import table_of
from broker.exchange.answering_desk import Given
from broker.exchange.answering_listing import ItemUnknownError, count_by_coordinator
from broker.exchange.answering_lists import ListName
from broker.exchange.answering_telling import AnsweredAlreadyError, NumberInAnswerError
from broker.exchange.reviews import DutyUnknownError, OutcomeUnfitError, TextMissingError
from datwat.protocol.acts import DeskVisit, Motivation, Question, Wish
from datwat.protocol.answers import ActPart
from tests.answers.world import (
    OFFICER,
    TEXT,
    build_consent,
    build_desk,
    build_disagreement,
    count_pointers,
    find_new,
    give,
    list_numbers,
    record,
)
from tests.exchange.test_openings import BOSS, open_waiting
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Household,
    Running,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    conversation,
    inquire,
    member,
    now,
    open_household,
    opens,
    register,
    say,
)
from tests.transparency.test_access_log import log_in

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
VISIT = DeskVisit(role="balie", second_role="teamleider", reason="Kwam zonder inlog aan de balie")
BSN_TEXT = "Het gaat om 999990019 en dat klopt."


async def ask_in_crisis(running: Running, bsn: str) -> Household:
    home = await open_household(running, bsn, kind="crisis", inform_by=now() + timedelta(days=13))
    answer = await running.ask(
        "social-team",
        "request_contact",
        [by_handle(home.handles[bsn])],
        say(
            occasion=home.occasion,
            call_back={"role": "Coordinator", "phone": "020 111 1111"},
            motivation=Motivation(purpose="Hij staat buiten en kan nergens heen."),
        ),
        purpose=running.purpose("coordinate_family_help"),
        source=running.world.members["debt-counselling"].id,
    )
    assert act_part(answer).weighing.permitted, act_part(answer).weighing
    return home


async def test_a_question_in_a_crisis_is_reviewed_within_two_working_days_and_told(
    broker: Running,
) -> None:
    bsn, before = next(NUMBERS), list_numbers(broker, "urgent")
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    await ask_in_crisis(broker, bsn)
    one = find_new(broker, "urgent", before)
    assert (one.purpose, one.facts["occasion"]) == ("coordinate_family_help", "crisis")
    assert one.facts["act"] == "request_contact"
    assert timedelta(days=2) < one.due_at - one.since_at < timedelta(days=9)
    assert not one.overdue
    late = build_desk(broker, timedelta(days=10)).lists.require_item("urgent", one.number)
    assert (late.overdue, late.reminder) == (True, "end")

    await give(broker, "urgent", one.number, "review_unjustified")

    assert one.number not in list_numbers(broker, "urgent")
    (resident,) = await log_in(broker, bsn)
    (told, *_) = (await resident.read()).cards
    assert told.event == "answered"
    assert told.details["outcome"] == "review_unjustified"
    assert told.details["answer"] == TEXT
    assert told.summary.nl.startswith("Iemand anders keek achteraf naar regel ")
    assert "niet terecht" in told.summary.nl
    asked = next(card for card in (await resident.read()).cards if card.event == "request_contact")
    assert told.details["answers"] == asked.number
    with pytest.raises(AnsweredAlreadyError):
        await give(broker, "urgent", one.number, "review_justified")
    answered = build_desk(broker).require_answered("urgent", one.number)
    assert (answered.text, answered.outcome, answered.role) == (
        TEXT, "review_unjustified", OFFICER.role,
    )  # fmt: skip


async def test_a_question_outside_a_crisis_needs_no_review(broker: Running) -> None:
    bsn, before = next(NUMBERS), list_numbers(broker, "urgent")
    home = await open_household(broker, bsn)
    await inquire(broker, home, bsn)
    assert list_numbers(broker, "urgent") == before


async def test_what_an_officer_writes_is_checked_before_anything_is_kept(broker: Running) -> None:
    bsn, before = next(NUMBERS), list_numbers(broker, "urgent")
    await ask_in_crisis(broker, bsn)
    one, size = find_new(broker, "urgent", before), broker.broker.log.size
    for text, error in ((BSN_TEXT, NumberInAnswerError), ("kort", TextMissingError)):
        with pytest.raises(error):
            await give(broker, "urgent", one.number, "review_justified", text=text)
    with pytest.raises(OutcomeUnfitError, match="review_justified, review_unjustified"):
        await give(broker, "urgent", one.number, "upheld")
    with pytest.raises(DutyUnknownError):
        await give(broker, "disputes", one.number, "dispute_stands")
    assert broker.broker.log.size == size
    assert one.number in list_numbers(broker, "urgent")


async def give_consent_and_dispute_it(running: Running, bsn: str) -> tuple[Household, str]:
    home = await open_household(running, bsn)
    await record(running, "record_consent", home, bsn, consent=build_consent())
    before = list_numbers(running, "disputes")
    await record(running, "record_authority", home, bsn, authority=build_disagreement())
    return home, find_new(running, "disputes", before).number


def read_authorities(running: Running) -> dict[bytes, set[str]]:
    found: dict[bytes, set[str]] = {}
    registers, table = running.broker.rooms.registers, table_of(DutyRecord)
    with running.broker.rooms.reading() as conn:
        for (subject,) in conn.execute(select(table.c.subject_id).where(table.c.kind == "dispute")):
            rows = registers.authorities.list_current(conn, subject, now())
            found[subject] = {row.kind for row in rows}
    return found


def read_consents(running: Running, number: str) -> list[bool]:
    """Return of each consent of who a dispute is about whether it was withdrawn."""
    registers = running.broker.rooms.registers
    with running.broker.store.reading() as conn:
        duty = registers.duties.find(conn, "dispute", number, now())
        assert duty is not None
        rows = registers.consents.list_consents(conn, duty.subject_id, now())
    return [row.withdrawn_at is not None for row in rows]


async def test_a_dispute_that_is_over_ends_the_disagreement_at_once(broker: Running) -> None:
    bsn = next(NUMBERS)
    _, number = await give_consent_and_dispute_it(broker, bsn)
    assert {"disagreement"} in read_authorities(broker).values()
    await give(broker, "disputes", number, "dispute_stands")
    assert {"disagreement"} not in read_authorities(broker).values()
    assert read_consents(broker, number) == [False]
    (resident,) = await log_in(broker, bsn)
    told = (await resident.read()).cards[0]
    assert told.details["outcome"] == "dispute_stands"
    assert "De toestemming geldt weer" in told.summary.nl


async def test_a_consent_that_falls_never_counts_again_and_ones_own_stays(broker: Running) -> None:
    bsn = next(NUMBERS)
    home, number = await give_consent_and_dispute_it(broker, bsn)
    own = build_consent(given_by="self", product="inkomenssituatie")
    await record(broker, "record_consent", home, bsn, consent=own)
    await give(broker, "disputes", number, "dispute_fallen")
    assert sorted(read_consents(broker, number)) == [False, True]
    assert number not in list_numbers(broker, "disputes")


async def test_another_record_of_authority_is_no_dispute(broker: Running) -> None:
    bsn, before = next(NUMBERS), list_numbers(broker, "disputes")
    home = await open_household(broker, bsn)
    await record(
        broker, "record_authority", home, bsn, authority=build_disagreement(kind="both_parents")
    )
    assert list_numbers(broker, "disputes") == before


async def test_a_wrong_person_is_judged_within_72_hours_and_told(broker: Running) -> None:
    wrong, right = next(NUMBERS), next(NUMBERS)
    part = await register(broker, "debt-counselling", wrong, "debt_counselling")
    assert part.handle is not None
    before = list_numbers(broker, "wrong_person")
    people = [by_handle(part.handle), by_bsn(right, identity="document")]
    await broker.ask("debt-counselling", "report_wrong_person", people, say())
    one = find_new(broker, "wrong_person", before)  # of the first only
    assert one.due_at - one.since_at == timedelta(hours=72)
    await give(broker, "wrong_person", one.number, "breach")
    (resident,) = await log_in(broker, wrong)
    assert "datalek" in (await resident.read()).cards[0].summary.nl


async def visit_desk(running: Running, bsn: str, wish: Wish) -> ActPart:
    (resident,) = await log_in(running, bsn)
    person = by_handle(resident.handle, wish=wish, desk=VISIT)
    return act_part(await running.ask("portal", "wish", [person]))


async def test_who_asked_at_a_desk_is_answered_on_paper(broker: Running) -> None:
    bsn, before = next(NUMBERS), list_numbers(broker, "desk")
    await visit_desk(broker, bsn, Wish())  # a print only: nothing is owed
    assert list_numbers(broker, "desk") == before
    await visit_desk(broker, bsn, Wish(asks=Question(text="Wie vroeg dit?")))
    one = find_new(broker, "desk", before)
    size = broker.broker.log.size
    await give(broker, "desk", one.number, "letter_given", text="")
    assert broker.broker.log.size == size  # that it was handed over changes nothing
    assert one.number not in list_numbers(broker, "desk")


async def open_untold(running: Running, bsn: str, **changes: object) -> Household:
    person = member(bsn, told_at=None, conversation=None, **changes)
    inform_by = now() + timedelta(days=5)
    statement = say(opens=opens(kind="signal", inform_by=inform_by))
    answer = await running.ask("social-team", "open_occasion", [person], statement)
    part = act_part(answer)
    assert part.occasion is not None, part.weighing
    assert part.handle is not None
    return Household(part.occasion, {bsn: part.handle})


async def test_who_was_not_told_is_in_the_list_of_their_coordinator_until_they_are(
    broker: Running,
) -> None:
    bsn, before = next(NUMBERS), list_numbers(broker, "tell")
    home = await open_untold(broker, bsn)
    one = find_new(broker, "tell", before)
    assert (one.facts["coordinator"], one.facts["team"]) == ("j.jansen", "wijkteam")
    assert one.partner == broker.world.members["social-team"].id
    assert one.due_at - one.since_at == timedelta(days=5)
    late = build_desk(broker, timedelta(days=6)).lists.list_waiting("tell")
    by = count_by_coordinator(late)
    assert by[one.partner, "j.jansen"].overdue >= 1
    assert build_desk(broker).lists.list_waiting("tell", broker.world.members["school"].id) == []

    await record(broker, "record_conversation", home, bsn, conversation=conversation())

    assert one.number not in list_numbers(broker, "tell")


async def test_a_conversation_in_which_nothing_was_told_ends_nothing(broker: Running) -> None:
    bsn, before = next(NUMBERS), list_numbers(broker, "tell")
    home = await open_untold(broker, bsn)
    one = find_new(broker, "tell", before)
    await record(
        broker, "record_conversation", home, bsn, conversation=conversation(reaction="not_told")
    )
    assert one.number in list_numbers(broker, "tell")


async def test_nobody_ticks_off_that_somebody_was_told(broker: Running) -> None:
    bsn, before = next(NUMBERS), list_numbers(broker, "tell")
    await open_untold(broker, bsn)
    one = find_new(broker, "tell", before)
    with pytest.raises(OutcomeUnfitError):
        await give(broker, "tell", one.number, "told")


@pytest.mark.parametrize("changes", [{"age_band": "0-11"}])
async def test_a_child_below_twelve_is_told_through_its_parents(
    broker: Running, changes: dict[str, object]
) -> None:
    before = list_numbers(broker, "tell")
    await open_untold(broker, next(NUMBERS), **changes)
    assert list_numbers(broker, "tell") == before


async def test_who_was_told_before_is_owed_nothing(broker: Running) -> None:
    before = list_numbers(broker, "tell")
    await open_household(broker, next(NUMBERS))
    assert list_numbers(broker, "tell") == before


async def test_a_wrong_person_need_not_be_told_any_more(broker: Running) -> None:
    bsn, before = next(NUMBERS), list_numbers(broker, "tell")
    home = await open_untold(broker, bsn)
    one = find_new(broker, "tell", before)
    answer = await broker.ask(
        "social-team", "report_wrong_person", [by_handle(home.handles[bsn])], say()
    )
    assert act_part(answer).state == "annulled"
    assert one.number not in list_numbers(broker, "tell")


async def test_what_waits_for_its_opening_is_in_no_list_and_no_count_until_it_opens(
    broker: Running,
) -> None:
    """Promise 5: the duty is there, and nobody sees it; then it is one like any other."""
    bsn = next(NUMBERS)
    home, row = await open_waiting(broker, bsn)
    names: tuple[ListName, ...] = ("disputes", "tell")
    before = {name: list_numbers(broker, name) for name in names}
    counts = build_desk(broker).lists.count()["disputes"]
    await record(broker, "record_authority", home, bsn, authority=build_disagreement())
    table = table_of(DutyRecord)
    with broker.broker.rooms.reading() as conn:
        (hidden,) = conn.execute(
            select(table.c.number).where(table.c.waits_on == row.occasion_id)
        ).scalars()
    assert {name: list_numbers(broker, name) for name in before} == before
    assert build_desk(broker).lists.count()["disputes"] == counts
    with pytest.raises(ItemUnknownError):
        build_desk(broker).lists.require_item("disputes", hidden)
    with pytest.raises(DutyUnknownError):
        await give(broker, "disputes", hidden, "dispute_stands")
    with pytest.raises(DutyUnknownError):  # what never was looks the same
        await give(broker, "disputes", "0" * 12, "dispute_stands")

    await broker.broker.openings.open(row, BOSS)

    assert hidden in list_numbers(broker, "disputes")
    await give(broker, "disputes", hidden, "dispute_stands")
    (resident,) = await log_in(broker, bsn)
    assert (await resident.read()).cards[0].event == "answered"


async def test_the_pointers_are_none_of_it(broker: Running) -> None:
    """A duty changes nothing of what is shared."""
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home, number = await give_consent_and_dispute_it(broker, bsn)
    assert await count_pointers(broker, home, bsn) == 1
    given = Given(by=OFFICER, outcome="dispute_stands", text=TEXT)
    await build_desk(broker).answer("disputes", number, given)
    assert await count_pointers(broker, home, bsn) == 1
