"""What is written of a decision: the resident's own line, or what waits; and nothing without it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from joserfc.jwk import OKPKey
from sqlalchemy import func, select

from broker.adapters.decision_log import SqlDecisionLog
from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.opa import SupervisedOpa
from broker.api.routes import Api
from broker.api.table import INFO
from broker.api_wiring import build_api
from broker.others_wiring import Others, open_others
from broker.settings import BrokerSettings
from broker.transparency.processing_register import derive_activity_id
from broker.wiring import open_broker
from connectors.portal.pages.log_results import find_result
from datwat.party.gate import Limits
from datwat.party.http_in import build_app
from datwat.party.settings import load_settings
from datwat.protocol.acts import Professional, SpecialSituation
from tests.exchange.world import Running, World, bsns, now, open_household, register, say
from tests.others.world import ASSERTION_TYPE, PURPOSE, Json, by_handle, sign_by, spell
from tests.stopping import stop_process
from tests.transparency.test_access_log import log_in

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
ENTRIES = table_of(LogEntry)


@dataclass
class Here:
    """An opened broker, its routes for others, and a token of the social team."""

    running: Running
    others: Others
    client: httpx.AsyncClient
    token: str = ""

    async def evaluate(self, context: Json, rung: str = "dat") -> httpx.Response:
        body = {
            "subject": {"type": "partner", "id": self.running.world.members["social-team"].id},
            "action": {"name": rung},
            "resource": {"type": "purpose", "id": PURPOSE},
            "context": context,
        }
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        content = json.dumps(body).encode()
        return await self.client.post("/access/v1/evaluation", content=content, headers=headers)

    async def log_in(self) -> None:
        member = self.running.world.members["social-team"]
        key = OKPKey.import_key(json.loads(member.key.to_jwk_text()))
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": sign_by(key, member.id),
        }
        answer = await self.client.post("/v1/oauth/token", data=form)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]

    @property
    def size(self) -> int:
        return self.running.broker.log.size

    def count_decisions(self) -> int:
        log = SqlDecisionLog(self.running.broker.secrets.row_key)
        with self.running.broker.database.connect() as conn:
            return log.check(conn).count


@asynccontextmanager
async def open_here(world: World, **changes: int) -> AsyncIterator[Here]:
    async with AsyncExitStack() as stack:
        settings = load_settings(BrokerSettings, world.home).model_copy(update=changes)
        broker = await open_broker(settings, stack)
        api: Api = build_api(broker, lambda: None)
        others = open_others(broker, api, derive_activity_id)
        app = build_app(INFO, others.operations, limits=Limits())
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://broker")
        )
        here = Here(Running(world, broker, api), others, client)
        await here.log_in()
        yield here


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    async with open_here(World(tmp_path_factory.mktemp("here")), opa_deadline_ms=10_000) as made:
        yield made


async def test_the_resident_reads_that_it_was_weighed_and_that_nothing_was_given(
    here: Here,
) -> None:
    bsn = next(NUMBERS)
    await register(here.running, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(here.running, bsn)
    size = here.size
    answer = await here.evaluate(
        {
            "statement": spell(say(occasion=home.occasion)),
            "person": by_handle(home.handles[bsn]),
        }
    )
    assert answer.json()["decision"], answer.text
    assert here.size == size + 1
    (resident,) = await log_in(here.running, bsn)
    card = (await resident.read()).cards[0]
    assert (card.event, card.permitted) == ("weighed", True)
    assert card.requester == here.running.world.members["social-team"].id
    assert not card.pointers
    assert not card.fields_given
    assert find_result(card) == "nothing"
    assert "Er is niets over u gegeven" in card.summary.nl
    assert "Nothing about you was given" in card.summary.en
    assert card.findings


async def test_what_waits_is_weighed_where_it_waits(here: Here) -> None:
    """Promise 5: a decision about somebody who hears later is not told sooner by this way."""
    bsn = next(NUMBERS)
    special = SpecialSituation(
        ground="child_safety",
        decider=Professional(id="v.dijk", role="vertrouwensarts"),
        until_at=now() + timedelta(days=10),
        opening="by_person",
        reason="Onveilig.",
    )
    home = await open_household(here.running, bsn, special_situation=special)
    (resident,) = await log_in(here.running, bsn)
    before = len((await resident.read(limit=100)).cards)
    delayed = _count_delayed(here)
    answer = await here.evaluate(
        {
            "statement": spell(say(occasion=home.occasion)),
            "person": by_handle(home.handles[bsn]),
        }
    )
    assert answer.status_code == 200, answer.text
    assert _count_delayed(here) == delayed + 1
    assert len((await resident.read(limit=100)).cards) == before


def _count_delayed(here: Here) -> int:
    count = select(func.count()).select_from(ENTRIES).where(ENTRIES.c.audience == "delayed")
    with here.running.broker.database.connect() as conn:
        return int(conn.execute(count).scalar_one())


async def test_without_a_policy_engine_it_is_no_answer_and_nothing_is_written(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Promise 2: OPA that is silent is a refusal, and not a decision of anybody else's."""
    world = World(tmp_path_factory.mktemp("silent"))
    async with open_here(world, opa_deadline_ms=300) as here:
        home = await open_household(here.running, next(NUMBERS))
        known = {
            "statement": spell(say(occasion=home.occasion)),
            "person": by_handle(*home.handles.values()),
        }
        stated = {"statement": spell(say()), "facts": {}}
        assert (await here.evaluate(stated)).status_code == 200
        size, decisions = here.size, here.count_decisions()
        engine = here.running.broker.engine
        assert isinstance(engine, SupervisedOpa)
        pid = engine.pid
        assert pid is not None
        stop_process(pid)
        answers = await asyncio.gather(here.evaluate(known), here.evaluate(stated))
        with suppress(ProcessLookupError):  # one that hangs is ended, and started anew
            os.kill(pid, signal.SIGCONT)
        for answer in answers:
            assert (answer.status_code, answer.json()["code"]) == (503, "policy_unavailable")
            assert "decision" not in answer.json()
        assert (here.size, here.count_decisions()) == (size, decisions)


