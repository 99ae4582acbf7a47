"""A partner's database with a schema that was not made for us, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from connectors.sources.checking import check_queries
from connectors.sources.errors import (
    DeclarationError,
    FieldsDifferError,
    NoRecordError,
    OtherPersonError,
    SourceError,
    SourceTooSlowError,
    SourceUnreachableError,
)
from connectors.sources.opening import Sources, iter_clients
from connectors.sources.sql import SqlSource
from connectors.sources.values import Client, ClientFault
from tests.conftest import open_database
from tests.connectors.sources.declared import (
    BSN,
    CLIENT,
    OTHER,
    OTHER_BSN,
    no_secret,
    sql_declaration,
)
from tests.databases import EACH

DECLARATION = """
v: 1
source: sql
url_secret: source_url
clients:
  query: SELECT klantnr, sofi, naam, geb, soort, vanaf, geheim, behandelaar FROM klanten ORDER BY 1
  number: {read: klantnr, type: integer}
  bsn: sofi
  family_name: {read: naam, required: true}
  birth_date: {read: geb, type: date, format: "%d-%m-%Y"}
  kind: {read: soort, codes: {01: youth_help, 02: debt_counselling}}
  contact: {role: Wijkloket, name: behandelaar, phone: "010-1"}
  since: {read: vanaf, type: date, format: "%Y%m%d"}
  shielded: {read: geheim, codes: {J: true, N: false}}
products:
  jeugdhulp:
    query: >
      SELECT klantnr, sofi, st, start, bedrag, betaald, acties, stand
      FROM dossiers WHERE klantnr = :number
    number: {read: klantnr, type: integer}
    bsn: sofi
    newest_by: {read: stand, type: integer}
    fields:
      status: {read: st, codes: {1: actief, 2: gestopt}}
      start: {read: start, type: date, format: "%d-%m-%Y"}
      bedrag: {read: bedrag, type: amount}
      betaald: {read: betaald, type: boolean}
      acties:
        read: acties
        type: list
        items: {wat: $.omschrijving, klaar: {read: $.k, type: boolean}}
"""
_SCHEMA = (
    """CREATE TABLE klanten (klantnr INTEGER, sofi TEXT, naam TEXT, geb TEXT, soort TEXT,
       vanaf TEXT, geheim TEXT, behandelaar TEXT)""",
    """CREATE TABLE dossiers (klantnr INTEGER, sofi TEXT, st INTEGER, start TEXT,
       bedrag NUMERIC(10,2), betaald INTEGER, acties TEXT, stand INTEGER, geheim_veld TEXT)""",
    f"""INSERT INTO klanten VALUES
       (17, '{BSN}', 'Vries, de', '01-02-2012', '01', '20250301', 'N', 'Sam'),
       (18, '{OTHER_BSN}', 'Bakker', '31-02-2012', '01', '20250301', 'N', NULL),
       (19, '{OTHER_BSN}', 'Bakker', '03-02-1980', '07', '20250301', 'J', NULL)""",
    f"""INSERT INTO dossiers VALUES (17, '{BSN}', 1, '05-06-2025', 12.5, 1,
       '[{{"omschrijving": "bellen", "k": true, "x": 1}}]', 3, 'nooit')""",
)
PATHS = ("status", "start", "bedrag", "betaald", "acties")


@dataclass
class System:
    """The partner's system: an engine to change it with, and our source on it."""

    engine: Engine
    source: SqlSource
    url: str

    def run(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statement)


@pytest.fixture(params=EACH)
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = plain = f"sqlite:///{tmp_path / 'their own.db'}"
        else:
            plain = stack.enter_context(open_database(request.getfixturevalue("postgres_url")))
            url = plain.replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(url)
        stack.callback(engine.dispose)
        source = SqlSource(sql_declaration(tmp_path, DECLARATION), lambda _name: plain.encode())
        stack.callback(source.close)
        opened = System(engine, source, plain)
        for statement in _SCHEMA:
            opened.run(statement)
        yield opened


def test_clients_come_in_our_words_and_a_bad_row_is_told(system: System) -> None:
    first, *faults = system.source.iter_clients()
    assert isinstance(first, Client)
    assert (first.number, first.bsn, first.family_name) == ("17", BSN, "Vries, de")
    assert first.birth_date == date(2012, 2, 1)
    assert (first.kind, first.shielded) == ("youth_help", False)
    assert first.since_at == datetime(2025, 3, 1, tzinfo=UTC)
    assert first.contact.model_dump(exclude_none=True) == {
        "role": "Wijkloket",
        "name": "Sam",
        "phone": "010-1",
    }
    assert faults == [
        ClientFault(2, "18", "birth_date", "source_answer_invalid"),
        ClientFault(3, "19", "kind", "source_answer_invalid"),
    ]
    assert BSN not in repr(first)


