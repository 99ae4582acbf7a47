"""No BSN leaves the portal in what somebody typed, however it is spaced; other numbers do."""

from __future__ import annotations

import pytest

from connectors.portal.errors import NumberInTextError
from connectors.portal.wish_text import require_no_number
from datwat.protocol.acts import Objection, Question, Wish
from tests.exchange.world import bsns, now

BSN = next(bsns())


def build(text: str) -> tuple[Wish, Wish]:
    objection = Objection(reason=text, made_at=now())
    return Wish(asks=Question(text=text)), Wish(objection=objection)


@pytest.mark.parametrize(
    "text",
    [
        BSN,
        f"Mijn BSN is {BSN}, waarom?",
        f"{BSN[:3]} {BSN[3:6]} {BSN[6:]}",
        f"BSN:{BSN[:4]}.{BSN[4:6]}.{BSN[6:]}",
        f"({BSN[:4]}-{BSN[4:]})",
    ],
)
def test_a_bsn_in_a_text_is_refused_and_not_repeated(text: str) -> None:
    for wish in build(text):
        with pytest.raises(NumberInTextError) as caught:
            require_no_number(wish)
        assert BSN[:4] not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["Bel mij op 0612345678.", "Op 12-11-2026 om 10.30 uur.", f"Nummer 1{BSN}", "123456780", "Ja."],
)
def test_other_numbers_are_nobodys(text: str) -> None:
    for wish in build(text):
        require_no_number(wish)
