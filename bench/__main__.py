"""`python -m bench`: sets up a covenant with a million pointers, measures, prints the table.

It exits 0 when it could measure; with `--strict` 1 where a gate is missed; 2 where this machine has
not the means; 130 where it was ended, with all that it had started.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from rich.console import Console

from bench.appends import APPENDS, measure_appends
from bench.cells import (
    BUILD,
    Cell,
    CellRun,
    list_cells,
    measure_asked,
    measure_cell,
    measure_cells,
    open_partners,
)
from bench.compare import ResultError
from bench.costs import read_measured
from bench.country_figures import build_country
from bench.ends import CONTENTS, PEOPLE, measure_ends, seed_contents
from bench.figures import Figure, find_missed, print_figures, write_figures
from bench.flood import measure_flood
from bench.options import read_options
from bench.oversight import measure_oversight
from bench.pages import PEOPLE as RESIDENTS
from bench.pages import measure_pages
from bench.paper import measure_paper
from bench.postgres import MeansMissingError
from bench.profiles import Profiler
from bench.replay import DECISIONS, measure_replay
from bench.residents import measure_resident
from bench.sequenced import PROCESSES, measure_sequenced
from bench.soak import PEOPLE as SOAKED
from bench.soak import SECONDS, measure_soak, open_soaked
from bench.staff import measure_staff
from bench.tags import TAGS, measure_tags
from bench.verified import ENTRIES, measure_verify
from bench.works import Bench
from bench.world import World, open_world
from datwat.protocol.blinding import BsnError, normalise_bsn

_console = Console(stderr=True)
_ENDED = 130


def main() -> int:
    """Run the bench; see the module."""
    options = read_options(sys.argv[1:])
    # An end that was asked for ends what was started too: a database server is no child of ours.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="datwat-bench-"))
    try:
        figures = _PARTS[options.part](options, folder)
    except (MeansMissingError, ResultError) as error:
        _console.print(str(error), style="red", highlight=False)
        return 2
    except KeyboardInterrupt:
        _console.print("Ended before it had measured: nothing was written.", style="red")
        return _ENDED
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print_figures(figures)
    seconds = round(time.monotonic() - began)
    about: dict[str, str | float] = {"pointers": options.pointers, "scale": options.scale}
    about |= {"database": options.database, "brokers": options.brokers, "seconds": seconds}
    write_figures(figures, options.out, options.left_out, **about)
    missed = find_missed(figures)
    _console.print(f"{len(missed)} gates missed, {seconds} s, written to {options.out}")
    return 1 if options.strict and missed else 0


def list_test_bsns() -> tuple[str, ...]:
    """Return the numbers of the series 99999 that pass the eleven-test: nobody has one."""
    found = []
    for last in range(10_000):
        try:
            found.append(normalise_bsn(f"99999{last:04d}"))
        except BsnError:
            continue
    return tuple(found)


def _run_all(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Measure the covenant, and then what needs no other party."""
    bsns = _choose_bsns(options.scale)
    with open_world(
        folder / "covenant",
        BUILD / "bench",
        bsns,
        pointers=options.pointers,
        policies=options.policies,
        profile=folder / "profile" if options.profile else None,
        database=options.database,
        brokers=options.brokers,
    ) as world:
        figures = uvloop.run(_measure(world, bsns, options, folder))
    return figures + uvloop.run(_measure_log(folder, options))


