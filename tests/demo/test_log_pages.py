"""The log's pages of the running covenant: list, one entry, the check, and for whom they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from datwat.protocol.completeness import read_bundle
from demo.covenant import build_login
from tests.demo.test_portal import log_in
from tests.demo.world import World
from tests.portal.log_world import read_form

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]


@contextmanager
def open_portal(world: World, case: int, *who: str) -> Iterator[httpx.Client]:
    """Play a case and log in: for oneself, or for the first who is named as the second."""
    played = world.cases[case]
    world.play(played)
    portal = world.covenant.url("portal")
    with httpx.Client(trust_env=False, timeout=20, follow_redirects=False) as client:
        *_, back = log_in(world, client, build_login(played, *who))
        assert back.status_code == 303
        cookies = client.cookies
        with httpx.Client(
            base_url=portal,
            trust_env=False,
            timeout=20,
            cookies=cookies,
            follow_redirects=True,
            headers={"Origin": portal},
        ) as browser:
            yield browser


def read_numbers(html: str) -> list[int]:
    return list(dict.fromkeys(int(one) for one in re.findall(r'href="/log/(\d+)"', html)))


def test_a_father_finds_out_who_asked_and_what_they_got(world: World) -> None:
    with open_portal(world, 3, "father") as browser:
        page = browser.get("/log")
        html = " ".join(page.text.split())
        assert "2 organisaties vroegen om uw gegevens. Eén kreeg gegevens. Eén niet." in html
        numbers = read_numbers(html)
        assert numbers == sorted(numbers, reverse=True)
        entries = {number: browser.get(f"/log/{number}") for number in numbers}
        assert {entry.status_code for entry in entries.values()} == {200}
        partly = [one.text for one in entries.values() if "Deels gedeeld" in one.text]
        assert any("Inkomen (tussen twee grenzen)" in text for text in partly)  # given
        assert any("Wie er samen wonen" in text for text in partly)  # withheld, and why
        assert all("Dit gegeven is niet nodig voor het doel." in text for text in partly)


def test_another_persons_number_is_answered_as_one_that_nobody_has(world: World) -> None:
    with open_portal(world, 3, "mother") as browser:
        theirs = read_numbers(browser.get("/log").text)
    with open_portal(world, 3, "father") as browser:
        mine = read_numbers(browser.get("/log").text)
        others = [number for number in theirs if number not in mine]
        assert others
        answers = [browser.get(f"/log/{number}") for number in (others[0], 10**6 + others[0])]
        assert [answer.status_code for answer in answers] == [404, 404]
        texts = [re.sub(r"/log/\d+|value=\"[^\"]*\"", "", answer.text) for answer in answers]
        assert texts[0] == texts[1]


def test_a_parent_sees_nothing_of_what_is_the_childs_alone(world: World) -> None:
    with open_portal(world, 4, "boy") as browser:
        own = read_numbers(browser.get("/log").text)
        assert own
    with open_portal(world, 4, "boy", "mother") as browser:
        page = browser.get("/log")
        form = read_form(page.text, "/person")
        changed = browser.post("/person", data={**form, "person": "represented"})
        assert changed.status_code == 200
        assert read_numbers(changed.text) == []
        assert "Hier staat nog niets" in changed.text
        assert {browser.get(f"/log/{number}").status_code for number in own} == {404}


def test_the_portal_checks_and_hands_out_what_others_check_with(world: World) -> None:
    with open_portal(world, 3, "son") as browser:
        page = browser.get("/check")
        checked = browser.post("/check", data=read_form(page.text, "/check"))
        assert checked.status_code == 200
        assert "alert--refused" not in checked.text
        assert re.search(r"alert--(done|warning)", checked.text)
        shown = len(read_numbers(browser.get("/log").text))
        mine, copy = (
            read_bundle(browser.get(f"/downloads/{name}.json").content)
            for name in ("proof", "proof-copy")
        )
        assert mine.view == "self"
        assert copy.view == "somebody_else"
        assert sum(len(roll.entries) for roll in mine.rolls) >= shown
