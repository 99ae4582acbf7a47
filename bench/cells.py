"""The covenant's own work on one kind of database, with so much in it and so many broker processes.

`make bench` measures one such cell; `make bench-full` the whole matrix, and what lies between its
cells. What this machine or this version has no means for is left out, and said to be.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop

from bench import others, works
from bench.costs import INQUIRY, SIZES
from bench.figures import Figure
from bench.overhead import measure_overhead
from bench.partner import Case, Partner, open_partner
from bench.postgres import Database, MeansMissingError
from bench.profiles import Profiler
from bench.residents import measure_resident
from bench.works import Bench
from bench.world import INCOME, PORTAL, REQUESTER, WMO, World, open_world

BUILD = Path(__file__).resolve().parents[1] / "build"
POINTERS = 1_000_000
Tell = Callable[[str], None]
_HOUSEHOLDS = 100
_MEMBERS = 4
_KILOBYTE = 1_024
_GROWTH = 1.3
_NAMES: dict[Database, str] = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_BETWEEN = "between these"
_CAPACITY = "capacity, 16 at once"


@dataclass(frozen=True)
class Cell:
    """On what is measured."""

    database: Database = "sqlite"
    pointers: int = POINTERS
    brokers: int = 1

    @property
    def name(self) -> str:
        """What tables and results call it."""
        brokers = "one broker" if self.brokers == 1 else f"{self.brokers} brokers"
        return f"{_NAMES[self.database]}, {write_count(self.pointers)} pointers, {brokers}"


def list_cells(pointers: Sequence[int], brokers: Sequence[int]) -> list[Cell]:
    """Return the matrix: SQLite has one broker process; several are measured at the middle size."""
    middle = sorted(pointers)[len(pointers) // 2]
    cells = [Cell(database, count) for database, count in itertools.product(_NAMES, pointers)]
    return cells + [Cell("postgresql", middle, count) for count in brokers if count > 1]


def write_count(number: int) -> str:
    """Return a round number as people say it: 10k, 1M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size and number % size == 0:
            return f"{number // size}{unit}"
    return str(number)


@asynccontextmanager
async def open_partners(world: World) -> AsyncIterator[list[Partner]]:
    """Yield requester, income service, Wmo office and portal."""
    covenant = world.covenant
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                open_partner(covenant.partners[name], covenant.list_path, covenant.policy)
            )
            for name in (REQUESTER, INCOME, WMO, PORTAL)
        ]


