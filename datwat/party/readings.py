"""What every party shows of itself at `/metrics`: its list, its bundle, its database, its places.

Rule: from memory, but for the one question that asks how long the database takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from datwat.party.database import reading
from datwat.party.errors import PartyError
from datwat.party.measured import read_places
from datwat.party.metrics import Reading
from datwat.protocol.trust import TrustList

_THEIR_CLOCK = text("SELECT clock_timestamp()")
_DIGITS = 12  # of a revision: 48 bits, which a Prometheus number holds exactly


def read_trust(trust: TrustList) -> Iterator[Reading]:
    """Yield the figures of the trust list in force, and of the listeners."""
    yield Reading("datwat_trust_list_seq", trust.seq)
    ends = trust.valid_until.timestamp()
    yield Reading("datwat_trust_list_ends_timestamp_seconds", ends)
    yield from read_places()


def read_bundle(seq: int | None, revision: str | None) -> Iterator[Reading]:
    """Yield the figures of the policy bundle in force, if there is one."""
    yield Reading("datwat_policy_seq", seq)
    number = int(revision[:_DIGITS], 16) if revision else None
    yield Reading("datwat_policy_revision_number", number)


def read_pool(engine: Engine) -> Iterator[Reading]:
    """Yield how many connections of the pool are lent out and free."""
    pool = engine.pool
    if isinstance(pool, QueuePool):
        yield Reading("datwat_database_connections", pool.checkedout(), ("lent",))
        yield Reading("datwat_database_connections", pool.checkedin(), ("free",))


def time_database(engine: Engine) -> timedelta | None:
    """Return how long the database took to answer; None where it did not. Blocks."""
    began = time.monotonic()
    try:
        with reading(engine).begin() as connection:
            connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, PartyError):
        return None
    return timedelta(seconds=time.monotonic() - began)


def measure_clock(engine: Engine, clock: Callable[[], datetime]) -> timedelta:
    """Return how far this machine's clock is ahead of the database server's; zero where it is one.

    At most half of what the answer takes is wrong. Blocks. Raises SQLAlchemyError, DatabaseError.
    """
    if engine.dialect.name != "postgresql":
        return timedelta(0)
    with reading(engine).begin() as connection:
        before = clock()
        there: datetime = connection.execute(_THEIR_CLOCK).scalar_one()
        after = clock()
    return before + (after - before) / 2 - there