async def test_without_the_log_it_is_no_answer(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Promise 3: what cannot be written down is not told."""
    world = World(tmp_path_factory.mktemp("no-log"))
    async with open_here(world, opa_deadline_ms=10_000) as here:
        stated = {"statement": spell(say()), "facts": {}}
        assert (await here.evaluate(stated)).status_code == 200
        here.running.broker.log.stop()
        answer = await here.evaluate(stated)
        assert answer.status_code in (500, 503), answer.text
        assert "decision" not in answer.json()


async def test_an_assertion_from_before_a_restore_is_refused(here: Here) -> None:
    """What was spent then is not known any more: it is signed anew."""
    desk = here.others.tokens
    desk._restored_at = int(time.time()) + 5  # noqa: SLF001 - as `restore` leaves it in the ratchet
    try:
        with pytest.raises(AssertionError, match="access_client_refused"):
            await here.log_in()
    finally:
        desk._restored_at = 0  # noqa: SLF001 - as above
    await here.log_in()


async def test_two_hundred_decisions_at_once_lie_in_one_chain(here: Here) -> None:
    """Questions of many at once are one chain: none between two others is lost."""
    stated = {"statement": spell(say()), "facts": {}}
    before = here.count_decisions()
    places = asyncio.Semaphore(30)  # as many as a partner has its turns

    async def ask() -> httpx.Response:
        async with places:
            return await here.evaluate(stated)

    answers = await asyncio.gather(*(ask() for _ in range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert here.count_decisions() == before + 200
    log = SqlDecisionLog(here.running.broker.secrets.row_key)
    with here.running.broker.database.connect() as conn:
        found = log.check(conn)
    assert (found.count, found.broken_at) == (before + 200, None)
