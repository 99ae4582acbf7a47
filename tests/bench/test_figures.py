from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.figures import Figure, find_missed, print_figures, write_figures

UPPER = Figure("inquiry", "broker CPU", 1.3, "ms", 1.2, gate=True)
LOWER = Figure("append", "entries", 4_500, "/s", 4_000, at_least=True, gate=True)
FREE = Figure("inquiry", "capacity", 600, "/s")
SLOW = Figure("inquiry", "p99", 25, "ms", 20)


def test_a_target_is_an_upper_bound_unless_it_says_otherwise() -> None:
    assert [figure.met for figure in (UPPER, LOWER, FREE, SLOW)] == [False, True, None, False]


def test_absolute_times_are_no_gates() -> None:
    assert find_missed([UPPER, LOWER, FREE, SLOW]) == [UPPER]


def test_what_was_not_measured_meets_nothing(tmp_path: Path) -> None:
    unknown = Figure("inquiry", "OPA CPU", math.nan, "ms", 0.6, gate=True)
    assert find_missed([unknown]) == [unknown]
    write_figures([unknown], tmp_path / "bench.json")
    held = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert held["figures"][0]["value"] is None


def test_the_results_say_what_was_met(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    write_figures([UPPER, LOWER], path, pointers=1_000)
    held = json.loads(path.read_text(encoding="utf-8"))
    assert [row["met"] for row in held["figures"]] == [False, True]
    assert held["about"] == {"pointers": 1_000}
    assert held["machine"]["cpus"] >= 1
    print_figures([UPPER, LOWER, FREE, SLOW])


def test_ratios_come_first_in_table_and_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ratio = Figure("inquiry", "broker CPU / plain FastAPI's", 20.5, "×", 10, gate=True)
    told = replace(ratio, cell="PostgreSQL", value=31.25)
    print_figures([UPPER, ratio, FREE, told])
    printed = capsys.readouterr().out
    places = [printed.index(text) for text in ("20.50", "31.25", "1.30 ms", "600 /s")]
    assert places == sorted(places)
    assert printed.index("20.50") < printed.index("PostgreSQL") < printed.index("31.25")
    path = tmp_path / "bench.json"
    write_figures([UPPER, ratio], path, ["two brokers: why"], pointers=1)
    held = json.loads(path.read_text(encoding="utf-8"))
    assert [row["unit"] for row in held["figures"]] == ["×", "ms"]
    assert held["left_out"] == ["two brokers: why"]
