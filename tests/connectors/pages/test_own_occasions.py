"""Which occasions somebody is shown: the open ones that they work on at this moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, func, select, update

from connectors.client.own_occasions import OwnOccasions
from connectors.client.store import ClientStore
from connectors.tables import MIGRATIONS, occasion_staff, occasions
from datwat.party.database import migrate
from datwat.protocol.acts import Handler, OccasionStatement
from tests.connectors.client.conftest import own_engine

__all__ = ["own_engine"]
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def work(who: str, *, begins: timedelta = -DAY, ends: timedelta | None = None) -> Handler:
    until_at = NOW + ends if ends is not None else None
    return Handler(professional=who, role="second", from_at=NOW + begins, until_at=until_at)


def open_occasion(engine: Engine, number: str, *handlers: Handler) -> OwnOccasions:
    ClientStore(engine).add_occasion(number, number.encode().ljust(16), ["K-2", "K-1"], NOW)
    own = OwnOccasions(engine)
    own.keep(number, OccasionStatement(kind="report", team="Noord", handlers=handlers))
    return own


def test_own_ones_with_their_household_in_order(own_engine: Engine) -> None:
    own = open_occasion(own_engine, "a-1", work("noor"), work("sam"))
    open_occasion(own_engine, "a-2", work("sam"))
    [found] = own.list_for("noor", NOW)
    assert (found.number, found.kind, found.team, found.role) == (
        "a-1",
        "report",
        "Noord",
        "second",
    )
    assert found.members == ("K-2", "K-1")
    assert {one.number for one in own.list_for("sam", NOW)} == {"a-1", "a-2"}
    assert own.find_for("noor", "a-2", NOW) is None


def test_not_before_one_begins_nor_after_one_ends(own_engine: Engine) -> None:
    own = open_occasion(
        own_engine, "a-1", work("early", ends=timedelta()), work("late", begins=DAY), work("noor")
    )
    for who in ("early", "late", "nobody"):
        assert own.list_for(who, NOW) == ()


def test_handed_over_it_is_the_others(own_engine: Engine) -> None:
    own = open_occasion(own_engine, "a-1", work("noor"))
    own.hand_over("a-1", [work("sam")])
    assert own.list_for("noor", NOW) == ()
    assert [one.number for one in own.list_for("sam", NOW)] == ["a-1"]


def test_a_closed_one_and_one_of_before_are_nobodys(own_engine: Engine) -> None:
    own = open_occasion(own_engine, "a-1", work("noor"))
    store = ClientStore(own_engine)
    store.close_occasion("a-1", NOW)
    store.add_occasion("old", bytes(16), ["K-1"], NOW)
    assert own.list_for("noor", NOW) == ()


def test_what_is_open_when_the_list_of_staff_is_made_is_in_it(own_engine: Engine) -> None:
    own = open_occasion(own_engine, "a-1", work("noor"), work("sam"))
    open_occasion(own_engine, "a-2", work("noor"))
    ClientStore(own_engine).close_occasion("a-2", NOW)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with own_engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0006")
    migrate(own_engine, MIGRATIONS)
    assert [one.number for one in own.list_for("noor", NOW)] == ["a-1"]
    assert [one.number for one in own.list_for("sam", NOW)] == ["a-1"]
    with own_engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(occasion_staff)).scalar() == 2


def test_a_page_reads_none_of_the_others(own_engine: Engine) -> None:
    own = open_occasion(own_engine, "a-1", work("noor"))
    open_occasion(own_engine, "a-2", work("sam"))
    with own_engine.begin() as connection:  # one that cannot be read at all
        broken = update(occasions).where(occasions.c.number == "a-2")
        connection.execute(broken.values(handlers=b"?"))
    assert [one.number for one in own.list_for("noor", NOW)] == ["a-1"]
