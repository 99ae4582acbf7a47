"""Takes the pictures of README and docs: the demo's parties and people, and one browser.

Each shot names who logs in, which page, how wide, in which language, and how its page is reached. A
page that does not answer 200, or on which axe finds anything, is no picture: the script then fails.
Run by `make screenshots` (as a module, so that it finds the harness of the tests).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page

from datwat.web.dates import ZONE
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
    """One picture; `login` is a name at the demo's identity provider, empty for nobody.

    `staff_of` is the partner whose staff's pages these are, empty for the residents' pages; `walk`
    goes on from `path` to the page of the picture.
    """

    name: str
    path: str
    login: str = ""
    size: tuple[int, int] = (WIDE["width"], WIDE["height"])
    language: str = "nl"
    whole: bool = False
    staff_of: str = ""
    walk: Callable[[Page], Awaitable[None]] | None = None


_SEND: Final = "main .form button.button[type=submit]"
_DRAFT: Final = re.compile(r"/drafts/(?!new)\w+$")
_TRIAL_MS: Final = 120_000
_WHY: Final = "Wij maken samen met het gezin een plan, en vragen alleen wat daarvoor nodig is."


async def _open_entry(page: Page) -> None:
    """Open the newest entry in which a part was shared."""
    partly = page.locator("main .cards > li", has_text="Deels gedeeld")
    await partly.first.locator("a[href^='/log/']").click()
    await page.wait_for_url("**/log/*")


async def _ask_who(page: Page) -> None:
    """Ask who is involved with a household."""
    await page.check("input[value=coordinate_family_help]")
    await page.click(_SEND)
    await page.get_by_label("gezin-f", exact=True).check()
    await page.click(_SEND)
    for person in await page.query_selector_all("input[name=persons]"):
        await person.check()
    await page.click(_SEND)
    await page.click("main a[href$='/dat'] >> nth=0")
    await page.click(_SEND)
    await page.wait_for_url("**/found")


async def _ask_what(page: Page) -> None:
    """Ask a source for data, and get it."""
    await _ask_who(page)
    await page.goto(page.url.replace("/found", "/wat"))
    await page.click("button[name=ask]:has-text('afdeling inkomen') >> nth=0")
    for field in await page.query_selector_all("input[name=fields]"):
        await field.check()
    await page.click(_SEND)
    await page.check("input[value=before]")
    await page.click(_SEND)
    for area in await page.query_selector_all("textarea"):
        await area.fill(_WHY)
    await page.click(_SEND)
    await page.click(_SEND)
    await page.wait_for_url("**/answer")


async def _begin_draft(page: Page) -> None:
    """Begin a draft from tomorrow on, and change a sentence of it."""
    await page.select_option("select[name=of]", "coordinate_family_help")
    await page.click(_SEND)
    await page.wait_for_url(_DRAFT)
    tomorrow = datetime.now(ZONE) + timedelta(days=1)
    await page.fill("#field-valid_from-date", f"{tomorrow:%Y-%m-%d}")
    sentence = "Uw gezin vraagt om hulp. Het team maakt met u een plan."
    await page.fill("#field-sentence-nl", sentence)
    await page.locator(".beside__resident").get_by_text(sentence).wait_for()
    await page.locator("#beside .controlled").wait_for()


async def _try_draft(page: Page) -> None:
    """Try a draft: its conditions, and what the past would have been."""
    await _begin_draft(page)
    async with page.expect_navigation():
        await page.click("button[value=save]")
    await page.goto(f"{page.url}/trial")
    for what, found in (("mutate", "#work .alert"), ("replay", "#work .facts")):
        await page.click(f"#work button[value={what}]")
        await page.locator(found).wait_for(timeout=_TRIAL_MS)
        await page.locator("#work:not([hx-get])").wait_for(timeout=_TRIAL_MS)
    await page.locator("#work").evaluate("work => work.scrollIntoView()")


async def _propose_draft(page: Page) -> None:
    """Propose a draft that was tried."""
    await _try_draft(page)
    await page.goto(page.url.replace("/trial", ""))
    await page.click("button[value=propose]")
    await page.wait_for_url("**/proposals/*")


async def _object(page: Page) -> None:
    """Object to a purpose, as a resident does."""
    await page.check("input[name=purpose] >> nth=0")
    await page.click(_SEND)
    await page.fill("textarea", "Mijn schulden zijn afgelost. Dit is niet meer nodig.")
    await page.click(_SEND)
    await page.click(_SEND)
    await page.wait_for_url("**/receipts/*")


async def _open_objection(page: Page) -> None:
    """Open the oldest objection that waits, and choose how its answer begins."""
    await page.click("main .cards > li a >> nth=0")
    await page.check("input[name=blocks] >> nth=0")
    await page.click("button[value=preview]")
    await page.locator("#field-text").wait_for()


PHONE: Final = (NARROW["width"] + 70, 844)
LOW: Final = (WIDE["width"], 740)  # the ladder beside the steps is much to draw: at most 100 kB
FORM: Final = (1000, 600)  # so is what stands beside a form
SHOTS: Final = (
    Shot("start", "/"),
    Shot("help", "/help"),
    Shot("rights", "/about/rights", language="en"),
    Shot("home", "/", login="case3-father"),
    Shot("log", "/log", login="case3-father"),
    Shot("log-phone", "/log", login="case3-father", size=PHONE, language="en"),
    Shot("entry", "/log", login="case3-father", walk=_open_entry),
    Shot("involved", "/involved", login="case3-father"),
    Shot("wishes", "/wishes", login="case4-boy"),
    Shot("downloads", "/downloads", login="case3-father"),
    Shot("objection", "/objections/new", login="case3-father", walk=_object),
    Shot("staff-involved", "/ask", "noor", LOW, staff_of="social-team", walk=_ask_who),
    Shot("officer-start", "/", "gerda", LOW, staff_of="broker"),
    Shot("officer-purpose", "/purposes/debt_counselling", "daan", LOW, staff_of="broker"),
    Shot("officer-guards", "/guards", "daan", LOW, staff_of="broker"),
    Shot("officer-draft", "/drafts/new", "daan", FORM, staff_of="broker", walk=_begin_draft),
    Shot("officer-trial", "/drafts/new", "daan", LOW, staff_of="broker", walk=_try_draft),
    Shot("officer-proposal", "/drafts/new", "daan", LOW, staff_of="broker", walk=_propose_draft),
    Shot("officer-partners", "/partners", "joost", LOW, staff_of="broker"),
    Shot("officer-answers", "/answers", "gerda", LOW, staff_of="broker"),
    Shot(
        "officer-answer",
        "/answers/objections",
        "gerda",
        LOW,
        staff_of="broker",
        walk=_open_objection,
    ),
    Shot("officer-reviews", "/reviews", "gerda", LOW, staff_of="broker"),
    Shot("officer-figures", "/figures", "joost", LOW, staff_of="broker"),
    Shot("officer-register", "/register", "joost", LOW, staff_of="broker"),
    Shot("system", "/system", "ilse", LOW, staff_of="broker"),
    Shot("staff-answer", "/ask", "noor", LOW, staff_of="social-team", walk=_ask_what),
)


async def take(browser: Browser, url: str, shot: Shot) -> None:
    """Take one picture of the pages at an address."""
    size = {"width": shot.size[0], "height": shot.size[1]}
    window_at = open_window(browser, url, size=size, language=shot.language)
    async with window_at as window:
        page = window.page
        if shot.login:
            await page.goto("/login")
            await page.locator("input[name=sub]").fill(shot.login)
            await page.locator("input[name=sub]").press("Enter")
            await page.wait_for_url(f"{url}/**")
            window.complaints.clear()  # the way led over the provider, which is another host
        answer = await page.goto(shot.path)
        if answer is None or not answer.ok:
            status = answer.status if answer else "no answer"
            msg = f"{shot.name}: {shot.path} is no page ({status})"
            raise SystemExit(msg)
        if shot.walk is not None:
            await shot.walk(page)
        await check_page(window)
        await page.screenshot(path=PICTURES / f"{shot.name}.png", full_page=shot.whole)


async def take_all(covenant: Covenant) -> None:
    """Take every picture of a running covenant."""
    async with open_browser() as browser:
        for shot in SHOTS:
            staff = shot.staff_of
            url = covenant.pages_url(staff) if staff else covenant.url("portal")
            await take(browser, url, shot)


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
