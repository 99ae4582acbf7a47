"""Every state of the pages on which somebody says something, in a real browser.

In Dutch on a narrow window and in English on a wide one: empty, full, very full with long names,
and with errors; by keyboard alone, and without scripts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from datwat.party.http_out import PeerTooSlowError, PeerUnreachableError
from tests.portal.affairs import FULL, HARD, NAMES, Affairs, change
from tests.portal.saying import StandIn, build_world
from tests.portal.surfing import PATHS
from tests.web.browser import (
    NARROW,
    WIDE,
    Window,
    check_page,
    open_browser,
    open_window,
    walk_by_keyboard,
)
from tests.web.world import find_port, serve

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("browser")]
STATES = {"empty": Affairs(), "full": FULL, "hard": HARD}
LOOKS = [("nl", NARROW), ("en", WIDE)]
NEXT = "main .form button.button[type=submit]"


@asynccontextmanager
async def open_pages(
    home: Path,
    browser: Browser,
    desk: StandIn,
    *,
    language: str = "nl",
    size: dict[str, int] = NARROW,
    with_scripts: bool = True,
) -> AsyncIterator[Window]:
    """Serve the pages, and open a window of somebody who is logged in."""
    port = find_port()
    url = f"http://127.0.0.1:{port}"
    world = build_world(home, desk, url)
    name, token = world.open_session(represents=True)
    with serve(world.app, port):
        async with open_window(
            browser, url, size=size, language=language, with_scripts=with_scripts
        ) as window:
            await window.page.context.add_cookies([{"name": name, "value": token, "url": url}])
            yield window


@pytest.mark.parametrize(("language", "size"), LOOKS, ids=["nl-320", "en-1280"])
@pytest.mark.parametrize("state", STATES)
async def test_every_list_in_every_state(
    tmp_path: Path, state: str, language: str, size: dict[str, int]
) -> None:
    desk = StandIn(own=STATES[state])
    async with (
        open_browser() as browser,
        open_pages(tmp_path, browser, desk, language=language, size=size) as window,
    ):
        for path in PATHS:
            answer = await window.page.goto(path)
            assert answer is not None
            assert answer.status == 200
            await check_page(window)
            assert await window.page.locator("h1").count() == 1


@pytest.mark.parametrize(("language", "size"), LOOKS, ids=["nl-320", "en-1280"])
async def test_every_step_with_its_errors(
    tmp_path: Path, language: str, size: dict[str, int]
) -> None:
    desk = StandIn(own=change(FULL, consents=(), shield=None))
    async with (
        open_browser() as browser,
        open_pages(tmp_path, browser, desk, language=language, size=size) as window,
    ):
        page = window.page

        async def go(selector: str = NEXT) -> None:
            await page.click(selector)
            await check_page(window)

        await page.goto("/consents/new")
        await go()
        await page.check("input[name=choice] >> nth=0")
        await go()
        await go()
        await page.check("input[name=term] >> nth=0")
        await go()
        await go("button[value=yes]")
        await page.goto("/objections/new")
        await go()
        await page.check("input[name=purpose] >> nth=0")
        await go()
        await go()
        await page.fill("textarea", "w" * 400)
        await go()
        await go()
        await page.goto("/questions/new?about=12")
        await page.check("input[name=to] >> nth=0")
        await go()
        await page.fill("textarea", "Waarom?")
        await go()
        for broken in (PeerTooSlowError(), PeerUnreachableError()):
            desk.broken = broken
            await go()
        desk.broken = None
        await go()
        await page.goto("/blocks/new")
        await check_page(window)
        await page.check("input[name=organisation] >> nth=1")
        await go()
        desk.is_refused = True
        await go()
        desk.is_refused = False
        for path in ("/shield/on", "/objections/61/lift", "/blocks/67/lift"):
            await page.goto(path)
            await check_page(window)
            await go()


@pytest.mark.parametrize(("language", "size"), LOOKS, ids=["nl-320", "en-1280"])
async def test_taking_back_and_other_ends(
    tmp_path: Path, language: str, size: dict[str, int]
) -> None:
    desk = StandIn(own=FULL, names={f"{n:020d}:school": f"School {n}" for n in range(40)})
    async with (
        open_browser() as browser,
        open_pages(tmp_path, browser, desk, language=language, size=size) as window,
    ):
        for path in ("/consents/51/withdraw", "/shield/68/lift"):
            await window.page.goto(path)
            await check_page(window)
            await window.page.click(NEXT)
            await check_page(window)
        for path in ("/blocks/new", "/questions/new"):
            await window.page.goto(path)
            await window.page.click(NEXT)
            await check_page(window)
        await window.page.goto("/consents/52/withdraw")  # withdrawn: not here
        await check_page(window)
        await window.page.goto("/shield/on")
        second = await window.page.context.new_page()
        await second.goto("/wishes")
        await second.click(".whose__other")
        await window.page.click(NEXT)
        await check_page(window)
        assert len(desk.wishes) == 2
        desk.away = PeerTooSlowError()
        await window.page.goto("/involved")
        await check_page(window)


async def press_to(page: Page, words: str, most: int = 60) -> None:
    """Press Tab until what is focused has these words."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        now = await page.evaluate(
            """() => {
              const one = document.activeElement;
              return (one.labels?.[0]?.innerText || one.innerText || one.value || "").trim();
            }"""
        )
        if words in now:
            return
    pytest.fail(f"no way by keyboard to {words!r}")


