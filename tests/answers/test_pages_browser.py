"""The officers' answer pages in a real browser: axe, keyboard, no scripts, narrow and wide."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from broker.exchange.answering_lists import LISTS
from datwat.protocol.acts import Objection, Question
from tests.answers.pages_world import Pages, build_pages
from tests.answers.test_duties import ask_in_crisis, open_untold
from tests.answers.world import TEXT, give, list_numbers
from tests.exchange.test_openings import open_waiting
from tests.exchange.test_wishes import log_in
from tests.exchange.world import Running, bsns, now, register
from tests.web.browser import (
    IN_BROWSER,
    NARROW,
    WIDE,
    check_page,
    open_browser,
    open_window,
    walk_by_keyboard,
)
from tests.web.world import find_port, serve

pytestmark = [pytest.mark.asyncio(loop_scope="module"), IN_BROWSER]
NUMBERS = bsns()
LONG = "Waarom vroeg iemand dit over mij? " * 30


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as held:
        yield held


@pytest.fixture(scope="module")
def pages(broker: Running) -> Iterator[Pages]:
    port = find_port()
    made = build_pages(broker, f"http://127.0.0.1:{port}")
    with serve(made.app, port):
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paths(broker: Running) -> list[str]:
    """Fill the lists and return a page of each kind: overview, lists, items, answered, look."""
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    await ask_in_crisis(broker, bsn)
    await open_untold(broker, next(NUMBERS))
    await open_waiting(broker, next(NUMBERS))
    (resident,) = await log_in(broker, bsn)
    objected = await resident.record(objection=Objection(made_at=now(), reason=LONG[:900]))
    asked = await resident.record(asks=Question(text="Onbegrijpelijklangwoord" * 12))
    answered = await resident.record(objection=Objection(made_at=now()))
    await give(broker, "objections", str(answered), "rejected", controller="public", text=TEXT)
    await resident.record(erases=asked)
    items = [f"/answers/{name}/{one}" for name in LISTS for one in list_numbers(broker, name)]
    return [
        "/answers",
        *(f"/answers/{name}" for name in LISTS),
        *items,
        f"/answers/objections/{answered}/answered",
        f"/answers/objections/{objected}",
        "/answers/tell?show=overdue",
    ]


@pytest.mark.parametrize(("size", "language"), [(NARROW, "nl"), (WIDE, "en")])
async def test_every_page_is_for_everybody(
    browser: Browser, pages: Pages, paths: list[str], size: dict[str, int], language: str
) -> None:
    async with open_window(browser, pages.url, size=size, language=language) as window:
        name, token = pages.open_session("f.gans", "reviewer", "auditor")
        await window.page.context.add_cookies([{"name": name, "value": token, "url": pages.url}])
        for path in paths:
            await window.page.goto(pages.url + path)
            await check_page(window)
        item = next(path for path in paths if path.startswith("/answers/objections/"))
        await window.page.goto(pages.url + item)
        await window.page.click("button[value=send]")  # what is missing stands beside its field
        await check_page(window)
        await window.page.fill("textarea[name=text]", "Indien u dit wilt, kunt u ons bellen.")
        await window.page.click("button[value=preview]")
        await check_page(window)
    assert len(paths) > 15


async def test_an_answer_is_previewed_by_keyboard_and_without_scripts(
    browser: Browser, pages: Pages, paths: list[str]
) -> None:
    item = next(path for path in paths if path.startswith("/answers/objections/"))
    async with open_window(
        browser, pages.url, size=NARROW, language="nl", with_scripts=False
    ) as window:
        name, token = pages.open_session("f.gans", "reviewer")
        await window.page.context.add_cookies([{"name": name, "value": token, "url": pages.url}])
        await window.page.goto(pages.url + item)
        await walk_by_keyboard(window.page)
        await window.page.check("input[name=outcome][value=rejected]")
        await window.page.check("input[name=blocks][value=weighed]")
        await window.page.fill("textarea[name=text]", "Indien u dit wilt, kunt u ons bellen.")
        await window.page.click("button[value=preview]")
        assert "Wij hebben uw reden afgewogen" in await window.page.inner_text("main")
        assert await window.page.is_checked("input[name=outcome][value=rejected]")