def test_one_client_is_found_by_its_number(system: System) -> None:
    found = system.source.find_client("17")
    assert found is not None
    assert found.bsn == BSN
    assert system.source.find_client("20") is None
    with pytest.raises(NoRecordError):
        system.source.find_client("17 OR 1=1")


def test_a_record_has_exactly_what_was_ordered(system: System) -> None:
    record = system.source.fetch_record("jeugdhulp", "17", PATHS)
    assert record.values == {
        "status": "actief",
        "start": "2025-06-05",
        "bedrag": "12.50",
        "betaald": True,
        "acties": [{"wat": "bellen", "klaar": True}],
    }
    assert record.bsn == BSN
    assert "actief" not in repr(record)
    assert system.source.fetch_record("jeugdhulp", "17", ["start"]).values == {
        "start": "2025-06-05"
    }


def test_columns_that_were_not_ordered_are_not_even_read(system: System) -> None:
    system.run("UPDATE dossiers SET bedrag = NULL, acties = 'no json at all'")
    system.run("ALTER TABLE dossiers DROP COLUMN geheim_veld")
    assert system.source.fetch_record("jeugdhulp", "17", ["status"]).values == {"status": "actief"}
    assert system.source.fetch_record("jeugdhulp", "17", ["bedrag"]).values == {"bedrag": None}


def test_the_newest_of_two_records_counts_and_a_tie_is_refused(system: System) -> None:
    row = f"INSERT INTO dossiers VALUES (17, '{BSN}', 2, NULL, NULL, 0, '[]', 4, NULL)"
    system.run(row)
    assert system.source.fetch_record("jeugdhulp", "17", ["status"]).values == {"status": "gestopt"}
    system.run(row)
    with pytest.raises(SourceError) as caught:
        system.source.fetch_record("jeugdhulp", "17", ["status"])
    assert caught.value.place == "newest_by"


@pytest.mark.parametrize(
    ("statement", "kind", "place"),
    [
        ("DELETE FROM dossiers", NoRecordError, None),
        ("DELETE FROM klanten", NoRecordError, None),
        (f"UPDATE dossiers SET sofi = '{OTHER_BSN}'", OtherPersonError, None),
        ("UPDATE dossiers SET sofi = ''", OtherPersonError, None),
        ("UPDATE klanten SET sofi = NULL", OtherPersonError, None),
        ("UPDATE dossiers SET sofi = '12'", SourceError, "bsn"),
        ("UPDATE dossiers SET st = 3", SourceError, "status"),
        ("UPDATE dossiers SET start = '2025-06-05'", SourceError, "start"),
        ("UPDATE dossiers SET betaald = 2", SourceError, "betaald"),
        ("UPDATE dossiers SET acties = '{}'", SourceError, "acties"),
        ("UPDATE dossiers SET acties = '[{\"k\": true}]'", FieldsDifferError, "acties"),
        ("UPDATE dossiers SET acties = '[NaN]'", SourceError, "acties"),
        ("ALTER TABLE dossiers RENAME COLUMN st TO stat", FieldsDifferError, None),
    ],
)
def test_what_does_not_fit_is_a_failure_that_names_no_value(
    system: System, statement: str, kind: type[SourceError], place: str | None
) -> None:
    system.run(statement)
    with pytest.raises(SourceError) as caught:
        system.source.fetch_record("jeugdhulp", "17", PATHS)
    assert type(caught.value) is kind
    assert caught.value.place == place
    assert OTHER_BSN not in f"{caught.value!r}{caught.value.detail}"


def test_too_many_records_are_not_read(system: System) -> None:
    for number in range(60):
        system.run(
            f"INSERT INTO dossiers VALUES (17, '{BSN}', 2, NULL, NULL, 0, '[]', {number + 9}, NULL)"
        )
    with pytest.raises(SourceError):
        system.source.fetch_record("jeugdhulp", "17", ["status"])


def test_nothing_can_be_written_through_a_source(system: System, tmp_path: Path) -> None:
    query = "DELETE FROM dossiers WHERE klantnr = :number"
    if not system.url.startswith("sqlite"):
        query = f"WITH gone AS ({query} RETURNING *) SELECT * FROM gone"
    changed = DECLARATION.replace(
        "query: >\n      SELECT klantnr, sofi, st, start, bedrag, betaald, acties, stand\n"
        "      FROM dossiers WHERE klantnr = :number",
        f"query: {query}",
    )
    assert changed != DECLARATION
    source = SqlSource(sql_declaration(tmp_path, changed), lambda _name: system.url.encode())
    with pytest.raises(SourceError):
        source.fetch_record("jeugdhulp", "17", ["status"])
    source.close()
    assert system.source.fetch_record("jeugdhulp", "17", ["status"]).values == {"status": "actief"}


