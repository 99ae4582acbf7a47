"""Two walks by the browser alone, over running parties, with and without JavaScript.

Case 3: a professional goes from the occasion to an answer and the overview; the resident reads who
asked and why, in their log, in one entry, on paper, and checks that nothing is missing, in the page
and with the command. Case 4: somebody says yes at the page, and it counts; takes it back, and it
does not count any more.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from playwright.async_api import Browser, Page

from demo.covenant import build_login
from tests.demo.world import World
from tests.web.browser import Window, open_browser, open_window

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]
SEND = "main .form button.button[type=submit]"
WHY = "Wij maken samen met het gezin één plan in vier delen."
WAYS = pytest.mark.parametrize("with_scripts", [True, False], ids=["scripts", "no-scripts"])


@asynccontextmanager
async def log_in(
    browser: Browser, url: str, name: str, *, with_scripts: bool
) -> AsyncIterator[Window]:
    """Open a window and log in through the identity provider, as a person does."""
    async with open_window(browser, url, with_scripts=with_scripts) as window:
        await window.page.goto("/login")
        await window.page.fill("input[name=sub]", name)
        await window.page.locator("input[name=sub]").press("Enter")
        await window.page.wait_for_url(f"{url}/**")
        window.complaints.clear()  # the provider's page is not ours
        yield window


async def send(page: Page, leads_to: str) -> None:
    await page.click(SEND)
    await page.wait_for_url(leads_to)


async def read(page: Page) -> str:
    """Return what stands on the page, on one line."""
    return " ".join((await page.locator("main").inner_text()).split())


async def begin(page: Page, purpose: str, occasion: str, person: str) -> None:
    """Choose purpose, occasion and person, and ask who is involved."""
    await page.goto("/")
    await page.click("main a[href='/ask']")
    await page.check(f"input[value={purpose}]")
    await send(page, "**/occasion")
    await page.get_by_label(occasion, exact=True).check()
    await send(page, "**/person")
    await page.get_by_label(person, exact=True).check()
    await send(page, "**/ladder")
    await page.click("main a[href$='/dat'] >> nth=0")
    await send(page, "**/found")


async def ask_for_data(page: Page, source: str) -> None:
    """Ask a source for every field that the purpose allows, with a motivation."""
    await page.goto(page.url.replace("/found", "/wat"))
    await page.locator(f"button[name=ask]:has-text('{source}')").first.click()
    await page.wait_for_url("**/wat/*")
    for box in await page.query_selector_all("input[name=fields]"):
        await box.check()
    await send(page, "**/told")
    await page.check("input[value=before]")
    await send(page, "**/why")
    for area in await page.query_selector_all("textarea"):
        await area.fill(WHY)
    await send(page, "**/check")
    assert "De inwoner ziet deze vraag en uw motivering" in await read(page)
    await send(page, "**/answer")


async def download(page: Page, selector: str, path: Path) -> None:
    async with page.expect_download() as coming:
        await page.click(selector)
    await (await coming.value).save_as(path)


def check_by_command(world: World, bundle: Path) -> dict[str, Any]:
    """Check a proof with the command, as anybody can; return what it finds."""
    trusted = str(world.covenant.folder / "trust" / "trust-list.json")
    pin = world.command("trust", "show", trusted)["hash"]
    return world.command("log", "check-mine", str(bundle), "--trust-list", trusted, "--pin", pin)


@WAYS
async def test_case_3_from_the_occasion_to_paper_and_proof(
    world: World, tmp_path: Path, with_scripts: bool
) -> None:
    case = world.cases[3]
    world.play(case)
    paper, proof = tmp_path / "log.pdf", tmp_path / "proof.json"
    team, portal = world.covenant.pages_url("social-team"), world.covenant.url("portal")
    async with open_browser() as browser:
        async with log_in(browser, team, "noor", with_scripts=with_scripts) as staff:
            page = staff.page
            await begin(page, "coordinate_family_help", "gezin-f", "N-302")
            assert "Schuldhulp Rijnstad" in await read(page)
            await ask_for_data(page, "Gemeente Rijnstad, afdeling inkomen")
            answer = await read(page)
            assert "Soort uitkering bijstand (gezin)" in answer
            number = re.search(r"Vastgelegd als regel (\d+) van het logboek", answer)
            assert number is not None
            await page.goto("/overview")
            assert "bijstand (gezin)" in await read(page)
            assert not staff.complaints
        father = build_login(case, "father")
        async with log_in(browser, portal, father, with_scripts=with_scripts) as resident:
            page = resident.page
            await page.goto("/log")
            await page.locator("main .cards a[href^='/log/']").first.click()
            heading = await page.locator("h1").inner_text()
            await page.goto(f"/log/{number[1]}")  # what the professional can name on the telephone
            assert await page.locator("h1").inner_text() == heading
            entry = await read(page)
            for words in ("Een vraag van Sociaal team Rijnstad", "regisseur", WHY, "Hulpvraag"):
                assert words in entry
            heard = await page.locator("main").aria_snapshot()
            places = [heard.index(f'region "{one}"') for one in ("Wie", "Waarom", "Wat")]
            assert places == sorted(places)
            await page.goto("/downloads")
            await download(page, "button[value=pdf]", paper)
            await download(page, "a[href='/downloads/proof.json']", proof)
            await page.goto("/check")
            await page.click(SEND if with_scripts else "main form[action='/check'] button")
            await page.wait_for_selector("text=Bewezen: er ontbreekt niets")
            assert not resident.complaints
    with pikepdf.open(paper) as document:  # it can be opened, and a screen reader finds its parts
        assert document.Root.MarkInfo.Marked
    assert check_by_command(world, proof)["status"] == "proved"


@WAYS
async def test_case_4_a_yes_counts_until_it_is_taken_back(world: World, with_scripts: bool) -> None:
    case = world.cases[4]
    world.play(case)
    school = world.covenant.pages_url("school-attendance")
    portal = world.covenant.url("portal")
    async with open_browser() as browser:
        boy = build_login(case, "boy")
        async with (
            log_in(browser, portal, boy, with_scripts=with_scripts) as resident,
            log_in(browser, school, "bram", with_scripts=with_scripts) as officer,
        ):
            page = resident.page
            await page.goto("/consents")
            await page.click("main a[href='/consents/new']")
            choice = page.get_by_label("Gemeente Rijnstad, leerplicht zou iets krijgen van")
            await choice.first.check()
            await send(page, "**/until")
            await page.check("input[name=term] >> nth=0")
            await send(page, "**/check")
            await page.click("button[value=yes]")
            await page.wait_for_url("**/receipts/*")
            assert "U zei ja" in await read(page)

            await begin(officer.page, "school_attendance", "verzuim-77", "LP-77")
            await ask_for_data(officer.page, "Sociaal team Rijnstad")
            assert "Ik wil weer naar school kunnen" in await read(officer.page)

            await page.goto("/consents")
            await page.click("main a[href$='/withdraw'] >> nth=0")
            await send(page, "**/receipts/*")
            assert "U nam uw ja terug" in await read(page)

            await begin(officer.page, "school_attendance", "verzuim-77", "LP-77")
            await ask_for_data(officer.page, "Sociaal team Rijnstad")
            refused = await read(officer.page)
            assert "Deze vraag is geweigerd. Er zijn geen gegevens gegeven." in refused
            assert "Ik wil weer naar school kunnen" not in refused

            await page.goto("/log")
            newest = page.locator("main .cards > li")
            assert "Niet gedeeld" in await newest.nth(0).inner_text()
            assert not resident.complaints
            assert not officer.complaints
