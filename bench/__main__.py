"""`python -m bench`: sets up a covenant with a million pointers, measures, prints the table.

It exits 0 when it could measure; with `--strict` 1 where a gate is missed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from rich.console import Console

from bench import others, works
from bench.figures import find_missed, print_figures, write_figures
from bench.partner import open_partner
from bench.profiles import Profiler
from bench.works import Bench
from bench.world import INCOME, REQUESTER, WMO, World, open_world
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
    bsns = list_test_bsns()[: max(120, int(900 * options.scale))]
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="datwat-bench-"))
    profiler = Profiler(folder / "profile") if options.profile else None
    try:
        with open_world(
            folder / "covenant",
            BUILD / "bench",
            bsns,
            pointers=options.pointers,
            policies=options.policies,
            profile=profiler.folder if profiler else None,
        ) as world:
            bench = uvloop.run(_measure(world, bsns, options.scale, folder, profiler))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print_figures(bench.figures)
    seconds = round(time.monotonic() - began)
    write_figures(bench.figures, options.out, pointers=options.pointers, seconds=seconds)
    missed = find_missed(bench.figures)
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
    parser.add_argument("--strict", action="store_true", help="fail where a gate is missed")
    parser.add_argument("--policies", type=Path, default=POLICIES, help="folder of policies")
    parser.add_argument("--out", type=Path, default=BUILD / "bench.json", help="file of results")
    return parser.parse_args(arguments)


def list_test_bsns() -> tuple[str, ...]:
    """Return the numbers of the series 99999 that pass the eleven-test: nobody has one."""
    found = []
    for last in range(10_000):
        try:
            found.append(normalise_bsn(f"99999{last:04d}"))
        except BsnError:
            continue
    return tuple(found)


async def _measure(
    world: World, bsns: tuple[str, ...], scale: float, folder: Path, profiler: Profiler | None
) -> Bench:
    """Do the work in the order in which each part needs what the one before made."""
    covenant = world.covenant
    homes = [covenant.partners[name] for name in (REQUESTER, INCOME, WMO)]
    where = (covenant.list_path, covenant.policy)
    async with (
        open_partner(homes[0], *where) as team,
        open_partner(homes[1], *where) as income,
        open_partner(homes[2], *where) as wmo,
    ):
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
        _tell("the log")
        await others.measure_log(bench, folder)
        bench.add_denied()
    return bench


def _tell(what: str) -> None:
    _console.print(f"measuring {what} …")


if __name__ == "__main__":
    sys.exit(main())
