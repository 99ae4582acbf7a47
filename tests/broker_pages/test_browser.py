"""Every page of officers in a real browser: axe, keyboard, policy of content; JS or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route

from broker.purposes.roles import Acting
from tests.authoring.world import AUTHOR, BAKKER, OFFICER, PURPOSE, SMIT
from tests.broker_pages.test_purposes import begin, propose, tomorrow
from tests.broker_pages.world import PASSPHRASE, PagesWorld, Visitor, serve_here
from tests.web.browser import (
    IN_BROWSER,
    NARROW,
    WIDE,
    Window,
    check_page,
    open_browser,
    open_window,
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("broker-pages"),
    IN_BROWSER,
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(pages: PagesWorld) -> AsyncIterator[PagesWorld]:
    async with serve_here(pages):
        yield pages


async def log_in(window: Window, pages: PagesWorld, acting: Acting) -> None:
    name, token = await pages.open_session(acting)
    await window.page.context.add_cookies([{"name": name, "value": token, "url": pages.url}])


@pytest.mark.parametrize(("size", "language"), [(NARROW, "nl"), (WIDE, "en")])
async def test_every_page_is_for_everybody(
    browser: Browser, served: PagesWorld, visitor: Visitor, size: dict[str, int], language: str
) -> None:
    draft, _ = await begin(visitor)
    proposal = await propose(visitor, "421" if language == "nl" else "422")
    await served.watch.look()
    seen = {
        AUTHOR: ("/", "/purposes", f"/purposes/{PURPOSE}", "/drafts/new", draft, f"{draft}/trial"),
        BAKKER: (proposal,),
        OFFICER: ("/", "/calendar", "/partners", "/system", f"{draft}?as=yaml", "/no-such-page"),
    }
    async with open_window(browser, served.url, size=size, language=language) as window:
        await window.page.goto("/")
        await check_page(window)
        for acting, paths in seen.items():
            await log_in(window, served, acting)
            for path in paths:
                await window.page.goto(path)
                await check_page(window)


async def test_the_part_beside_the_form_follows_by_itself(
    browser: Browser, served: PagesWorld, visitor: Visitor
) -> None:
    draft, _ = await begin(visitor)
    async with open_window(browser, served.url) as window:
        await log_in(window, served, AUTHOR)
        await window.page.goto(draft)
        await window.page.fill("#field-sentence-nl", "Dit staat er nu vanzelf.")
        beside = window.page.locator(".beside__resident")
        await beside.get_by_text("Dit staat er nu vanzelf.").wait_for()
        # It can be saved after that, from the same page.
        await window.page.click("button[value=save]")
        await window.page.get_by_text("Het ontwerp is bewaard.").wait_for()
        await check_page(window)


async def test_typing_on_while_the_part_beside_the_form_is_made_complains_of_nothing(
    browser: Browser, served: PagesWorld, visitor: Visitor
) -> None:
    draft, _ = await begin(visitor)
    begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        begun.set()
        await may_go_on.wait()
        await route.continue_()

    low = {"width": WIDE["width"], "height": 500}  # what is beside the form is higher
    async with open_window(browser, served.url, size=low) as window:
        page = window.page
        await log_in(window, served, AUTHOR)
        await page.goto(draft)
        await page.route(f"**{draft}", hold)
        await page.fill("#field-valid_from-date", tomorrow()["valid_from-date"])
        await page.fill("#field-sentence-nl", "Dit staat er half.")
        await begun.wait()
        await page.fill("#field-sentence-nl", "Dit staat er heel.")
        await page.wait_for_timeout(1000)  # longer than the pause after which a page looks again
        may_go_on.set()
        await page.locator(".beside__resident").get_by_text("Dit staat er heel.").wait_for()
        await page.get_by_text("Het ontwerp klopt.").wait_for()
        await check_page(window)


async def test_a_draft_is_written_and_proposed_by_keyboard_without_scripts(
    browser: Browser, served: PagesWorld, visitor: Visitor
) -> None:
    draft, _ = await begin(visitor)
    moment = tomorrow()
    async with open_window(browser, served.url, with_scripts=False) as window:
        page = window.page
        await log_in(window, served, AUTHOR)
        await page.goto(draft)
        rows = await page.locator("input[name=articles]").count()
        await page.locator("button[value='add:articles']").focus()
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert await page.locator("input[name=articles]").count() == rows + 1
        last = page.locator("button[value^='remove:articles:']").last
        await last.focus()
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert await page.locator("input[name=articles]").count() == rows
        await page.fill("#field-valid_from-date", moment["valid_from-date"])
        await page.fill("#field-valid_from-time", moment["valid_from-time"])
        await page.fill("#field-title-nl", "Weer naar school 444")
        # Enter in a field does what harms nobody: it looks, and takes no row out.
        async with page.expect_navigation():
            await page.locator("#field-owner").press("Enter")
        assert await page.locator("input[name=articles]").count() == rows
        await page.locator("button[value=propose]").focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/proposals/*")
        assert "444" in await page.inner_text("main")


async def test_two_approvers_sign_in_the_browser_and_the_phrase_stays_nowhere(
    browser: Browser, served: PagesWorld, visitor: Visitor
) -> None:
    path = await propose(visitor, "455")
    before = served.office.list_revisions()
    for acting in (BAKKER, SMIT):
        async with open_window(browser, served.url) as window:
            await log_in(window, served, acting)
            await window.page.goto(path)
            await window.page.check("#field-read")
            await window.page.fill("#field-passphrase", PASSPHRASE)
            await window.page.click("button:has-text('Tekenen')")
            await window.page.get_by_text("U hebt getekend.").wait_for()
            await check_page(window)
            assert PASSPHRASE not in await window.page.content()
    assert len(served.office.list_revisions()) == len(before) + 1
