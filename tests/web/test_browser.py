"""Pages in a real browser: each state in both languages and sizes, with and without scripts."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from datwat.party import clock
from tests.portal.provider import SUBSTANTIAL
from tests.web.browser import (
    IN_BROWSER,
    NARROW,
    WIDE,
    Window,
    check_page,
    find_overflow,
    find_violations,
    open_browser,
    open_window,
    walk_by_keyboard,
)
from tests.web.world import World, build_world, find_port, serve

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("browser"),
    IN_BROWSER,
]
STATES = ("/logged-out", "/nothing", "/fail/away", "/fail/fault", "/gallery")
SIZES = [(NARROW, "nl"), (WIDE, "en")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A site whose people log in at a provider of a port of its own."""
    users = {name: {"acr": SUBSTANTIAL} for name in ("inwoner", "somebody")}
    file = tmp_path_factory.mktemp("provider") / "users.json"
    file.write_text(json.dumps(users))
    ports = find_port(), find_port()
    url = f"http://127.0.0.1:{ports[0]}"
    issuer = f"http://127.0.0.1:{ports[1]}"
    site = build_world(issuer, url, secret="of-a-test")
    command = [sys.executable, "-m", "demo.identity", str(ports[1]), str(file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as provider:
        try:
            wait_for(issuer)
            with serve(site.app, ports[0]):
                yield site
        finally:
            provider.terminate()


def wait_for(issuer: str) -> None:
    """Return when the provider answers."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{issuer}/.well-known/openid-configuration", trust_env=False)
            return
        time.sleep(0.05)


def open_at(
    browser: Browser,
    world: World,
    size: dict[str, int] = WIDE,
    language: str = "nl",
    **options: Any,  # noqa: ANN401 - what Playwright takes
) -> AbstractAsyncContextManager[Window]:
    return open_window(browser, world.url, size=size, language=language, **options)


async def enter(window: Window, world: World, who: str = "inwoner") -> None:
    """Give a window a session, as a login does."""
    token = world.site.sessions.open(who, who, clock.now())
    cookie = {"name": world.site.cookies.session, "value": token, "url": world.url}
    await window.page.context.add_cookies([cookie])  # type: ignore[list-item] # a dict of these


@pytest.mark.parametrize(("size", "language"), SIZES, ids=["narrow", "wide"])
async def test_every_state_of_the_ground_is_clean(
    browser: Browser, world: World, size: dict[str, int], language: str
) -> None:
    async with open_at(browser, world, size, language) as window:
        for path in (
            "/logged-out",
            "/nothing",
            "/fail/away",
            "/fail/fault",
            "/gallery",
        ):
            await window.page.goto(path)
            await check_page(window)
        await enter(window, world)
        await window.page.goto("/gallery")
        await check_page(window)
        await window.page.get_by_role("button", name="Versturen").click()
        await expect(window.page.locator("[role=alert]")).to_be_focused()
        await check_page(window)
        await window.page.get_by_label("Uw vraag").fill("Waarom?")
        await window.page.get_by_role("button", name="Versturen").click()
        await expect(window.page.get_by_role("status")).to_contain_text("Uw vraag is verstuurd.")
        await check_page(window)


async def test_the_control_page_fails(browser: Browser, world: World) -> None:
    """What nothing is found on could be a check that finds nothing."""
    async with open_at(browser, world, NARROW) as window:
        await window.page.goto("/bad")
        found = {one["id"] for one in await find_violations(window.page)}
        wanted = {"document-title", "html-has-lang", "image-alt", "label", "link-name"}
        assert wanted <= found
        assert await find_overflow(window.page)
        complaints = " ".join(window.complaints)
        assert "Content Security Policy" in complaints
        assert await window.page.evaluate("window.ran") is None
        with pytest.raises(AssertionError):
            await check_page(window)


@pytest.mark.parametrize("with_scripts", [True, False], ids=["scripts", "no scripts"])
async def test_a_question_is_asked_from_login_to_logout(
    browser: Browser, world: World, with_scripts: bool
) -> None:
    world.done.clear()
    async with open_at(browser, world, with_scripts=with_scripts) as window:
        page = window.page
        await page.goto("/gallery")
        await page.get_by_role("link", name="Inloggen").click()
        await page.locator("input[name=sub]").fill("inwoner")
        await page.locator("input[name=sub]").press("Enter")
        await page.wait_for_url("**/gallery")
        await page.get_by_label("Uw vraag").fill("Waarom?")
        await page.get_by_role("button", name="Versturen").click()
        await expect(page.get_by_role("status")).to_contain_text("Uw vraag is verstuurd.")
        assert world.done == ["Waarom?"]
        await page.get_by_role("button", name="Uitloggen").click()
        await page.wait_for_url("**/oauth2/end_session**")
        assert "id_token" not in page.url
        window.complaints[:] = [one for one in window.complaints if "request to" not in one]
        assert not window.complaints
        await page.goto("/gallery")
        await expect(page.get_by_role("heading", level=1)).to_have_text("U bent niet ingelogd")
        await page.go_back()
        await expect(page.get_by_text("Waarom?")).to_have_count(0)


async def test_everything_can_be_reached_by_the_keyboard_in_the_order_of_the_page(
    browser: Browser, world: World
) -> None:
    for size in (NARROW, WIDE):
        async with open_at(browser, world, size) as window:
            await enter(window, world)
            await window.page.goto("/gallery")
            words = await walk_by_keyboard(window.page)
            assert words[0] == "Ga direct naar de tekst"
            order = ["English", "Uitloggen", "Verlaat deze pagina snel", "Start", "Bewijs"]
            order += ["Uw vraag", "Ja, dat mag", "Nee, dat mag niet", "Versturen", "14 030"]
            places = [words.index(word) for word in order]
            assert places == sorted(places)
            await window.page.goto("/gallery")
            await window.page.keyboard.press("Tab")
            await window.page.keyboard.press("Enter")
            assert await window.page.evaluate("document.activeElement.id") == "main"


async def test_text_of_twice_the_size_stays_within_the_window(
    browser: Browser, world: World
) -> None:
    async with open_at(browser, world, WIDE) as window:
        await enter(window, world)
        await window.page.goto("/gallery")
        # As a browser's own setting for text does it: every rem is twice as large.
        await window.page.evaluate(
            "document.styleSheets[0].insertRule('html { font-size: 200% }', 1)"
        )
        size = await window.page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
        assert size == 36
        await check_page(window)


async def test_who_wants_no_motion_gets_none(browser: Browser, world: World) -> None:
    for motion, still in (("reduce", True), ("no-preference", False)):
        async with open_at(browser, world, reduced_motion=motion) as window:
            await enter(window, world)
            await window.page.goto("/gallery")
            moving = await window.page.evaluate(
                """() => [...document.querySelectorAll("*")].filter((one) => {
                  const style = getComputedStyle(one);
                  return style.animationName !== "none"
                    || parseFloat(style.transitionDuration) > 0;
                }).length"""
            )
            assert (moving == 0) is still


async def test_on_paper_is_what_was_found_and_not_the_menu(browser: Browser, world: World) -> None:
    async with open_at(browser, world) as window:
        await enter(window, world)
        await window.page.goto("/gallery")
        await window.page.emulate_media(media="print")
        for hidden in ("nav.nav", ".tools", ".skip", ".paging"):
            assert not await window.page.locator(hidden).first.is_visible()
        for shown in ("h1", ".card", ".facts", ".brand"):
            assert await window.page.locator(shown).first.is_visible()
        assert await find_overflow(window.page) == []


async def test_leaving_quickly_shows_nothing_of_ours_and_ends_the_session(
    browser: Browser, world: World
) -> None:
    for with_scripts in (True, False):
        world.left.clear()
        async with open_at(browser, world, with_scripts=with_scripts) as window:
            await window.page.route("https://weather.example/**", lambda r: r.fulfill(body="sun"))
            await enter(window, world)
            await window.page.goto("/gallery")
            await window.page.get_by_role("link", name="Verlaat deze pagina snel").click()
            await window.page.wait_for_url("https://weather.example/")
            assert world.left == ["inwoner"]
            if with_scripts:
                await window.page.go_back()
                assert "gallery" not in window.page.url


async def test_what_was_typed_is_there_again_after_a_new_login(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_at(browser, world) as window:
        page = window.page
        await enter(window, world, "somebody")
        await page.goto("/gallery")
        await page.get_by_label("Uw vraag").fill("Een lange vraag")
        (session,) = [one for one in world.site.sessions._held.values() if one.held == "somebody"]  # noqa: SLF001 - it is made old
        session.seen_at = session.opened_at - (session.ends_at - session.opened_at)
        await page.get_by_role("button", name="Versturen").click()
        await expect(page.get_by_text("Wat u typte, is bewaard")).to_be_visible()
        await check_page(window)
        await page.get_by_role("link", name="Inloggen").click()
        await page.locator("input[name=sub]").fill("somebody")
        await page.locator("input[name=sub]").press("Enter")
        await page.wait_for_url("**/gallery")
        await expect(page.get_by_label("Uw vraag")).to_have_value("Een lange vraag")
