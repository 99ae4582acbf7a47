"""What a resident asks for: a page of the own log, and the proof that nothing is missing in it.

One person about whom some five hundred questions were really asked, at the running broker. The
bundle is checked as the portal does and, where there is a Chromium, on the page that a resident
opens from disk.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure
from bench.load import Run, run_closed
from bench.meter import measure
from bench.partner import Case, Partner, build_requests
from bench.works import Bench, check, prepare_all, prepare_inquiries, send, shows_all
from connectors.client.outgoing import Sent
from connectors.portal.own_log import verify_own_log
from connectors.portal.own_proof import Asked, verify_own_proof
from datwat.party import clock
from datwat.party.check_page import build_check_page
from datwat.protocol.answers import ActPart
from datwat.protocol.completeness import CompletenessBundle
from datwat.protocol.completeness_checks import LogTrust, Verdict
from datwat.protocol.texts import Texts
from tests.browser import find_browser, open_tab
from tests.check_page import check as check_on_page
from tests.check_page import read_seconds

ENTRIES = 500
_CARDS = 25
_PAGES = 200
_BUNDLES = 5
_ROOT_SECONDS = 60.0
_NAME = "a resident's own log"
_PROOF = "a bundle of 500 entries"


async def measure_resident(
    bench: Bench, portal: Partner, cases: Sequence[Case], folder: Path
) -> None:
    """Ask about one person five hundred times; then read what that person can read of it."""
    case, count = cases[-1], max(2 * _CARDS, int(ENTRIES * min(bench.scale, 1)))
    messages = await prepare_inquiries(bench.team, [case], count, by_handle=True)
    run, _ = await send(bench, messages)
    check(bench.team, messages, run, shows_all)
    handle = await _log_in(bench, portal, case.bsns[0])
    await _measure_pages(bench, portal, handle)
    await _await_root(bench, portal, handle, count)
    found, verdict = await _measure_bundles(bench, portal, handle, count)
    await _measure_browser(bench, portal, (found, verdict), folder)


async def _log_in(bench: Bench, portal: Partner, bsn: str) -> bytes:
    sent = await portal.prepare_session(bsn)
    run, _ = await send(bench, [sent])
    part = portal.verify(run.answers[0], sent).persons[0].part
    if not isinstance(part, ActPart) or part.handle is None:
        raise RuntimeError("the portal may not open a session")
    return part.handle


async def _measure_pages(bench: Bench, portal: Partner, handle: bytes) -> None:
    messages = await prepare_all(
        [portal.prepare_page(handle, _CARDS) for _ in range(bench.count(_PAGES))]
    )
    run, usage = await send(bench, messages)
    log, bundle = portal.exchange.directory.trust.log, portal.bundle
    texts = Texts(bundle.texts)
    began = time.process_time()
    for answer, sent in zip(run.answers, messages, strict=True):
        page, _ = verify_own_log(answer, sent.rid, log, texts, bundle.view)
        if len(page.cards) != _CARDS:
            message = f"a page had {len(page.cards)} cards"
            raise RuntimeError(message)
    checked = (time.process_time() - began) * 1_000 / len(messages)
    cpu, name = usage.per("broker", len(messages)), f"a page of {_CARDS} cards"
    bench.add(Figure(_NAME, f"{name}, broker CPU", cpu, "ms", 15, gate=True))
    if "database" in usage.cpu:
        used = usage.per("database", len(messages))
        bench.add(Figure(_NAME, f"{name}, database CPU", used, "ms"))
    bench.add(Figure(_NAME, f"{name}, checked by the portal, CPU", checked, "ms"))
    bench.add(Figure(_NAME, "pages, 16 at once", run.rate, "/s"))


async def _await_root(bench: Bench, portal: Partner, handle: bytes, count: int) -> None:
    """Wait until a root over the tags covers all of the person's entries."""
    until = time.monotonic() + _ROOT_SECONDS
    while time.monotonic() < until:
        (sent,), run = await _ask_bundles(bench, portal, handle, 1)
        bundle, _ = _read(portal, run.answers[0], sent)
        last = max(entry.index for roll in bundle.rolls for entry in roll.entries)
        if bundle.tag_root is not None and bundle.tag_root.size > last:
            return
        await asyncio.sleep(1)
    message = f"no root over the tags of {count} entries within {_ROOT_SECONDS} s"
    raise RuntimeError(message)


async def _measure_bundles(
    bench: Bench, portal: Partner, handle: bytes, count: int
) -> tuple[CompletenessBundle, Verdict]:
    with measure(bench.world.pids) as usage:
        messages, run = await _ask_bundles(bench, portal, handle, _BUNDLES)
    began = time.perf_counter()
    pairs = zip(run.answers, messages, strict=True)
    found = [_read(portal, answer, sent) for answer, sent in pairs]
    seconds = (time.perf_counter() - began) / len(found)
    bundle, verdict = found[-1]
    entries = sum(len(roll.entries) for roll in bundle.rolls)
    if entries < count:
        message = f"a bundle had {entries} entries, and {count} were written"
        raise RuntimeError(message)
    cpu = usage.per("broker", len(messages)) / 1_000
    bench.add(Figure(_PROOF, "entries in it", entries, "rows"))
    bench.add(Figure(_PROOF, "built, broker CPU", cpu, "s", 1, gate=True))
    bench.add(Figure(_PROOF, "asked and answered, p50", run.median / 1_000, "s", 1))
    bench.add(Figure(_PROOF, "checked by Python", seconds, "s"))
    return bundle, verdict


async def _ask_bundles(
    bench: Bench, portal: Partner, handle: bytes, number: int
) -> tuple[list[Sent], Run]:
    messages = await prepare_all([portal.prepare_proof(handle) for _ in range(number)])
    run = await run_closed(bench.world.broker_port, build_requests(messages), 1)
    return messages, run.require_ok()


def _read(portal: Partner, answer: bytes, sent: Sent) -> tuple[CompletenessBundle, Verdict]:
    trust = LogTrust.from_list(portal.exchange.directory.trust)
    return verify_own_proof(answer, sent.rid, Asked("self", ()), trust, clock.now())


async def _measure_browser(
    bench: Bench, portal: Partner, found: tuple[CompletenessBundle, Verdict], folder: Path
) -> None:
    """Check the same bundle on the stand-alone page; it must say what Python says."""
    name = "checked in Chromium, p50"
    if find_browser() is None:
        bench.add(Figure(_PROOF, name, math.nan, "s", 1))
        return
    (bundle, verdict), seconds = found, []
    file, page = folder / "bundle.json", folder / "check.html"
    file.write_text(bundle.model_dump_json(), encoding="utf-8")
    page.write_bytes(build_check_page(portal.exchange.directory.trust))
    async with open_tab() as tab:
        await tab.open(page.as_uri())
        for _ in range(_BUNDLES):
            outcome = await check_on_page(tab, file)
            if outcome != verdict.status:
                message = f"the page says {outcome}, Python {verdict.status}"
                raise RuntimeError(message)
            seconds.append(await read_seconds(tab))
    bench.add(Figure(_PROOF, name, statistics.median(seconds), "s", 1))
