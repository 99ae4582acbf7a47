"""What residents' pages cost, at the real portal beside the broker with its million pointers.

`make bench ARGS=--pages`, or for a quick look `ARGS="--pages --scale 0.2 --pointers 30000"`: fifty
persons with a page full of entries, one of whom has five hundred; each is logged in four times. A
page counts only if it leads to 25 entries, a document if it is one, a proof if nothing is missing.
"""

from __future__ import annotations

import asyncio
import gzip
import math
import re
import statistics
import time
from collections.abc import Sequence
from html import unescape
from typing import Final

import httpx
from playwright.async_api import Browser, Page

from bench.figures import Figure
from bench.load import run_closed, run_thinking
from bench.meter import measure
from bench.others import measure_hello, sync_source
from bench.partner import PURPOSE, Case
from bench.portal import Portal, build_get, find_cards, log_in
from bench.works import (
    Bench,
    check,
    open_cases,
    prepare_all,
    prepare_inquiries,
    register_all,
    send,
)
from connectors.client.verification import VerifiedAnswer
from datwat.party.check_page import read_texts
from datwat.protocol.answers import InquiryPart
from tests.browser import find_browser
from tests.web.browser import open_browser, open_window

PEOPLE: Final = 50
ENTRIES: Final = 500
CARDS: Final = 25
_SESSIONS: Final = 200
_PAGES: Final = 100
_AT_ONCE: Final = 4
_THINKING: Final = 10.0
_SECONDS: Final = 20.0
_PROOFS: Final = 5
_PAPERS: Final = 3
_ROOT_SECONDS: Final = 60.0
_OTHER_PURPOSE: Final = "youth_help_access"
_PROOF_NAME: Final = f"proof of {ENTRIES} entries, checked in the page, in Chromium"
_SETTLE_SECONDS: Final = 0.5
_LOG: Final = "/log"
_NAME: Final = "residents' pages"
_TEXTS: Final = read_texts()
_FORM: Final = re.compile(r'<form[^>]*action="/downloads"(.*?)</form>', re.DOTALL)
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


async def measure_pages(bench: Bench) -> None:
    """Fill the logs, log everybody in, and read them as residents do."""
    portal = bench.world.require_portal()
    await _fill(bench)
    sessions = await prepare_all(
        [
            log_in(portal, bench.bsns[place % len(bench.bsns)])
            for place in range(bench.count(_SESSIONS))
        ]
    )
    bench.figures.clear()  # what it cost to set up is no figure of this part
    await measure_hello(bench)
    await _measure_page(bench, portal, sessions[0])
    await _measure_crowd(bench, portal, sessions)
    await _measure_paper(bench, portal, sessions[0])
    await _measure_browser(bench, portal, sessions[0])


async def _fill(bench: Bench) -> None:
    """Ask about everybody for two purposes by turns, so that no two neighbours say the same."""
    await register_all(bench, bench.bsns)
    sync_source(bench)
    cases = await open_cases(bench, [(bsn,) for bsn in bench.bsns])
    await _ask(bench, cases[:1], _count_first(bench), PURPOSE)
    for turn in range(CARDS + 1):
        await _ask(bench, cases, len(cases), (_OTHER_PURPOSE, PURPOSE)[turn % 2])


def _count_first(bench: Bench) -> int:
    return max(CARDS, int(ENTRIES * min(bench.scale, 1)) - CARDS)


async def _ask(bench: Bench, cases: Sequence[Case], number: int, purpose: str) -> None:
    messages = await prepare_inquiries(bench.team, cases, number, by_handle=True, purpose=purpose)
    run, _ = await send(bench, messages)
    check(bench.team, messages, run, _is_permitted)


def _is_permitted(answer: VerifiedAnswer) -> bool:
    part = answer.persons[0].part
    return isinstance(part, InquiryPart) and part.weighing.permitted


async def _measure_page(bench: Bench, portal: Portal, cookie: str) -> None:
    """Read the first page of a log of five hundred entries, and weigh it."""
    request = build_get(portal, _LOG, cookie)
    await run_closed(portal.port, [request] * _AT_ONCE, _AT_ONCE)
    requests = [request] * bench.count(_PAGES)
    with measure(bench.world.pids) as usage:
        run = await run_closed(portal.port, requests, _AT_ONCE)
    for page in run.require_ok().answers:
        _require_cards(page)
    own, broker = (usage.per(name, len(requests)) for name in ("portal", "broker"))
    name, raw = f"a page of {CARDS} entries", max(run.answers, key=len)
    bench.add(Figure(_NAME, f"{name}, CPU at portal and broker", own + broker, "ms", 15, gate=True))
    bench.add(Figure(_NAME, f"{name}, CPU at the portal", own, "ms"))
    bench.add(Figure(_NAME, f"{name}, CPU at the broker", broker, "ms"))
    bench.add(Figure(_NAME, f"{name}, size", len(raw) / 1_000, "kB", 100, gate=True))
    packed = len(gzip.compress(raw)) / 1_000
    bench.add(Figure(_NAME, f"{name}, size if packed (gzip)", packed, "kB", 100, gate=True))


