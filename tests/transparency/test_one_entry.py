"""One entry by its number: the person's own card, and for any other number the same nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from sqlalchemy import Connection, null, update

from broker.adapters.log_tables import LogEntry, table_of
from broker.audit.records import Appendable, Job
from datwat.protocol.access_log import AccessLog
from datwat.protocol.acts import Wish
from tests.exchange.test_chains import situation
from tests.exchange.world import (
    Running,
    World,
    act_part,
    bsns,
    by_handle,
    inquire,
    open_household,
    open_world,
    register,
)
from tests.transparency.test_access_log import build_consent, log_in, represent

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
_ENTRIES = table_of(LogEntry)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await open_world(World(tmp_path_factory.mktemp("world")), stack)


def say_nothing(page: AccessLog) -> bool:
    """Tell whether a page is the one that stands for whatever is not there."""
    return (page.cards, page.next, page.erased) == ((), None, False)


async def test_each_number_of_the_list_opens_its_own_card(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    for _ in range(3):
        await inquire(broker, home, bsn)
    (resident,) = await log_in(broker, bsn)
    listed = (await resident.read()).cards
    assert len(listed) == 5
    for card in listed:
        page = await resident.read(number=card.number)
        (shown,) = page.cards
        assert shown.model_dump(exclude={"proofs"}) == card.model_dump(exclude={"proofs"})
        assert page.next is None


async def test_another_persons_a_guessed_and_a_waiting_number_are_alike(broker: Running) -> None:
    mine, other, waiting = next(NUMBERS), next(NUMBERS), next(NUMBERS)
    await register(broker, "debt-counselling", mine, "debt_counselling")
    await register(broker, "debt-counselling", other, "debt_counselling")
    await register(broker, "debt-counselling", waiting, "debt_counselling")  # older, and open
    size = broker.broker.log.size
    await open_household(broker, waiting, special_situation=situation())
    hidden = range(size, broker.broker.log.size)
    assert len(hidden) > 0
    (resident,), (theirs,), (later,) = [await log_in(broker, bsn) for bsn in (mine, other, waiting)]
    (others,) = (await theirs.read()).cards
    for number in (others.number, broker.broker.log.size + 10, 2**53 - 1):
        assert say_nothing(await resident.read(number=number))
    for number in hidden:
        assert say_nothing(await later.read(number=number))


async def test_what_is_for_the_person_alone_is_not_there_for_a_representative(
    broker: Running,
) -> None:
    parent, child = next(NUMBERS), next(NUMBERS)
    await register(broker, "debt-counselling", child, "debt_counselling")  # older, and open
    (own,) = await log_in(broker, child)
    wish = by_handle(own.handle, wish=Wish(consent=build_consent()))
    assert act_part(await broker.ask("portal", "wish", [wish])).state == "recorded"
    card, _ = (await own.read()).cards
    assert (await own.read(number=card.number)).cards[0].number == card.number
    view = await represent(broker, parent, child)
    assert say_nothing(await view.read(number=card.number))


async def test_an_entry_of_ones_own_that_was_erased_says_so_to_nobody_else(
    broker: Running,
) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    await inquire(broker, home, bsn)
    (resident,) = await log_in(broker, bsn)
    (stranger,) = await log_in(broker, next(NUMBERS))
    number = (await resident.read()).cards[0].number

    def work(conn: Connection) -> list[Appendable]:
        conn.execute(update(_ENTRIES).where(_ENTRIES.c.idx == number).values(sealed=null()))
        return []

    await broker.broker.log.append(Job(work))
    page = await resident.read(number=number)
    assert (page.cards, page.erased) == ((), True)
    assert say_nothing(await stranger.read(number=number))