async def measure_asked(
    bench: Bench, pointers: int, tell: Tell, profiler: Profiler | None = None
) -> list[Case]:
    """Do the work in the order in which each part needs what the one before made."""
    bsns = bench.bsns
    size = bench.world.measure_database() / pointers / _KILOBYTE
    bench.add(Figure(SIZES, "for each pointer", size, "kB"))
    tell("the yardstick")
    await others.measure_hello(bench)
    tell("the key holder")
    await others.measure_evaluations(bench)
    tell("registrations")
    await works.measure_registrations(bench)
    others.sync_source(bench)
    tell("occasions")
    families = min(_HOUSEHOLDS, len(bsns) // (2 * _MEMBERS))
    single = len(bsns) - families * _MEMBERS
    alone = await works.open_cases(bench, [(bsn,) for bsn in bsns[:single]])
    shared = [bsns[n : n + _MEMBERS] for n in range(single, len(bsns), _MEMBERS)]
    together = await works.open_cases(bench, shared)
    tell("inquiries")
    await works.measure_inquiry(bench, alone, profiler)
    await works.measure_household(bench, together)
    tell("releases")
    await others.measure_releases(bench, alone)
    tell("the source, asked directly and by releases")
    await measure_overhead(bench, alone)
    others.measure_memory(bench)
    return alone


@dataclass(frozen=True)
class CellRun:
    """How one cell is measured: where, with which policies, how long, and who is told."""

    cell: Cell
    folder: Path
    policies: Path
    scale: float
    rate: float | None
    tell: Tell


def measure_cell(run: CellRun, bsns: tuple[str, ...]) -> list[Figure]:
    """Measure one cell; raise MeansMissingError where that cannot be done here."""
    with open_world(
        run.folder / "covenant",
        BUILD / "bench",
        bsns,
        pointers=run.cell.pointers,
        policies=run.policies,
        database=run.cell.database,
        brokers=run.cell.brokers,
    ) as world:
        figures = uvloop.run(_measure(world, bsns, run))
    return [replace(figure, cell=run.cell.name) for figure in figures]


async def _measure(world: World, bsns: tuple[str, ...], run: CellRun) -> list[Figure]:
    async with open_partners(world) as (team, income, wmo, portal):
        bench = Bench(world, team, income, wmo, bsns, run.scale, run.rate)
        alone = await measure_asked(bench, run.cell.pointers, run.tell)
        run.tell("a resident's log and proof")
        await measure_resident(bench, portal, alone, run.folder)
        bench.add_denied()
    return bench.figures


def measure_cells(
    cells: Sequence[Cell], measure: Callable[[Cell], list[Figure]]
) -> tuple[list[Figure], list[str]]:
    """Return all figures with what lies between the cells, and what was left out and why."""
    figures: list[Figure] = []
    left_out: list[str] = []
    for cell in cells:
        try:
            figures += measure(cell)
        except MeansMissingError as error:
            left_out.append(f"{cell.name}: {error}")
    return derive_between(cells, figures) + figures, left_out


def derive_between(cells: Sequence[Cell], figures: Sequence[Figure]) -> list[Figure]:
    """Return the ratios between cells that were measured: growth, databases, processes."""
    values = {figure.key: figure.value for figure in figures}
    singles = [cell for cell in cells if cell.brokers == 1]
    found = [
        *(_derive_growth(values, singles, database) for database in _NAMES),
        *(_derive_databases(values, cell) for cell in singles if cell.database == "postgresql"),
        *(one for cell in cells if cell.brokers > 1 for one in _derive_brokers(values, cell)),
    ]
    return [figure for figure in found if figure is not None and not math.isnan(figure.value)]


_Values = Mapping[tuple[str, str, str], float]


def _find(values: _Values, cell: Cell, name: str) -> float:
    return values.get((cell.name, INQUIRY, name), math.nan)


def _spend(values: _Values, cell: Cell) -> float:
    """Return what all processes that work on an inquiry use for it."""
    more = _find(values, cell, "database CPU") if cell.database == "postgresql" else 0.0
    return _find(values, cell, "broker CPU") + _find(values, cell, "OPA CPU") + more


def _derive_growth(values: _Values, cells: Sequence[Cell], database: Database) -> Figure | None:
    own = sorted(
        (cell for cell in cells if cell.database == database), key=lambda cell: cell.pointers
    )
    if len(own) < 2:  # noqa: PLR2004 - a ratio has two sides
        return None
    few, many = own[0], own[-1]
    sizes = f"{write_count(many.pointers)} pointers / {write_count(few.pointers)}"
    name = f"inquiry's CPU with {sizes}, {_NAMES[database]}"
    ratio = _spend(values, many) / _spend(values, few)
    return Figure(_BETWEEN, name, ratio, "×", _GROWTH, gate=True)


def _derive_databases(values: _Values, cell: Cell) -> Figure:
    name = f"inquiry's CPU on PostgreSQL / SQLite, {write_count(cell.pointers)} pointers"
    ratio = _spend(values, cell) / _spend(values, replace(cell, database="sqlite"))
    return Figure(_BETWEEN, name, ratio, "×")


def _derive_brokers(values: _Values, cell: Cell) -> list[Figure]:
    one, said = replace(cell, brokers=1), f"with {cell.brokers} brokers / one"
    rate = _find(values, cell, _CAPACITY) / _find(values, one, _CAPACITY)
    ratio = _spend(values, cell) / _spend(values, one)
    return [
        Figure(_BETWEEN, f"inquiries a second {said}", rate, "×", at_least=True),
        Figure(_BETWEEN, f"inquiry's CPU {said}", ratio, "×"),
    ]
