"""Writes the tables of docs/explanation/scale.md: measured, assumed, and what follows from both.

The sources are docs/explanation/measured.json (results of `make bench-full`), `bench/country.py`
and `bench/shards.py`; run it as `python -m scripts.list_scale`. `--take FILE` puts the results of
another run in the place of the first.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from bench.compare import Result, ResultError, read_result
from bench.costs import MEASURED, Cost, Costs, read_costs, read_measured
from bench.country import (
    STEPS,
    Country,
    derive_peak,
    derive_reconfirmed,
    derive_year,
)
from bench.country_figures import (
    ROOM,
    find_cell,
    look_ahead,
    read_step_costs,
)
from bench.shards import FANS_OUT, PLACES, list_unfit
from scripts.generated import write_page

ROOT = Path(__file__).resolve().parents[1]

PAGE = ROOT / "docs" / "explanation" / "scale.md"
_BLOCK = re.compile(r"(<!-- written: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_ASSUMED = {
    "people": "people",
    "partners": "partners",
    "pointers_each": "pointers of each person",
    "asking": "professionals who ask, at each partner",
    "questions_a_day": "questions of each on a working day",
    "peak_hour": "share of a day in its busiest hour",
    "peak_minute": "busiest minute / mean of that hour",
    "households": "share of questions about a household of four",
    "releases": "releases for each question",
    "new_each_year": "new involvements of each person in a year",
    "reconfirm_days": "days between two confirmations of a pointer",
    "readers_on_a_busy_day": "share of people who read their log on the busiest day",
    "pages_each": "pages that each of them reads",
    "kept_years": "years that an entry is kept, on average",
}
_WORKS = {
    "inquiry": "inquiry about one person, three pointers",
    "household": "inquiry about a household of four",
    "register": "registration",
    "batch_row": "row of a batch of registrations",
    "release": "release through a gateway",
    "page": "page of 25 cards of a resident's own log",
}


def build_measured(result: Result) -> str:
    """Return what was measured: CPU by work and process, sizes, and the log."""
    kinds = ("SQLite", "PostgreSQL")
    found = {kind: read_costs(result, find_cell(result, kind)) for kind in kinds}
    head = ["CPU, ms", *(f"{kind}: {who}" for kind in kinds for who in _list_who(kind))]
    rows = [
        [said, *(one for kind in kinds for one in _write_cost(getattr(found[kind], name), kind))]
        for name, said in _WORKS.items()
    ]
    rest = _write_rest(found["SQLite"], found["PostgreSQL"])
    return "\n\n".join((_write_cells(result), _write_table(head, rows), rest))


def _list_who(kind: str) -> tuple[str, ...]:
    return ("broker", "OPA") if kind == "SQLite" else ("broker", "OPA", "database")


def _write_cost(cost: Cost, kind: str) -> list[str]:
    return [_write(getattr(cost, who.lower()) * 1_000) for who in _list_who(kind)]


def _write_cells(result: Result) -> str:
    cells = " and ".join(f"*{find_cell(result, kind)}*" for kind in ("SQLite", "PostgreSQL"))
    return f"Measured in {cells}, on a machine with two shared cores."


def _write_rest(sqlite: Costs, postgresql: Costs) -> str:
    rows = [
        ("key holder: CPU of one evaluation", f"{_write(sqlite.evaluation * 1e3)} ms"),
        ("log: one entry of many at once", f"{_write(sqlite.append * 1e3)} ms"),
        ("one sync of the disk", f"{_write(sqlite.sync * 1e3)} ms"),
        ("a pointer in the database", _write_two("kB", sqlite, postgresql, "pointer_bytes")),
        ("an entry with its contents", _write_two("kB", sqlite, postgresql, "entry_bytes")),
        ("the next root, CPU for each new tag", f"{_write(sqlite.tag_root_each * 1e6)} µs"),
        ("a start reads each tag in", f"{_write(sqlite.start_each_tag * 1e6)} µs"),
        ("a mirror verifies each entry in", f"{_write(sqlite.verify_each * 1e6)} µs"),
    ]
    return _write_table(["", "Measured"], rows)


def _write_two(unit: str, sqlite: Costs, postgresql: Costs, name: str) -> str:
    one, other = (_write(getattr(costs, name) / 1_024) for costs in (sqlite, postgresql))
    return f"{one} {unit} (SQLite), {other} {unit} (PostgreSQL)"


def build_assumed(_result: Result) -> str:
    """Return what is assumed of the country."""
    country = Country()
    rows = [(_ASSUMED[one.name], _write(getattr(country, one.name))) for one in fields(country)]
    return _write_table(["Assumed", ""], rows)


def build_load(_result: Result) -> str:
    """Return what comes in the busiest minute, and in a year."""
    country = Country()
    peak, year = derive_peak(country), derive_year(country)
    rows = [
        (one.name, _write(getattr(peak, one.name)), _write(getattr(year, one.name) / 1e6))
        for one in fields(peak)
    ]
    rows.append(("entries in the log", _write(peak.entries), _write(year.entries / 1e6)))
    night = _write(derive_reconfirmed(country))
    table = _write_table(["Calculated", "a second, busiest minute", "million a year"], rows)
    return f"{table}\n\nAt night each source's sync confirms its pointers: {night} rows a second."


def build_ways(_result: Result) -> str:
    """Return the steps: what each has, and what is assumed of it."""
    head = ["Step", "logs", "broker processes", "cores of OPA, database, key holder"]
    head += ["largest log's share", "a standby adds to a commit", "passed on"]
    rows = [
        (
            step.name,
            _write(step.origins),
            _write(step.brokers),
            f"{step.opas}, {step.database or '–'}, {step.key_holders}",
            f"{step.largest:.0%}",
            f"{_write(step.commit * 1e3)} ms" if step.commit else "–",
            f"{step.delegated:.0%}" if step.delegated else "–",
        )
        for step in STEPS
    ]
    return _write_table(head, rows)


def build_steps(result: Result) -> str:
    """Return how each step stands at the peak: what is full first, and how long an answer takes."""
    head = ["Step", "time in use at the peak", "full first", "carries", "p50, p99 (simulated)"]
    rows = []
    for step in STEPS:
        outlook = look_ahead(step, read_step_costs(result, step), Country())
        use = ", ".join(f"{name} {share:.0%}" for name, share in outlook.use.items())
        taken = "cannot"
        if outlook.median is not None and outlook.slowest is not None:
            taken = f"{_write(outlook.median * 1e3)}, {_write(outlook.slowest * 1e3)} ms"
        carries = f"{_write(outlook.carries)} × the peak"
        rows.append((step.name, use, outlook.bottleneck, carries, taken))
    return _write_table(head, rows)


def build_kept(result: Result) -> str:
    """Return what grows, in the largest log of each step."""
    country = Country()
    head = [
        *(f"After {country.kept_years:g} years, largest log", "million pointers"),
        *("million entries", "database, GB", "a start reads tags", "a mirror verifies all"),
    ]
    rows = []
    for step in STEPS:
        kept = look_ahead(step, read_step_costs(result, step), country).kept
        millions = (_write(kept.pointers / 1e6), _write(kept.entries / 1e6))
        times = (f"{_write(kept.start / 60)} min", f"{_write(kept.verify / 60)} min")
        rows.append((step.name, *millions, _write(kept.gigabytes), *times))
    return _write_table(head, rows)


def build_places(_result: Result) -> str:
    """Return where each table lies, and what keeps Citus from taking it as it is."""
    unfit: dict[str, list[str]] = {}
    for table, _, columns in list_unfit():
        unfit.setdefault(table, []).append(f"({', '.join(columns)})")
    rows = [
        (
            f"`{table}`",
            place.kind,
            f"`{place.key}`" if place.key else "whole",
            "; ".join(unfit.get(table, [])),
        )
        for table, place in PLACES.items()
    ]
    return _write_table(["Table", "", "divided by", "unique without that key"], rows)


def build_apart(_result: Result) -> str:
    """Return the statements that no one machine can answer."""
    return _write_table(
        ["Statement", "What it is"], [(f"`{one}`", why) for one, why in FANS_OUT.items()]
    )


def build_room(_result: Result) -> str:
    """Return how full a station may be."""
    return f"A station is planned to be in use for at most {ROOM:.0%} of its time."


BLOCKS: dict[str, Callable[[Result], str]] = {
    "measured": build_measured,
    "assumed": build_assumed,
    "load": build_load,
    "ways": build_ways,
    "steps": build_steps,
    "room": build_room,
    "kept": build_kept,
    "places": build_places,
    "apart": build_apart,
}


def build_document(text: str, result: Result) -> str:
    """Return the page with each of its blocks written anew; raise KeyError for an unknown one."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]](result)}\n\n{found[3]}", text)


def _write(value: float) -> str:
    """Return a number with two digits that say something, or all of a whole one."""
    if value >= 100 or value == int(value):  # noqa: PLR2004 - digits shown
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"  # noqa: PLR2004 - as above


def _write_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    """Write the page, or check it; see the module."""
    words = sys.argv[1:]
    try:
        if "--take" in words:
            taken = Path(words[words.index("--take") + 1])
            for kind in ("SQLite", "PostgreSQL"):
                read_costs(found := read_result(taken), find_cell(found, kind))
            MEASURED.write_bytes(taken.read_bytes())
        text = build_document(PAGE.read_text(encoding="utf-8"), read_measured())
    except ResultError as error:
        print(f"error: {error}")
        return 2
    except IndexError:
        print("error: --take needs the results file of a run, such as build/bench-full.json")
        return 2
    return int(write_page("../explanation/scale.md", text))


if __name__ == "__main__":
    sys.exit(main())
