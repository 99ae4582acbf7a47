"""Clients, tokens, decisions and records of processing on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from broker.adapters.ldv_delivery import LdvDelivery
from broker.adapters.ldv_outbox import SpanRecord, SqlProcessingLog
from broker.adapters.purging import purge_ended
from broker.adapters.token_clients import SqlAccess
from broker.audit.records import Appendable, Job
from broker.exchange.access import AccessClient, Grant
from tests.exchange.conftest import database  # noqa: F401 - a fixture
from tests.exchange.world import ON_EACH_DATABASE, World, now, say
from tests.others.test_ldv import build_record
from tests.others.test_weighed_entry import Here, open_here
from tests.others.world import spell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
CLIENT = AccessClient("city-portal", "00000099000000000001:social-team", "{}", now(), now())


class Kept:
    """A target that keeps what it is told."""

    def __init__(self) -> None:
        self.records: list[SpanRecord] = []

    async def send(self, records: Sequence[SpanRecord]) -> None:
        self.records += records


async def write(here: Here, do: Callable[[Connection], Any]) -> Any:  # noqa: ANN401 - of `do`
    found: list[Any] = []

    def work(conn: Connection) -> Sequence[Appendable]:
        found.append(do(conn))
        return []

    await here.running.broker.rooms.log.append(Job(work))
    return found[0]


async def test_what_others_are_given_is_kept_told_and_ended(
    tmp_path_factory: pytest.TempPathFactory,
    database: str,  # noqa: F811 - the fixture
) -> None:
    """1. Clients and tokens; 2. decisions in one chain; 3. records of processing; 4. their ends."""
    folder: Path = tmp_path_factory.mktemp("each")
    async with open_here(World(folder, database_url=database), opa_deadline_ms=10_000) as here:
        await _give_tokens(here)
        stated = {"statement": spell(say()), "facts": {}}
        for _ in range(3):
            assert (await here.evaluate(stated)).status_code == 200
        with here.running.broker.database.connect() as conn:
            checked = here.others.decisions.check(conn)
        assert (checked.count, checked.broken_at) == (3, None)
        await _tell(here)
        later = now() + timedelta(days=8_000)
        while await write(here, lambda conn: purge_ended(conn, later)):
            continue
        assert here.count_decisions() == 0
        # A chain whose rows all ended begins again, and holds.
        assert (await here.evaluate(stated)).status_code == 401
        await here.log_in()
        assert (await here.evaluate(stated)).status_code == 200
        with here.running.broker.database.connect() as conn:
            assert here.others.decisions.check(conn).broken_at is None


async def _give_tokens(here: Here) -> None:
    store, moment = SqlAccess(), now()
    client = AccessClient(
        CLIENT.client_id, CLIENT.partner, "{}", moment, moment + timedelta(days=1)
    )
    token_hash = hashlib.sha256(b"token").digest()
    grant = Grant(client.client_id, client.partner, moment + timedelta(minutes=5))
    assert await write(here, lambda conn: store.add_client(conn, client))
    assert not await write(here, lambda conn: store.add_client(conn, client))
    await write(here, lambda conn: store.add_token(conn, token_hash, grant))
    over = moment + timedelta(minutes=1)
    assert await write(here, lambda conn: store.spend_assertion(conn, token_hash, over))
    assert not await write(here, lambda conn: store.spend_assertion(conn, token_hash, over))
    with here.running.broker.rooms.reading() as conn:
        assert store.find_client(conn, client.client_id, moment) == client
        assert store.find_client(conn, client.client_id, client.until_at) is None
        assert store.find_grant(conn, token_hash, moment) == grant
        assert store.find_grant(conn, token_hash, grant.until_at) is None
        assert store.find_grant(conn, bytes(32), moment) is None
        assert [one.client_id for one in store.list_clients(conn, moment)] == [client.client_id]
    assert await write(here, lambda conn: store.end_client(conn, client.client_id))
    assert not await write(here, lambda conn: store.end_client(conn, client.client_id))
    with here.running.broker.rooms.reading() as conn:
        assert store.find_grant(conn, token_hash, moment) is None


async def _tell(here: Here) -> None:
    rooms, target = here.running.broker.rooms, Kept()
    outbox = SqlProcessingLog(here.running.broker.secrets.row_key, rooms.clock)
    delivery = LdvDelivery(outbox, target, rooms.log, rooms.reading, rooms.clock, alarm_seconds=300)
    await write(here, outbox.prepare([build_record(number) for number in range(3)]))
    assert delivery.build_status()["ldv_waiting"] == 3
    await delivery.deliver_some()
    assert delivery.build_status()["ldv_waiting"] == 0
    assert {one.span_id for one in target.records} == {f"{n + 1:016x}" for n in range(3)}
