"""A visit to the counter stands in the person's own log, and nobody but a portal can say so."""

from __future__ import annotations

import pytest

from datwat.protocol.access_log import AccessCard
from datwat.protocol.acts import DeskVisit, Question, Wish
from tests.exchange.world import ON_EACH_DATABASE, Running, act_part, bsns, by_handle
from tests.transparency.test_access_log import Resident, log_in

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
VISIT = DeskVisit(
    role="baliemedewerker",
    second_role="teamleider",
    reason="Kwam zonder inlog en liet een paspoort zien",
    copy_given=True,
)


async def visit(resident: Resident, wish: Wish, desk: DeskVisit = VISIT) -> AccessCard:
    """Record a visit and return the card of its entry."""
    person = by_handle(resident.handle, wish=wish, desk=desk)
    answer = await resident.running.ask("portal", "wish", [person])
    assert act_part(answer).state == "recorded"
    cards = (await resident.read()).cards
    return next(card for card in cards if card.number == answer.persons[0].index)


async def test_a_print_is_told_with_both_roles_and_why(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    card = await visit(resident, Wish())
    assert card.details == {
        "helped_by": "baliemedewerker, teamleider",
        "helped_because": VISIT.reason,
        "copy_given": True,
    }
    assert card.summary.nl.startswith("U was aan de balie van ")
    assert "baliemedewerker, teamleider" in card.summary.nl
    assert card.summary.nl.endswith("U kreeg een afdruk van dit overzicht mee.")
    assert [proof.audience for proof in card.proofs] == ["own"]


async def test_what_was_said_there_is_recorded_like_any_wish(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    desk = VISIT.model_copy(update={"copy_given": False})
    card = await visit(resident, Wish(asks=Question(text="Waarom?")), desk)
    assert card.summary.en.startswith("You asked a question through ")
    assert card.summary.en.endswith("They saw your identity document.")
    assert card.details["question"] == "Waarom?"
    assert card.details["copy_given"] is False


async def test_a_wish_of_who_is_logged_in_tells_of_no_counter(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    answer = await broker.ask(
        "portal", "wish", [by_handle(resident.handle, wish=Wish(shields=True))]
    )
    assert act_part(answer).state == "recorded"
    card = (await resident.read()).cards[0]
    assert not {"helped_by", "copy_given"} & set(card.details)
    assert "balie" not in card.summary.nl


async def test_what_is_refused_at_the_counter_tells_of_no_print(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    person = by_handle(resident.handle, wish=Wish(lifts=999_999), desk=VISIT)
    answer = await broker.ask("portal", "wish", [person])
    assert act_part(answer).state == "refused"
    card = (await resident.read()).cards[0]
    assert "copy_given" not in card.details