async def _measure_crowd(bench: Bench, portal: Portal, sessions: Sequence[str]) -> None:
    """Let everybody read at once: the list, one entry of it, the list; thinking in between."""
    people = max(1, len(bench.bsns))
    first = [build_get(portal, _LOG, cookie) for cookie in sessions[:people]]
    shown = await run_closed(portal.port, first, _AT_ONCE)
    numbers = [find_cards(page)[0] for page in shown.require_ok().answers]
    walks = []
    for place, cookie in enumerate(sessions):
        number = numbers[place % people]
        walk = [build_get(portal, path, cookie) for path in (_LOG, f"{_LOG}/{number}")]
        walks.append(walk if place % 2 else walk[::-1])
    seconds = max(_SECONDS * min(bench.scale, 1), 5.0)
    asked, run = await run_thinking(portal.port, walks, _THINKING, seconds)
    for request, page in zip(asked, run.require_ok().answers, strict=True):
        if request.startswith(b"GET /log "):
            _require_cards(page)
        elif b'href="/questions/new?about=' not in page:
            raise RuntimeError("a page of one entry does not show it")
    name = f"{_SESSIONS} residents, {_THINKING:.0f} s of thinking"
    bench.add(Figure(_NAME, f"{name}: p50", run.median / 1_000, "s"))
    bench.add(Figure(_NAME, f"{name}: p99", run.quantile(0.99) / 1_000, "s", 1))
    bench.add(Figure(_NAME, f"{name}: pages", run.rate, "/s"))


async def _measure_paper(bench: Bench, portal: Portal, cookie: str) -> None:
    """Press the button for the document, and wait until it is there."""
    took = []
    headers = {"Cookie": cookie, "Origin": portal.url}
    async with httpx.AsyncClient(
        base_url=portal.url, headers=headers, timeout=60, trust_env=False
    ) as client:
        for _ in range(_PAPERS):
            page = (await client.get("/downloads")).raise_for_status().text
            form = _FORM.search(page)
            if form is None:
                raise RuntimeError("the page with downloads has no form")
            fields = {name: unescape(value) for name, value in _HIDDEN.findall(form[1])}
            began = time.perf_counter()
            made = await client.post("/downloads", data={**fields, "what": "pdf"})
            took.append(time.perf_counter() - began)
            if not made.content.startswith(b"%PDF-"):
                message = f"the download was {made.status_code} and no document"
                raise RuntimeError(message)
    name = f"PDF of {ENTRIES} entries, from button to file"
    bench.add(Figure(_NAME, f"{name}, median", statistics.median(took), "s", 2))


async def _measure_browser(bench: Bench, portal: Portal, cookie: str) -> None:
    """See in Chromium what the first page asks for, and check the proof on the portal's page."""
    first, proof = "requests of the first page, nothing kept, in Chromium", _PROOF_NAME
    if find_browser() is None:
        bench.add(Figure(_NAME, first, math.nan, "requests", 5, gate=True))
        bench.add(Figure(_NAME, proof, math.nan, "s", 1))
        return
    async with open_browser() as browser:
        asked = [await _count_requests(browser, portal, cookie, path) for path in ("/", _LOG)]
        bench.add(Figure(_NAME, first, max(asked), "requests", 5, gate=True))
        name, value = cookie.split("=", 1)
        async with open_window(browser, portal.url) as window:
            await window.page.context.add_cookies(
                [{"name": name, "value": value, "url": portal.url}]
            )
            entries = _count_first(bench) + CARDS
            took = [await _check_proof(window.page, entries) for _ in range(_PROOFS)]
            if window.complaints:
                raise RuntimeError(window.complaints[0])
    bench.add(Figure(_NAME, proof, statistics.median(took), "s", 1))


async def _count_requests(browser: Browser, portal: Portal, cookie: str, path: str) -> int:
    """Return how many requests a page costs the portal, from a browser that was never here."""
    name, value = cookie.split("=", 1)
    before = portal.count_requests()
    async with open_window(browser, portal.url) as window:
        await window.page.context.add_cookies([{"name": name, "value": value, "url": portal.url}])
        await window.page.goto(path, wait_until="networkidle")
        await asyncio.sleep(_SETTLE_SECONDS)  # the icon of a window comes after all else
    return portal.count_requests() - before


async def _check_proof(page: Page, entries: int) -> float:
    """Press the button and return the seconds of the check; raise unless nothing is missing.

    An entry is proved once a root over the tags covers it: until then the page says so. No witness
    looks on here, so that the page says that too, and never that all is proved.
    """
    wanted, until = _TEXTS["nl"]["status"]["not_witnessed"], time.monotonic() + _ROOT_SECONDS
    while True:
        await page.goto("/check")
        await page.click("[data-check] button")
        await page.wait_for_selector("[data-result][data-kind]")
        result = page.locator("[data-result]")
        counted = await result.locator("td[data-head]:nth-child(3)").all_inner_texts()
        if wanted in await result.inner_text() and sum(map(int, counted)) >= entries:
            return int(await result.get_attribute("data-milliseconds") or "") / 1_000
        kind = await result.get_attribute("data-kind")
        if kind != "warning" or time.monotonic() > until:
            message = f"the page does not prove the log: {await result.inner_text()}"
            raise RuntimeError(message)
        await asyncio.sleep(1)


def _require_cards(page: bytes) -> None:
    found = len(find_cards(page))
    if found != CARDS:
        message = f"a page led to {found} entries"
        raise RuntimeError(message)
