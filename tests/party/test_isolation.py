"""A server's own defaults change nothing of how transactions see each other."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import text

from datwat.party.database import open_engine, reading
from tests.conftest import open_database

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("default", ["repeatable read", "serializable"])
def test_writers_are_read_committed_whatever_the_database_says(
    postgres_url: str, default: str
) -> None:
    with open_database(postgres_url) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            name = connection.info.dbname
            connection.execute(
                f'ALTER DATABASE "{name}" SET default_transaction_isolation = "{default}"'
            )
        engine = open_engine(url)
        shown = text("SHOW transaction_isolation")
        with engine.begin() as writer:
            assert writer.scalar(shown) == "read committed"
        with reading(engine).begin() as reader:
            assert reader.scalar(shown) == "repeatable read"
        engine.dispose()
