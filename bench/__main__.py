"""`python -m bench`: sets up a covenant with a million pointers, measures, prints the table.

It exits 0 when it could measure; with `--strict` 1 where a gate is missed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvloop
from rich.console import Console

from bench import others, works
from bench.appends import APPENDS, measure_appends
from bench.ends import CONTENTS, PEOPLE, measure_ends, seed_contents
from bench.figures import Figure, find_missed, print_figures, write_figures
from bench.flood import measure_flood
from bench.oversight import measure_oversight
from bench.pages import PEOPLE as RESIDENTS
from bench.pages import measure_pages
from bench.paper import measure_paper
from bench.partner import Partner, open_partner
from bench.profiles import Profiler
from bench.replay import DECISIONS, measure_replay
from bench.residents import measure_resident
from bench.staff import measure_staff
from bench.tags import TAGS, measure_tags
from bench.verified import ENTRIES, measure_verify
from bench.works import Bench
from bench.world import INCOME, PORTAL, REQUESTER, WMO, World, open_world
from datwat.protocol.blinding import BsnError, normalise_bsn
from tests.parties import POLICIES

BUILD = Path(__file__).resolve().parents[1] / "build"
POINTERS = 1_000_000
_HOUSEHOLDS = 100
_MEMBERS = 4
_console = Console(stderr=True)


def main() -> int:
    """Run the bench; see the module."""
    options = read_options(sys.argv[1:])
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="datwat-bench-"))
    try:
        figures = _PARTS[options.part](options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print_figures(figures)
    seconds = round(time.monotonic() - began)
    about = {"pointers": options.pointers, "scale": options.scale, "seconds": seconds}
    write_figures(figures, options.out, **about)
    missed = find_missed(figures)
    _console.print(f"{len(missed)} gates missed, {seconds} s, written to {options.out}")
    return 1 if options.strict and missed else 0


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Return the options; exits with a message for wrong ones."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, epilog="Example: make bench ARGS=--profile"
    )
    parser.add_argument("--pointers", type=int, default=POINTERS, help="rows in the database")
    parser.add_argument("--scale", type=float, default=1.0, help="length of the runs")
    parser.add_argument("--profile", action="store_true", help="show where an inquiry's time goes")
    parser.set_defaults(part="")
    for part, what in (
        ("ends", "contents that end"),
        ("pages", "the pages that people see"),
        ("replay", "a draft put to the past, and purposes by the hundred"),
        ("oversight", "review lists over a million acts"),
    ):
        parser.add_argument(
            f"--{part}", dest="part", action="store_const", const=part, help=f"only: {what}"
        )
    parser.add_argument("--strict", action="store_true", help="fail where a gate is missed")
    parser.add_argument("--policies", type=Path, default=POLICIES, help="folder of policies")
    parser.add_argument("--out", type=Path, help="file of results (else build/bench….json)")
    options = parser.parse_args(arguments)
    if options.out is None:
        options.out = BUILD / (f"bench-{options.part}.json" if options.part else "bench.json")
    return options


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
    bsns = list_test_bsns()[: max(120, int(900 * options.scale))]
    profiler = Profiler(folder / "profile") if options.profile else None
    with open_world(
        folder / "covenant",
        BUILD / "bench",
        bsns,
        pointers=options.pointers,
        policies=options.policies,
        profile=profiler.folder if profiler else None,
    ) as world:
        figures = uvloop.run(_measure(world, bsns, options.scale, folder, profiler))
    return figures + uvloop.run(_measure_log(folder, options.scale))


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
    async with _open_partners(world) as (team, income, wmo, _):
        bench = Bench(world, team, income, wmo, bsns, min(scale, 1))
        _tell("residents' pages")
        await measure_pages(bench)
        bench.add_denied()
    return bench.figures


async def _measure_ends(world: World, bsns: tuple[str, ...], scale: float) -> list[Figure]:
    async with _open_partners(world) as (team, income, wmo, _):
        bench = Bench(world, team, income, wmo, bsns, min(scale, 1))
        _tell("questions while contents end")
        await measure_ends(bench)
        bench.add_denied()
    return bench.figures


@asynccontextmanager
async def _open_partners(world: World) -> AsyncIterator[list[Partner]]:
    """Yield requester, income service, Wmo office and portal."""
    covenant = world.covenant
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                open_partner(covenant.partners[name], covenant.list_path, covenant.policy)
            )
            for name in (REQUESTER, INCOME, WMO, PORTAL)
        ]


async def _measure(
    world: World, bsns: tuple[str, ...], scale: float, folder: Path, profiler: Profiler | None
) -> list[Figure]:
    """Do the work in the order in which each part needs what the one before made."""
    async with _open_partners(world) as (team, income, wmo, portal):
        bench = Bench(world, team, income, wmo, bsns, scale)
        _tell("the yardstick")
        await others.measure_hello(bench)
        _tell("the key holder")
        await others.measure_evaluations(bench)
        _tell("registrations")
        await works.measure_registrations(bench)
        others.sync_source(bench)
        _tell("occasions")
        families = min(_HOUSEHOLDS, len(bsns) // (2 * _MEMBERS))
        single = len(bsns) - families * _MEMBERS
        alone = await works.open_cases(bench, [(bsn,) for bsn in bsns[:single]])
        shared = [bsns[n : n + _MEMBERS] for n in range(single, len(bsns), _MEMBERS)]
        together = await works.open_cases(bench, shared)
        _tell("inquiries")
        await works.measure_inquiry(bench, alone, profiler)
        await works.measure_household(bench, together)
        _tell("releases")
        await others.measure_releases(bench, alone)
        others.measure_memory(bench)
        _tell("a resident's log and proof")
        await measure_resident(bench, portal, alone, folder)
        _tell("a flood")
        await measure_flood(bench, alone)
        bench.add_denied()
    return bench.figures


async def _measure_log(folder: Path, scale: float) -> list[Figure]:
    """Measure what needs no other party: the broker's log and tags, and an outsider's check."""
    share, cache = min(scale, 1), BUILD / "bench"
    _tell("the log")
    figures = await measure_appends(folder / "log", int(APPENDS * scale))
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
    "ends": _run_ends,
    "pages": _run_pages,
    "replay": _run_replay,
    "oversight": _run_oversight,
}


def _tell(what: str) -> None:
    _console.print(f"measuring {what} …")


if __name__ == "__main__":
    sys.exit(main())
