"""A second process where there can be one only is refused in words, before anything is opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.adapters.sharing_store import SharingSession, hold_alone
from broker.cli import app
from broker.sharing import ProcessAloneError, ProcessRunsError
from datwat.party.database import open_engine
from tests.conftest import open_database
from tests.exchange.world import World


@pytest.fixture
def database(postgres_url: str, postgres_template: str) -> Iterator[str]:
    with open_database(postgres_url, postgres_template) as url:
        yield url


def serve(home: Path, process: int) -> BaseException | None:
    arguments = ["serve", "--home", str(home), "--process", str(process)]
    return CliRunner().invoke(app, arguments).exception


def test_a_second_process_on_sqlite_is_refused(tmp_path: Path) -> None:
    error = serve(World(tmp_path).home, 2)
    assert isinstance(error, ProcessAloneError)
    assert "database_url and ratchet_url" in str(error)


@pytest.mark.postgres
def test_a_second_process_beside_a_ratchet_in_a_file_is_refused(
    tmp_path: Path, postgres_url: str
) -> None:
    with open_database(postgres_url) as url:
        assert isinstance(serve(World(tmp_path, database_url=url).home, 2), ProcessAloneError)


@pytest.mark.postgres
def test_a_number_is_taken_once_and_who_works_alone_takes_them_all(database: str) -> None:
    engine = open_engine(database)
    first, second = SharingSession(engine, 1), SharingSession(engine, 2)
    first.open()
    second.open()
    with pytest.raises(ProcessRunsError, match="Process 2"):
        SharingSession(engine, 2).open()
    assert first.poll().keeps_house
    assert not second.poll().keeps_house
    holders = first.list_holders()
    assert (holders.processes, holders.housekeeper) == ((1, 2), 1)
    with pytest.raises(ProcessRunsError), hold_alone(database):
        pass
    first.close()
    assert second.poll().keeps_house
    second.close()
    with hold_alone(database), pytest.raises(ProcessRunsError):
        first.open()
    first.open()
    assert first.poll().keeps_house
    first.close()
    engine.dispose()


@pytest.mark.postgres
def test_a_number_rises_with_what_changes_it_or_not_at_all(database: str) -> None:
    engine = open_engine(database)
    session, other = SharingSession(engine, 1), SharingSession(engine, 2)
    before = session.poll().numbers
    other.announce("policy")
    other.announce("policy")
    after = session.poll().numbers
    assert after["policy"] - before.get("policy", 0) >= 1
    other.announce("policy")
    assert session.poll().numbers["policy"] == after["policy"] + 1
    session.close()
    engine.dispose()
