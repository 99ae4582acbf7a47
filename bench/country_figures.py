"""What the country needs at each step, as figures: `make bench ARGS=--country`.

Rule: calculated and simulated only; what was measured is in the results that it starts from, and
which these are is printed with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.compare import Result, ResultError
from bench.costs import Costs, read_costs
from bench.country import (
    STEPS,
    Country,
    Kept,
    Step,
    derive_kept,
    derive_peak,
    derive_step_use,
    find_bottleneck,
    simulate_step,
)
from bench.figures import Figure

# Above this share of a station's time, waiting grows faster than the load.
ROOM = 0.6
_SIZE = "1M pointers, one broker"


@dataclass(frozen=True)
class Outlook:
    """One step at the country's peak: use by station, what is full first, and how long it takes.

    `carries` is how many times the peak it can do at most; `median` and `slowest` (p99) are the
    seconds of an inquiry, None where the peak is more than it can do.
    """

    step: Step
    use: dict[str, float]
    bottleneck: str
    carries: float
    median: float | None
    slowest: float | None
    kept: Kept


def find_cell(result: Result, kind: str) -> str:
    """Return the cell whose costs stand for a kind of database: of a million pointers, if there.

    Raises ResultError where it was not measured.
    """
    cells = list(dict.fromkeys(cell for cell, _, _ in result.figures if cell.startswith(kind)))
    if not cells:
        raise ResultError(f"The results hold nothing of {kind}: `make bench-full` measures it.")
    return next((cell for cell in cells if cell.endswith(_SIZE)), cells[0])


def read_step_costs(result: Result, step: Step) -> Costs:
    """Return what was measured on the database that a step has."""
    return read_costs(result, find_cell(result, step.database_kind))


def look_ahead(step: Step, costs: Costs, country: Country) -> Outlook:
    """Return how a step stands at the country's peak; the same each time."""
    peak = derive_peak(country)
    use = derive_step_use(step, costs, peak)
    bottleneck, carries = find_bottleneck(use)
    median = slowest = None
    if carries > 1:
        outcome = simulate_step(step, costs, peak)
        median, slowest = (outcome.quantile("inquiry", share) for share in (0.5, 0.99))
    kept = derive_kept(country, step, costs)
    return Outlook(step, use, bottleneck, carries, median, slowest, kept)


def build_country(result: Result, country: Country | None = None) -> list[Figure]:
    """Return the figures of each step; raise ResultError where a cost was not measured."""
    country = country or Country()
    figures = []
    for step in STEPS:
        outlook = look_ahead(step, read_step_costs(result, step), country)
        name = step.name
        figures.append(
            Figure(
                name,
                f"the country's peak that it carries ({outlook.bottleneck} is full first)",
                outlook.carries,
                "×",
                1,
                at_least=True,
            )
        )
        for station, use in outlook.use.items():
            figures.append(Figure(name, f"{station}: time in use", use * 100, "%", ROOM * 100))
        if outlook.median is not None and outlook.slowest is not None:
            figures.append(Figure(name, "inquiry, simulated p50", outlook.median * 1e3, "ms"))
            figures.append(Figure(name, "inquiry, simulated p99", outlook.slowest * 1e3, "ms"))
        kept = outlook.kept
        figures += [
            Figure(name, f"kept after {country.kept_years:g} years", kept.gigabytes, "GB"),
            Figure(name, "entries after these", kept.entries, "rows"),
            Figure(name, "a start reads all tags in", kept.start, "s"),
            Figure(name, "a mirror verifies the whole log in", kept.verify, "s"),
        ]
    return figures
