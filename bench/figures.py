"""The figures and their targets: a table for people, a JSON file for whoever compares runs.

Rule: CPU per unit of work and ratios within one run are gates; requests per second and latencies
are reported, since they move with the machine (docs/explanation/performance.md).
"""

from __future__ import annotations

import json
import math
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

_FILE_WIDTH = 130
YARDSTICK = "plain FastAPI, Pydantic in and out"
"""The group of figures that all others are held against, in each run."""

Unit = Literal["ms", "s", "/s", "MiB", "kB", "GB", "×", "%", "rows", "requests", "files"]
_RATIOS: frozenset[Unit] = frozenset({"×", "%"})


@dataclass(frozen=True)
class Figure:
    """One figure; `target` is a bound (None: reported only), `at_least` turns it around.

    `gate` says whether missing it counts: absolute times and rates never do. A value that is no
    number (nan: the process was restarted meanwhile) was not measured, and meets no target.
    `cell` says on which database, with how much in it, where a run has more than one of these.
    """

    group: str
    name: str
    value: float
    unit: Unit
    target: float | None = None
    at_least: bool = False
    gate: bool = False
    cell: str = ""

    @property
    def place(self) -> str:
        """The cell and the work, as a table shows them."""
        return f"{self.cell}: {self.group}" if self.cell else self.group

    @property
    def key(self) -> tuple[str, str, str]:
        """What the same figure has in another run."""
        return self.cell, self.group, self.name

    @property
    def met(self) -> bool | None:
        """Whether the target is met, or None where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


def find_missed(figures: list[Figure]) -> list[Figure]:
    """Return the gates that are not met."""
    return [figure for figure in figures if figure.gate and figure.met is False]


def put_ratios_first(figures: list[Figure]) -> tuple[list[Figure], list[Figure]]:
    """Return the ratios, which say the same on any machine, and then all else, each in order."""
    ratios = [figure for figure in figures if figure.unit in _RATIOS]
    return ratios, [figure for figure in figures if figure.unit not in _RATIOS]


def print_figures(figures: list[Figure]) -> None:
    """Print the table: ratios first."""
    table = Table(title="What it costs")
    for name, side in (("Work", "left"), ("Figure", "left"), ("Measured", "right")):
        table.add_column(name, justify="right" if side == "right" else "left")
    table.add_column("Target", justify="right")
    table.add_column("")
    for section in put_ratios_first(figures):
        cell = place = ""
        for figure in section:
            if figure.cell != cell:
                table.add_section()
                table.add_row(f"[bold]{figure.cell}[/]")
                cell = figure.cell
            shown = figure.group if figure.place != place else ""
            place = figure.place
            table.add_row(
                shown,
                figure.name,
                f"{write_value(figure.value)} {figure.unit}",
                _write_target(figure),
                _write_verdict(figure),
            )
        table.add_section()
    print_table(table)


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal, or as a line of a file may be."""
    console = Console()
    Console(width=console.width if console.is_terminal else _FILE_WIDTH).print(table)


def write_figures(
    figures: list[Figure], path: Path, left_out: list[str] | None = None, **about: str | float
) -> None:
    """Write the figures, ratios first, on what they were measured, and what was not, as JSON."""
    ratios, rest = put_ratios_first(figures)
    machine = {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "load": os.getloadavg()[0],
    }
    rows = [
        asdict(figure)
        | {"met": figure.met, "value": None if math.isnan(figure.value) else figure.value}
        for figure in (*ratios, *rest)
    ]
    document = {"v": 1, "machine": machine, "about": about, "left_out": left_out or []}
    document["figures"] = rows
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")


def write_value(value: float) -> str:
    """Return a value with as many digits as say something."""
    if math.isnan(value):
        return "not measured:"
    if abs(value) >= 100 or isinstance(value, int):  # noqa: PLR2004 - digits shown
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def _write_target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'≥' if figure.at_least else '≤'} {write_value(figure.target)}"


def _write_verdict(figure: Figure) -> str:
    match figure.met, figure.gate:
        case None, _:
            return ""
        case True, _:
            return "[green]met[/]"
        case _, True:
            return "[red]not met[/]"
        case _:
            return "[yellow]not met (no gate)[/]"
