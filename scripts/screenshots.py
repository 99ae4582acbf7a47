"""Takes the pictures of README and docs: the demo's parties and people, and one browser.

Each shot names who logs in, which page, how wide, in which language. A page that does not answer
200, or on which axe finds anything, is no picture: the script then fails. Run by `make screenshots`
(as a module, so that it finds the harness of the tests).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Browser

from demo.cli import open_folder
from demo.covenant import Covenant, prepare
from demo.model import load_cases, load_partners
from demo.player import play_case
from demo.processes import Processes
from demo.setting_up import build
from tests.web.browser import NARROW, WIDE, check_page, open_browser, open_window

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURES: Final = ROOT / "docs" / "pictures"
CASES: Final = (3, 4)


@dataclass(frozen=True)
class Shot:
    """One picture; `login` is a name at the demo's identity provider, empty for nobody."""

    name: str
    path: str
    login: str = ""
    size: tuple[int, int] = (WIDE["width"], WIDE["height"])
    language: str = "nl"
    whole: bool = False


PHONE: Final = (NARROW["width"] + 70, 844)
SHOTS: Final = (
    Shot("start", "/"),
    Shot("start-phone", "/", size=PHONE),
    Shot("help", "/help"),
    Shot("rights", "/about/rights", language="en"),
    Shot("home", "/", login="case3-father"),
    Shot("log", "/log", login="case3-father"),
    Shot("log-phone", "/log", login="case3-father", size=PHONE, language="en"),
    Shot("involved", "/involved", login="case3-father"),
    Shot("wishes", "/wishes", login="case4-boy"),
    Shot("downloads", "/downloads", login="case3-father"),
)


async def take(browser: Browser, portal: str, shot: Shot) -> None:
    """Take one picture."""
    size = {"width": shot.size[0], "height": shot.size[1]}
    window_at = open_window(browser, portal, size=size, language=shot.language)
    async with window_at as window:
        page = window.page
        if shot.login:
            await page.goto("/login")
            await page.locator("input[name=sub]").fill(shot.login)
            await page.locator("input[name=sub]").press("Enter")
            await page.wait_for_url(f"{portal}/**")
            window.complaints.clear()  # the way led over the provider, which is another host
        answer = await page.goto(shot.path)
        if answer is None or not answer.ok:
            status = answer.status if answer else "no answer"
            msg = f"{shot.name}: {shot.path} is no page ({status})"
            raise SystemExit(msg)
        await check_page(window)
        await page.screenshot(path=PICTURES / f"{shot.name}.png", full_page=shot.whole)


async def take_all(covenant: Covenant) -> None:
    """Take every picture of a running covenant."""
    async with open_browser() as browser:
        for shot in SHOTS:
            await take(browser, covenant.url("portal"), shot)


def main() -> int:
    """Build the demo, play the cases that the pictures show, and take them."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    cases = [one for one in load_cases() if one.number in CASES]
    with (
        open_folder() as folder,
        Processes(folder) as processes,
        contextlib.closing(prepare(folder, load_partners())) as covenant,
    ):
        build(covenant, cases, processes, print)
        for case in cases:
            differences = play_case(covenant, case, lambda *_: None)
            if differences:
                print(*differences, sep="\n")
                return 1
        asyncio.run(take_all(covenant))
    return 0


if __name__ == "__main__":
    sys.exit(main())
