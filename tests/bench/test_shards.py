"""What a question runs on PostgreSQL, statement by statement, against what divided engines take.

The statements are recorded at the driver, while a broker with its real registers, log and OPA
answers; nothing is listed by hand but the few that must be asked of every machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import create_engine, inspect, make_url

from bench.shards import FANS_OUT, PLACES, Statement, find_place, list_unfit, read_statement
from tests.conftest import open_database
from tests.exchange.source import Source, free_port, serve_source
from tests.exchange.test_release import Asked
from tests.exchange.world import (
    World,
    bsns,
    inquire,
    inquiry_part,
    open_household,
    open_world,
    register,
    release_part,
)

on_postgresql = [pytest.mark.postgres, pytest.mark.asyncio(loop_scope="module")]


JOINED = """
    SELECT x FROM subjects LEFT OUTER JOIN log_quarter_keys
    ON log_quarter_keys.subject_id = subjects.subject_id WHERE subjects.subject_id IN (%(a)s)
"""


def read(text: str) -> Statement:
    found = read_statement(text)
    assert found is not None
    return found


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Yield what psycopg is given meanwhile, by SQLAlchemy or by the hot statements."""
    texts: list[str] = []

    def follow(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(cursor: Any, query: Any, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - psycopg's own
            text = query if isinstance(query, str) else query.as_string(cursor)
            texts.append(text)
            return method(cursor, query, *arguments, **more)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "executemany"):
            patch.setattr(psycopg.Cursor, name, follow(getattr(psycopg.Cursor, name)))
        yield texts


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hot(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str
) -> AsyncIterator[list[Statement]]:
    """Return every statement of a registration, an occasion, a household's inquiry, a release."""
    folder, port, numbers = tmp_path_factory.mktemp("hot"), free_port(), bsns()
    async with AsyncExitStack() as stack:
        database = stack.enter_context(open_database(postgres_url))
        world = World(folder, {"debt-counselling": f"http://127.0.0.1:{port}"}, database)
        running = await open_world(world, stack)
        with recorded() as texts:
            people = [next(numbers) for _ in range(4)]
            part = await register(running, "debt-counselling", people[0], "debt_counselling")
            assert part.involvement is not None
            home = await open_household(running, *people)
            answer = await inquire(running, home, *people)
            pointer = inquiry_part(answer, 0).pointers[0]
            source = Source(folder / "source", running, people[0], part.involvement)
            asked = Asked(running, source, port, people[0], home, pointer.involvement)
            async with serve_source(source, port):
                assert release_part(await asked.ask()).failure is None
        found = map(read_statement, texts)
        yield list({one.text: one for one in found if one is not None}.values())


class TestHot:
    """The statements of a question."""

    pytestmark = on_postgresql

    async def test_every_kind_of_table_is_touched(self, hot: list[Statement]) -> None:
        """Else the recording missed what it is about."""
        touched = {table for one in hot for table in one.tables}
        assert {"pseudonyms", "partner_references", "involvements", "occasions"} <= touched
        assert {"log_head", "log_entries", "log_nodes", "log_counters", "spent"} <= touched
        assert {one.verb for one in hot} >= {"SELECT", "INSERT", "UPDATE"}

    async def test_each_names_the_key_by_which_its_rows_are_divided(
        self, hot: list[Statement]
    ) -> None:
        apart = {one.describe() for one in hot if not one.is_kept_together()}
        assert apart == set(FANS_OUT)

    async def test_what_is_locked_is_one_row_in_one_place(self, hot: list[Statement]) -> None:
        """The log's head, and the row that says under which epoch pseudonyms are written."""
        locking = [one for one in hot if one.locks]
        assert {one.tables for one in locking} == {("log_head",), ("pseudonym_rotation",)}
        for one in locking:
            assert not any(find_place(table).key for table in one.tables)
            assert " WHERE " in one.text

    async def test_what_is_joined_lies_together_or_everywhere(self, hot: list[Statement]) -> None:
        for one in hot:
            kinds = {find_place(table).kind for table in one.tables} - {"everywhere"}
            assert len(kinds) <= 1, one.text

    async def test_nothing_is_asked_of_the_engine_that_it_lacks(self, hot: list[Statement]) -> None:
        """No table lock, no LISTEN, no cursor that outlives its transaction."""
        words = {word for one in hot for word in one.text.upper().split()}
        assert not words & {"LOCK", "LISTEN", "NOTIFY", "HOLD", "RECURSIVE", "TABLESAMPLE"}


@pytest.mark.postgres
def test_every_table_has_a_place(postgres_url: str, postgres_template: str) -> None:
    """Of those that a question touches; a new one is divided, or kept whole by a decision."""
    url = make_url(postgres_url).set(drivername="postgresql+psycopg", database=postgres_template)
    engine = create_engine(url)
    names = set(inspect(engine).get_table_names())
    for table, place in PLACES.items():
        assert table in names, table
        columns = {column["name"] for column in inspect(engine).get_columns(table)}
        assert not place.key or place.key in columns, table
    of_people = {
        table
        for table in names
        if "subject_id" in {column["name"] for column in inspect(engine).get_columns(table)}
    }
    engine.dispose()
    assert of_people - set(PLACES) == set()


def test_what_citus_could_not_keep_is_known() -> None:
    found = set(list_unfit())
    assert ("partner_references", "lookup", ("partner", "kind", "target")) in found
    assert ("involvements", "subject_id", ("id",)) in found
    assert not {table for table, _, _ in found} & {"subjects", "occasions", "log_counters"}


@pytest.mark.parametrize(
    ("text", "together"),
    [
        ("SELECT x FROM consents WHERE consents.subject_id = %(a)s::BYTEA AND y > %(b)s", True),
        ("SELECT x FROM consents WHERE consents.id = %(a)s", False),
        ("SELECT x FROM consents", False),
        ("SELECT x FROM pseudonyms WHERE pseudonyms.lookup IN (%(a)s, %(b)s)", True),
        ("SELECT x FROM pseudonyms WHERE lookup = %(a)s OR lookup = %(b)s", True),
        ("SELECT x FROM pseudonyms WHERE lookup = %(a)s OR subject_id = %(b)s", False),
        ("INSERT INTO consents (id, subject_id) VALUES (%(a)s, %(b)s)", True),
        ("INSERT INTO consents (id) VALUES (%(a)s)", False),
        ("UPDATE consents SET subject_id = %(a)s WHERE id = %(b)s", False),
        ("SELECT size FROM log_head WHERE log_head.id = %(a)s FOR UPDATE", True),
        ("SELECT x FROM consents WHERE subject_id = %(a)s AND (b IS NULL OR c = %(d)s)", True),
        ("SELECT x FROM consents WHERE b = %(a)s AND (subject_id = %(b)s OR c = %(d)s)", False),
        ("SELECT x FROM consents WHERE consents.not_subject_id = %(a)s", False),
        (JOINED, True),
        (JOINED.replace("subjects.subject_id IN", "subjects.created_at IN"), False),
    ],
)
def test_a_statement_is_read_rightly(text: str, *, together: bool) -> None:
    assert read(text).is_kept_together() is together


def test_a_lock_is_seen() -> None:
    assert read("SELECT x FROM consents WHERE subject_id = %(a)s FOR UPDATE").locks
    assert read("SELECT x FROM consents WHERE subject_id = %(a)s FOR NO KEY UPDATE").locks
    assert not read("UPDATE consents SET x = 1 WHERE subject_id = %(a)s").locks
    assert read_statement("SELECT current_setting('fsync')") is None
    assert read("SELECT x FROM consents WHERE a = %(a)s AND consents.b IN (%(b)s)").describe() == (
        "SELECT consents by a, b"
    )
