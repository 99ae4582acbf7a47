"""Review lists over a million acts, the page of one, and what step 5 pays for writing them.

`make bench ARGS=--oversight`, or for a quick look `ARGS="--oversight --scale 0.1"`: a database with
a million acts of ordinary work and misuse planted among them, counted list by list as the officers'
pages do; the page is the real one, in process, of a list that was counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
from httpx import ASGITransport
from sqlalchemy import Connection, Engine
from starlette.applications import Starlette

from bench.figures import Figure
from broker.adapters.database import migrate, open_engine
from broker.adapters.oversight_months import SqlMonthCounts
from broker.adapters.oversight_store import SqlOversightCounts
from broker.pages import oversight
from broker.pages.desk import OfficerDesk
from broker.pages.officer import Officer, Roles
from broker.pages.oversight_port import OversightPort
from broker.pages.screens import build_site
from broker.purposes.roles import Acting, Role
from broker.settings import BrokerSettings
from broker.transparency.figures import Month
from broker.transparency.indicators import build_indicators
from broker.transparency.oversight import LISTS
from broker.transparency.reviewing import Reviewing
from broker.transparency.sampling import rank_entries
from tests.oversight.planted import NOW, build_work, write_acts

ACTS = 1_000_000
_MOST_SECONDS = 5.0
_PARTS = 10
# Professionals of one part have numbers of their own, a multiple of those of an organisation.
_APART = 15_000
_GROUP = "oversight, a million acts"
_URL = "http://127.0.0.1:9"


async def measure_oversight(folder: Path, scale: float = 1.0) -> list[Figure]:
    """Return what each list, its page, a month and a draw take; RuntimeError for a wrong answer."""
    engine = open_engine(f"sqlite:///{folder / 'oversight.db'}")
    migrate(engine)
    count, planted = _fill(engine, round(ACTS * scale))
    figures = [_figure("rows", count, "rows")]
    reviewing, found = build_reviewing(engine), set()
    for code in LISTS:
        if code == "sample":
            continue
        seconds, counted = measure(lambda code=code: reviewing.count(code))  # type: ignore[misc]
        found |= {row.why.code for row in counted.rows}
        figures.append(_figure(f"list {code}, CPU", seconds, "s", _MOST_SECONDS))
    if found != planted:
        raise RuntimeError(f"not what was planted: {sorted(found ^ planted)}")
    await reviewing.refresh("volume")
    figures.append(_figure("page of a list, p50", await _measure_page(reviewing), "ms", 300))
    figures += _measure_rest(engine, count)
    engine.dispose()
    return figures


def _fill(engine: Engine, acts: int) -> tuple[int, set[str]]:
    """Write so many acts, part by part, the misuse in the first; return how many, and which."""
    count, planted = 0, set[str]()
    for part in range(_PARTS):
        work = build_work(acts // _PARTS, seed=part, plant=part == 0, first=part * _APART)
        write_acts(engine, work.rows, first=count)
        count += len(work.rows)
        planted |= set(work.planted)
    return count, planted


def _measure_rest(engine: Engine, count: int) -> list[Figure]:
    months, store = SqlMonthCounts(), SqlOversightCounts()
    with engine.connect() as conn:
        seconds, month = measure(lambda: months.fetch_month(conn, Month(2026, 10), NOW))
    if not build_indicators(month).tables:
        raise RuntimeError("a month without tables")
    with engine.connect() as conn:
        indexes = store.list_indexes(conn, 0, count, NOW)
    drawn, _ = measure(lambda: rank_entries(bytes(32), bytes(32), indexes, 25))
    return [
        _figure("figures of a month, CPU", seconds, "s", _MOST_SECONDS),
        _figure("a sample of 25, CPU", drawn, "s", _MOST_SECONDS),
    ]


async def _measure_page(reviewing: Reviewing) -> float:
    """Return the median of a list's page in milliseconds: layout, texts, session, roles."""
    role = Role("rijnstad", "reviewer")
    acting = Acting("b.ench", frozenset({role}))
    settings = BrokerSettings(
        home=Path(),
        id="00000099000000003000:broker",
        name="Broker",
        pages_url=_URL,
        staff_issuer=f"{_URL}/login",
        staff_client_id="bench",
        staff_roles_claim="roles",
    )
    site = build_site(settings)
    port = OversightPort(
        service=cast("Any", SimpleNamespace(reviewing=reviewing)),
        name=lambda party: party,
        say=lambda code, _language: code,
        list_partners=list,
    )
    roles = Roles(lambda _staff: frozenset({role}))
    app = Starlette(
        routes=oversight.build_routes(
            site, cast("OfficerDesk", SimpleNamespace(roles=roles, oversight=port))
        )
    )
    token = site.sessions.open(Officer(acting, frozenset({role})), acting.staff, datetime.now(UTC))
    transport = ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=_URL, trust_env=False) as client:
        client.cookies.set(site.cookies.session, token)
        taken = []
        for _ in range(21):
            began = time.perf_counter()
            page = await client.get("/reviews/volume")
            taken.append((time.perf_counter() - began) * 1_000)
            if page.status_code != HTTPStatus.OK or "/reviews/entry/" not in page.text:
                raise RuntimeError(f"the page of a list gave {page.status_code}")
    return statistics.median(taken)


def measure(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the median CPU of three runs in seconds, and what the last one gave.

    SQLite counts in this process: its CPU is what a list costs, however busy the machine is.
    """
    taken, found = [], None
    for _ in range(3):
        began = time.process_time()
        found = run()
        taken.append(time.process_time() - began)
    return statistics.median(taken), found


def build_reviewing(engine: Engine) -> Reviewing:
    """Return the service over a database, of which nothing but counting is used."""

    @contextmanager
    def reading() -> Iterator[Connection]:
        with engine.connect() as conn:
            yield conn

    nothing = cast("Any", None)
    return Reviewing(
        counts=SqlOversightCounts(),
        rows=nothing,
        log=nothing,
        proofs=nothing,
        reading=reading,
        clock=lambda: NOW,
    )


def _figure(name: str, value: float, unit: Any, target: float | None = None) -> Figure:  # noqa: ANN401 - a unit
    return Figure(_GROUP, name, value, unit, target, gate=target is not None)
