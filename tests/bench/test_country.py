"""What follows for the country from what was measured: arithmetic, and where it is full first."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.compare import Result, ResultError
from bench.costs import Cost, Costs, read_costs, read_measured
from bench.country import (
    STEPS,
    Country,
    Step,
    derive_kept,
    derive_peak,
    derive_reconfirmed,
    derive_share,
    derive_step_use,
    derive_year,
    find_bottleneck,
    simulate_step,
)
from bench.country_figures import (
    ROOM,
    build_country,
    find_cell,
    look_ahead,
    read_step_costs,
)
from bench.figures import Figure
from scripts.list_scale import BLOCKS, PAGE, build_document

ROOT = Path(__file__).resolve().parents[2]
COSTS = Costs(
    inquiry=Cost(0.004, 0.002, 0.001),
    household=Cost(0.008, 0.006, 0.003),
    register=Cost(0.004, 0.002, 0.001),
    batch_row=Cost(0.001, 0.001, 0.0005),
    release=Cost(0.006, 0.002, 0.002),
    page=Cost(0.005, 0.0, 0.001),
    evaluation=0.001,
    sync=0.0002,
    append=0.0002,
    tag_root_each=0.00003,
    start_each_tag=0.000004,
    verify_each=0.00001,
    pointer_bytes=800,
    entry_bytes=4_000,
)
STEP = Step("it", "PostgreSQL", brokers=4, opas=2, database=2, key_holders=1)
HOUR = 3_600
QUIET = replace(Country(), partners=10, readers_on_a_busy_day=0)


def test_the_busiest_minute_is_what_was_assumed() -> None:
    """A million questions a day, a fifth in one hour, twice its mean in one minute."""
    peak = derive_peak(Country())
    assert peak.inquiries + peak.households == pytest.approx(1e6 * 0.2 * 2 / 3_600)
    assert peak.households == pytest.approx((peak.inquiries + peak.households) / 4)
    assert peak.pages == pytest.approx(180_000 * 5 * 0.2 * 2 / 3_600)
    assert peak.entries == pytest.approx(
        peak.inquiries + 4 * peak.households + 2 * peak.releases + peak.registrations
    )


def test_a_year_is_250_such_days_and_new_involvements_are_spread_over_it() -> None:
    country = Country()
    year = derive_year(country)
    assert year.inquiries + year.households == pytest.approx(250e6)
    assert year.registrations == pytest.approx(country.people * country.new_each_year)
    assert derive_reconfirmed(country) == pytest.approx(54e6 / 30 / 8 / 3_600)


def test_twice_the_partners_are_twice_the_load() -> None:
    twice = derive_peak(replace(Country(), partners=2_000))
    assert twice.inquiries == pytest.approx(2 * derive_peak(Country()).inquiries)


def test_what_is_used_is_rate_times_cost_over_processes() -> None:
    load = derive_peak(Country())
    use = derive_step_use(STEP, COSTS, load)
    expected = (
        load.inquiries * 0.004
        + load.households * 0.008
        + load.releases * 0.006
        + load.registrations * 0.004
        + load.pages * 0.005
    )
    assert use["broker"] == pytest.approx(expected / 4)
    assert use["key holder"] == pytest.approx(
        0.001 * (load.inquiries + 4 * load.households + load.registrations)
    )
    assert derive_step_use(replace(STEP, brokers=8), COSTS, load)["broker"] == pytest.approx(
        use["broker"] / 2
    )
    assert derive_step_use(STEP, COSTS, load.times(3))["OPA"] == pytest.approx(3 * use["OPA"])


def test_the_first_to_be_full_is_the_one_that_is_used_most() -> None:
    name, carries = find_bottleneck({"broker": 0.5, "OPA": 0.8, "log": 0.1})
    assert name == "OPA"
    assert carries == pytest.approx(1.25)
    load = derive_peak(Country())
    slow = replace(COSTS, append=0.05)
    assert find_bottleneck(derive_step_use(STEP, slow, load))[0] == "log"


def test_a_commit_that_many_share_costs_each_little() -> None:
    load = derive_peak(Country())
    far = derive_step_use(replace(STEP, commit=0.01), COSTS, load)["log"]
    near = derive_step_use(STEP, COSTS, load)["log"]
    visits = load.inquiries + load.households + load.releases + load.registrations
    assert far - near == pytest.approx(visits * 0.01 / 64)


def test_the_simulation_agrees_with_the_calculated_use() -> None:
    """Busy as calculated where there is room, and slower the nearer it comes to full."""
    load = derive_peak(Country())
    use = derive_step_use(STEP, COSTS, load)
    found = simulate_step(STEP, COSTS, load)
    for station in ("broker", "OPA", "database", "key holder"):
        assert found.busy[station] == pytest.approx(use[station], rel=0.06)
    least = COSTS.inquiry.broker + COSTS.inquiry.opa + COSTS.inquiry.database + COSTS.evaluation
    alone = simulate_step(STEP, COSTS, derive_peak(QUIET))
    assert alone.mean("inquiry") == pytest.approx(least + 0.0004, rel=0.1)
    _, carries = find_bottleneck(use)
    nearly = simulate_step(STEP, COSTS, load.times(carries * 0.97))
    assert nearly.quantile("inquiry", 0.99) > 2 * alone.quantile("inquiry", 0.99)


def test_what_is_asked_elsewhere_too_is_work_there_too() -> None:
    load = derive_peak(Country())
    alone = replace(STEP, origins=10, largest=0.1)
    passing_on = replace(alone, delegated=0.2, network=0.03)
    share = derive_share(passing_on, load)
    assert share.inquiries == pytest.approx(load.inquiries * 0.1 * 1.2)
    assert share.releases == pytest.approx(load.releases * 0.1)
    more = derive_step_use(passing_on, COSTS, load)["OPA"]
    expected = 0.2 * 0.1 * (load.inquiries * 0.002 + load.households * 0.006) / 2
    assert more - derive_step_use(alone, COSTS, load)["OPA"] == pytest.approx(expected)
    found = simulate_step(passing_on, COSTS, load)
    gap = found.mean("inquiry, asked elsewhere too") - found.mean("inquiry")
    assert 0.03 + 0.006 < gap < 0.03 + 0.02


def test_what_is_kept_grows_with_people_and_years() -> None:
    country, step = Country(), STEPS[0]
    kept = derive_kept(country, step, COSTS)
    assert kept.pointers == pytest.approx(54e6)
    assert kept.entries == pytest.approx(derive_year(country).entries * country.kept_years)
    assert kept.gigabytes == pytest.approx((54e6 * 800 + kept.entries * 4_000) / 1e9)
    twice = derive_kept(replace(country, kept_years=2 * country.kept_years), step, COSTS)
    assert twice.start == pytest.approx(2 * kept.start)


def test_more_than_it_carries_has_no_times() -> None:
    one = replace(STEP, brokers=1)
    outlook = look_ahead(one, COSTS, replace(Country(), partners=20_000))
    assert outlook.carries < 1
    assert outlook.median is outlook.slowest is None


def build_result(*figures: Figure) -> Result:
    return Result({figure.key: figure for figure in figures}, {})


def test_a_cost_that_was_not_measured_is_said() -> None:
    cell = "SQLite, 1M pointers"
    with pytest.raises(ResultError, match="nothing of PostgreSQL"):
        find_cell(build_result(Figure("a", "b", 1, "ms", cell=cell)), "PostgreSQL")
    lacking = Figure("inquiry, 3 pointers", "broker CPU", math.nan, "ms", cell=cell)
    with pytest.raises(ResultError, match="'broker CPU' of SQLite"):
        read_costs(build_result(lacking), cell)


def test_of_the_cells_the_one_with_a_million_pointers_counts() -> None:
    names = ("SQLite, 10k pointers, one broker", "SQLite, 1M pointers, one broker")
    result = build_result(*(Figure("a", "b", 1, "ms", cell=name) for name in names))
    assert find_cell(result, "SQLite") == names[1]


def test_the_page_quotes_the_results_that_are_kept() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert build_document(text, read_measured()) == text, (
        "write it again: python -m scripts.list_scale"
    )
    for name in BLOCKS:
        assert f"<!-- written: {name} -->" in text, name


def test_the_page_changes_with_what_was_measured() -> None:
    result = read_measured()
    key = next(key for key in result.figures if key[1:] == ("inquiry, 3 pointers", "broker CPU"))
    cell = find_cell(result, key[0].partition(",")[0])
    key = (cell, *key[1:])
    dearer = replace(result.figures[key], value=result.figures[key].value * 3)
    changed = Result({**result.figures, key: dearer}, result.about)
    text = PAGE.read_text(encoding="utf-8")
    assert build_document(text, changed) != text


def test_what_the_page_concludes_follows_from_its_tables() -> None:
    """A process is full first, one log carries the country, and what is kept is what grows."""
    result = read_measured()
    outlooks = [look_ahead(step, read_step_costs(result, step), Country()) for step in STEPS]
    for outlook in outlooks:
        assert outlook.bottleneck in {"broker", "OPA", "key holder"}
        assert outlook.use["log"] < ROOM
    one_log = outlooks[1]
    assert one_log.step.origins == 1
    assert one_log.carries > 1
    assert one_log.kept.start > HOUR
    assert one_log.kept.gigabytes > 5_000
    assert outlooks[-1].kept.start < one_log.kept.start / 5


def test_each_step_is_a_figure_with_what_is_full_first() -> None:
    figures = build_country(read_measured())
    for step in STEPS:
        own = [figure for figure in figures if figure.group == step.name]
        assert sum("is full first" in figure.name for figure in own) == 1
        assert any(figure.name.startswith("OPA: time in use") for figure in own)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "--country", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "country.json"
    done = run("--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "full first" in done.stdout
    assert out.exists()
    (tmp_path / "nothing.json").write_text("{}")
    wrong = run("--costs", str(tmp_path / "nothing.json"))
    assert wrong.returncode == 2
    assert "no result of the bench" in " ".join(wrong.stderr.split())
    assert "Traceback" not in wrong.stderr
