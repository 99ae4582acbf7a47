"""Who comes in, what they see, and that a role that was lost counts from that moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.pages.officer import read_acting
from broker.purposes.roles import Acting, EndAsked, GiveAsked, Role
from broker.settings import BrokerSettings
from datwat.web.problems import LoginRefusedError
from tests.authoring.world import AUTHOR, BAKKER, OFFICER, RIJNSTAD, act_as
from tests.broker_pages.world import PagesWorld, Visitor, words_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]
SETTINGS = BrokerSettings(
    home=Path("home"),
    id="00000099000000003000:broker",
    name="Makelaar",
    staff_roles_claim="broker/roles",
)


@pytest.mark.parametrize(
    ("stated", "roles"),
    [
        (["rijnstad:author"], {"rijnstad:author"}),
        (["rijnstad:author", "veld:approver"], {"rijnstad:author", "veld:approver"}),
        (["rijnstad:mayor", "author", ":author", 7, None, "x" * 500], set()),
        ("rijnstad:author", set()),  # a list is asked, and nothing is guessed
        ({"rijnstad": "author"}, set()),
        (None, set()),
    ],
)
async def test_what_a_login_says_is_read_strictly(stated: object, roles: set[str]) -> None:
    acting = read_acting({"sub": " A.Auteur ", "broker/roles": stated}, SETTINGS)
    assert acting.staff == "a.auteur"
    assert {str(one) for one in acting.claims} == roles


@pytest.mark.parametrize("sub", [None, 12, "", "met spatie", "x" * 65])
async def test_who_has_no_id_does_not_come_in(sub: object) -> None:
    with pytest.raises(LoginRefusedError):
        read_acting({"sub": sub, "broker/roles": ["rijnstad:author"]}, SETTINGS)


async def test_a_claim_without_the_register_gives_nothing(pages: PagesWorld) -> None:
    stranger = act_as("z.vreemd", "author", "approver", "operator")
    assert await pages.desk.roles.fetch_held(stranger) == frozenset()


async def test_the_register_without_the_claim_gives_nothing(pages: PagesWorld) -> None:
    assert await pages.desk.roles.fetch_held(Acting("a.auteur", frozenset())) == frozenset()
    held = await pages.desk.roles.fetch_held(act_as("a.auteur", "author", "approver"))
    assert held == {Role(RIJNSTAD, "author")}


@pytest.mark.parametrize(
    ("acting", "path", "status"),
    [
        (AUTHOR, "/", 200),
        (AUTHOR, "/purposes", 200),
        (AUTHOR, "/drafts/new", 200),
        (AUTHOR, "/system", 403),
        (BAKKER, "/drafts/new", 403),
        (BAKKER, "/purposes", 200),
        (OFFICER, "/system", 200),
        (OFFICER, "/drafts/new", 403),
        (act_as("z.vreemd", "author"), "/purposes", 403),
    ],
)
async def test_a_page_opens_for_who_has_the_role(
    visitor: Visitor, acting: Acting, path: str, status: int
) -> None:
    await visitor.log_in(acting)
    await visitor.open(path, status)


async def test_the_menu_shows_what_the_roles_open(visitor: Visitor) -> None:
    await visitor.log_in(AUTHOR)
    page = (await visitor.open("/")).text
    assert 'href="/purposes"' in page
    assert 'href="/system"' not in page
    await visitor.log_in(OFFICER)
    page = (await visitor.open("/")).text
    assert 'href="/system"' in page


async def test_nobody_sees_a_page_without_a_login(visitor: Visitor) -> None:
    for path in ("/purposes", "/calendar", "/partners", "/system", "/drafts/new"):
        page = await visitor.open(path, 401)
        assert "/login?next=" in page.text or "/login" in page.text
    assert "/login" in (await visitor.open("/")).text


async def test_a_role_lost_between_page_and_act_counts_at_once(
    pages: PagesWorld, visitor: Visitor
) -> None:
    asked = {"organisation": RIJNSTAD, "role": "author", "staff": "t.tijdelijk"}
    register = pages.office.broker.role_register
    await register.give(GiveAsked.model_validate({**asked, "key": None}))
    await visitor.log_in(act_as("t.tijdelijk", "author"))
    shown = await visitor.open("/drafts/new")
    await register.end(EndAsked.model_validate(asked))
    refused = await visitor.post(shown, "/drafts/new", id="nieuw_doel")
    assert refused.status_code == 403
    assert pages.office.authoring.list_drafts(AUTHOR) == []
    await visitor.open("/purposes", 403)


async def test_the_page_of_a_refusal_names_nobody(visitor: Visitor) -> None:
    await visitor.log_in(act_as("z.vreemd", "author"))
    assert "z.vreemd" not in words_of(await visitor.open("/purposes", 403))
