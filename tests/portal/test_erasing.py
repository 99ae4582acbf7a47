"""Asking that an entry be destroyed: about one's own alone, once, and nothing is promised."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from datwat.party.http_out import PeerRefusedError, PeerTooSlowError
from datwat.protocol.access_log import AccessCard, AccessLog
from datwat.protocol.acts import Page, Wish
from datwat.web.problems import SessionMissingError
from tests.portal import log_world
from tests.portal.affairs import OTHER, OWN
from tests.portal.log_world import build_log
from tests.portal.saying import URL, StandIn, build_world
from tests.portal.surfing import Surfer
from tests.portal.test_saying_pages import press_to
from tests.web.browser import NARROW, WIDE, check_page, open_browser, open_window
from tests.web.world import find_port, serve

pytestmark = [pytest.mark.timeout(200), pytest.mark.xdist_group("browser")]
NEXT = "main .form button.button[type=submit]"
CARDS = build_log(4)  # 28, 21, 14, 7: a log's newest card is its first


@dataclass
class Desk(StandIn):
    """What stands behind the pages, with a log."""

    logs: dict[bytes, list[AccessCard]] = field(default_factory=lambda: {OWN: CARDS})
    gone: set[int] = field(default_factory=set)

    async def fetch_access_log(self, handle: bytes, page: Page) -> AccessLog:
        self.find(handle)
        logs = {log_world.OWN if handle == OWN else log_world.OTHER: self.logs.get(handle, [])}
        held = log_world.StandIn(logs, erased=self.gone)
        (key,) = logs
        return await held.fetch_access_log(key, page)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def surfer(tmp_path: Path, desk: Desk) -> AsyncIterator[Surfer]:
    world = build_world(tmp_path, desk)
    async with world.connect() as client:
        yield Surfer(world, client)


async def test_from_the_entry_to_the_receipt_nothing_is_promised(
    surfer: Surfer, desk: Desk
) -> None:
    entry = await surfer.open("/log/14")
    assert 'href="/log/14/erase"' in entry.text
    page = await surfer.open("/log/14/erase")
    assert desk.prepared == 0
    for words in ("Wilt u dat dit wordt vernietigd?", "Nummer 14", "Soms moeten wij het van de"):
        assert words in page.text
    receipt = await surfer.send(page)
    assert desk.wishes == [Wish(erases=14)]
    for words in ("U vroeg om dit te laten vernietigen", ">900<", "Er is nog niets vernietigd."):
        assert words in receipt.text
    assert "U krijgt binnen een maand antwoord." in receipt.text
    assert 'href="/log/14"' in receipt.text


async def test_what_is_anothers_or_none_is_not_here(surfer: Surfer, desk: Desk) -> None:
    desk.logs = {OWN: CARDS[:2], OTHER: CARDS[2:]}  # 28 and 21 are one's own
    page = await surfer.open("/log/28/erase")
    for number in ("14", "15", "028", "9" * 40, "x"):
        assert (await surfer.client.get(f"/log/{number}/erase")).status_code == 404
        path = f"{URL}/log/{number}/erase"
        shown = page.text.replace("/log/28/erase", f"/log/{number}/erase")
        again = type(page)(200, text=shown, request=page.request)
        assert (await surfer.post(again)).status_code == 404, path
    assert desk.prepared == 0
    surfer.world.find(surfer.token).viewing = "represented"
    await surfer.send(await surfer.open("/log/14/erase"))
    assert [handle for handle, _ in desk.sent.values()] == [OTHER]


async def test_a_page_made_about_oneself_asks_nothing_about_the_other(
    surfer: Surfer, desk: Desk
) -> None:
    desk.logs = {OWN: CARDS, OTHER: CARDS}
    page = await surfer.open("/log/14/erase")
    surfer.world.find(surfer.token).viewing = "represented"
    assert (await surfer.post(page)).status_code == 409
    assert desk.prepared == 0


async def test_what_is_gone_already_leads_to_the_page_that_says_so(
    surfer: Surfer, desk: Desk
) -> None:
    page = await surfer.open("/log/14/erase")
    desk.logs, desk.gone = {OWN: []}, {14}
    sent = await surfer.post(page)
    assert (sent.status_code, sent.headers["location"]) == (303, "/log/14")
    assert "Wat hier stond is weg" in (await surfer.open("/log/14", 410)).text
    assert (await surfer.client.get("/log/14/erase")).headers["location"] == "/log/14"
    assert desk.prepared == 0


async def test_pressed_twice_or_over_a_broken_line_it_is_asked_once(
    surfer: Surfer, desk: Desk
) -> None:
    page = await surfer.open("/log/14/erase")
    desk.is_lost = True
    lost = await surfer.post(page)
    assert lost.status_code == 502
    assert "Wij weten nog niet of het is verstuurd" in lost.text
    desk.is_lost = False
    assert (await surfer.post(lost)).headers["location"] == "/receipts/900"
    assert (await surfer.post(page)).headers["location"] == "/receipts/900"
    assert len(desk.wishes) == 1
    desk.broken = PeerRefusedError("stale", 409)
    refused = await surfer.post(await surfer.open("/log/21/erase"))
    assert "Het is niet verstuurd" in refused.text
    assert len(desk.wishes) == 1


async def test_a_session_that_ended_leads_back_to_the_same_page(surfer: Surfer, desk: Desk) -> None:
    page = await surfer.open("/log/14/erase")
    desk.away = SessionMissingError()
    ended = await surfer.post(page)
    assert ended.status_code == 401
    assert "/login?next=/log/14/erase" in ended.text
    assert desk.prepared == 0


@pytest.mark.parametrize(
    ("language", "size", "with_scripts"),
    [("nl", NARROW, True), ("en", WIDE, True), ("nl", NARROW, False)],
)
async def test_in_a_browser_in_each_state(
    tmp_path: Path, desk: Desk, language: str, size: dict[str, int], with_scripts: bool
) -> None:
    port = find_port()
    url = f"http://127.0.0.1:{port}"
    world = build_world(tmp_path, desk, url)
    name, token = world.open_session(represents=True)
    with serve(world.app, port):
        async with (
            open_browser() as browser,
            open_window(
                browser, url, size=size, language=language, with_scripts=with_scripts
            ) as window,
        ):
            page = window.page
            await page.context.add_cookies([{"name": name, "value": token, "url": url}])
            await page.goto("/log/14")
            words = "Laat dit vernietigen" if language == "nl" else "Let this be destroyed"
            await press_to(page, words, most=90)
            await page.keyboard.press("Enter")
            await page.wait_for_url("**/erase")
            for broken in (PeerTooSlowError(), None):
                if with_scripts:  # axe is one
                    await check_page(window)
                desk.broken = broken
                await page.click(NEXT)
            await page.wait_for_url("**/receipts/*")
            if with_scripts:
                await check_page(window)
    assert desk.wishes == [Wish(erases=14)]
