"""Erasure on request: asked at the portal, answered by two officers, done once, told, and held."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from broker.adapters.log_tables import LogEntry, QuarterKey, table_of
from broker.adapters.tables import ConsentRecord
from broker.adapters.tables import table_of as register_of
from broker.app import build_commands
from broker.exchange import erasure
from broker.exchange.erasure import Answer, WishUnknownError
from broker.exchange.looking import Look, ReasonMissingError, SecondPersonError
from datwat.party.errors import PartyError
from datwat.protocol.access_log import AccessCard
from datwat.protocol.acts import Professional, Question, Wish
from datwat.protocol.entry import derive_leaf_hash, parse_entry
from datwat.protocol.merkle import derive_root
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Running,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    inquire,
    inquiry_part,
    now,
    open_household,
    register,
    say,
)
from tests.transparency.test_access_log import Resident, build_consent, log_in, represent

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
_ENTRIES, _KEYS = table_of(LogEntry), table_of(QuarterKey)
_CONSENTS = register_of(ConsentRecord)
_REASON = "De hulp is lang geleden gestopt."
LOOK = Look(
    by=Professional(id="m.jansen", role="privacyfunctionaris"),
    second=Professional(id="p.smit", role="teamleider"),
    reason=_REASON,
)


@pytest.fixture(autouse=True)
def no_failed_round(broker: Running) -> Iterator[None]:
    yield
    assert broker.broker.housekeeper.failed == frozenset()


_LOOK_MEMBERS = {
    "by": "m.jansen",
    "role": LOOK.by.role,
    "second_by": "p.smit",
    "second_role": LOOK.second.role,
    "reason": _REASON,
}


async def wish(resident: Resident, number: int) -> int:
    """Have a resident wish that a card be erased, and return the number of the wish."""
    answer = await resident.running.ask(
        "portal", "wish", [by_handle(resident.handle, wish=Wish(erases=number))]
    )
    assert act_part(answer).state == "recorded"
    index = answer.persons[0].index
    assert index is not None
    return index


async def find_card(resident: Resident, event: str) -> AccessCard:
    return next(card for card in (await resident.read()).cards if card.event == event)


async def log_in_one(running: Running, bsn: str) -> Resident:
    (resident,) = await log_in(running, bsn)
    return resident


def read_contents(running: Running) -> dict[int, tuple[bytes | None, bytes | None]]:
    with running.broker.store.reading() as conn:
        query = select(_ENTRIES.c.idx, _ENTRIES.c.sealed, _ENTRIES.c.input_sealed)
        return {row.idx: (row.sealed, row.input_sealed) for row in conn.execute(query)}


def read_keys(running: Running) -> set[bytes]:
    with running.broker.store.reading() as conn:
        return {bytes(key) for key in conn.execute(select(_KEYS.c.key_sealed)).scalars()}


def derive_log_root(running: Running, size: int) -> bytes:
    with running.broker.store.reading() as conn:
        query = select(_ENTRIES.c.entry).where(_ENTRIES.c.idx < size).order_by(_ENTRIES.c.idx)
        return derive_root([derive_leaf_hash(bytes(one)) for one in conn.execute(query).scalars()])


def count_consents(running: Running) -> int:
    with running.broker.rooms.reading() as conn:
        return int(conn.execute(select(func.count()).select_from(_CONSENTS)).scalar_one())


async def test_what_was_asked_is_erased_told_and_done_once(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    await inquire(broker, home, bsn)
    resident = await log_in_one(broker, bsn)
    card = await find_card(resident, "inquire")
    number = await wish(resident, card.number)
    keys, size = read_keys(broker), broker.broker.log.size
    root = derive_log_root(broker, size)

    answer = await broker.broker.erasures.answer(number, LOOK)

    assert answer == Answer("erased", 1)
    assert broker.broker.log.size == size + 2
    assert read_contents(broker)[card.number] == (None, None)
    # By what it commits to: after a loss another entry may lie at its number.
    with broker.broker.store.reading() as conn:
        row = broker.broker.store.find_entry(conn, card.number)
    assert row is not None
    held = broker.broker.ratchet.records("asked")[-1]
    assert held.split(" ")[-1] == parse_entry(row.entry).hash.hex()
    # The wish and what else there is of the person stay, under a new key; the tree did not move.
    assert len(keys - read_keys(broker)) == 1
    assert derive_log_root(broker, size) == root
    page = await resident.read()
    assert [one.event for one in page.cards] == ["erased", "erased", "wish", "open_occasion"]
    # A representative reads that contents ended on request, and nothing of a wish or of answers.
    told = next(one for one in page.cards if one.proofs[0].audience == "open")
    assert told.event == "erased"
    assert told.details.keys() == {"reason", "count", "since_at", "until_at"}
    assert "omdat daarom is gevraagd" in told.summary.nl
    assert told.proofs[0].core.startswith(b'{"entries":[],"places":[{"first":1,"last":1,')
    told = next(one for one in page.cards if one.proofs[0].audience == "own")
    assert f"regel {card.number} " in told.summary.nl
    assert "de inhoud van 1 eerdere regel is weg" in told.summary.nl
    assert told.details["decider_role"] == "privacyfunctionaris, teamleider"
    assert told.details["decided_because"] == _REASON
    assert "jansen" not in told.model_dump_json()

    again = await broker.broker.erasures.answer(number, LOOK)
    assert again == Answer("erased", 1, before=True)
    assert broker.broker.log.size == size + 2


async def test_two_officers_at_once_answer_once(broker: Running) -> None:
    bsn = next(NUMBERS)
    await open_household(broker, bsn)
    resident = await log_in_one(broker, bsn)
    number = await wish(resident, (await find_card(resident, "open_occasion")).number)
    size = broker.broker.log.size
    answers = await asyncio.gather(*(broker.broker.erasures.answer(number, LOOK) for _ in range(3)))
    assert sorted(one.before for one in answers) == [False, True, True]
    assert broker.broker.log.size == size + 2


async def test_a_pointer_ends_with_the_card_that_tells_of_it(broker: Running) -> None:
    bsn = next(NUMBERS)
    for function, kind in (("debt-counselling", "debt_counselling"), ("income", "income_support")):
        await register(broker, function, bsn, kind)
    home = await open_household(broker, bsn)
    resident = await log_in_one(broker, bsn)
    shown = inquiry_part(await inquire(broker, home, bsn)).pointers
    assert {one.kind for one in shown} == {"debt_counselling", "income_support"}
    cards = (await resident.read()).cards
    card = next(one for one in cards if one.details.get("kind") == "debt_counselling")
    await broker.broker.erasures.answer(await wish(resident, card.number), LOOK)
    shown = inquiry_part(await inquire(broker, home, bsn)).pointers
    assert {one.kind for one in shown} == {"income_support"}
    with broker.broker.rooms.reading() as conn:
        due = broker.broker.rooms.registers.notices.list_due(conn, now(), 100)
    assert {broker.world.members[name].id for name in ("debt-counselling", "social-team")} <= {
        one.to for one in due
    }


async def test_what_was_registered_later_does_not_end_with_an_earlier_card(broker: Running) -> None:
    bsn = next(NUMBERS)
    first = await register(broker, "debt-counselling", bsn, "debt_counselling")
    assert first.handle is not None
    person = by_handle(first.handle, involvement=first.involvement, ends="ended")
    await broker.ask("debt-counselling", "end", [person], say())
    await asyncio.sleep(1.1)  # moments are whole seconds
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    resident = await log_in_one(broker, bsn)
    later, earlier = (one for one in (await resident.read()).cards if one.event == "register")
    told = await broker.broker.erasures.answer(await wish(resident, earlier.number), LOOK)
    assert told == Answer("erased", 1)
    assert inquiry_part(await inquire(broker, home, bsn)).pointers
    await broker.broker.erasures.answer(await wish(resident, later.number), LOOK)
    assert inquiry_part(await inquire(broker, home, bsn)).pointers == ()


async def test_what_a_law_obliges_to_keep_is_kept_and_the_resident_reads_why(
    broker: Running,
) -> None:
    bsn = next(NUMBERS)
    await register(broker, "income", bsn, "income_support")
    answer = await broker.ask(
        "income",
        "inquire",
        [by_bsn(bsn, identity="document")],
        say(),
        purpose=broker.purpose("income_support"),
        rung="dat",
    )
    number = answer.persons[0].index
    assert number is not None
    resident = await log_in_one(broker, bsn)
    asked = await wish(resident, number)
    before = read_contents(broker)
    told = await broker.broker.erasures.answer(asked, LOOK)
    assert told.outcome == "kept"
    assert told.law == "AVG 17(3)(b); Participatiewet 64; Participatiewet 53a"
    assert told.kept_until is not None
    assert told.kept_until > now() + timedelta(days=1_800)
    after = read_contents(broker)
    assert {index: after[index] for index in before} == before
    card = (await resident.read()).cards[0]
    assert card.event == "kept"
    assert "Participatiewet 64" in card.summary.nl
    assert card.details["kept_for"] == "income_support"
    again = await broker.broker.erasures.answer(asked, LOOK)
    assert (again.outcome, again.law, again.before) == ("kept", told.law, True)


async def test_nobody_wishes_about_what_they_may_not_read(broker: Running) -> None:
    """Another's card, the own card of a represented child, none: one and the same answer."""
    parent, child = next(NUMBERS), next(NUMBERS)
    await open_household(broker, parent)
    other = (await (await log_in_one(broker, parent)).read()).cards[0].number
    own = await log_in_one(broker, child)
    consent = build_consent()
    given = await broker.ask("portal", "wish", [by_handle(own.handle, wish=Wish(consent=consent))])
    assert act_part(given).state == "recorded"
    hidden = (await own.read()).cards[0].number
    view = await represent(broker, parent, child)
    for resident, number in ((own, other), (view, hidden), (own, 10**9), (view, 10**9)):
        stated = by_handle(resident.handle, wish=Wish(erases=number))
        refused = act_part(await broker.ask("portal", "wish", [stated]))
        assert refused.state == "refused"


