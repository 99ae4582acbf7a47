"""The ratchet on a server: the same promises as in a file, for several processes at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from datwat.party import postgres, ratchet_server
from datwat.party import ratchet as rt
from datwat.party.database import open_engine
from datwat.party.ratchet_errors import RatchetAwayError
from datwat.party.ratchet_server import ServerRatchet
from datwat.party.settings import PartySettings
from datwat.party.trust_keeper import open_ratchet
from tests.conftest import open_database
from tests.postgres import OwnServer, is_available, own_server

pytestmark = pytest.mark.postgres
PARTY = "00000099000000003000:broker"
A, B = bytes(32), bytes([1]) * 32


@pytest.fixture
def url(postgres_url: str) -> Iterator[str]:
    with open_database(postgres_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def other() -> Iterator[OwnServer]:
    if not is_available():
        pytest.skip("no PostgreSQL server programs on this machine")
    with own_server() as server:
        yield server


def connect(url: str, party: str = PARTY) -> ServerRatchet:
    return ServerRatchet.connect(url, party)


def change(url: str, *statements: str) -> None:
    """Change rows as an administrator would who goes around the triggers."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as conn:
        conn.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            conn.execute(text(statement))
    engine.dispose()


def test_values_and_records_are_there_after_opening_again_and_for_each_process(url: str) -> None:
    with connect(url) as first, connect(url) as second:
        assert first.value("log") is None
        first.advance("log", 3, A)
        second.advance("bundle", 1, B)
        first.record("erased", "one")
        second.record_all([("erased", "two"), ("erased", "one"), ("erased", "two")])
        second.advance("log", 4, B)
        first.record("withdrawn", "one")
        assert first.value("log") == rt.Mark(4, B)
    with connect(url) as again:
        assert again.value("log") == rt.Mark(4, B)
        assert again.value("bundle") == rt.Mark(1, B)
        assert again.records("erased") == ("one", "two")
        assert again.records("withdrawn") == ("one",)
    with connect(url, "00000099000000002000:key-holder") as others:
        assert others.value("log") is None
        assert others.records("erased") == ()


def test_lower_is_refused_equal_is_nothing_and_another_digest_an_alarm(url: str) -> None:
    with connect(url) as first, connect(url) as second:
        first.advance("log", 5, A)
        second.advance("log", 5, A)
        with pytest.raises(rt.RatchetRefusedError):
            second.advance("log", 4, A)
        with pytest.raises(rt.RatchetAlarmError):
            second.advance("log", 5, B)
        assert first.value("log") == rt.Mark(5, A)


def test_on_from_a_mark_only_where_that_still_stands(url: str) -> None:
    with connect(url) as first, connect(url) as second:
        assert first.advance_from("log", None, 1, A)
        before = first.value("log")
        second.advance("log", 2, B)
        assert not first.advance_from("log", before, 3, A)
        assert not first.advance_from("log", rt.Mark(2, A), 3, A)
        assert first.value("log") == rt.Mark(2, B)
        assert first.advance_from("log", rt.Mark(2, B), 3, A)
        assert first.advance_from("log", rt.Mark(2, B), 3, A)  # its answer was lost
        assert second.value("log") == rt.Mark(3, A)


def test_of_many_that_rise_at_once_the_highest_stands_and_every_record(url: str) -> None:
    def rise(number: int) -> None:
        with connect(url) as ratchet:
            for step in range(10):
                try:
                    ratchet.advance("log", step * 8 + number, bytes([number]) * 32)
                except rt.RatchetRefusedError:
                    ratchet.record("refused", f"{number} {step}")
                ratchet.record("risen", f"{number} {step}")

    connect(url).close()
    threads = [threading.Thread(target=rise, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with connect(url) as ratchet:
        assert ratchet.value("log") == rt.Mark(9 * 8 + 4, bytes([4]) * 32)
        assert len(ratchet.records("risen")) == 40


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ratchet_marks SET number = 1",
        "UPDATE ratchet_marks SET digest = sha256('x')",
        "DELETE FROM ratchet_marks WHERE name = 'log'",
        "UPDATE ratchet_records SET identifier = 'onE' WHERE identifier = 'one'",
        "DELETE FROM ratchet_records WHERE identifier = 'one'",
        "DELETE FROM ratchet_records WHERE identifier = 'two'",
        "UPDATE ratchet_ends SET place = 1, marks = marks",
        "DELETE FROM ratchet_ends",
    ],
)
def test_what_was_changed_or_taken_out_is_damage(url: str, statement: str) -> None:
    with connect(url) as ratchet:
        ratchet.advance("log", 5, A)
        ratchet.record_all([("erased", "one"), ("erased", "two")])
    change(url, statement)
    if statement.startswith("DELETE FROM ratchet_ends"):  # it begins anew, with marks left over
        change(url, "DELETE FROM ratchet_records")
    with pytest.raises(rt.RatchetDamagedError):
        connect(url)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ratchet_marks SET number = 4",
        "DELETE FROM ratchet_marks",
        "UPDATE ratchet_records SET chain = ''",
        "DELETE FROM ratchet_ends",
    ],
)
def test_the_server_itself_refuses_what_goes_back(url: str, statement: str) -> None:
    with connect(url) as ratchet:
        ratchet.advance("log", 5, A)
        ratchet.record("erased", "one")
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with pytest.raises(DBAPIError, match="never goes back"), engine.begin() as conn:
        conn.execute(text(statement))
    engine.dispose()


