"""The pages of oversight in a real browser: axe, keyboard, no scripts, narrow and wide."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from sqlalchemy import insert

from broker.adapters.log_tables import table_of
from broker.adapters.oversight_tables import ActRecord
from broker.transparency.figures import Month
from broker.transparency.oversight import LISTS
from broker.transparency.reviewing import FindingWords
from tests.broker_pages.world import PagesWorld, serve_here
from tests.exchange.world import bsns, inquire, now, open_household
from tests.oversight.planted import NOW, build_work
from tests.oversight.test_pages import appoint
from tests.web.browser import (
    IN_BROWSER,
    NARROW,
    WIDE,
    check_page,
    open_browser,
    open_window,
    walk_by_keyboard,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400), IN_BROWSER]
NUMBERS = bsns()
LONG = "Een lange bevinding, met een woord als verantwoordelijkheidsbesefsontwikkeling. " * 12


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as held:
        yield held


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(pages: PagesWorld) -> AsyncIterator[list[str]]:
    """Fill every list and a month, and return a page of each kind."""
    shift, partner = now() - NOW, pages.office.running.world.members["social-team"].id
    rows = [
        {**row, "idx": 7_000_000 + n, "at": row["at"] + shift, "shown_at": row["at"] + shift,
         "retention_until": row["retention_until"] + shift}
        for n, row in enumerate(build_work(8_000).rows)
    ]  # fmt: skip
    rows[0]["partner"] = partner
    with pages.office.broker.database.begin() as conn:
        conn.execute(insert(table_of(ActRecord)), rows)
    home = await open_household(pages.office.running, next(NUMBERS))
    number = pages.office.broker.log.size
    await inquire(pages.office.running, home, next(iter(home.handles)))
    reviewing = pages.office.broker.oversight.reviewing
    for code in LISTS:
        await reviewing.refresh(code)
    words = FindingWords(by="t.oezicht", role="toezichthouder", entries=(number,), note=LONG)
    await reviewing.add_finding("hours", "data_breach", words)
    await appoint(pages)
    month = Month.before(now())
    paths = [
        "/reviews",
        *(f"/reviews/{code}" for code in LISTS),
        "/reviews/findings",
        f"/reviews/entry/{number}",
        "/figures",
        f"/figures/{month}/partner/{partner}",
        "/register",
        "/register/dpia",
    ]
    async with serve_here(pages):
        yield paths


@pytest.mark.parametrize(("size", "language"), [(NARROW, "nl"), (WIDE, "en")])
async def test_every_page_is_for_everybody(
    browser: Browser, pages: PagesWorld, filled: list[str], size: dict[str, int], language: str
) -> None:
    name, token = await pages.open_session(await appoint(pages))
    async with open_window(browser, pages.url, size=size, language=language) as window:
        cookie = {"name": name, "value": token, "url": pages.url}
        await window.page.context.add_cookies([cookie])  # type: ignore[list-item] # a cookie is one
        for path in filled:
            await window.page.goto(f"{pages.url}{path}")
            await check_page(window)
        await window.page.goto(f"{pages.url}/reviews/volume")
        await walk_by_keyboard(window.page)
        entry = next(one for one in filled if one.startswith("/reviews/entry/"))
        await window.page.goto(f"{pages.url}{entry}")
        await window.page.fill("textarea[name=reason]", "Steekproef van november.")
        await window.page.click("main button[type=submit]")
        await window.page.wait_for_url(f"**{entry}/read")
        await check_page(window)


async def test_a_look_works_without_scripts(
    browser: Browser, pages: PagesWorld, filled: list[str]
) -> None:
    path = next(one for one in filled if one.startswith("/reviews/entry/"))
    name, token = await pages.open_session(await appoint(pages))
    async with open_window(browser, pages.url, size=NARROW, with_scripts=False) as window:
        cookie = {"name": name, "value": token, "url": pages.url}
        await window.page.context.add_cookies([cookie])  # type: ignore[list-item] # a cookie is one
        await window.page.goto(f"{pages.url}{path}")
        await window.page.fill("textarea[name=reason]", "Steekproef van november.")
        await window.page.click("main button[type=submit]")
        await window.page.wait_for_url(f"**{path}/read")
        assert "j.jansen" in await window.page.content()