async def test_a_wish_that_is_refused_records_nothing_of_what_else_it_said(
    broker: Running,
) -> None:
    resident = await log_in_one(broker, next(NUMBERS))
    before = count_consents(broker)
    for members in ({"withdraws": 10**9}, {"erases": 10**9}):
        stated = Wish.model_validate({"consent": build_consent(), **members})
        answer = await broker.ask("portal", "wish", [by_handle(resident.handle, wish=stated)])
        assert act_part(answer).state == "refused"
    assert count_consents(broker) == before


async def test_what_waits_is_listed_and_counted_until_it_is_answered(broker: Running) -> None:
    bsn = next(NUMBERS)
    await open_household(broker, bsn)
    resident = await log_in_one(broker, bsn)
    card = await find_card(resident, "open_occasion")
    number = await wish(resident, card.number)
    commands = build_commands(broker.broker, lambda: None)

    async def find() -> list[dict[str, object]]:
        listed = (await commands["erasures_list"]({}))["erasures"]
        return [one for one in listed if one["number"] == number]

    (waiting,) = await find()
    assert (waiting["erases"], waiting["overdue"]) == (card.number, False)
    before = (await commands["status"]({}))["erasures_overdue"]
    clock = broker.broker.rooms.clock
    object.__setattr__(broker.broker.rooms, "clock", lambda: clock() + timedelta(days=32))
    try:
        assert [one["overdue"] for one in await find()] == [True]
        assert (await commands["status"]({}))["erasures_overdue"] > before
    finally:
        object.__setattr__(broker.broker.rooms, "clock", clock)
    await broker.broker.erasures.answer(number, LOOK)
    assert await find() == []