def test_what_no_backup_could_bring_back_is_forgotten(url: str) -> None:
    with connect(url) as ratchet:
        ratchet.record_all([("erased", "one"), ("kept", "one"), ("erased", "two")])
        ratchet.record_all([("mark", "1"), ("erased", "three")])
        assert ratchet.forget({"erased"}, ("mark", "2")) == 0
        assert ratchet.forget({"erased"}, ("mark", "1")) == 2
        assert ratchet.records("erased") == ("three",)
        ratchet.record("erased", "one")
    with connect(url) as again:
        assert again.records("erased") == ("three", "one")
        assert again.records("kept") == ("one",)


def test_what_is_too_long_is_refused_and_nothing_is_written(url: str) -> None:
    with connect(url) as ratchet:
        with pytest.raises(rt.RatchetError, match="too long"):
            ratchet.record_all([("erased", "one"), ("erased", "x" * 1_100)])
        assert ratchet.records("erased") == ()


def test_a_server_that_restarts_is_waited_for_and_one_that_stays_away_is_said(
    other: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(other.url) as ratchet:
        ratchet.advance("restarted", 1, A)
        other.stop()
        again = threading.Timer(1.0, other.start)
        again.start()
        ratchet.advance("restarted", 2, B)
        again.join()
        assert ratchet.value("restarted") == rt.Mark(2, B)
        other.stop()
        monkeypatch.setattr(ratchet, "_patience", 0.3)
        with pytest.raises(RatchetAwayError):
            ratchet.advance("restarted", 3, A)
        with pytest.raises(RatchetAwayError):
            connect(other.url)
        other.start()
        assert ratchet.value("restarted") == rt.Mark(2, B)


def build_settings(folder: Path, database: str, ratchet: str) -> PartySettings:
    return PartySettings(
        home=folder, id=PARTY, name="Broker", database_url=database, ratchet_url=ratchet
    )


def test_the_databases_own_server_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(rt.RatchetError, match="own server"):
        open_ratchet(build_settings(tmp_path, url, url))


@pytest.fixture
def apart(other: OwnServer) -> Iterator[str]:
    with open_database(other.url) as opened:
        yield opened


def test_what_the_file_held_is_taken_over_once(url: str, apart: str, tmp_path: Path) -> None:
    before = build_settings(tmp_path, url, "")
    with open_ratchet(before) as file:
        file.advance("log", 7, A)
        file.record_all([("erased", "one"), ("suspension", "x 1")])
    settings = build_settings(tmp_path, url, apart)
    with open_ratchet(settings) as ratchet:
        assert ratchet.is_shared
        assert ratchet.value("log") == rt.Mark(7, A)
        assert ratchet.records("erased") == ("one",)
        ratchet.advance("log", 8, B)
    with open_ratchet(settings) as ratchet:
        assert ratchet.value("log") == rt.Mark(8, B)
    with pytest.raises(rt.RatchetError, match="set ratchet_url"):
        open_ratchet(before)


def test_another_kind_of_url_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for wrong in ("sqlite:///x", "nonsense", "http://x"):
        with pytest.raises(rt.RatchetError, match=r"postgresql://"):
            open_ratchet(build_settings(tmp_path, "", wrong))
    assert not (tmp_path / "x").exists()


def test_connections_that_others_use_are_no_refusal(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "CONNECT_SECONDS", 1)
    engine = open_engine(url)
    monkeypatch.setattr(ratchet_server, "open_engine", lambda _url: engine)
    with connect(url) as ratchet, ExitStack() as lent:
        ratchet.advance("log", 1, A)
        for _ in range(postgres.POOL_SIZE + postgres.MAX_OVERFLOW):
            lent.enter_context(engine.connect())
        with pytest.raises(RatchetAwayError):
            ratchet.advance("log", 2, B)
        lent.close()
        ratchet.advance("log", 2, B)
        assert ratchet.value("log") == rt.Mark(2, B)
