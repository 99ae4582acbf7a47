from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bench.compare import ResultError, Row, compare, read_result
from bench.figures import YARDSTICK, Figure, write_figures

ROOT = Path(__file__).resolve().parents[2]
INQUIRY = "inquiry"


def write(path: Path, *figures: Figure, cpu: float = 0.1, capacity: float = 6_000) -> Path:
    yardstick = (
        Figure(YARDSTICK, "CPU", cpu, "ms"),
        Figure(YARDSTICK, "capacity, 16 at once", capacity, "/s"),
    )
    write_figures([*yardstick, *figures], path, pointers=1_000)
    return path


def hold(folder: Path, before: Figure, after: Figure, **machine: float) -> Row:
    """Compare one figure of two runs, the second on a machine that may be another."""
    a = read_result(write(folder / "a.json", before))
    b = read_result(write(folder / "b.json", after, **machine))
    rows = {row.figure.key: row for row in compare(a, b)}
    return rows[after.key]


def cpu(value: float) -> Figure:
    return Figure(INQUIRY, "broker CPU", value, "ms", 1.2, gate=True)


def rate(value: float) -> Figure:
    return Figure(INQUIRY, "capacity", value, "/s")


@pytest.mark.parametrize(
    ("before", "after", "machine", "verdict"),
    [
        (cpu(2.0), cpu(2.3), {}, "slower"),
        (cpu(2.0), cpu(2.15), {}, ""),
        (cpu(2.0), cpu(1.5), {}, "faster"),
        (cpu(2.0), cpu(4.0), {"cpu": 0.2}, ""),
        (cpu(2.0), cpu(4.6), {"cpu": 0.2}, "slower"),
        (cpu(2.0), cpu(2.0), {"cpu": 0.05}, "slower"),
        (rate(500), rate(400), {}, "slower"),
        (rate(500), rate(400), {"capacity": 4_800}, ""),
        (rate(500), rate(600), {}, "faster"),
    ],
)
def test_slower_is_what_grew_beyond_the_yardstick(
    tmp_path: Path, before: Figure, after: Figure, machine: Mapping[str, float], verdict: str
) -> None:
    assert hold(tmp_path, before, after, **machine).verdict == verdict


def test_ratios_and_memory_stand_by_themselves(tmp_path: Path) -> None:
    for unit in ("×", "MiB"):
        before, after = (Figure("a", "b", value, unit) for value in (2.0, 2.4))
        assert hold(tmp_path, before, after, cpu=0.2).verdict == "slower"
    before, after = (Figure("a", "b", value, "×", 0.2, at_least=True) for value in (0.5, 0.4))
    assert hold(tmp_path, before, after).verdict == "slower"
    assert hold(tmp_path, after, before).verdict == "faster"


def test_the_machine_itself_is_not_judged(tmp_path: Path) -> None:
    before, after = (Figure("log", "one sync of this disk", value, "ms") for value in (0.2, 3.0))
    row = hold(tmp_path, before, after)
    assert row.ratio == pytest.approx(15)
    assert row.verdict == ""
    before, after = (Figure("log", "entries in it", value, "rows") for value in (500, 700))
    assert hold(tmp_path, before, after).verdict == ""


def test_what_one_run_lacks_is_said(tmp_path: Path) -> None:
    a = read_result(write(tmp_path / "a.json", cpu(2.0), rate(500)))
    b = read_result(write(tmp_path / "b.json", cpu(math.nan), Figure("new", "one", 1, "s")))
    found = {(row.figure.group, row.figure.name): row.verdict for row in compare(a, b)}
    assert found[INQUIRY, "broker CPU"] == "not measured"
    assert found[INQUIRY, "capacity"] == "only in A"
    assert found["new", "one"] == "only in B"


def test_each_cell_is_held_against_its_own_yardstick(tmp_path: Path) -> None:
    """The machine slowed down for the second cell only; and that one's figure with it."""
    paths = []
    for place, slower in enumerate((1.0, 1.5)):
        cells = (("SQLite", 1.0), ("PostgreSQL", slower))
        figures = [
            replace(figure, cell=cell)
            for cell, times in cells
            for figure in (
                Figure(YARDSTICK, "CPU", 0.1 * times, "ms"),
                Figure(
                    INQUIRY, "broker CPU", 2.0 * (times if cell == "PostgreSQL" else slower), "ms"
                ),
            )
        ]
        paths.append(tmp_path / f"{place}.json")
        write_figures(figures, paths[-1], pointers=1_000)
    rows = compare(*map(read_result, paths))
    found = {row.figure.cell: row.verdict for row in rows if row.figure.group == INQUIRY}
    assert found == {"SQLite": "slower", "PostgreSQL": ""}


def test_a_target_that_moved_changes_no_verdict(tmp_path: Path) -> None:
    before = Figure(INQUIRY, "broker CPU", 2.0, "ms", 1.2, gate=True)
    after = Figure(INQUIRY, "broker CPU", 2.0, "ms", 0.9)
    assert hold(tmp_path, before, after).verdict == ""


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b'{"v": 2}', b'{"v": 1, "figures": 3, "about": {}}', b"\xff"],
)
def test_what_is_no_result_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(ResultError):
        read_result(path)


def test_a_figure_of_another_form_is_refused(tmp_path: Path) -> None:
    document = json.loads(write(tmp_path / "a.json", cpu(2.0)).read_text(encoding="utf-8"))
    document["figures"][0]["value"] = "fast"
    (tmp_path / "a.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ResultError):
        read_result(tmp_path / "a.json")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.compare", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        check=False,
        text=True,
    )


def test_the_command(tmp_path: Path) -> None:
    a = str(write(tmp_path / "a.json", cpu(2.0), rate(500)))
    b = str(write(tmp_path / "b.json", cpu(3.0), rate(500)))
    done = run(a, b)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "broker CPU" in line]
    assert all(word in line for word in ("2.00", "3.00", "1.50", "slower"))
    assert "beyond the yardstick: 1" in done.stderr
    assert run(a, b, "--strict").returncode == 1
    assert run(b, b, "--strict").returncode == 0
    missing = run(a, str(tmp_path / "none.json"))
    assert missing.returncode == 2
    assert "cannot be read" in missing.stderr.replace("\n", " ")
    assert "Traceback" not in missing.stderr