@pytest.mark.parametrize("with_scripts", [True, False])
async def test_a_question_and_a_yes_by_keyboard_alone(tmp_path: Path, with_scripts: bool) -> None:
    desk = StandIn(own=change(FULL, consents=()))
    async with (
        open_browser() as browser,
        open_pages(tmp_path, browser, desk, with_scripts=with_scripts) as window,
    ):
        page = window.page
        await page.goto("/questions")
        await press_to(page, "Stel een vraag")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/questions/new")
        await press_to(page, "De functionaris gegevensbescherming")
        await page.keyboard.press("Space")
        await press_to(page, "Verder")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/questions/new/text")
        await press_to(page, "Uw vraag")
        await page.keyboard.type("Waarom vroeg u dit?")
        await press_to(page, "Verder")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/questions/new/check")
        await press_to(page, "Verstuur")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/receipts/900")

        await page.goto("/consents/new")
        await press_to(page, f"{NAMES[list(NAMES)[1]]} zou iets krijgen")
        await page.keyboard.press("Space")
        await press_to(page, "Verder")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/consents/new/until")
        await press_to(page, "Drie maanden")
        await page.keyboard.press("Space")
        await press_to(page, "Verder")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/consents/new/check")
        await press_to(page, "Ja, dit mag gedeeld worden")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/receipts/901")
        assert [wish.consent is not None for wish in desk.wishes] == [False, True]


async def test_the_focus_is_seen_everywhere_on_the_way(tmp_path: Path) -> None:
    async with (
        open_browser() as browser,
        open_pages(tmp_path, browser, StandIn(own=FULL)) as window,
    ):
        for path in ("/involved", "/objections", "/blocks/new"):
            await window.page.goto(path)
            assert len(await walk_by_keyboard(window.page)) > 8


async def test_a_reader_of_the_page_hears_who_is_involved_in_order(tmp_path: Path) -> None:
    async with (
        open_browser() as browser,
        open_pages(tmp_path, browser, StandIn(own=FULL), size=WIDE) as window,
    ):
        await window.page.goto("/involved")
        tree = await window.page.locator("main").aria_snapshot()
        places = [
            tree.index(words)
            for words in (
                'heading "Wie is bij mij betrokken?" [level=1]',
                'heading "Sociaal team Rijnstad" [level=2]',
                "Uw vaste contactpersoon",
                "010 555 02 31",
                'heading "Jeugdhulp Rijnmond" [level=2]',
                'img "Plaatje van de organisaties om u heen"',
                'heading "Uw geschiedenis" [level=2]',
                'img "Plaatje van wanneer hulp begon en stopte"',
                'rowheader "Schuldhulp Rijnstad"',
            )
        ]
        assert places == sorted(places)
