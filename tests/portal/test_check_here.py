"""*Check it yourself* in the page: the browser finds what Python finds, and so does the portal."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from connectors.portal.pages.check import load_files
from datwat.party.check_page import build_check_page
from datwat.protocol.completeness import CompletenessBundle, read_bundle
from tests.party.test_check_page import build_large, build_list
from tests.portal.log_world import LogWorld, build_log_world, read_form
from tests.protocol import completeness_attacks as attacks
from tests.protocol.completeness_world import build_world
from tests.web.browser import (
    IN_BROWSER,
    NARROW,
    WIDE,
    Window,
    check_page,
    open_browser,
    open_window,
)
from tests.web.world import find_port, serve

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("browser"),
    pytest.mark.timeout(120),
    IN_BROWSER,
]


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = find_port()
    address = f"http://127.0.0.1:{port}"
    with serve(build_log_world([], url=address).app, port):
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


def build_portal(url: str, bundle: CompletenessBundle | None = None) -> LogWorld:
    """Return the portal with a bundle of a made log, and the list that names that log's keys."""
    made = build_world()
    world = build_log_world([], url=url)
    world.desk.trust = build_list(made.maker)
    world.desk.bundle = bundle or made.maker.build(made.person, now=now())
    return world


@asynccontextmanager
async def open_check(
    browser: Browser,
    url: str,
    world: LogWorld,
    **options: Any,  # noqa: ANN401 - of a window
) -> AsyncIterator[Window]:
    """Open the page as somebody who is logged in."""
    name, value = world.log_in()
    async with open_window(browser, url, **options) as window:
        await window.page.context.add_cookies([{"name": name, "value": value, "url": url}])
        await window.page.goto("/check")
        yield window


async def check_here(page: Page) -> dict[str, Any]:
    """Press the button and return what the page says."""
    await page.click("[data-check] button")
    await page.wait_for_selector("[data-result][data-kind]")
    found: dict[str, Any] = await page.evaluate(
        """() => {
          const one = document.querySelector("[data-result]");
          return {...one.dataset, text: one.innerText};
        }"""
    )
    return found


@pytest.mark.parametrize(("size", "language"), [(NARROW, "nl"), (WIDE, "en")])
async def test_an_honest_log_is_proved_on_ones_own_device(
    browser: Browser, url: str, size: dict[str, int], language: str
) -> None:
    world = build_portal(url)
    async with open_check(browser, url, world, size=size, language=language) as window:
        await check_page(window)
        found = await check_here(window.page)
        assert found["kind"] == "done"
        said = {"nl": "Bewezen: er ontbreekt niets", "en": "Proved: nothing is missing"}
        assert said[language] in found["text"]
        await check_page(window)
        await window.page.click("main form.form button[type=submit]")
        assert said[language] in await window.page.inner_text("main")
        await check_page(window)


async def test_500_entries_are_checked_within_a_second(browser: Browser, url: str) -> None:
    large = build_large(500)
    world = build_portal(url, large.maker.build(large.person, now=now()))
    world.desk.trust = build_list(large.maker)
    async with open_check(browser, url, world) as window:
        found = await check_here(window.page)
    assert found["kind"] == "done"
    assert "500" in found["text"]
    print(f"500 entries in the page: {found['milliseconds']} ms")  # noqa: T201 - read with `-s`
    assert int(found["milliseconds"]) <= 1_000


@pytest.mark.parametrize("attack", list(attacks.ATTACKS)[:6], ids=lambda one: one.__name__)
async def test_what_a_dishonest_broker_hands_out_is_refused_here_and_by_the_portal(
    browser: Browser, url: str, attack: attacks.Attack
) -> None:
    world = build_portal(url, attack(build_world(), now()))
    code = attacks.ATTACKS[attack]
    async with open_check(browser, url, world) as window:
        found = await check_here(window.page)
        await window.page.click("main form.form button[type=submit]")
        await window.page.wait_for_selector(".alert")
        portal = await window.page.inner_text(".alert")
        if found["kind"] == "refused":
            assert code in found["text"]
            assert "Dit klopt niet" in portal
            await check_page(window)
        else:
            assert found["kind"] == "warning"
            assert "Dit klopt niet" not in portal


async def test_a_broker_that_is_away_is_no_broken_log(browser: Browser, url: str) -> None:
    world = build_portal(url)
    async with open_check(browser, url, world) as window:
        await window.page.route("**/v1/me/access-log/proof", lambda route: route.abort())
        found = await check_here(window.page)
        assert found["kind"] == "away"
        assert "Probeer het over een kwartier opnieuw." in found["text"]


async def test_without_a_script_the_portal_checks_and_the_files_are_there(
    browser: Browser, url: str
) -> None:
    world = build_portal(url)
    async with open_check(browser, url, world, with_scripts=False) as window:
        assert not await window.page.is_visible("[data-check]")
        await window.page.click("main form.form button[type=submit]")
        assert "Bewezen: er ontbreekt niets" in await window.page.inner_text("main")
        await check_files(window.page, world)


async def check_files(page: Page, world: LogWorld) -> None:
    """Hold the three files against what they must be."""
    files = {}
    for name in ("proof.json", "proof-copy.json", "check.html"):
        async with page.expect_download() as started:
            await page.click(f'a[href="/downloads/{name}"]')
        path = await (await started.value).path()
        files[name] = path.read_bytes()
    assert read_bundle(files["proof.json"]) == world.desk.bundle
    copy = read_bundle(files["proof-copy.json"])
    assert copy.view == "somebody_else"
    assert all(roll.tag_key is None for roll in copy.rolls)
    assert files["check.html"] == build_check_page(world.desk.trust)


async def test_a_form_that_was_made_for_the_other_person_checks_nothing(url: str) -> None:
    world = build_portal(url)
    async with world.client(represents=True) as client:
        client.base_url = url
        client.headers["Origin"] = url
        page = await client.get("/check")
        form = read_form(page.text, "/check")
        await client.post(
            "/person", data={**read_form(page.text, "/person"), "person": "represented"}
        )
        assert (await client.post("/check", data=form)).status_code == 409
        keys = json.loads(re.sub("&#34;", '"', page.text.split('data-check="')[1].split('"')[0]))
    assert keys["trust"]["origin"] == world.desk.trust.log.origin


async def test_the_script_shares_nothing_with_the_page_around_it() -> None:
    script = load_files()["check.js"].decode()
    assert script.startswith("(() => {")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", script)
