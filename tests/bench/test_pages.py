"""A page, a document, a proof of residents counts only if it is one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import pages
from bench.load import HOST
from bench.options import read_options
from bench.portal import find_cards, log_in
from bench.works import Bench
from tests.portal.log_world import build_log, build_log_world
from tests.web.world import find_port, serve


@dataclass
class Here:
    """A portal in this process, as the bench has one; `cookie` is of somebody logged in."""

    port: int
    cookie: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


@contextmanager
def open_portal(count: int) -> Iterator[Here]:
    """Serve the portal's own pages on a log of so many entries."""
    port = find_port()
    world = build_log_world(build_log(count), url=f"http://{HOST}:{port}")
    with serve(world.app, port):
        yield Here(port, "=".join(world.log_in()))


def build_bench() -> Bench:
    """Return a bench whose portal and broker are this process."""
    world: Any = SimpleNamespace(pids={"portal": os.getpid(), "broker": os.getpid()})
    nobody: Any = None
    return Bench(world, nobody, nobody, nobody, (), 0.1)


def read(bench: Bench) -> dict[str, float]:
    return {figure.name: figure.value for figure in bench.figures}


async def test_a_page_of_25_entries_is_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_PAGES", 100)
    bench = build_bench()
    with open_portal(40) as portal:
        await pages._measure_page(bench, portal, portal.cookie)  # type: ignore[arg-type]  # noqa: SLF001 - the part by itself
    found = read(bench)
    assert found["a page of 25 entries, CPU at portal and broker"] > 0
    raw, packed = (found[f"a page of 25 entries, size{rest}"] for rest in ("", " if packed (gzip)"))
    assert 5 < raw < 100
    assert 1 < packed < raw / 2


@pytest.mark.parametrize("count", [0, 24])
async def test_a_page_with_fewer_entries_gives_no_figure(count: int) -> None:
    bench = build_bench()
    with open_portal(count) as portal, pytest.raises(RuntimeError, match=f"led to {count} entries"):
        await pages._measure_page(bench, portal, portal.cookie)  # type: ignore[arg-type]  # noqa: SLF001 - the part by itself
    assert not bench.figures


async def test_a_page_of_somebody_whose_session_ended_gives_no_figure() -> None:
    bench = build_bench()
    with open_portal(40) as portal, pytest.raises(RuntimeError, match="an answer was"):
        await pages._measure_page(bench, portal, "datwat-session=ended")  # type: ignore[arg-type]  # noqa: SLF001 - the part by itself
    assert not bench.figures


async def test_a_crowd_reads_lists_and_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_THINKING", 0.5)
    bench, began = build_bench(), time.monotonic()
    with open_portal(40) as portal:
        await pages._measure_crowd(bench, portal, [portal.cookie] * 6)  # type: ignore[arg-type]  # noqa: SLF001 - the part by itself
    assert 4 < time.monotonic() - began < 30
    assert 0 < read(bench)["200 residents, 0 s of thinking: p99"] < 10


def test_numbers_of_cards_are_read_once_and_in_order() -> None:
    page = b'<a href="/log/7">x</a><a href="/log/3">y</a><a href="/log/7">z</a><a href="/log">'
    assert find_cards(page) == [7, 3]


async def test_a_login_that_stops_is_no_session() -> None:
    with open_portal(0) as portal, pytest.raises(RuntimeError, match="stopped with 404 at /login"):
        await log_in(portal, "999990019")  # type: ignore[arg-type]


def test_each_part_has_a_file_of_its_own() -> None:
    found = [read_options(part).out.name for part in ([], ["--ends"], ["--pages"])]
    assert found == ["bench.json", "bench-ends.json", "bench-pages.json"]
    assert read_options(["--pages", "--out", "x.json"]).out == Path("x.json")
