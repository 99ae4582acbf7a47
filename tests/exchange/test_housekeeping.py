"""Rounds of housekeeping: counted, done in pieces, told; a failure holds up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from broker.adapters.log_tables import LogEntry
from broker.adapters.log_tables import table_of as log_table_of
from broker.adapters.tables import ShieldRecord, table_of
from broker.app import build_commands
from broker.audit.payloads import parse_payload
from broker.audit.records import Appendable, Job
from broker.exchange import housekeeping
from broker.exchange.ends_keeping import EndsKeeping
from tests.exchange.world import ON_EACH_DATABASE, Running, bsns, now, open_household

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
_ENTRIES, _SHIELDS = log_table_of(LogEntry), table_of(ShieldRecord)


@pytest.fixture(autouse=True)
def no_other_round(broker: Running) -> Iterator[None]:
    yield
    assert broker.broker.housekeeper.failed == frozenset()


async def command(running: Running, name: str) -> dict[str, Any]:
    return await build_commands(running.broker, lambda: None)[name]({})


async def _let_end(running: Running, *tables: Any) -> None:  # noqa: ANN401 - tables
    """Let every content end now, and write a row that is over."""

    def work(conn: Connection) -> list[Appendable]:
        ended = now() - timedelta(seconds=1)
        conn.execute(
            update(_ENTRIES)
            .where(_ENTRIES.c.retention_until.is_not(None))
            .values(retention_until=ended)
        )
        for table in tables:
            conn.execute(insert(table), {"subject_id": bytes(16), "until_at": ended})
        return []

    await running.broker.log.append(Job(work))


def _count_contents(running: Running) -> int:
    with running.broker.store.reading() as conn:
        query = select(func.count()).where(_ENTRIES.c.sealed.is_not(None))
        return int(conn.execute(query).scalar_one())


async def test_what_is_counted_as_due_is_what_ends(broker: Running) -> None:
    await open_household(broker, next(NUMBERS), next(NUMBERS))
    await _let_end(broker, _SHIELDS)
    due = (await command(broker, "housekeep_due"))["due"]
    # Two persons, and the one whom the shield names.
    counted = {name: n for name, n in due.items() if n}
    assert counted == {"persons": 3, "contents": 2, "shields": 1}
    assert _count_contents(broker) == 2  # counting changes nothing
    answer = await command(broker, "housekeep")
    assert answer == {"more": False, "failed": [], "ended": {"contents": 2, "rows": 1}}
    due = (await command(broker, "housekeep_due"))["due"]
    assert set(due.values()) == {0}
    status = await command(broker, "status")
    assert "contents=2" in status["housekeeping_ended"]
    assert await command(broker, "housekeep") == {"more": False, "failed": [], "ended": {}}


async def test_a_round_is_bounded_and_the_rest_comes_next(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_SECONDS", 0.0)
    monkeypatch.setattr("broker.exchange.ends_keeping._CONTENTS", 2)
    for _ in range(3):
        await open_household(broker, next(NUMBERS), next(NUMBERS))
    await _let_end(broker)
    before = _count_contents(broker)
    assert await broker.broker.housekeeper.run_round() is True
    # Two ended, and as many notices of it came.
    assert _count_contents(broker) <= before
    assert (await command(broker, "housekeep_due"))["due"]["contents"] > 0
    answer = await command(broker, "housekeep")
    assert answer["more"] is False
    assert (await command(broker, "housekeep_due"))["due"]["contents"] == 0


async def test_a_stage_that_fails_is_named_and_holds_up_no_other(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_household(broker, next(NUMBERS))
    await _let_end(broker, _SHIELDS)

    async def fail(*_: object) -> bool:
        await asyncio.sleep(0)
        raise LookupError

    with monkeypatch.context() as patched:
        patched.setattr(EndsKeeping, "run", fail)
        answer = await command(broker, "housekeep")
        assert (answer["failed"], answer["ended"]) == (["ends"], {"rows": 1})
        assert (await command(broker, "status"))["housekeeping_failed"] == ["ends"]
    assert (await command(broker, "housekeep"))["failed"] == []


async def test_rounds_at_the_same_time_end_everything_once(broker: Running) -> None:
    await open_household(broker, next(NUMBERS))
    await _let_end(broker)
    with broker.broker.store.reading() as conn:
        last = int(conn.execute(select(func.max(_ENTRIES.c.idx))).scalar_one())
    await asyncio.gather(*(broker.broker.housekeeper.run_round() for _ in range(4)))
    with broker.broker.store.reading() as conn:
        row = broker.broker.store.find_entry(conn, last + 1)
        assert row is not None
        assert row.subject_id is not None
        (content,) = broker.broker.sealing.open_contents(conn, row.subject_id, [row])
        assert broker.broker.store.find_entry(conn, last + 2) is None
    assert content is not None
    assert parse_payload(content.payload).event == "erased"
