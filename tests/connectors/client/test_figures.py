"""A partner's own figures through real processes: local API, typed client, command and file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from broker.adapters.database import open_engine
from broker.adapters.log_tables import table_of
from broker.adapters.oversight_tables import ActRecord
from broker.settings import BrokerSettings
from broker.transparency.figures import Month
from connectors.client import requests as rq
from connectors.client.http import ConnectorClient, ConnectorProblem
from datwat.cli import run as run_datwat
from datwat.party.settings import load_settings
from tests.oversight.planted import build_act
from tests.parties import Covenant, PartnerSpec, run_command
from tests.party.covenant import now

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("connector-figures"),
    pytest.mark.timeout(300),
]
TEAM = PartnerSpec("social-team", "care", number=1)
HELP = PartnerSpec("youth-help", "youth", number=2)
# The broker counts the last month by itself when it starts: before anything is planted.
MONTH = Month.before(now()).previous()
RUNNING = Month.before(now()).following()


@pytest.fixture(scope="module")
def covenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Covenant]:
    with Covenant(tmp_path_factory.mktemp("covenant"), (TEAM, HELP)) as made:
        plant(made)
        yield made


def plant(covenant: Covenant) -> None:
    """Write what the team did in a month: it looked seven times, and asked the source twice."""
    at = MONTH.from_at + timedelta(days=2)
    acts: list[dict[str, Any]] = [
        {**build_act(0, 1, one, at), "partner": TEAM.id, "found_nothing": one < 4}
        for one in range(7)
    ]
    acts += [
        {**build_act(0, 1, one, at, act="release", source=HELP.id), "partner": TEAM.id}
        for one in range(2)
    ]
    engine = open_engine(load_settings(BrokerSettings, covenant.broker.home).database)
    with engine.begin() as conn:
        rows = [{**act, "idx": 8_000_000 + number} for number, act in enumerate(acts)]
        conn.execute(insert(table_of(ActRecord)), rows)
    engine.dispose()


@pytest.fixture(scope="module")
def team(covenant: Covenant) -> Iterator[ConnectorClient]:
    with covenant.connect("social-team") as client:
        yield client


def home(covenant: Covenant, function: str) -> tuple[str, str]:
    return ("--home", str(covenant.partners[function].home))


def test_each_partner_reads_its_own(covenant: Covenant, team: ConnectorClient) -> None:
    found = team.fetch_figures(rq.FetchFigures(month=str(MONTH)))
    assert (found.partner, found.month) == (TEAM.id, str(MONTH))
    assert [(one.role, one.act, one.asked, one.nobody) for one in found.rows] == [
        ("requester", "inquire", 7, 4),
        ("requester", "release", 2, 0),
    ]
    with covenant.connect("youth-help") as source:
        given = source.fetch_figures(rq.FetchFigures(month=str(MONTH)))
    assert given.partner == HELP.id
    assert [(one.role, one.act, one.asked) for one in given.rows] == [("source", "release", 2)]


def test_without_a_month_it_is_the_last_one(team: ConnectorClient) -> None:
    found = team.fetch_figures(rq.FetchFigures())
    assert (found.month, found.rows) == (str(Month.before(now())), ())


@pytest.mark.parametrize(
    ("month", "refusal", "said"),
    [
        (str(RUNNING), (400, "figures_month"), "not over yet"),
        ("2021-10", (404, "figures_uncounted"), "too long ago"),
    ],
)
def test_a_month_without_figures_is_one_clear_error(  # noqa: PLR0917 - fixtures
    covenant: Covenant,
    team: ConnectorClient,
    capsys: pytest.CaptureFixture[str],
    month: str,
    refusal: tuple[int, str],
    said: str,
) -> None:
    with pytest.raises(ConnectorProblem) as caught:
        team.fetch_figures(rq.FetchFigures(month=month))
    assert (caught.value.status, caught.value.code) == refusal
    assert said in caught.value.detail
    asked = ["connector", "figures", *home(covenant, "social-team"), "--month", month]
    assert run_datwat(asked) != 0
    assert said in capsys.readouterr().err


def test_another_form_is_refused_here(
    covenant: Covenant, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in ("oktober", "2026-13", "2026-10-01"):
        asked = ["connector", "figures", *home(covenant, "social-team"), "--month", wrong]
        assert run_datwat(asked) != 0
        printed = capsys.readouterr()
        assert "such as 2026-10" in printed.err
        assert "oktober" not in printed.err


def test_nobody_without_a_token_reads_them(covenant: Covenant) -> None:
    url = covenant.partners["social-team"].url("local")
    with ConnectorClient(url, "A" * 43) as stranger, pytest.raises(ConnectorProblem) as caught:
        stranger.fetch_figures(rq.FetchFigures(month=str(MONTH)))
    assert caught.value.code == "token_refused"


def test_the_command_shows_them_and_writes_a_file(covenant: Covenant, tmp_path: Path) -> None:
    asked = ("connector", "figures", *home(covenant, "social-team"), "--month", str(MONTH))
    shown = run_command(*asked)
    assert [(one["role"], one["asked"]) for one in shown["rows"]] == [
        ("requester", 7),
        ("requester", 2),
    ]
    # The officer reads the very same.
    officer = ("figures", "partner", TEAM.id, "--home", str(covenant.broker.home))
    assert run_command(*officer, "--month", str(MONTH)) == shown
    path = tmp_path / "figures.csv"
    assert run_datwat([*asked, "--csv", "--out", str(path)]) == 0
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(one["month"], one["act"], one["asked"], one["nobody"]) for one in rows] == [
        (str(MONTH), "inquire", "7", "4"),
        (str(MONTH), "release", "2", "0"),
    ]
    assert {one["partner"] for one in rows} == {TEAM.id}


def test_a_file_that_is_there_is_not_written_over(
    covenant: Covenant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "held.csv"
    path.write_text("held")
    asked = ["connector", "figures", *home(covenant, "social-team"), "--month", str(MONTH)]
    assert run_datwat([*asked, "--out", str(path)]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert said == f"error: {path} is there already: name another, or move it away."
    assert path.read_text() == "held"
    nowhere = tmp_path / "none" / "new.csv"
    assert run_datwat([*asked, "--out", str(nowhere)]) == 1
    assert f"error: {nowhere} is not there: check the path." in capsys.readouterr().err


def test_a_broker_that_is_away_is_said_with_its_address(
    covenant: Covenant, team: ConnectorClient
) -> None:
    covenant.broker.stop()
    try:
        with pytest.raises(ConnectorProblem) as caught:
            team.fetch_figures(rq.FetchFigures(month=str(MONTH)))
        assert caught.value.code == "peer_unreachable"
    finally:
        covenant.broker.restart()
