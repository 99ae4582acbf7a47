"""No BSN leaves a connector in what somebody typed, however it is spaced; other numbers do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast, get_args, get_type_hints

import pytest
from pydantic import BaseModel

from connectors.client.exchange import Exchange
from connectors.client.outgoing import Draft, Person
from connectors.client.own_text import TYPED, require_no_number
from connectors.errors import NumberInTextError
from datwat.protocol.acts import (
    Conversation,
    DeskVisit,
    Handler,
    Motivation,
    Objection,
    OccasionStatement,
    PersonPart,
    Professional,
    Question,
    Statement,
    Wish,
)
from datwat.protocol.values import PlainText
from tests.exchange.world import bsns, now

BSN = next(bsns())
NOOR = Professional(id="noor", role="regisseur")


def draft(members: Mapping[str, object] | None = None, **stated: object) -> Draft:
    """Return a message about somebody, with something stated about them or about the act."""
    statement = Statement.model_validate({"professional": NOOR, **stated})
    return Draft("release", [Person(handle=bytes(16), members=members or {})], statement)


def build(text: str) -> Iterator[Draft]:
    """Yield a message for each place of some where people type freely."""
    talk = Conversation(at=now(), told=text, reaction="agrees", alternatives="Iets anders.")
    leads = Handler(professional="noor", role="coordinator", from_at=now())
    opens = OccasionStatement(kind="signal", team=text, handlers=(leads,))
    reason = f"Aan de balie: {text}"
    for members in (
        {"conversation": talk},
        {"objection": Objection(reason=text, made_at=now())},
        {"wish": Wish(asks=Question(text=text))},
        {"wish": Wish(objection=Objection(reason=text, made_at=now()))},
        {"desk": DeskVisit(role="balie", second_role="balie", reason=reason)},
    ):
        yield draft(members)
    yield draft(motivation=Motivation(efficiency=text))
    yield draft(internal_reason=text)
    yield draft(opens=opens)


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
    for message in build(text):
        with pytest.raises(NumberInTextError) as caught:
            require_no_number(message)
        assert BSN[:4] not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["Bel mij op 0612345678.", "Op 12-11-2026 om 10.30 uur.", f"Nummer 1{BSN}", "123456780", "Ja."],
)
def test_other_numbers_are_nobodys(text: str) -> None:
    for message in build(text):
        require_no_number(message)


async def test_nothing_is_looked_up_or_sent_of_a_message_with_a_bsn_in_a_text() -> None:
    nobody = cast("Any", None)  # whatever asked a party would fail
    exchange = Exchange(party_id="team", key=nobody, directory=nobody, http=nobody, memory=nobody)
    with pytest.raises(NumberInTextError):
        await exchange.prepare(draft(internal_reason=f"Zie {BSN}."))


def list_hints(hint: Any) -> Iterator[Any]:  # noqa: ANN401 - a type, whatever it is made of
    """Yield a type and what it is made of."""
    yield hint
    for held in get_args(hint):
        yield from list_hints(held)


def list_members(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """Yield name and type of every member of a model, and of every model that stands in it."""
    for name, hint in get_type_hints(model, include_extras=True).items():
        for held in list_hints(hint):
            yield name, held
            if isinstance(held, type) and issubclass(held, BaseModel):
                yield from list_members(held)


def test_every_text_that_goes_out_is_looked_at() -> None:
    """What may hold any text is named; a new member of an act that is not named fails here."""
    members = [*list_members(Statement), *list_members(PersonPart)]
    found = {name for name, hint in members if hint == PlainText}
    assert found | {"team"} == TYPED
