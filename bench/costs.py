"""What one unit of each work costs, taken from a results file of the bench: nothing is typed twice.

Rule: a cost is a figure that was measured, in the cell that is asked for; what is missing is an
error that says which run makes it, never a guess.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from bench.compare import Result, ResultError, read_result

MEASURED = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "measured.json"
"""The results that the explanations quote; `python -m bench.country --take FILE` replaces them."""

INQUIRY = "inquiry, 3 pointers"
HOUSEHOLD = "household of four"
REGISTER = "register"
BATCH = "register, a batch"
RELEASE = "release, through a gateway"
SIZES = "database"
_LOG = "append → receipt, 16 clients"
_KEY_HOLDER = "key holder, evaluate with proof"
_PAGE = "a resident's own log"
_TAGS = "tags of the log"
_START = re.compile(r"all read at a start \(([\d,]+)\)")


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU for one unit of a work, by who spends them."""

    broker: float
    opa: float
    database: float = 0.0


@dataclass(frozen=True)
class Costs:
    """What was measured of one kind of database; seconds, and bytes where a name says so."""

    inquiry: Cost
    household: Cost
    register: Cost
    batch_row: Cost
    release: Cost
    page: Cost
    evaluation: float
    sync: float
    append: float
    tag_root_each: float
    start_each_tag: float
    verify_each: float
    pointer_bytes: float
    entry_bytes: float


def read_costs(result: Result, cell: str) -> Costs:
    """Return the costs in a cell; raise ResultError where a figure is not there."""
    found = _Reader(result, cell)
    log = _Reader(result, "")
    return Costs(
        inquiry=found.cost(INQUIRY),
        household=found.cost(HOUSEHOLD),
        register=found.cost(REGISTER),
        batch_row=found.cost(BATCH, " per row"),
        release=found.cost(RELEASE),
        page=Cost(
            found.milliseconds(_PAGE, "a page of 25 cards, broker CPU"),
            0.0,
            found.milliseconds(_PAGE, "a page of 25 cards, database CPU", absent=0.0),
        ),
        evaluation=found.milliseconds(_KEY_HOLDER, "CPU, single"),
        sync=log.milliseconds(_LOG, "one sync of this disk"),
        append=1 / log.value(_LOG, "entries"),
        tag_root_each=log.value(_TAGS, "a new root after 10,000 new, CPU") / 10_000,
        start_each_tag=log.start_of_one(),
        verify_each=1 / log.value("a whole log verified from a mirror", "entries"),
        pointer_bytes=found.value(SIZES, "for each pointer") * 1_024,
        entry_bytes=found.value(SIZES, "an entry with its contents") * 1_024,
    )


def read_measured(path: Path = MEASURED) -> Result:
    """Return the results that the explanations quote; raise ResultError."""
    return read_result(path)


@dataclass(frozen=True)
class _Reader:
    """The figures of one cell."""

    result: Result
    cell: str

    def value(self, group: str, name: str, absent: float | None = None) -> float:
        figure = self.result.figures.get((self.cell, group, name))
        if figure is None and absent is not None:
            return absent
        if figure is None or math.isnan(figure.value) or not figure.value:
            where = f" of {self.cell}" if self.cell else ""
            raise ResultError(
                f"The results have no figure {group!r}, {name!r}{where}: "
                "`make bench-full` measures it; then name its file."
            )
        return figure.value

    def start_of_one(self) -> float:
        """Return the seconds in which a start reads one tag, of as many as were measured."""
        for (cell, group, name), figure in self.result.figures.items():
            found = _START.fullmatch(name)
            if found and (cell, group) == (self.cell, _TAGS):
                return figure.value / int(found[1].replace(",", ""))
        return self.value(_TAGS, "all read at a start (1,000,000)")

    def milliseconds(self, group: str, name: str, absent: float | None = None) -> float:
        return self.value(group, name, absent) / 1_000

    def cost(self, group: str, unit: str = "") -> Cost:
        return Cost(
            self.milliseconds(group, f"broker CPU{unit}"),
            self.milliseconds(group, f"OPA CPU{unit}"),
            self.milliseconds(group, f"database CPU{unit}", absent=0.0),
        )