async def test_a_slow_database_is_given_up_after_two_seconds(
    system: System, tmp_path: Path
) -> None:
    slow = (
        "SELECT klantnr, sofi, st, start, bedrag, betaald, acties, stand FROM dossiers"
        " WHERE klantnr = :number AND (WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL"
        " SELECT n + 1 FROM r WHERE n < 2000000000) SELECT count(*) FROM r) > 0"
    )
    if not system.url.startswith("sqlite"):
        slow = slow.split(" AND ", maxsplit=1)[0] + " AND pg_sleep(30) IS NOT NULL"
    head, _, tail = DECLARATION.partition("query: >")
    fields = tail.partition("    number:")[2]
    declaration = sql_declaration(tmp_path, f"{head}query: {slow}\n    number:{fields}")
    sources = Sources([SqlSource(declaration, lambda _name: system.url.encode())])
    began = time.monotonic()
    with pytest.raises(SourceTooSlowError):
        await sources.fetch_record("jeugdhulp", "17", ["status"])
    assert 1.5 < time.monotonic() - began < 3
    await asyncio.sleep(0.5)
    sources.close()


def test_the_database_itself_stops_the_query(system: System) -> None:
    """A thread cannot be stopped from outside: without this, slow queries would pile up."""
    slow = "SELECT count(*) FROM (WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
    slow += " SELECT n FROM r) AS endless"
    if not system.url.startswith("sqlite"):
        slow = "SELECT pg_sleep(30)"
    began = time.monotonic()
    with pytest.raises(SourceTooSlowError), system.source._connect(0.5) as connection:  # noqa: SLF001 - the limit itself
        connection.execute(text(slow))
    assert time.monotonic() - began < 5


def test_a_database_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path / 'none.db'}", "postgresql://nobody@127.0.0.1:1/none"):
        source = SqlSource(
            sql_declaration(tmp_path, DECLARATION),
            lambda _name, url=url: url.encode(),  # type: ignore[misc]
        )
        with pytest.raises(SourceUnreachableError):
            source.fetch_record("jeugdhulp", "17", ["status"])
        source.close()


def test_a_kind_of_database_that_is_not_installed_is_said(tmp_path: Path) -> None:
    for url in ("oracle+none://x", "sqlite://", "no url"):
        with pytest.raises(DeclarationError):
            SqlSource(sql_declaration(tmp_path, DECLARATION), lambda _name, url=url: url.encode())  # type: ignore[misc]


def test_the_queries_are_held_against_what_is_read(system: System, tmp_path: Path) -> None:
    def read(_name: str) -> bytes:
        return system.url.encode()

    assert check_queries(sql_declaration(tmp_path, DECLARATION), read) == []
    more = DECLARATION.replace("acties, stand\n", "acties, stand, geheim_veld\n")
    (finding,) = check_queries(sql_declaration(tmp_path, more), read)
    assert (finding.severity, finding.code) == ("error", "column_not_declared")
    assert "geheim_veld" in finding.detail
    fewer = DECLARATION.replace("bedrag, betaald, acties", "betaald, acties")
    (finding,) = check_queries(sql_declaration(tmp_path, fewer), read)
    assert (finding.code, finding.place) == ("column_missing", "products.jeugdhulp.query")
    gone = DECLARATION.replace("FROM dossiers", "FROM nergens")
    (finding,) = check_queries(sql_declaration(tmp_path, gone), read)
    assert finding.severity == "error"


def test_a_whole_declaration_can_be_iterated(tmp_path: Path, system: System) -> None:
    declaration = sql_declaration(tmp_path, DECLARATION)
    assert len(list(iter_clients(declaration, lambda _name: system.url.encode()))) == 3


def test_a_text_number_is_compared_as_text(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE k (nr TEXT, naam TEXT, geb TEXT)"))
        connection.execute(
            text("INSERT INTO k VALUES (:a, 'A', '2000-01-01'), (:b, 'B', '2000-01-01')"),
            {"a": CLIENT, "b": OTHER},
        )
    engine.dispose()
    declaration = sql_declaration(
        tmp_path,
        f"""
v: 1
source: sql
url: sqlite:///{path}
clients:
  query: SELECT nr, naam, geb FROM k
  number: nr
  family_name: naam
  birth_date: {{read: geb, type: date}}
  kind: {{value: youth_help}}
  contact: {{role: Loket}}
  since: {{read: geb, type: date}}
""",
    )
    source = SqlSource(declaration, no_secret)
    found = source.find_client(OTHER)
    assert found is not None
    assert (found.family_name, found.bsn, found.kind) == ("B", None, "youth_help")
    source.close()
