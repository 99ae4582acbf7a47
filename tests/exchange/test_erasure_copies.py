"""What was erased on request lies in no file of the database, and in none that is restored."""

from __future__ import annotations

import pytest

from broker.adapters.backup_file import BackupKekError, BackupOverError
from broker.adapters.ends_store import SqlEnds
from broker.audit.forgetting import forget_ended
from broker.exchange.erasure import Answer
from tests.exchange.restoring import Copies, opened
from tests.exchange.test_erasure import LOOK, find_card, log_in_one, read_contents, wish
from tests.exchange.test_restore_contents import _search as search
from tests.exchange.world import ON_EACH_DATABASE, Running, bsns, now, register

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()


def read_secrets(running: Running, number: int) -> tuple[bytes, bytes]:
    """Return the sealed key and the sealed content of an entry as they lie in the database."""
    with running.broker.store.reading() as conn:
        row = running.broker.store.find_entry(conn, number)
        assert row is not None
        assert row.subject_id is not None
        assert row.quarter is not None
        assert row.sealed is not None
        place = (row.subject_id, row.quarter)
        return SqlEnds().fetch_quarter_keys(conn, [place])[place], row.sealed


async def test_what_was_erased_is_in_no_file_and_not_in_a_restored_copy(copies: Copies) -> None:
    bsn = next(NUMBERS)
    async with opened(copies) as running:
        await register(running, "debt-counselling", bsn, "debt_counselling")
        resident = await log_in_one(running, bsn)
        card = await find_card(resident, "register")
        number = await wish(resident, card.number)
        key, sealed = read_secrets(running, card.number)
        backup = copies.back_up(running)
        assert search(copies, key, sealed) == {True}
        assert (await running.broker.erasures.answer(number, LOOK)).contents == 1
        # The next round takes it out of the journal of the database too.
        await running.broker.housekeeper.run_round()
        assert search(copies, key, sealed) == {False}
        mirror = copies.mirror(running)
    copies.lose_database()

    result = copies.restore(backup, mirror)

    assert (result["ended_again_asked"], result["ended_again_pointer"]) == (1, 1)
    assert search(copies, key, sealed) == {False}
    async with opened(copies) as running:
        assert read_contents(running)[card.number] == (None, None)
        resident = await log_in_one(running, bsn)
        assert "register" not in [one.event for one in (await resident.read()).cards]
        # The answer was lost with the database: the same command gives one again.
        answer = await running.broker.erasures.answer(number, LOOK)
        assert answer == Answer("erased", 0)


async def test_a_backup_whose_life_is_over_opens_no_more_with_an_old_kek(
    copies: Copies,
) -> None:
    """Who kept a copy of kek.json could bring back what the ratchet has forgotten."""
    async with opened(copies) as running:
        await register(running, "debt-counselling", next(NUMBERS), "debt_counselling")
        backup = copies.back_up(running)
        ratchet, kek = running.broker.ratchet, running.broker.secrets.kek
        path = copies.settings.home / "secrets" / "kek.json"
        copy = path.read_bytes()
        forget_ended(ratchet, kek)
        kek.start_generation(now())
        forget_ended(ratchet, kek)
        kek.destroy_generation(1)
        forget_ended(ratchet, kek)
    copies.lose_database()
    with pytest.raises(BackupKekError):
        copies.restore(backup)
    path.write_bytes(copy)
    with pytest.raises(BackupOverError):
        copies.restore(backup)
