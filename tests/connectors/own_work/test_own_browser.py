"""The pages of one's own work in a real browser: every state, wide and narrow, in both languages.

Empty, full, with long and hostile names, refused and wrongly filled in; by keyboard alone, and
without scripts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.connectors.own_work.staff_world import (
    BORN,
    HOSTILE,
    LONG,
    PURPOSE,
    WHY,
    WITH_HOSTILE_NAME,
    StaffWorld,
    as_staff,
    log_in,
    soon,
)
from tests.connectors.own_work.test_own_work import TODAY, ask_for_contact, in_days, wait_for
from tests.databases import change_rows
from tests.party.covenant import now
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

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.processes,
    pytest.mark.xdist_group("staff-pages"),
    pytest.mark.timeout(400),
    IN_BROWSER,
]
SIZES = [(NARROW, "nl"), (WIDE, "en")]
SEND = "main form.form button[type=submit]"
FORMS = (
    *("conversation", "team", "close", "introduce"),
    *("consent", "objection", "authority", "later", "wrong"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


@asynccontextmanager
async def enter(
    browser: Browser,
    world: StaffWorld,
    who: str,
    *,
    size: dict[str, int],
    language: str,
    function: str = "social-team",
    with_scripts: bool = True,
) -> AsyncIterator[Window]:
    """Open a window in which somebody is logged in."""
    url = world.urls[function]
    async with open_window(
        browser, url, size=size, language=language, with_scripts=with_scripts
    ) as window:
        await log_in(window.page, who)
        window.complaints.clear()  # of the provider's page, which is not ours
        yield window


async def find(page: Page, number: str) -> str:
    await page.goto("/own")
    link = page.get_by_role("link", name=number, exact=True)
    path = await link.get_attribute("href")
    assert path
    return path


@pytest.mark.parametrize(("size", "language"), SIZES)
async def test_the_forms_of_an_occasion_empty_wrong_and_with_long_names(
    browser: Browser, staff_world: StaffWorld, size: dict[str, int], language: str
) -> None:
    number = f"{LONG}-{language}"
    staff_world.open(number, 13, 14, kind="report", inform_by=soon(20), team=HOSTILE, told=False)
    async with enter(browser, staff_world, "noor", size=size, language=language) as window:
        page, path = window.page, await find(window.page, number)
        for step in ("", *(f"/{form}" for form in FORMS), "/code"):
            await page.goto(path + step)
            await check_page(window)
        for form in ("conversation", "close", "introduce", "consent", "objection", "authority"):
            await page.goto(f"{path}/{form}")
            await page.click(SEND)
            await page.wait_for_selector(".alert--warning[role=alert]")
            await check_page(window)
        await declare_later(page, path, "noor")
        await page.wait_for_selector(".blade, .knife")
        await check_page(window)
        await declare_later(page, path, "ann")
        await page.wait_for_selector(".alert--later")
        await check_page(window)
        for listed in ("/to-tell", "/asked?what=all"):
            await page.goto(listed)
            await check_page(window)


@pytest.mark.parametrize(("size", "language"), SIZES)
async def test_lists_empty_and_full(
    browser: Browser, staff_world: StaffWorld, size: dict[str, int], language: str
) -> None:
    async with enter(browser, staff_world, "ann", size=size, language=language) as window:
        for path in ("/", "/own", "/contacts", "/asked", "/to-tell", "/redeem", "/urgent"):
            await window.page.goto(path)
            await check_page(window)
        for path in ("/redeem", "/urgent"):
            await window.page.goto(path)
            await window.page.click(SEND)
            await window.page.wait_for_selector(".alert--warning[role=alert]")
            await check_page(window)
    ends = now() + timedelta(seconds=4)
    number = f"C-{language}"
    staff_world.open(number, 15, kind="signal", inform_by=ends, told=False)
    await asyncio.sleep(5)
    async with enter(browser, staff_world, "noor", size=size, language=language) as window:
        for path in (await find(window.page, number), "/to-tell", "/asked?what=all", "/asked", "/"):
            await window.page.goto(path)
            await check_page(window)


@pytest.mark.parametrize(("size", "language"), SIZES)
async def test_calls_too_late_and_by_a_name_that_is_code(
    browser: Browser, staff_world: StaffWorld, size: dict[str, int], language: str
) -> None:
    number = f"D-{language}"
    staff_world.open(number, WITH_HOSTILE_NAME)
    await asyncio.to_thread(ask_for_contact, staff_world, number, f"{number}-{WITH_HOSTILE_NAME}")
    with as_staff(staff_world, "youth-help", "kim") as kim:
        await asyncio.to_thread(wait_for, kim, "/contacts", "020 111 1111")
    pass_the_day(staff_world)
    async with enter(
        browser, staff_world, "kim", size=size, language=language, function="youth-help"
    ) as window:
        await window.page.goto("/contacts")
        assert await window.page.locator(".card--late").count() == 1
        assert "<script>" in await window.page.inner_text("main")
        await check_page(window)
        await window.page.click("button[value=answered]")
        await window.page.wait_for_selector(".notice--done")
        await check_page(window)


@pytest.mark.parametrize(("size", "language"), SIZES)
async def test_a_code_on_its_slip_and_used_at_the_school(
    browser: Browser, staff_world: StaffWorld, size: dict[str, int], language: str
) -> None:
    number, place = f"E-{language}", 16 if language == "nl" else 17
    staff_world.open(number, place)
    async with enter(browser, staff_world, "noor", size=size, language=language) as window:
        page, path = window.page, await find(window.page, number)
        await page.goto(f"{path}/introduce")
        await page.check("[name=person]")
        await page.select_option("[name=partner]", staff_world.covenant.partners["school"].id)
        await page.click(SEND)
        await page.wait_for_url("**/code")
        await check_page(window)
        code = await page.inner_text(".slip code")
        await page.emulate_media(media="print")
        assert not await page.is_visible("text=" + f"{number}-{place}")
        assert await page.is_visible(".slip")
        await page.emulate_media(media="screen")
    async with enter(
        browser, staff_world, "meester", size=size, language=language, function="school"
    ) as window:
        page = window.page
        for use in ("open", "register"):
            await page.goto("/redeem")
            await page.fill("[name=code]", code)
            await page.fill("[name=number]", f"P-{language}")
            await page.check(f"[value={use}]")
            await page.click(SEND)
            await page.wait_for_url(f"**/redeem/{use}")
            await check_page(window)
            await page.click(SEND)
            await page.wait_for_selector(".alert--warning[role=alert]")
            await check_page(window)
        await page.check("[value=school_care]")
        await page.fill("[name=since]", TODAY)
        await page.fill("[name=role]", "Mentor")
        await page.fill("[name=phone]", "010 1")
        await page.check("[name=told][value=yes]")
        await page.click(SEND)
        await page.wait_for_url("**/")
        await check_page(window)


@pytest.mark.parametrize(("size", "language"), SIZES)
async def test_the_urgent_route_in_full(
    browser: Browser, staff_world: StaffWorld, size: dict[str, int], language: str
) -> None:
    async with enter(browser, staff_world, "noor", size=size, language=language) as window:
        page = window.page
        await page.goto("/urgent")
        await page.fill("[name=number]", f"F-{language}")
        await page.fill("[name=name]", "Jansen18")
        await page.fill("[name=born]", BORN.isoformat())
        await page.check("[value='12-15']")
        await page.select_option("[name=source]", staff_world.covenant.partners["youth-help"].id)
        await page.select_option("[name=purpose]", PURPOSE)
        await page.fill("[name=phone]", "010 1")
        await page.fill("[name=reason]", WHY)
        await page.click(SEND)
        await page.wait_for_selector("[name=bsn]")
        await check_page(window)


async def test_a_conversation_by_keyboard_alone(browser: Browser, staff_world: StaffWorld) -> None:
    staff_world.open("G-1", 18, told=False)
    async with enter(browser, staff_world, "noor", size=WIDE, language="en") as window:
        page, path = window.page, await find(window.page, "G-1")
        await page.goto(f"{path}/conversation")
        seen = await walk_by_keyboard(page)
        assert "Record it" in seen
        await page.goto(f"{path}/conversation")
        await page.focus("#main")
        await page.keyboard.press("Tab")  # the way back
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.keyboard.press("Tab")
        await page.keyboard.type(f"{TODAY[5:7]}{TODAY[8:]}{TODAY[:4]}")
        while await page.evaluate("document.activeElement.name") != "what":
            await page.keyboard.press("Tab")
        for text in ("What was told.", "What else there is."):
            await page.keyboard.type(text)
            await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**{path}")
        assert "Told" in await page.inner_text(".cards")


async def test_a_conversation_without_scripts(browser: Browser, staff_world: StaffWorld) -> None:
    staff_world.open("G-2", 19, told=False)
    async with enter(
        browser, staff_world, "noor", size=NARROW, language="nl", with_scripts=False
    ) as window:
        page, path = window.page, await find(window.page, "G-2")
        await page.goto(f"{path}/conversation")
        await page.check("[name=person]")
        await page.fill("[name=when]", TODAY)
        await page.fill("[name=what]", WHY)
        await page.fill("[name=alternatives]", WHY)
        await page.check("[value=agrees]")
        await page.click(SEND)
        await page.wait_for_url(f"**{path}")
        assert "Nog niet verteld" not in await page.inner_text("main")


async def declare_later(page: Page, path: str, decider: str) -> None:
    """Say that telling waits, as somebody decided; whoever declares it may not decide it."""
    await page.goto(f"{path}/later")
    for name, text in (("reason", HOSTILE), ("decider", decider), ("role", "teamleider")):
        await page.fill(f"[name={name}]", text)
    await page.fill("[name=until]", in_days(7))
    await page.check("[value=child_safety]")
    await page.check("[value=by_person]")
    await page.click(SEND)


def pass_the_day(world: StaffWorld) -> None:
    """Let what waits at youth help be asked so long ago that it is too late."""
    home = world.covenant.partners["youth-help"].home
    change_rows(home, "UPDATE gateway_contacts SET due_at = asked_at - 60")
