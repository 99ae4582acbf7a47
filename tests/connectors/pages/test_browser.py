"""The main task in a real browser: each page held to what every page is, in both sizes.

By hand as a professional does it: from the purpose to the released data and the overview; with a
keyboard alone; and without scripts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.connectors.pages.staffer import OCCASION, TEAM
from tests.demo.world import World
from tests.web.browser import (
    IN_BROWSER,
    NARROW,
    WIDE,
    Window,
    check_page,
    open_browser,
    open_window,
    walk_by_keyboard,
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(500),
    IN_BROWSER,
]
SEND = ".main form.form button[type=submit]"
REASON = "Wij maken samen met het gezin een plan.\nDat helpt."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


async def log_in(window: Window, world: World) -> None:
    await window.page.goto("/login")
    await window.page.fill("input[name=sub]", "noor")
    await window.page.click("[type=submit]")
    await window.page.wait_for_url(f"{world.covenant.pages_url(TEAM)}/**")
    window.complaints.clear()  # of the provider's page, which is not ours


async def send(page: Page, leads_to: str) -> None:
    await page.click(SEND)
    await page.wait_for_url(leads_to)


async def begin(page: Page) -> str:
    """Begin a question about the whole household; return where its pages lie."""
    await page.goto("/ask")
    await page.check("input[value=coordinate_family_help]")
    await send(page, "**/occasion")
    await page.check(f"input[value={OCCASION}]")
    await send(page, "**/person")
    for box in await page.query_selector_all("input[name=persons]"):
        await box.check()
    await send(page, "**/ladder")
    return page.url.removesuffix("/ladder")


async def want(page: Page, question: str) -> None:
    """Ask who is involved, then for the data of the first one, up to the last look."""
    await page.goto(f"{question}/dat")
    await send(page, "**/found")
    await page.goto(f"{question}/wat")
    await page.click("button[name=ask] >> nth=0")
    await page.wait_for_url("**/wat/*")
    for box in await page.query_selector_all("input[name=fields]"):
        await box.check()
    await send(page, "**/told")
    await page.check("input[value=before]")
    await send(page, "**/why")
    for area in await page.query_selector_all("textarea"):
        await area.fill(REASON)
    await send(page, "**/check")


@pytest.mark.parametrize(("size", "language"), [(NARROW, "nl"), (WIDE, "en")])
async def test_every_page_of_a_question(
    browser: Browser, world: World, size: dict[str, int], language: str
) -> None:
    url = world.covenant.pages_url(TEAM)
    async with open_window(browser, url, size=size, language=language) as window:
        page = window.page
        await page.goto("/")
        await check_page(window)
        await log_in(window, world)
        for path in ("/", "/overview", "/talk", "/ask/999/dat", "/ask"):
            await page.goto(path)
            await check_page(window)
        await page.click(SEND)
        await check_page(window)
        question = await begin(page)
        steps = ("purpose", "occasion", "person", "other", "new", "ladder", "talk", "contact")
        for step in (*steps, "category", "dat", "later"):
            await page.goto(f"{question}/{step}")
            await check_page(window)
            if step in ("other", "new", "contact"):
                await page.click(SEND)
                await check_page(window)
        await want(page, question)
        await check_page(window)
        place = page.url.removesuffix("/check")
        for step in ("", "/told", "/why"):
            await page.goto(f"{place}{step}")
            await check_page(window)
        await page.goto(f"{place}/check")
        await send(page, "**/answer")
        await check_page(window)
        for path in (f"{question}/found", f"{question}/wat", "/overview", "/"):
            await page.goto(path)
            await check_page(window)


@pytest.mark.parametrize(("size", "language"), [(NARROW, "nl"), (WIDE, "en")])
async def test_every_page_of_a_new_occasion(
    browser: Browser, world: World, size: dict[str, int], language: str
) -> None:
    url = world.covenant.pages_url(TEAM)
    async with open_window(browser, url, size=size, language=language) as window:
        page = window.page
        await log_in(window, world)
        await page.goto("/ask")
        await page.check("input[value=coordinate_family_help]")
        await send(page, "**/occasion")
        await page.check("input[value=new]")
        await send(page, "**/new")
        await page.check("input[value=signal]")
        await page.fill("[name=team]", "Sociaal team " + "Noordoost" * 12)
        await page.fill("[name=number]", f"browser-{language}")
        await page.fill("[name=inform_by]", "2026-11-26")
        await send(page, "**/member")
        await check_page(window)
        await page.click(SEND)
        await check_page(window)
        await page.fill("[name=number]", f"B-{language}")
        await page.fill("[name=name]", "'\"><img src=x onerror=alert(1)>" + "Lang" * 30)
        await page.fill("[name=born]", "1979-05-03")
        await page.check("input[value='18+']")
        await page.select_option("select", "ex_partner")
        await page.check("input[value=told]")
        await send(page, "**/identify")
        await check_page(window)
        await page.click(SEND)
        await check_page(window)
        await page.goto(page.url.replace("/identify", "/told/0"))
        await check_page(window)
        await page.check("input[value=yes]")
        await page.click(SEND)
        await check_page(window)
        await page.goto(page.url.replace("/told/0", "/household"))
        await check_page(window)


async def test_the_way_back_shows_what_was_chosen(browser: Browser, world: World) -> None:
    async with open_window(browser, world.covenant.pages_url(TEAM), language="en") as window:
        page = window.page
        await log_in(window, world)
        question = await begin(page)
        await page.go_back()
        await expect(page.locator("h1")).to_have_text("About whom do you ask?")
        assert await page.locator("input[name=persons]:checked").count() == 3
        await page.goto(f"{question}/purpose")
        await expect(page.locator("input[value=coordinate_family_help]")).to_be_checked()
        await page.goto(f"{question}/occasion")
        await expect(page.locator(f"input[value={OCCASION}]")).to_be_checked()


async def test_the_ladder_stands_beside_every_step(browser: Browser, world: World) -> None:
    async with open_window(browser, world.covenant.pages_url(TEAM), language="en") as window:
        page = window.page
        await log_in(window, world)
        question = await begin(page)
        for step in (
            "purpose",
            "occasion",
            "person",
            "contact",
            "dat",
            "category",
            "talk",
            "later",
        ):
            await page.goto(f"{question}/{step}")
            rungs = await page.locator(".ladder__rung").all_inner_texts()
            found = [text.split("\n")[0] for text in rungs]
            assert found == [
                "Talk with the person",
                "Ask to be called",
                "Which kind of help",
                "Who is involved",
                "Ask for data",
                "Do it later",
            ]


async def test_without_scripts_nothing_is_missed(browser: Browser, world: World) -> None:
    url = world.covenant.pages_url(TEAM)
    async with open_window(browser, url, language="en", with_scripts=False) as window:
        page = window.page
        await log_in(window, world)
        await want(page, await begin(page))
        await send(page, "**/answer")
        await expect(page.locator("main")).to_contain_text("P. Vos")
        assert not window.complaints


async def test_by_keyboard_alone(browser: Browser, world: World) -> None:
    async with open_window(browser, world.covenant.pages_url(TEAM), language="en") as window:
        page = window.page
        await log_in(window, world)
        await page.goto("/ask")
        seen = await walk_by_keyboard(page)
        assert seen[0] == "Skip to the text"
        assert "Continue" in seen
        await page.focus("input[name=purpose] >> nth=0")
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/occasion")
        await page.focus("input[name=occasion] >> nth=0")
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/person")
        await page.focus("input[name=persons] >> nth=0")
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/ladder")
        words = await walk_by_keyboard(page)
        assert "Who is involved" in words