async def test_an_answer_to_a_question_of_the_same_wish_is_no_answer_to_it(
    broker: Running,
) -> None:
    bsn = next(NUMBERS)
    await open_household(broker, bsn)
    resident = await log_in_one(broker, bsn)
    card = await find_card(resident, "open_occasion")
    stated = Wish(erases=card.number, asks=Question(text="Waarom stond dit hier?"))
    answer = await broker.ask("portal", "wish", [by_handle(resident.handle, wish=stated)])
    number = answer.persons[0].index
    assert number is not None
    command = build_commands(broker.broker, lambda: None)["questions_answer"]
    await command(
        {"number": number, "by": "m.jansen", "role": "officer", "text": "Omdat het moest."}
    )
    assert (await broker.broker.erasures.answer(number, LOOK)).outcome == "erased"


async def test_no_number_but_that_of_a_wish_erases(broker: Running) -> None:
    bsn = next(NUMBERS)
    await open_household(broker, bsn)
    resident = await log_in_one(broker, bsn)
    card = await find_card(resident, "open_occasion")
    size = broker.broker.log.size
    for number in (card.number, 0, size + 5, 2**62):
        with pytest.raises(WishUnknownError):
            await broker.broker.erasures.answer(number, LOOK)
    number = await wish(resident, card.number)
    alone = replace(LOOK, second=LOOK.by)
    for look, error in (
        (alone, SecondPersonError),
        (replace(LOOK, reason="ja"), ReasonMissingError),
    ):
        with pytest.raises(error):
            await broker.broker.erasures.answer(number, look)
    assert broker.broker.log.size == size + 1


