"""Quotas and the recorder on both kinds of database."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from datwat.party.spent import RidReusedError, SpentRequests
from keyholder import quotas
from keyholder.errors import PartnerNotOpenError, QuotaError
from keyholder.recorder import Made, Recorder
from keyholder.tables import SPENT

NOW = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
PARTNER = "00000099000000001000:youth-help"


@pytest.fixture
def engine(own_engine: Engine) -> Engine:
    with own_engine.begin() as c:
        quotas.open_partner(c, PARTNER, 0, NOW)
    return own_engine


def charge(engine: Engine, n: int, request_class: str = "inquire", now: datetime = NOW) -> bool:
    try:
        with engine.begin() as c:
            quotas.charge(c, PARTNER, request_class, n, limit=10, now=now)
    except QuotaError:
        return False
    return True


def test_a_quota_is_per_class_and_day(engine: Engine) -> None:
    assert charge(engine, 6)
    assert not charge(engine, 5)
    assert charge(engine, 4)
    assert not charge(engine, 1)
    assert charge(engine, 10, "register")
    assert charge(engine, 10, now=NOW + timedelta(minutes=1))  # a new day in UTC
    assert not charge(engine, 11, now=NOW + timedelta(days=2))


def test_room_is_told_as_it_is(engine: Engine) -> None:
    charge(engine, 6)
    with engine.begin() as c:
        quotas.require_room(c, PARTNER, "inquire", 4, limit=10, now=NOW)
        with pytest.raises(QuotaError):
            quotas.require_room(c, PARTNER, "inquire", 5, limit=10, now=NOW)
        with pytest.raises(PartnerNotOpenError):
            quotas.require_room(c, "00000099000000001000:other", "inquire", 1, limit=10, now=NOW)
        assert quotas.fetch_usage(c, NOW) == {(PARTNER, "inquire"): 6}


def test_a_first_load_is_for_registrations_only(engine: Engine) -> None:
    with engine.begin() as c:
        quotas.open_partner(c, PARTNER, 100, NOW)
    assert not charge(engine, 50, "inquire")
    assert charge(engine, 50, "register")
    with engine.begin() as c:
        quotas.require_room(c, PARTNER, "register", 50, limit=10, now=NOW)
        assert quotas.fetch_open(c) == {PARTNER: 50}
    assert charge(engine, 50, "register")
    assert not charge(engine, 50, "register")
    assert charge(engine, 10, "register")  # the day's own quota was not touched


def test_closing_and_old_counts(engine: Engine) -> None:
    charge(engine, 1)
    with engine.begin() as c:
        assert quotas.close_partner(c, PARTNER)
        assert not quotas.close_partner(c, PARTNER)
        assert quotas.fetch_open(c) == {}
        assert quotas.purge_usage(c, NOW + timedelta(days=31)) == 0
        assert quotas.purge_usage(c, NOW + timedelta(days=32)) == 1


def test_of_many_at_once_no_more_than_the_quota(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: charge(engine, 1), range(24))) == 10


def made(n: int, *, rid: bytes | None = None, request_hash: bytes = b"h" * 32) -> Made:
    return Made(
        partner=PARTNER,
        rid=rid or os.urandom(16),
        request_hash=request_hash,
        request_class="inquire",
        n=n,
        limit=10,
        answer=os.urandom(8),
        now=NOW,
    )


async def test_one_that_is_refused_leaves_the_others_of_its_commit(engine: Engine) -> None:
    recorder = Recorder(engine, SpentRequests(SPENT))
    twin = made(1)
    other = twin._replace(request_hash=b"o" * 32)
    again = twin._replace(answer=b"again")
    too_many = made(10)
    batch = [twin, other, again, too_many, made(8)]
    results = await asyncio.gather(*map(recorder.record, batch), return_exceptions=True)
    assert results[0] == results[2] == twin.answer
    assert isinstance(results[1], RidReusedError)
    assert isinstance(results[3], QuotaError)
    assert results[4] == batch[4].answer
    # The refused one spent nothing: neither its id nor its elements.
    with engine.begin() as c:
        assert quotas.fetch_usage(c, NOW) == {(PARTNER, "inquire"): 9}
    smaller = too_many._replace(n=1)
    assert await recorder.record(smaller) == too_many.answer
    recorder.close()


async def test_what_is_told_is_on_disk(engine: Engine) -> None:
    recorder = Recorder(engine, SpentRequests(SPENT))
    entries = [made(1) for _ in range(10)]
    await asyncio.gather(*map(recorder.record, entries))
    with engine.begin() as c:
        spent = SpentRequests(SPENT)
        found = [spent.find(c, PARTNER, one.rid, one.request_hash, now=NOW) for one in entries]
    assert [one.answer for one in entries] == [one and one.answer for one in found]
    recorder.close()
