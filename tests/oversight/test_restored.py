"""What oversight counts is in no backup: lists begin anew, and what was given out stays."""

from __future__ import annotations

import pytest

from broker.transparency.figures import Month
from broker.transparency.months import MonthUncountedError
from tests.exchange.restoring import Copies, opened
from tests.exchange.world import ON_EACH_DATABASE, bsns, now, open_household
from tests.oversight.test_months import plant, read_all
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


async def test_a_month_that_was_given_out_is_in_a_backup_and_no_other_is_counted(
    copies: Copies,
) -> None:
    given_out, uncounted = Month.before(now()).previous(), Month.before(now())
    async with opened(copies) as running:
        plant(running, given_out, 1_000, 30)
        plant(running, uncounted, 2_000, 30)
        before = await read_all(running, running.broker.oversight.months, given_out)
        backup = copies.back_up(running)
    copies.lose_database()
    copies.restore(backup)
    async with opened(copies) as running:
        months = running.broker.oversight.months
        assert await read_all(running, months, given_out) == before
        # Its acts are gone: it would be a month in which nobody asked anything.
        with pytest.raises(MonthUncountedError):
            await months.fetch(uncounted)