def _run_full(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Measure each database with each number of pointers, several brokers, and the log."""
    cells = list_cells(options.sizes, options.processes)

    def measure(cell: Cell) -> list[Figure]:
        _console.print(f"[bold]{cell.name}[/]")
        place = folder / f"{cell.database}-{cell.pointers}-{cell.brokers}"
        place.mkdir()
        run = CellRun(cell, place, options.policies, options.scale, options.rate, _tell)
        found = measure_cell(run, _choose_bsns(options.scale))
        shutil.rmtree(place)
        return found

    figures, left_out = measure_cells(cells, measure)
    for one in left_out:
        _console.print(f"left out: {one}", highlight=False)
    options.left_out += left_out
    return figures + uvloop.run(_measure_log(folder, options))


def _run_soak(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Measure whether memory and descriptors stay flat over many questions."""
    bsns = list_test_bsns()[:SOAKED]
    with open_world(
        folder / "covenant",
        BUILD / "bench",
        bsns,
        pointers=options.pointers,
        policies=options.policies,
        database=options.database,
        brokers=options.brokers,
    ) as world:
        return uvloop.run(_measure_soak(world, bsns, SECONDS * options.scale))


async def _measure_soak(world: World, bsns: tuple[str, ...], seconds: float) -> list[Figure]:
    async with open_partners(world) as (team, income, wmo, _):
        bench = Bench(world, team, income, wmo, bsns)
        _tell(f"memory, for {seconds:,.0f} s")
        await measure_soak(bench, await open_soaked(bench), seconds)
    return bench.figures


def _run_country(options: argparse.Namespace, _folder: Path) -> list[Figure]:
    """Calculate and simulate the whole country from results that were measured."""
    return build_country(read_measured(options.costs))


def _choose_bsns(scale: float) -> tuple[str, ...]:
    return list_test_bsns()[: max(120, int(900 * scale))]


def _run_ends(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Measure what it takes to end contents, beside questions."""
    bsns, count = list_test_bsns()[:PEOPLE], int(CONTENTS * options.scale)

    def seed(home: Path) -> None:
        _tell(f"nothing yet: writing {count:,} contents")
        seed_contents(home, count)

    with open_world(
        folder / "covenant",
        BUILD / "bench",
        bsns,
        pointers=options.pointers,
        policies=options.policies,
        seed=seed,
        database=options.database,
    ) as world:
        return uvloop.run(_measure_ends(world, bsns, options.scale))


def _run_pages(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Measure what people see: residents at the portal, professionals at their connector."""
    bsns = list_test_bsns()[: max(4, int(RESIDENTS * min(options.scale, 1)))]
    with open_world(
        folder / "covenant",
        BUILD / "bench",
        bsns,
        pointers=options.pointers,
        policies=options.policies,
        with_portal=True,
        database=options.database,
    ) as world:
        figures = uvloop.run(_measure_pages(world, bsns, options.scale))
    _tell("the log on paper")
    figures += uvloop.run(measure_paper())
    _tell("professionals' pages")
    return figures + measure_staff(options.scale)


def _run_replay(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """Measure what a draft and many purposes cost."""
    _tell("a draft put to the past")
    count = max(1_000, int(DECISIONS * options.scale))
    return uvloop.run(measure_replay(folder, options.policies, count))


async def _measure_pages(world: World, bsns: tuple[str, ...], scale: float) -> list[Figure]:
    async with open_partners(world) as (team, income, wmo, _):
        bench = Bench(world, team, income, wmo, bsns, min(scale, 1))
        _tell("residents' pages")
        await measure_pages(bench)
        bench.add_denied()
    return bench.figures


async def _measure_ends(world: World, bsns: tuple[str, ...], scale: float) -> list[Figure]:
    async with open_partners(world) as (team, income, wmo, _):
        bench = Bench(world, team, income, wmo, bsns, min(scale, 1))
        _tell("questions while contents end")
        await measure_ends(bench)
        bench.add_denied()
    return bench.figures


async def _measure(
    world: World, bsns: tuple[str, ...], options: argparse.Namespace, folder: Path
) -> list[Figure]:
    """Measure what partners ask, a resident's own log, and an honest partner beside a flood."""
    profiler = Profiler(world.profile) if world.profile else None
    async with open_partners(world) as (team, income, wmo, portal):
        bench = Bench(world, team, income, wmo, bsns, options.scale, options.rate)
        alone = await measure_asked(bench, options.pointers, _tell, profiler)
        _tell("a resident's log and proof")
        await measure_resident(bench, portal, alone, folder)
        if options.brokers == 1:  # each process has quotas of its own
            _tell("a flood")
            await measure_flood(bench, alone)
        bench.add_denied()
    return bench.figures


async def _measure_log(folder: Path, options: argparse.Namespace) -> list[Figure]:
    """Measure what needs no other party: the broker's log and tags, and an outsider's check."""
    share, cache, count = min(options.scale, 1), BUILD / "bench", int(APPENDS * options.scale)
    _tell("the log")
    figures = await measure_appends(folder / "log", count)
    _tell(f"the log, written by {PROCESSES} processes")
    try:
        figures += measure_sequenced(folder / "sequenced", count)
    except MeansMissingError as error:
        options.left_out.append(f"the log, written by {PROCESSES} processes: {error}")
    _tell("the tags of the log")
    figures += measure_tags(folder / "tags", cache, int(TAGS * share))
    _tell("a whole log verified")
    figures += await measure_verify(folder / "verified", cache, int(ENTRIES * share))
    return figures


def _run_oversight(options: argparse.Namespace, folder: Path) -> list[Figure]:
    _tell("review lists")
    return uvloop.run(measure_oversight(folder, options.scale))


_PARTS = {
    "": _run_all,
    "full": _run_full,
    "country": _run_country,
    "soak": _run_soak,
    "ends": _run_ends,
    "pages": _run_pages,
    "replay": _run_replay,
    "oversight": _run_oversight,
}


def _tell(what: str) -> None:
    _console.print(f"measuring {what} …")


if __name__ == "__main__":
    sys.exit(main())
