"""A month is counted once: what was given out stays, whatever ends, waits, opens or is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, delete, insert, select, update

from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.oversight_kept import SqlKeptMonths
from broker.adapters.oversight_months import SqlMonthCounts
from broker.adapters.oversight_tables import ActRecord, MonthRecord
from broker.adapters.publication_tables import LOG_GENERATIONS
from broker.adapters.purging import purge_ended
from broker.adapters.rows import RowSealer
from broker.api.public_figures import build_public
from broker.commands.oversight_views import describe_use
from broker.pseudonyms.errors import RowMismatch
from broker.transparency.figures import Month, MonthFigures
from broker.transparency.months import (
    KEPT,
    KeptMonth,
    Months,
    MonthUncountedError,
    build_kept,
)
from tests.exchange.test_openings import BOSS, open_waiting
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Running,
    bsns,
    inquire,
    now,
    open_household,
)
from tests.oversight.planted import build_act

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
_ACTS, _MONTHS, _ENTRIES = table_of(ActRecord), table_of(MonthRecord), table_of(LogEntry)
_LAST = Month.before(now())


def go_back(count: int) -> Month:
    """Return a month that is over, so many before the last one."""
    month = _LAST
    for _ in range(count):
        month = month.previous()
    return month


def restart(
    running: Running,
    *,
    restored_at: datetime | None = None,
    at: datetime | None = None,
    counts: SqlMonthCounts | None = None,
) -> Months:
    """Return the months as a process that begins now has them: it remembers nothing."""
    rooms = running.broker.rooms
    return Months(
        counts=counts or SqlMonthCounts(),
        rows=SqlKeptMonths(RowSealer(running.broker.secrets.row_key)),
        log=rooms.log,
        reading=running.broker.store.reading,
        clock=rooms.clock if at is None else (lambda: at),
        restored_at=restored_at,
    )


async def act_in(running: Running, month: Month, persons: int = 12) -> range:
    """Let a social team ask about persons, all of it in that month; return the entries."""
    numbers = [next(NUMBERS) for _ in range(persons)]
    first = running.broker.log.size
    home = await open_household(running, *numbers)
    await inquire(running, home, *numbers)
    entries = range(first, running.broker.log.size)
    move(running, entries, month)
    return entries


def move(running: Running, entries: range, month: Month, **more: object) -> None:
    """Say of acts that they were done in another month."""
    at = month.from_at + timedelta(days=3)
    change = update(_ACTS).where(_ACTS.c.idx >= entries.start, _ACTS.c.idx < entries.stop)
    with running.broker.store.writing() as conn:
        conn.execute(change.values(**{"at": at, "shown_at": at, **more}))


def plant(running: Running, month: Month, first: int, count: int, **more: object) -> None:
    """Write acts of a month beside no entry."""
    at = month.from_at + timedelta(days=9)
    rows = [{**build_act(0, 1, one, at), **more, "idx": first + one} for one in range(count)]
    with running.broker.store.writing() as conn:
        conn.execute(insert(_ACTS), rows)


def wait_until_kept(months: Months) -> None:
    """Wait until the last month lies in the database."""
    until = time.monotonic() + 20
    while months._find(_LAST) is None:  # noqa: SLF001 - what lies there
        assert time.monotonic() < until, "the last month was not counted"
        time.sleep(0.05)


async def read_all(running: Running, months: Months, month: Month) -> bytes:
    """Return every byte that is served of a month: to everybody, and to each partner."""
    kept = await months.fetch(month)
    public = build_public(kept.indicators).model_dump(mode="json")
    partners = running.broker.keeper.directory.partners
    uses = [describe_use(kept.find_use(partner)) for partner in sorted(partners)]
    return orjson.dumps([public, uses]).replace(str(month).encode(), b"month")


def find_counts(served: bytes) -> Mapping[str, Any]:
    tables = orjson.loads(served)[0]["tables"]
    return {table["table"]: [cell["count"] for cell in table["cells"]] for table in tables}


async def test_what_is_erased_changes_nothing_that_was_given_out(broker: Running) -> None:
    month = go_back(1)
    entries = await act_in(broker, month)
    before = await read_all(broker, restart(broker), month)
    assert find_counts(before)["questions"] == [12, 0]
    over = now() - timedelta(seconds=1)
    gone = (entries.start <= _ENTRIES.c.idx) & (_ENTRIES.c.idx < entries.stop)
    with broker.broker.store.writing() as conn:
        conn.execute(update(_ENTRIES).where(gone).values(retention_until=over))
        conn.execute(
            update(_ACTS).where(_ACTS.c.idx.in_(list(entries))).values(retention_until=over)
        )
    erased = (await broker.broker.ends.ends.erase_due(now(), 100)).contents
    assert erased >= len(entries)
    with broker.broker.store.reading() as conn:
        left = conn.execute(select(_ACTS.c.idx).where(_ACTS.c.idx.in_(list(entries))))
        assert left.all() == []
    assert await read_all(broker, restart(broker), month) == before
    # Without what was kept, it would show by subtraction.
    with broker.broker.store.writing() as conn:
        conn.execute(delete(_MONTHS).where(_MONTHS.c.month == str(month)))
    assert find_counts(await read_all(broker, restart(broker), month))["questions"] == [None]


async def test_what_waits_changes_no_byte_and_counts_where_it_opens(broker: Running) -> None:
    plain, waiting = go_back(2), go_back(3)
    plant(broker, plain, 6_000_000, 30)
    plant(broker, waiting, 6_001_000, 30)
    first, bsn = broker.broker.log.size, next(NUMBERS)
    home, row = await open_waiting(broker, bsn)
    await inquire(broker, home, bsn)
    entries = range(first, broker.broker.log.size)
    move(broker, entries, waiting, shown_at=None)
    without = await read_all(broker, restart(broker), plain)
    assert await read_all(broker, restart(broker), waiting) == without
    # Had it been counted at once, a partner's own figures would differ.
    with broker.broker.store.writing() as conn:
        conn.execute(delete(_MONTHS).where(_MONTHS.c.month == str(waiting)))
    move(broker, entries, waiting)
    told = await read_all(broker, restart(broker), waiting)
    assert told != without
    with broker.broker.store.writing() as conn:
        conn.execute(delete(_MONTHS).where(_MONTHS.c.month == str(waiting)))
    move(broker, entries, waiting, shown_at=None)
    assert await read_all(broker, restart(broker), waiting) == without
    # Opened now, it counts in this month, and the one in which it was done stays.
    await broker.broker.openings.open(row, BOSS)
    with broker.broker.store.reading() as conn:
        shown = conn.execute(select(_ACTS.c.shown_at).where(_ACTS.c.idx.in_(list(entries))))
        assert all(one >= _LAST.until_at for one in shown.scalars())
    assert await read_all(broker, restart(broker), waiting) == without


async def test_many_who_ask_at_once_get_one_count(broker: Running) -> None:
    month = go_back(4)
    plant(broker, month, 6_010_000, 20)
    months, again = restart(broker), restart(broker)
    found = await asyncio.gather(*(read_all(broker, one, month) for one in [months, again] * 8))
    assert len(set(found)) == 1
    with broker.broker.store.reading() as conn:
        kept = conn.execute(select(_MONTHS).where(_MONTHS.c.month == str(month))).all()
    assert len(kept) == 1
    assert kept[0].until_at == month.until_at + KEPT


class Overtaken(SqlMonthCounts):
    """Counts, and is so slow that another process counted and kept the month meanwhile."""

    def __init__(self, running: Running, first: KeptMonth) -> None:
        self._running = running
        self._first = first

    def fetch_month(self, conn: Connection, month: Month, now: datetime) -> MonthFigures:
        found = super().fetch_month(conn, month, now)
        rows = SqlKeptMonths(RowSealer(self._running.broker.secrets.row_key))
        with self._running.broker.store.writing() as other:
            rows.add(other, self._first)
        return found


async def test_a_second_process_gives_what_the_first_one_kept(broker: Running) -> None:
    month = go_back(5)
    first = build_kept(MonthFigures(month), now())
    plant(broker, month, 6_020_000, 50)
    late = restart(broker, counts=Overtaken(broker, first))
    found = await late.fetch(month)
    assert found == first
    assert found == await restart(broker).fetch(month)
    with broker.broker.store.reading() as conn:
        own = build_kept(SqlMonthCounts().fetch_month(conn, month, now()), now())
    assert own.indicators != first.indicators


async def test_what_was_lost_before_it_was_counted_is_never_given_out(broker: Running) -> None:
    month, kept = go_back(6), go_back(7)
    plant(broker, month, 6_030_000, 20)
    plant(broker, kept, 6_031_000, 20)
    before = await read_all(broker, restart(broker), kept)
    inside = month.from_at + timedelta(days=5)
    for restored in (inside, month.until_at + timedelta(days=1)):
        months = restart(broker, restored_at=restored)
        with pytest.raises(MonthUncountedError):
            await months.fetch(month)
        # What was kept before is in the backup, and stays.
        assert await read_all(broker, months, kept) == before
    earlier = restart(broker, restored_at=month.from_at - timedelta(seconds=1))
    assert find_counts(await read_all(broker, earlier, month))["questions"] == [20, 0]


async def test_a_new_generation_of_the_log_counts_from_its_own_beginning(broker: Running) -> None:
    month = go_back(8)
    plant(broker, month, 6_040_000, 20)
    ended = {"origin": "log.example/log/0", "note": b"", "size": 1, "kept": 1, "ended_at": 0}
    with broker.broker.store.writing() as conn:
        conn.execute(insert(LOG_GENERATIONS), {**ended, "told": None})
    try:
        with pytest.raises(MonthUncountedError):
            await restart(broker).fetch(month)
    finally:
        with broker.broker.store.writing() as conn:
            conn.execute(delete(LOG_GENERATIONS))
    assert (await restart(broker).fetch(month)).month == month


async def test_a_month_has_an_end_and_is_not_counted_again_after_it(broker: Running) -> None:
    month = go_back(9)
    plant(broker, month, 6_050_000, 20)
    await restart(broker).fetch(month)
    end = month.until_at + KEPT
    assert (await restart(broker, at=end - timedelta(seconds=1)).fetch(month)).until_at == end
    with pytest.raises(MonthUncountedError):
        await restart(broker, at=end).fetch(month)
    with broker.broker.store.writing() as conn:
        purge_ended(conn, end - timedelta(seconds=1))
        assert conn.execute(select(_MONTHS).where(_MONTHS.c.month == str(month))).all()
        purge_ended(conn, end)
        assert not conn.execute(select(_MONTHS).where(_MONTHS.c.month == str(month))).all()
    with pytest.raises(MonthUncountedError):
        await restart(broker, at=end).fetch(month)


async def test_what_is_kept_opens_in_its_own_row_alone(broker: Running) -> None:
    month, other = go_back(10), go_back(11)
    plant(broker, month, 6_060_000, 20)
    months = restart(broker)
    await months.fetch(month)
    await months.fetch(other)
    with broker.broker.store.reading() as conn:
        sealed = conn.execute(
            select(_MONTHS.c.sealed).where(_MONTHS.c.month == str(month))
        ).scalar_one()
    assert b"questions" not in bytes(sealed)
    with broker.broker.store.writing() as conn:
        conn.execute(
            update(_MONTHS).where(_MONTHS.c.month == str(other)).values(sealed=bytes(sealed))
        )
    with pytest.raises(RowMismatch):
        await restart(broker).fetch(other)


async def test_the_broker_counts_the_last_month_by_itself(broker: Running) -> None:
    months = restart(broker)
    running = asyncio.ensure_future(months.run())
    try:
        await asyncio.to_thread(wait_until_kept, months)
    finally:
        running.cancel()
    first = await read_all(broker, restart(broker), _LAST)
    plant(broker, _LAST, 6_070_000, 40)
    assert await read_all(broker, restart(broker), _LAST) == first


async def test_page_command_and_partner_read_the_same_month(broker: Running) -> None:
    oversight, month = broker.broker.oversight, go_back(1)
    kept = await oversight.months.fetch(month)
    assert await oversight.fetch_indicators(month) == kept.indicators
    for partner in broker.broker.keeper.directory.partners:
        assert await oversight.fetch_use(partner, month) == kept.find_use(partner)
