"""What somebody typed, and what partners wrote, is text from the one end to the other."""

from __future__ import annotations

import pytest

from connectors.portal.pages.typed import MOST, join_lines
from tests.portal.affairs import EVIL, HARD, TEAM
from tests.portal.saying import StandIn
from tests.portal.surfing import PATHS, Surfer


async def test_too_much_and_a_number_are_told_and_nothing_is_lost(surfer: Surfer) -> None:
    page = await surfer.send(await surfer.open("/questions/new"), to=TEAM)
    assert "maxlength" not in page.text  # a browser cuts off what is pasted, and says nothing
    long = await surfer.post(page, text="w" * (MOST + 7))
    assert "Uw tekst is 7 tekens te lang." in long.text
    assert "w" * (MOST + 7) in long.text
    number = await surfer.post(page, text="Mijn nummer is 999 990 019.")
    assert number.status_code == 422
    assert "Laat uw burgerservicenummer weg uit uw tekst." in number.text
    empty = await surfer.post(page, text=" \n ")
    assert "Schrijf uw vraag op." in empty.text


def test_lines_become_one_and_signs_that_turn_a_text_are_left_out() -> None:
    assert join_lines(" a\r\n\tb\u2028c \u202ed\x9be ") == "a b c de"
    assert join_lines("hé 👩‍👧 ok") == "hé 👩‍👧 ok"


@pytest.mark.parametrize("path", PATHS)
async def test_what_others_wrote_is_text_whatever_it_looks_like(
    surfer: Surfer, desk: StandIn, path: str
) -> None:
    desk.own = HARD
    page = await surfer.open(path)
    assert "<script>alert" not in page.text
    if path not in ("/", "/wishes", "/shield", "/blocks"):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}%(x)s" in page.text


async def test_a_typed_text_stays_text_to_the_end(surfer: Surfer, desk: StandIn) -> None:
    page = await surfer.begin_question(EVIL)
    assert "<script>alert" not in page.text
    await surfer.send(page)
    (wish,) = desk.wishes
    assert wish.asks is not None
    assert wish.asks.text == EVIL
