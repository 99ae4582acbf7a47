"""Where two do it together, the second is somebody of the register, whose token it may be."""

from __future__ import annotations

from typing import Any

import pytest

from broker.app import build_commands
from broker.commands.officers import SecondRoleError
from broker.exchange.looking import SecondPersonError
from broker.purposes.roles import EndAsked, GiveAsked
from datwat.party.errors import PartyError
from tests.authoring.world import RIJNSTAD, Office
from tests.exchange.world import ON_EACH_DATABASE

pytestmark = [ON_EACH_DATABASE, pytest.mark.asyncio(loop_scope="module")]
TWO = {
    "by": "a.eerste",
    "role": "functionaris",
    "second_role": "manager",
    "reason": "Somebody asked us to.",
}
# By the token of the home folder: what is asked, and the role that the second person needs.
ACTS: dict[str, tuple[dict[str, Any], str]] = {
    "special_audit": ({**TWO, "quarters": []}, "auditor"),
    "erase": ({**TWO, "number": 2**40}, "reviewer"),
    "reviews_look": ({**TWO, "number": 1}, "reviewer"),
    "answers_answer": (
        {
            **{name: TWO[name] for name in ("by", "role", "second_role")},
            "list": "erasures",
            "number": "1",
            "outcome": "decide",
            "text": "Wij hebben dit samen bekeken.",
        },
        "reviewer",
    ),
}


async def attempt(office: Office, name: str, second: str) -> PartyError | None:
    members, _ = ACTS[name]
    try:
        await build_commands(office.broker, lambda: None)[name]({**members, "second_by": second})
    except PartyError as error:
        return error
    return None


@pytest.mark.parametrize("name", ACTS)
async def test_the_second_person_holds_a_fitting_role_now(office: Office, name: str) -> None:
    register, (_, role) = office.broker.role_register, ACTS[name]
    for nobody in ("z.verzonnen", "a.auteur"):
        refused = await attempt(office, name, nobody)
        assert isinstance(refused, SecondRoleError), (nobody, refused)
        assert nobody not in refused.detail
    staff = f"s.{name.replace('_', '.')}"
    given = {"organisation": RIJNSTAD, "role": role, "staff": staff}
    await register.give(GiveAsked.model_validate({**given, "key": None}))
    assert not isinstance(await attempt(office, name, staff), SecondRoleError)
    await register.end(EndAsked.model_validate(given))
    assert isinstance(await attempt(office, name, staff), SecondRoleError)


async def test_one_person_is_not_two(office: Office) -> None:
    given = {"organisation": RIJNSTAD, "role": "reviewer", "staff": "a.eerste"}
    await office.broker.role_register.give(GiveAsked.model_validate({**given, "key": None}))
    assert isinstance(await attempt(office, "special_audit", "a.eerste"), SecondPersonError)
