"""The log and its entries in a real browser: each state, by keyboard alone, without a script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.portal.log_world import (
    HOSTILE,
    LONG,
    NOW,
    REGISTERED,
    LogWorld,
    ask_what,
    ask_who,
    build_entry,
    build_log,
    build_log_world,
    tell_later,
)
from tests.web.browser import (
    IN_BROWSER,
    NARROW,
    WIDE,
    Window,
    check_page,
    find_overflow,
    open_browser,
    open_window,
    walk_by_keyboard,
)
from tests.web.world import find_port, serve

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("browser"),
    pytest.mark.timeout(240),
    IN_BROWSER,
]
LOGS = {
    "empty": [],
    "recorded": [build_entry(1, NOW, REGISTERED)],
    "short": build_log(6),
    "later": [tell_later(8, NOW, ask_who(), LONG), *build_log(1)],
    "long": build_log(200, ("Sociaal team Rijnstad", "Basisschool De Linde", LONG)),
    "names": build_log(25, (LONG, "X" * 90, HOSTILE)),
    "repeats": [build_entry(90 - one, NOW - timedelta(hours=one), ask_who()) for one in range(25)],
}
ENTRIES = {
    "shared": ask_who(),
    "nothing": ask_who(given=()),
    "refused": ask_who(permit=False),
    "partly": ask_what(source=LONG),
    "failed": {**ask_what(), "delivered": {"fields": [], "failure": "source_too_slow"}},
    "contact": {**ask_who(given=()), "event": "request_contact"},
    "recorded": REGISTERED,
    "later": ask_what(),
    "asked": {"event": "wish", "detail": {"question": "Waarom vroegen ze dit? " * 40}},
    "erased": {"event": "erased", "detail": {"count": 3, "reason": "retention_ended"}},
}
LOOKS = pytest.mark.parametrize(
    ("size", "language"), [(NARROW, "nl"), (WIDE, "en")], ids=["320-nl", "1280-en"]
)


@dataclass
class Place:
    """Where the portal is served, and the browser that looks at it."""

    url: str
    browser: Browser

    @asynccontextmanager
    async def open(
        self, world: LogWorld, *, represents: bool = False, **options: object
    ) -> AsyncIterator[Window]:
        """Open a window of somebody who is logged in."""
        name, value = world.log_in(represents=represents)
        async with open_window(self.browser, self.url, **options) as window:  # type: ignore[arg-type]  # options of a window
            await window.page.context.add_cookies([{"name": name, "value": value, "url": self.url}])
            yield window


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = find_port()
    address = f"http://127.0.0.1:{port}"
    with serve(build_log_world([], url=address).app, port):
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(url: str) -> AsyncIterator[Place]:
    async with open_browser() as browser:
        yield Place(url, browser)


@LOOKS
@pytest.mark.parametrize("log", LOGS)
async def test_the_list_in_each_state(
    place: Place, log: str, size: dict[str, int], language: str
) -> None:
    world = build_log_world(LOGS[log], LOGS["short"], url=place.url)
    async with place.open(world, represents=log == "names", size=size, language=language) as window:
        requests: list[str] = []
        window.page.on("request", lambda request: requests.append(request.url))
        await window.page.goto("/log")
        assert len(requests) <= 5, requests
        if log == "repeats":
            await check_page(window)
        for more in await window.page.query_selector_all("details:not([open]) > summary"):
            await more.click()
        await check_page(window)


@LOOKS
async def test_the_list_filtered_empty_wrong_and_in_the_middle(
    place: Place, size: dict[str, int], language: str
) -> None:
    world = build_log_world(LOGS["long"], url=place.url)
    async with place.open(world, size=size, language=language) as window:
        page = window.page
        await page.goto("/log")
        await page.click('[rel="next"]')
        await check_page(window)
        await page.click(".log-filter > summary")
        await page.fill("#field-organisation", "linde")
        await page.click(".log-filter button[type=submit]")
        assert await page.locator(".log-cards > li").count() > 0
        await check_page(window)
        await page.fill("#field-organisation", "staat er niet bij")
        await page.click(".log-filter button[type=submit]")
        assert await page.locator(".empty").count() == 1
        await check_page(window)
        await page.fill("#field-since", "2026-11-20")
        await page.fill("#field-until", "2026-11-01")
        await page.click(".log-filter button[type=submit]")
        focus = "document.activeElement.getAttribute('aria-labelledby')"
        assert await page.evaluate(focus) == "errors-title"
        assert await page.locator('#field-until[aria-invalid="true"]').count() == 1
        await check_page(window)


@LOOKS
@pytest.mark.parametrize("entry", ENTRIES)
async def test_one_entry_in_each_state(
    place: Place, entry: str, size: dict[str, int], language: str
) -> None:
    says = ENTRIES[entry]
    told = tell_later(6, NOW, says, LONG) if entry == "later" else build_entry(7, NOW, says, LONG)
    world = build_log_world([told], url=place.url)
    world.desk.erased.add(8)
    async with place.open(world, size=size, language=language) as window:
        await window.page.goto("/log/7")
        for more in await window.page.query_selector_all("details:not([open]) > summary"):
            await more.click()
        await check_page(window)
        if entry == "erased":
            await window.page.goto("/log/8")
            await check_page(window)
            await window.page.goto("/log/9")
            await check_page(window)


async def test_by_keyboard_alone_somebody_finds_out_who_asked_and_why(place: Place) -> None:
    world = build_log_world(LOGS["short"], url=place.url)
    async with place.open(world) as window:
        page = window.page
        await page.goto("/log")
        words = await walk_by_keyboard(page)
        assert "Sociaal team Rijnstad" in words
        await page.goto("/log")
        await _press_until(page, "Sociaal team Rijnstad")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/log/*")
        assert "Een vraag van Sociaal team Rijnstad" in await page.inner_text("h1")
        words = await walk_by_keyboard(page)
        assert {"Laat het bewijs zien", "Stel een vraag", "Maak bezwaar"} <= set(words)


async def test_a_search_by_keyboard_alone(place: Place) -> None:
    world = build_log_world(LOGS["long"], url=place.url)
    async with place.open(world) as window:
        page = window.page
        await page.goto("/log")
        await _press_until(page, "Zoek in uw logboek")
        await page.keyboard.press("Enter")
        await _press_until(page, "Organisatie (mag leeg blijven)")
        await page.keyboard.type("linde")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".log-filter[open]")
        titles = await page.locator(".log-cards h3").all_inner_texts()
        assert set(titles) == {"Basisschool De Linde"}


async def test_without_a_script_each_task_is_done_too(place: Place) -> None:
    world = build_log_world(LOGS["long"], LOGS["repeats"], url=place.url)
    async with place.open(world, represents=True, with_scripts=False) as window:
        page = window.page
        await page.goto("/log")
        await page.click(".log-filter > summary")
        await page.fill("#field-organisation", "linde")
        await page.select_option("#field-result", "shared")
        await page.click(".log-filter button[type=submit]")
        assert await page.locator(".log-cards > li").count() > 0
        await page.click('[rel="next"]')
        await page.click(".log-cards h3 a >> nth=0")
        assert "Basisschool De Linde" in await page.inner_text("h1")
        await page.click(".blade__more summary >> nth=0")
        await page.click('button[value="represented"]')
        await page.click(".log-repeats summary")
        assert await page.locator(".log-repeats li").count() == 25
        assert not window.complaints


async def test_what_a_partner_wrote_runs_nothing(place: Place) -> None:
    world = build_log_world([build_entry(7, NOW, ask_what(source=HOSTILE), HOSTILE)], url=place.url)
    async with place.open(world) as window:
        for path in ("/log", "/log/7"):
            await window.page.goto(path)
            assert await window.page.locator("main img").count() == 0
            assert HOSTILE in await window.page.inner_text("main")
        assert not window.complaints


async def test_a_screen_reader_hears_who_asked_why_and_what_became_of_it(place: Place) -> None:
    world = build_log_world(LOGS["short"], url=place.url)
    async with place.open(world) as window:
        await window.page.goto("/log")
        heard = await window.page.locator("main").aria_snapshot()
        order = [
            heard.index(words)
            for words in (
                'heading "Wie vroeg om mijn gegevens?" [level=1]',
                "Eén organisatie vroeg om uw gegevens.",
                'heading "Wat er gebeurde" [level=2]',
                'heading "Sociaal team Rijnstad" [level=3]',
                "Deze organisatie vroeg wie er bij u betrokken is.",
                "Uw regisseur wil weten wie u al helpt",
                "Gedeeld",
                "Sommige regels komen misschien later.",
            )
        ]
        assert order[:2] == sorted(order[:2])
        assert order[2:6] == sorted(order[2:6])


async def _press_until(page: Page, words: str, most: int = 60) -> None:
    """Press Tab until the focus is on something with these words."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        found = await page.evaluate(
            """() => {
              const one = document.activeElement;
              const words = one.labels?.[0]?.innerText || one.innerText || "";
              return words.trim().replace(/\\s+/g, " ");
            }"""
        )
        if found == words:
            return
    pytest.fail(f"nobody comes to {words!r} with Tab")


@pytest.mark.parametrize("path", ["/log", "/log/7"])
async def test_with_text_twice_as_large_nothing_falls_outside(place: Place, path: str) -> None:
    world = build_log_world([build_entry(7, NOW, ask_what(source=LONG), LONG)], url=place.url)
    async with place.open(world, represents=True, size={"width": 640, "height": 720}) as window:
        await window.page.goto(path)
        await window.page.evaluate("document.documentElement.style.fontSize = '200%'")
        for more in await window.page.query_selector_all("details:not([open]) > summary"):
            await more.click()
        assert await find_overflow(window.page) == []
        assert not window.complaints


async def test_on_paper_everything_is_open_and_no_button_is_there(place: Place) -> None:
    world = build_log_world([build_entry(7, NOW, ask_what())], url=place.url)
    async with place.open(world) as window:
        await window.page.goto("/log/7")
        await window.page.emulate_media(media="print")
        await window.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert await window.page.is_visible("text=Kenmerk in het logboek")
        assert not await window.page.is_visible("text=Verlaat deze pagina snel")
        assert not await window.page.is_visible(".steps .button >> nth=0")
