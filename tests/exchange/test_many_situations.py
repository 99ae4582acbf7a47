"""Many special situations wait: each is still reached, and what opens by itself still opens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from broker.app import build_commands
from broker.audit.records import Appendable, Job
from broker.involvement.special_situations import SpecialSituationRow
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import Professional, SpecialSituation
from tests.exchange.test_terms import at, declare
from tests.exchange.world import Running, now

pytestmark = pytest.mark.asyncio(loop_scope="module")
MANY = 1_001


async def command(running: Running, name: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    return await build_commands(running.broker, lambda: None)[name](members)


async def list_all(running: Running) -> list[dict[str, Any]]:
    """Return every page of the list, as `datwat special list` does."""
    found: list[dict[str, Any]] = []
    page = (await command(running, "special_list"))["special_situations"]
    while page:
        found += page
        place = {name: page[-1][name] for name in ("until_at", "number")}
        page = (await command(running, "special_list", **place))["special_situations"]
    return found


async def test_a_thousand_that_are_overdue_hold_up_nothing(broker: Running) -> None:
    automatic = await declare(broker, "rights_of_others", "automatic")
    registers, past = broker.broker.rooms.registers, now() - timedelta(days=1)
    stated = SpecialSituation(
        ground="adult_safety",
        decider=Professional(id="v.dijk", role="teamleider"),
        until_at=past,
        opening="by_person",
        reason="Een reden.",
    )

    def work(conn: Connection) -> list[Appendable]:
        for _ in range(MANY):
            registers.special_situations.declare(conn, SpecialSituationRow(draw_id(), stated, past))
        return []

    await broker.broker.log.append(Job(work))
    listed = await list_all(broker)
    assert len({one["number"] for one in listed}) == len(listed) == MANY + 1
    assert listed[-1]["number"] == automatic
    status = await command(broker, "status")
    assert (status["special_situations"], status["special_overdue"]) == (MANY + 1, MANY)
    broker.broker.openings.require_waiting(automatic)
    housekeeper, _ = at(broker, timedelta(days=8))
    await housekeeper.run_round()
    assert automatic not in {one["number"] for one in await list_all(broker)}
