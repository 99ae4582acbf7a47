"""The housekeeper goes on: a row that cannot be read holds up neither other rows nor other work."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from broker.adapters.tables import (
    InvolvementRecord,
    ShieldRecord,
    SpecialSituationRecord,
    table_of,
)
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.acts import Professional, SpecialSituation
from tests.exchange.test_terms import at
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Running,
    bsns,
    now,
    open_household,
    register,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
INVOLVEMENTS, SHIELDS = table_of(InvolvementRecord), table_of(ShieldRecord)
SITUATIONS = table_of(SpecialSituationRecord)


async def test_a_row_that_cannot_be_read_holds_up_nothing(broker: Running) -> None:
    """Two pointers with their words swapped, and a special situation with another's, come first."""
    persons = [next(NUMBERS) for _ in range(3)]
    for bsn in persons:
        await register(broker, "debt-counselling", bsn, "debt_counselling")
        situation = SpecialSituation(
            ground="rights_of_others",
            decider=Professional(id="v.dijk", role="teamleider"),
            until_at=now() + timedelta(days=7),
            opening="automatic",
            reason="Een reden.",
        )
        await open_household(broker, bsn, special_situation=situation)
    with broker.broker.store.writing() as conn:
        for table, key, term in (
            (INVOLVEMENTS, INVOLVEMENTS.c.id, INVOLVEMENTS.c.expires_at),
            (SITUATIONS, SITUATIONS.c.occasion_id, SITUATIONS.c.term_at),
        ):
            first, second, _ = conn.execute(select(key, table.c.sealed).order_by(key)).all()
            for row, other in ((first, second), (second, first)):
                values = {"sealed": other.sealed, term.name: now()}
                conn.execute(update(table).where(key == row[0]).values(values))
        broker.broker.rooms.registers.consents.shield(conn, draw_id(), now())
    await at(broker, timedelta(days=740))[0].run_round()
    with broker.broker.store.reading() as conn:
        expired = conn.execute(
            select(func.count()).where(INVOLVEMENTS.c.end_reason == "expired")
        ).scalar_one()
        opened = conn.execute(
            select(func.count()).where(SITUATIONS.c.opened_at.is_not(None))
        ).scalar_one()
        shields = conn.execute(select(func.count()).select_from(SHIELDS)).scalar_one()
    assert (expired, opened, shields) == (1, 1, 0)
