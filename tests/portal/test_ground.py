"""The pages of residents that need nobody: they stand when broker and provider are away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser
from starlette.applications import Starlette

from connectors.portal.login import build_options
from connectors.portal.pages import about, home
from connectors.portal.pages.screens import build_site
from connectors.portal.resident import Resident, build_entrance
from connectors.portal.settings import PortalSettings
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.openapi import ApiInfo
from datwat.web.errors import ErrorPages
from datwat.web.login import Login
from datwat.web.provider import Provider
from datwat.web.site import Site
from datwat.web.standalone import build_standalone
from tests.web.browser import IN_BROWSER, NARROW, WIDE, check_page, open_browser, open_window
from tests.web.world import find_port, serve

PATHS = ("/", "/about", "/about/not-here", "/about/rights", "/help", "/logged-out")
# There is no broker: whatever asked it would fail.
NOBODY = cast("Any", None)


def build(folder: Path, port: int) -> tuple[Site[Resident], Starlette]:
    settings = PortalSettings(
        home=folder,
        id="00000099000000009000:portal",
        name="Gemeente Rijnstad",
        url=f"http://127.0.0.1:{port}",
        issuer="http://127.0.0.1:9",
        client_id="portal",
    )
    site = build_site(settings)
    errors = ErrorPages(site)
    info = ApiInfo(title="portal", description="Of a test.")
    app = build_app(info, (), limits=Limits(), build_refusal=errors.build_refusal)
    provider = Provider(build_options(settings), None)
    login = Login(site, provider, build_entrance(settings, NOBODY))
    app.router.routes.extend(
        (
            *login.build_routes(),
            *home.build_routes(site, NOBODY),
            *about.build_routes(site),
            *site.pages.assets.build_routes(),
        )
    )
    errors.install(app)
    return site, app


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = find_port()
    _, app = build(tmp_path_factory.mktemp("portal"), port)
    with serve(app, port):
        yield f"http://127.0.0.1:{port}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


@IN_BROWSER
@pytest.mark.xdist_group("browser")
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("size", "language"), [(NARROW, "nl"), (WIDE, "en")], ids=["nl", "en"])
async def test_every_page_stands_with_nobody_behind_it(
    browser: Browser, portal: str, size: dict[str, int], language: str
) -> None:
    async with open_window(browser, portal, size=size, language=language) as window:
        for path in PATHS:
            answer = await window.page.goto(path)
            assert answer is not None
            assert answer.status == 200
            await check_page(window)
        await window.page.goto("/login")
        heading = "U kunt nu niet inloggen" if language == "nl" else "You cannot log in now"
        assert await window.page.locator("h1").inner_text() == heading
        await check_page(window)


@IN_BROWSER
@pytest.mark.xdist_group("browser")
@pytest.mark.asyncio(loop_scope="module")
async def test_the_page_of_helpers_is_one_file_that_needs_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    site, _ = build(tmp_path, 1)
    for code in ("nl", "en"):
        page = build_standalone(site.pages, "help.html", code)
        assert page == build_standalone(site.pages, "help.html", code)
        file = tmp_path / f"{code}.html"
        file.write_bytes(page)
        async with open_window(browser, "http://127.0.0.1:9", size=NARROW) as window:
            await window.page.goto(file.as_uri())
            await check_page(window)
            assert await window.page.locator('a[href="tel:112"]').count() > 0
            asked = await window.page.evaluate("performance.getEntriesByType('resource').length")
            assert asked == 0
            colour = await window.page.evaluate("getComputedStyle(document.body).color")
            assert colour == "rgb(27, 39, 51)"
            # Nothing that leads to a place that is down.
            assert await window.page.locator('a[href^="/"]').count() == 0


def test_the_first_page_is_small(portal: str) -> None:
    with httpx.Client(base_url=portal, trust_env=False) as client:
        page = client.get("/")
        assert len(page.content) < 20_000
        assert len(page.headers.get("set-cookie", "")) == 0
