"""`python -m bench.compare A.json B.json`: two results side by side, and what became slower.

Rule: a machine that is slower today makes everything slower, so a figure counts as slower where it
grew by more than a tenth beyond what the yardstick of the same run did: CPU and times against the
CPU of the plain FastAPI service, rates against its capacity. Ratios and memory stand by themselves.
It exits 0; with `--strict` 1 where something is slower; 2 where a file is no result.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from bench.figures import YARDSTICK, Figure, Unit, print_table, write_value

MOST = 1.1
"""What is more than this beyond the yardstick is slower; less than one through it is faster."""

Verdict = Literal["slower", "faster", "", "not measured", "only in A", "only in B"]
_VERSION = 1
_TIMES: frozenset[Unit] = frozenset({"ms", "s"})
_COUNTS: frozenset[Unit] = frozenset({"rows"})
_MACHINE = "one sync of this disk"
_CAPACITY = "capacity, 16 at once"
_console = Console(stderr=True)


class ResultError(Exception):
    """A file that is no result of the bench, with what to do about it."""


@dataclass(frozen=True)
class Result:
    """The figures of one run by cell, group and name, and how it was run."""

    figures: dict[tuple[str, str, str], Figure]
    about: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One figure of both runs: `ratio` is B/A, `beyond` how many times dearer it became.

    `beyond` has the yardstick's own change taken out; it is None where nothing can be said.
    """

    figure: Figure
    before: float | None
    after: float | None
    ratio: float | None
    beyond: float | None
    verdict: Verdict


def read_result(path: Path) -> Result:
    """Return what a run wrote; raise ResultError."""
    try:
        document = json.loads(path.read_bytes())
        if document["v"] != _VERSION:
            raise ResultError(f"{path} was written by another version of the bench: measure anew.")
        rows = [{**row, "value": _read_value(row.get("value"))} for row in document["figures"]]
        figures = TypeAdapter(list[Figure]).validate_python(
            [{name: value for name, value in row.items() if name != "met"} for row in rows]
        )
        about = dict(document["about"])
    except OSError:
        raise ResultError(f"{path} cannot be read: name two files that the bench wrote.") from None
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        raise ResultError(f"{path} is no result of the bench: name two that it wrote.") from None
    return Result({figure.key: figure for figure in figures}, about)


def compare(a: Result, b: Result) -> list[Row]:
    """Return a row for each figure of either run, in the order of B, then what only A has."""
    keys = list(b.figures) + [key for key in a.figures if key not in b.figures]
    return [
        _compare(a.figures.get(key), b.figures.get(key), _measure_yardstick(a, b, key[0]))
        for key in keys
    ]


class _Yardstick(NamedTuple):
    """How many times dearer, and how many times faster, the plain service became; None: unknown."""

    cpu: float | None
    capacity: float | None


def _measure_yardstick(a: Result, b: Result, cell: str) -> _Yardstick:
    """Return how the yardstick of the same cell changed: each cell was another hour."""
    cpu, capacity = (_grew(a, b, (cell, YARDSTICK, name)) for name in ("CPU", _CAPACITY))
    return _Yardstick(cpu, capacity)


def _compare(before: Figure | None, after: Figure | None, yardstick: _Yardstick) -> Row:
    figure = after or before
    assert figure is not None  # noqa: S101 - one of the two has the name
    if before is None or after is None:
        where: Verdict = "only in B" if before is None else "only in A"
        held, found = (one.value if one else None for one in (before, after))
        return Row(figure, held, found, ratio=None, beyond=None, verdict=where)
    values = (before.value, after.value)
    if math.isnan(before.value) or math.isnan(after.value):
        return Row(figure, *values, ratio=None, beyond=None, verdict="not measured")
    ratio = after.value / before.value if before.value else None
    beyond = _derive_beyond(figure, ratio, yardstick)
    return Row(figure, *values, ratio=ratio, beyond=beyond, verdict=_judge(beyond))


def _derive_beyond(figure: Figure, ratio: float | None, yardstick: _Yardstick) -> float | None:
    """Return how many times dearer the work became, the machine's own change taken out."""
    is_machine = figure.group == YARDSTICK or figure.name == _MACHINE
    if not ratio or is_machine or figure.unit in _COUNTS:
        return None
    if figure.unit in _TIMES:
        return ratio / yardstick.cpu if yardstick.cpu else None
    if figure.unit == "/s":
        return yardstick.capacity / ratio if yardstick.capacity else None
    return 1 / ratio if figure.at_least else ratio


def _judge(beyond: float | None) -> Verdict:
    if beyond is None:
        return ""
    if beyond > MOST:
        return "slower"
    return "faster" if beyond < 1 / MOST else ""


def _grew(a: Result, b: Result, key: tuple[str, str, str]) -> float | None:
    before, after = a.figures.get(key), b.figures.get(key)
    if before is None or after is None or not before.value or not after.value:
        return None
    ratio = after.value / before.value
    return None if math.isnan(ratio) else ratio


def _read_value(value: object) -> object:
    """Return a value as the bench had it: what is null in the file was not measured."""
    return math.nan if value is None else value


def print_rows(rows: list[Row]) -> None:
    """Print the table."""
    table = Table(title="What it costs, held side by side")
    for name in ("Work", "Figure"):
        table.add_column(name)
    for name in ("A", "B", "B / A", "beyond the yardstick"):
        table.add_column(name, justify="right")
    table.add_column("")
    group = ""
    colours = {"slower": "[red]slower[/]", "faster": "[green]faster[/]"}
    for row in rows:
        shown = row.figure.place if row.figure.place != group else ""
        group = row.figure.place
        table.add_row(
            *(shown, f"{row.figure.name}, {row.figure.unit}"),
            *map(_show, (row.before, row.after, row.ratio, row.beyond)),
            colours.get(row.verdict, row.verdict),
        )
    print_table(table)


def _show(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else write_value(value)


def main() -> int:
    """Compare two results; see the module."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare",
        description=__doc__,
        epilog="Example: python -m bench.compare build/before.json build/bench.json",
    )
    parser.add_argument("before", type=Path, metavar="A.json", help="the earlier result")
    parser.add_argument("after", type=Path, metavar="B.json", help="the later result")
    parser.add_argument("--strict", action="store_true", help="fail where something is slower")
    options = parser.parse_args()
    try:
        a, b = read_result(options.before), read_result(options.after)
    except ResultError as error:
        _console.print(str(error), style="red", highlight=False)
        return 2
    for name in ("pointers", "scale", "database", "brokers"):
        if a.about.get(name) != b.about.get(name):
            _console.print(f"Mind: {name} is {a.about.get(name)} in A, {b.about.get(name)} in B.")
    rows = compare(a, b)
    print_rows(rows)
    slower = [row for row in rows if row.verdict == "slower"]
    _console.print(f"slower by more than a tenth beyond the yardstick: {len(slower)} figures")
    return 1 if options.strict and slower else 0


if __name__ == "__main__":
    sys.exit(main())
