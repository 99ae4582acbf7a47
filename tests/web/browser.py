"""A real browser on real pages (Playwright, Debian's Chromium), and what every page is held to.

Each page that is open tells what its policy (CSP) blocked, what its scripts threw, and every
request to another host; `check_page` fails on any of them, on what axe finds, on a page that is
wider than its window, and on targets too small to touch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.browser import find_browser, skip_without

ROOT: Final = Path(__file__).resolve().parents[2]
AXE: Final = ROOT / "node_modules" / "axe-core" / "axe.min.js"
IN_BROWSER: Final = skip_without(
    "Chromium or axe", is_there=find_browser() is not None and AXE.exists()
)
TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
NARROW: Final = {"width": 320, "height": 720}
WIDE: Final = {"width": 1280, "height": 900}
_MILLISECONDS: Final = 15_000
_ARGUMENTS: Final = (
    "--no-sandbox",  # the tests may run as root, as in a container; the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
)
_FIND: Final = """async (tags) => {
  const found = await axe.run(document, {runOnly: {type: "tag", values: tags}});
  return found.violations.map((one) => ({
    id: one.id, help: one.help,
    places: one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)),
  }));
}"""

_FIND_CUT: Final = """() => [...document.body.querySelectorAll("*")]
  .filter((one) => {
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    const cuts = /hidden|clip/.test(`${style.overflowX} ${style.overflowY}`);
    return cuts && box.width > 2 && box.height > 2 && one.textContent.trim() !== ""
      && (one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1);
  })
  .map((one) => `cut off: ${one.tagName}.${one.className}`.slice(0, 80)).slice(0, 5)"""


@dataclass
class Window:
    """One page in the browser and what it complained of since the last look."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def listen(self, host: str) -> None:
        """Note complaints of the page, and requests to another host than this one."""

        def on_request(address: str) -> None:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https") and parts.netloc != host:
                self.complaints.append(f"request to {parts.netloc}")

        self.page.on(
            "console",
            lambda said: (
                self.complaints.append(f"console: {said.text}")
                # That an address answered with an error is what some tests are about.
                if said.type in ("error", "warning") and "Failed to load resource" not in said.text
                else None
            ),
        )
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("request", lambda request: on_request(request.url))


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start Chromium; it ends with the block."""
    program = find_browser()
    assert program is not None, "no Chromium on this machine: `make test` installs it"
    async with async_playwright() as player:
        browser = await player.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_window(
    browser: Browser,
    url: str,
    *,
    size: dict[str, int] = WIDE,
    language: str = "nl",
    with_scripts: bool = True,
    **options: Any,  # noqa: ANN401 - what Playwright takes
) -> AsyncIterator[Window]:
    """Open a window of somebody new at a site; `url` is its address, without a path."""
    context: BrowserContext = await browser.new_context(
        base_url=url,
        viewport={"width": size["width"], "height": size["height"]},
        java_script_enabled=with_scripts,
        locale="nl-NL",
        **options,
    )
    try:
        name = "datwat-language"
        await context.add_cookies([{"name": name, "value": language, "url": url}])
        context.set_default_timeout(_MILLISECONDS)
        window = Window(await context.new_page())
        window.listen(urlsplit(url).netloc)
        yield window
    finally:
        await context.close()


async def find_violations(page: Page) -> list[dict[str, Any]]:
    """Return what axe finds on the page as it stands."""
    await page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = await page.evaluate(_FIND, list(TAGS))
    return found


async def check_axe(page: Page) -> None:
    """Fail on anything that axe finds."""
    found = await find_violations(page)
    assert not found, found


async def check_page(window: Window) -> None:
    """Fail on anything that no page may do: see the head of this module."""
    await check_axe(window.page)
    wide = await find_overflow(window.page)
    assert not wide, f"wider than the window: {wide}"
    await check_large_text(window.page)
    await check_paper(window.page)
    assert not window.complaints, window.complaints


async def check_large_text(page: Page) -> None:
    """Fail on what leaves the window, or is cut off, with letters of twice the size (WCAG 1.4.4).

    A narrow window is left alone: as wide as this one, at 400 %, it is that of WCAG 1.4.10.
    """
    size = page.viewport_size
    if size is None or size["width"] < WIDE["width"]:
        return
    await page.evaluate("document.documentElement.style.fontSize = '200%'")
    found = [*await find_overflow(page), *await page.evaluate(_FIND_CUT)]
    await page.evaluate("document.documentElement.style.fontSize = ''")
    assert not found, f"with letters of twice the size: {found}"


async def check_paper(page: Page) -> None:
    """Fail on a print with the menu, wider than the paper, or without its heading (or its slip)."""
    await page.emulate_media(media="print")
    found = await find_overflow(page)
    heading = await page.locator("h1, .slip").locator("visible=true").count() > 0
    menu = await page.locator("nav.nav").first.is_visible()
    await page.emulate_media(media="screen")
    assert (found, heading, menu) == ([], True, False), f"on paper: {found, heading, menu}"


async def find_overflow(page: Page) -> list[str]:
    """Return what is wider than the window, outermost first."""
    found: list[str] = await page.evaluate(
        """() => {
          const wide = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= wide) return [];
          return [...document.body.querySelectorAll("*")]
            .filter((one) => one.getBoundingClientRect().right > wide + 1)
            .map((one) => `${one.tagName}.${one.className}`.slice(0, 80)).slice(0, 5);
        }"""
    )
    return found


async def walk_by_keyboard(page: Page, most: int = 80) -> list[str]:
    """Press Tab through the page and return what has the focus each time, by its words.

    Fails where the focus cannot be seen (no outline), or lies outside the page's width.
    """
    seen: list[str] = []
    for _ in range(most):
        await page.keyboard.press("Tab")
        now = await page.evaluate(
            """() => {
              const one = document.activeElement;
              if (!one || one === document.body) return null;
              const style = getComputedStyle(one), box = one.getBoundingClientRect();
              return {
                words: (one.labels?.[0]?.innerText || one.getAttribute("aria-label")
                  || one.innerText || one.name || one.tagName).trim().replace(/\\s+/g, " "),
                outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
                inside: box.left >= -1 && box.right <= document.documentElement.clientWidth + 1,
              };
            }"""
        )
        if now is None:
            break
        assert now["outline"], f"the focus cannot be seen on {now['words']!r}"
        assert now["inside"], f"the focus lies outside the window on {now['words']!r}"
        if seen and now["words"] == seen[0] and len(seen) > 1:
            break
        seen.append(now["words"])
    return seen
