"""Spent requests on both kinds of database, in the key holder's schema."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from datwat.party.spent import KEPT_FOR, RidReusedError, Spent, SpentRequests
from keyholder.tables import SPENT
from tests.keyholder.conftest import own_engine

__all__ = ["own_engine"]

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ISS = "00000099000000001000:youth-help"
HASH, OTHER = b"h" * 32, b"o" * 32


@pytest.fixture
def spent() -> SpentRequests:
    return SpentRequests(SPENT)


def test_the_same_bytes_find_the_recorded_answer(own_engine: Engine, spent: SpentRequests) -> None:
    rid = os.urandom(16)
    with own_engine.begin() as c:
        assert spent.find(c, ISS, rid, HASH, now=NOW) is None
        assert spent.spend(c, ISS, rid, HASH, answer=b"a", now=NOW) is None
    with own_engine.begin() as c:
        assert spent.find(c, ISS, rid, HASH, now=NOW) == Spent(b"a")
        assert spent.spend(c, ISS, rid, HASH, answer=b"b", now=NOW) == Spent(b"a")
        assert spent.find(c, "other", rid, OTHER, now=NOW) is None


def test_other_bytes_are_refused(own_engine: Engine, spent: SpentRequests) -> None:
    rid = os.urandom(16)
    with own_engine.begin() as c:
        spent.spend(c, ISS, rid, HASH, answer=b"a", now=NOW)
    for call in (spent.find, spent.spend):
        arguments = {} if call == spent.find else {"answer": b"x"}
        with own_engine.begin() as c, pytest.raises(RidReusedError):
            call(c, ISS, rid, OTHER, now=NOW, **arguments)


def test_an_answer_can_follow_later_or_never(own_engine: Engine, spent: SpentRequests) -> None:
    rid = os.urandom(16)
    with own_engine.begin() as c:
        spent.spend(c, ISS, rid, HASH, answer=None, now=NOW)
        assert spent.find(c, ISS, rid, HASH, now=NOW) == Spent(None)
        spent.record(c, ISS, rid, b"late")
        assert spent.find(c, ISS, rid, HASH, now=NOW) == Spent(b"late")
        spent.release(c, ISS, rid)
        assert spent.find(c, ISS, rid, HASH, now=NOW) is None


def test_what_is_rolled_back_was_not_spent(own_engine: Engine, spent: SpentRequests) -> None:
    rid = os.urandom(16)
    with own_engine.connect() as c:
        spent.spend(c, ISS, rid, HASH, answer=b"a", now=NOW)
        c.rollback()
    with own_engine.begin() as c:
        assert spent.find(c, ISS, rid, HASH, now=NOW) is None


def test_ten_minutes(own_engine: Engine, spent: SpentRequests) -> None:
    rid = os.urandom(16)
    later = NOW + KEPT_FOR
    with own_engine.begin() as c:
        spent.spend(c, ISS, rid, HASH, answer=b"a", now=NOW)
        before = later - timedelta(seconds=1)
        assert spent.purge(c, before) == 0
        assert spent.find(c, ISS, rid, HASH, now=before) == Spent(b"a")
        assert spent.find(c, ISS, rid, HASH, now=later) is None
        with pytest.raises(RidReusedError):
            spent.spend(c, ISS, rid, HASH, answer=b"b", now=later)
        assert spent.purge(c, later) == 1


def test_of_eight_at_once_one_spends_it(own_engine: Engine, spent: SpentRequests) -> None:
    rid = os.urandom(16)

    def spend(number: int) -> Spent | None:
        with own_engine.begin() as c:
            return spent.spend(c, ISS, rid, HASH, answer=bytes([number]), now=NOW)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(spend, range(8)))
    winners = [number for number, result in enumerate(results) if result is None]
    assert len(winners) == 1
    others = [result for result in results if result is not None]
    assert others == [Spent(bytes(winners))] * 7
