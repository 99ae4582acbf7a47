"""What oversight counts is in no backup: after a restore the lists begin anew."""

from __future__ import annotations

import pytest

from tests.exchange.restoring import Copies, opened
from tests.exchange.world import ON_EACH_DATABASE, bsns, open_household
from tests.oversight.test_written import list_acts

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()


async def test_it_is_in_no_backup_and_begins_anew_after_a_restore(copies: Copies) -> None:
    bsn = next(NUMBERS)
    async with opened(copies) as running:
        size = running.broker.log.size
        await open_household(running, bsn)
        assert len(list_acts(running, size)) == 1
        await running.broker.oversight.reviewing.draw_sample()
        backup = copies.back_up(running)
    copies.lose_database()
    copies.restore(backup)
    async with opened(copies) as running:
        assert list_acts(running, 0) == []
        assert len(running.broker.oversight.reviewing.list_draws()) == 1
        await open_household(running, next(NUMBERS))
        assert len(list_acts(running, 0)) == 1
