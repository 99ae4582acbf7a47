"""Professional pages as people set their browser: text twice as large, no motion, on paper."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.connectors.own_work.staff_world import HOSTILE, LONG, PURPOSE, StaffWorld, log_in
from tests.connectors.own_work.test_own_browser import FORMS, find
from tests.web.browser import IN_BROWSER, find_overflow, open_browser, open_window

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.processes,
    pytest.mark.xdist_group("staff-pages"),
    pytest.mark.timeout(300),
    IN_BROWSER,
]
LISTS = ("/", "/own", "/contacts", "/asked", "/to-tell", "/redeem", "/urgent", "/overview", "/ask")
SEND = "main form.form button[type=submit]"
HALF = {"width": 640, "height": 720}
_MOVING = """() => [...document.querySelectorAll("*")].filter((one) => {
  const style = getComputedStyle(one);
  return parseFloat(style.transitionDuration) > 0 || parseFloat(style.animationDuration) > 0;
}).map((one) => `${one.tagName}.${one.className}`)"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


async def list_pages(page: Page, world: StaffWorld, number: str) -> list[str]:
    """Open an occasion and begin a question on it; return every page of theirs and the lists."""
    world.open(number, 15, kind="help_request", team=HOSTILE)
    own = await find(page, number)
    await page.goto("/ask")
    await page.check(f"input[value={PURPOSE}]")
    await page.click(SEND)
    await page.wait_for_url("**/occasion")
    await page.check(f"input[value='{number}']")
    await page.click(SEND)
    await page.wait_for_url("**/person")
    for box in await page.query_selector_all("input[name=persons]"):
        await box.check()
    await page.click(SEND)
    await page.wait_for_url("**/ladder")
    question = page.url.removesuffix("/ladder")
    await page.goto(f"{question}/dat")
    await page.click(SEND)
    await page.wait_for_url("**/found")
    steps = ("purpose", "occasion", "person", "ladder", "contact", "dat", "found", "wat", "later")
    forms = [f"{own}/{form}" for form in FORMS]
    return [*LISTS, own, *forms, *(f"{question}/{step}" for step in steps)]


async def test_with_text_twice_as_large_nothing_falls_outside(
    browser: Browser, staff_world: StaffWorld
) -> None:
    url = staff_world.urls["social-team"]
    async with open_window(browser, url, size=HALF) as window:
        page = window.page
        await log_in(page, "noor")
        window.complaints.clear()  # of the provider's page, which is not ours
        for path in await list_pages(page, staff_world, f"{LONG}-large"):
            await page.goto(path)
            await page.evaluate("document.documentElement.style.fontSize = '200%'")
            for more in await page.query_selector_all("main details:not([open]) > summary"):
                await more.click()
            assert await find_overflow(page) == [], path
        assert not window.complaints


async def test_who_wants_no_motion_sees_none(browser: Browser, staff_world: StaffWorld) -> None:
    url = staff_world.urls["social-team"]
    async with open_window(browser, url, reduced_motion="reduce") as window:
        await log_in(window.page, "noor")
        for path in await list_pages(window.page, staff_world, "still"):
            await window.page.goto(path)
            assert await window.page.evaluate(_MOVING) == [], path
    async with open_window(browser, url, reduced_motion="no-preference") as window:
        await log_in(window.page, "noor")
        assert await window.page.evaluate(_MOVING), "whoever has nothing against it sees some"


async def test_on_paper_there_is_what_is_read_and_nothing_to_press(
    browser: Browser, staff_world: StaffWorld
) -> None:
    url = staff_world.urls["social-team"]
    async with open_window(browser, url, size=HALF, language="en") as window:
        page = window.page
        await log_in(page, "noor")
        paths = await list_pages(page, staff_world, "paper")
        await page.emulate_media(media="print")
        for path in paths:
            await page.goto(path)
            await page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
            assert await page.is_visible("h1"), path
            assert await find_overflow(page) == [], path
            for pressed in ("header nav", ".tools", ".main .button"):
                for one in await page.query_selector_all(pressed):
                    assert not await one.is_visible(), (path, pressed, await one.inner_text())