async def test_an_account_of_an_end_and_a_proof_of_consent_are_kept(broker: Running) -> None:
    bsn = next(NUMBERS)
    await open_household(broker, bsn)
    resident = await log_in_one(broker, bsn)
    first = await wish(resident, (await find_card(resident, "open_occasion")).number)
    await broker.broker.erasures.answer(first, LOOK)
    notice = (await find_card(resident, "erased")).number
    for number, law in ((notice, "AVG 5(2), 23"), (first, "AVG 7(1)")):
        answer = await broker.broker.erasures.answer(await wish(resident, number), LOOK)
        assert (answer.outcome, answer.law) == ("kept", law)


async def test_the_command_answers_and_names_what_is_wrong(broker: Running) -> None:
    bsn = next(NUMBERS)
    await open_household(broker, bsn)
    resident = await log_in_one(broker, bsn)
    number = await wish(resident, (await find_card(resident, "open_occasion")).number)
    woken: list[bool] = []
    command = build_commands(broker.broker, lambda: woken.append(True))["erase"]
    wrong = [("number", "x"), ("number", -1), ("number", 2**53), ("number", 2**63)]
    for name, value in (*wrong, ("role", ""), ("reason", "kort")):
        with pytest.raises(PartyError) as found:
            await command({**_LOOK_MEMBERS, "number": number, name: value})
        assert _REASON not in str(found.value)
    answer = await command({**_LOOK_MEMBERS, "number": number})
    assert answer == {
        "wish": number,
        "outcome": "erased",
        "contents": 1,
        "law": None,
        "kept_until": None,
        "answered_before": False,
    }
    assert woken == [True]
    status = await build_commands(broker.broker, lambda: None)["status"]({})
    assert "contents=" in status["housekeeping_ended"]


async def test_the_next_round_tidies_up_after_an_erasure(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    bsn = next(NUMBERS)
    await open_household(broker, bsn)
    resident = await log_in_one(broker, bsn)
    number = await wish(resident, (await find_card(resident, "open_occasion")).number)
    tidied: list[bool] = []
    while await broker.broker.housekeeper.run_round():
        pass

    def tidy() -> bool:
        tidied.append(True)
        return True

    monkeypatch.setattr(broker.broker.ends, "tidy", tidy)
    await broker.broker.housekeeper.run_round()
    assert tidied == []
    await broker.broker.erasures.answer(number, LOOK)
    await broker.broker.housekeeper.run_round()
    assert tidied == [True]


async def test_a_failure_while_it_is_written_leaves_all_and_it_is_done_after(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    resident = await log_in_one(broker, bsn)
    card = await find_card(resident, "register")
    number = await wish(resident, card.number)
    before, keys = read_contents(broker), read_keys(broker)

    def fail(*_: object) -> bytes:
        raise LookupError

    with monkeypatch.context() as patched:
        patched.setattr(erasure, "build_payload", fail)
        with pytest.raises(LookupError):
            await broker.broker.erasures.answer(number, LOOK)
    assert (read_contents(broker), read_keys(broker)) == (before, keys)
    assert (await broker.broker.erasures.answer(number, LOOK)).contents == 1
    assert read_contents(broker)[card.number] == (None, None)
