"""The pages of the downloads in a real browser: each state, by keyboard alone, without a script."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from datwat.party.http_out import PeerUnreachableError
from tests.portal.downloads_world import build_downloads_world
from tests.portal.log_world import LogWorld, build_log
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
from tests.web.world import find_port, serve

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("browser"),
    pytest.mark.timeout(240),
    IN_BROWSER,
]
FAMILY = "/downloads/family"
LOOKS = pytest.mark.parametrize(
    ("size", "language"), [(NARROW, "nl"), (WIDE, "en")], ids=["320-nl", "1280-en"]
)
PDF = "button[value=pdf]"
JSON = "button[value=json]"


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
    with serve(build_downloads_world(url=address).app, port):
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(url: str) -> AsyncIterator[Place]:
    async with open_browser() as browser:
        yield Place(url, browser)


@LOOKS
@pytest.mark.parametrize("represents", [False, True], ids=["self", "represents"])
async def test_each_page_of_the_downloads(
    place: Place, represents: bool, size: dict[str, int], language: str
) -> None:
    world = build_downloads_world(build_log(3), url=place.url)
    async with place.open(world, size=size, language=language, represents=represents) as window:
        for path in ("/downloads", FAMILY):
            await window.page.goto(path)
            await check_page(window)


@LOOKS
async def test_what_is_wrong_is_said_on_the_page(
    place: Place, size: dict[str, int], language: str
) -> None:
    world = build_downloads_world(build_log(3), url=place.url)
    async with place.open(world, size=size, language=language) as window:
        await window.page.goto("/downloads")
        await window.page.fill("#field-since", "2026-02-02")
        await window.page.fill("#field-until", "2026-02-01")
        await window.page.click(PDF)
        await window.page.wait_for_selector("#errors-title")
        await check_page(window)
        await window.page.goto(FAMILY)
        await window.page.eval_on_selector("#field-remarks", "one => one.maxLength = 9999")
        await window.page.fill("#field-remarks", "woord " * 900)
        await window.page.click(PDF)
        await window.page.wait_for_selector("#errors-title")
        await check_page(window)


@LOOKS
async def test_a_copy_that_cannot_be_made_leaves_the_words_on_the_page(
    place: Place, size: dict[str, int], language: str
) -> None:
    world = build_downloads_world(url=place.url)

    async def fail(_handle: bytes) -> None:
        raise PeerUnreachableError

    vars(world.desk)["fetch_involvements"] = fail
    async with place.open(world, size=size, language=language) as window:
        await window.page.goto(FAMILY)
        await window.page.fill("#field-remarks", "Het gaat beter.")
        await window.page.click(PDF)
        await window.page.wait_for_selector(".alert--warning")
        await check_page(window)
        assert await window.page.input_value("#field-remarks") == "Het gaat beter."


@LOOKS
async def test_a_log_that_is_too_long_is_offered_in_parts(
    place: Place, size: dict[str, int], language: str
) -> None:
    world = build_downloads_world(build_log(1_300), url=place.url)
    async with place.open(world, size=size, language=language) as window:
        await window.page.goto("/downloads")
        await window.page.click(PDF)
        await window.page.wait_for_selector("button[name=part]")
        await check_page(window)
        async with window.page.expect_download() as caught:
            await window.page.click("button[name=part] >> nth=2")
        found = await (await caught.value).path()
        assert found.read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("with_scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_a_document_and_a_file_are_downloaded(
    place: Place, tmp_path: Path, with_scripts: bool
) -> None:
    world = build_downloads_world(build_log(4), url=place.url)
    async with place.open(world, with_scripts=with_scripts) as window:
        await window.page.goto("/downloads")
        async with window.page.expect_download() as caught:
            await window.page.click(PDF)
        download = await caught.value
        assert download.suggested_filename.startswith("own-log-")
        assert (await download.path()).read_bytes().startswith(b"%PDF-")
        # Once more from the same page: what is downloaded can be had again.
        await window.page.wait_for_timeout(3_100)
        async with window.page.expect_download() as caught:
            await window.page.click(JSON)
        found = json.loads((await (await caught.value).path()).read_text("utf-8"))
        assert len(found["log"]["entries"]) == 4
        assert not window.complaints


async def test_the_family_makes_its_copy_by_keyboard_alone(place: Place) -> None:
    world = build_downloads_world(url=place.url)
    async with place.open(world) as window:
        page = window.page
        await page.goto(FAMILY)
        assert "Download het document (PDF)" in await walk_by_keyboard(page)
        await page.focus("#field-remarks")
        await page.keyboard.type("Het gaat beter.")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        async with page.expect_download() as caught:
            await page.keyboard.press("Enter")
        found = json.loads((await (await caught.value).path()).read_text("utf-8"))
        assert found["remarks"] == "Het gaat beter."
        assert not window.complaints
