"""A month without figures has a page that says so, with the way to other months."""

from __future__ import annotations

import pytest

from broker.transparency.figures import Month
from tests.authoring.world import OFFICER
from tests.broker_pages.world import PagesWorld, Visitor, words_of
from tests.exchange.world import now

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_month_that_nobody_counted_says_so(pages: PagesWorld, visitor: Visitor) -> None:
    assert pages.office.broker.oversight.months is not None
    await visitor.log_in(OFFICER)
    page = await visitor.open("/figures/2021-10")
    words = words_of(page)
    assert "Van deze maand zijn er geen cijfers" in words
    assert 'href="/figures/2021-11"' in page.text
    assert "/figures/2021-10/csv" not in page.text
    await visitor.open("/figures/2021-10/csv", 404)
    shown = words_of(await visitor.open(f"/figures/{Month.before(now())}"))
    assert "Van deze maand zijn er geen cijfers" not in shown
    assert "Vragen over inwoners" in shown
