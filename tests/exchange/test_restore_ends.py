"""What ended after a backup stays ended when the backup is put back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from broker.adapters.ends_store import SqlEnds
from broker.adapters.log_tables import LostEntry
from broker.adapters.log_tables import table_of as log_table_of
from broker.adapters.tables import (
    BlockRecord,
    ConsentRecord,
    InvolvementRecord,
    ObjectionRecord,
    OccasionRecord,
    ReferenceRecord,
    ShieldRecord,
    table_of,
)
from broker.audit.ended import read_restored
from datwat.party import clock
from datwat.protocol.acts import CloseOccasion, Consent, Objection, Wish
from tests.exchange.restoring import Copies, count, opened, read_entries, read_own
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Running,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    inquire,
    inquiry_part,
    now,
    open_household,
    register,
    say,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()


async def _wish(running: Running, handle: bytes, **wish: Any) -> None:  # noqa: ANN401 - members
    answer = await running.ask("portal", "wish", [by_handle(handle, wish=Wish(**wish))])
    assert act_part(answer).state == "recorded", act_part(answer).weighing


async def test_what_ended_after_the_backup_stays_ended(copies: Copies) -> None:
    bsn, late = next(NUMBERS), next(NUMBERS)
    async with opened(copies) as running:
        home = await open_household(running, bsn)
        source = await register(running, "debt-counselling", bsn, "debt_counselling")
        assert source.handle is not None
        assert inquiry_part(await inquire(running, home)).pointers
        backup = copies.back_up(running)
        ended = by_handle(source.handle, ends="ended")
        answer = await running.ask("debt-counselling", "end", [ended], say())
        assert act_part(answer).state == "ended"
        assert not inquiry_part(await inquire(running, home)).pointers
        objection = Objection(reason="Een reden.", made_at=now())
        said = by_handle(home.handles[bsn], objection=objection)
        answer = await running.ask(
            "social-team", "record_objection", [said], say(occasion=home.occasion)
        )
        assert act_part(answer).state == "recorded"
        await register(running, "debt-counselling", late, "debt_counselling")
        size, subjects = running.broker.log.size, count(running, ObjectionRecord)
        mirror = copies.mirror(running)
    assert subjects == 1
    copies.lose_database()

    result = copies.restore(backup, mirror)

    assert result["log_size"] == size
    assert result["entries_read_back"] == 4
    assert result["entries_of_unknown"] == 1
    assert (result["ended_again_pointer"], result["ended_again_objection"]) == (1, 1)
    async with opened(copies) as running:
        assert running.broker.log.size == size
        assert count(running, InvolvementRecord, end_reason="ended") == 1
        assert count(running, ObjectionRecord) == 1
        assert read_restored(running.broker.ratchet) > clock.now().timestamp() - 60
        await running.broker.housekeeper.run_round()
        with running.broker.store.reading() as conn:
            assert SqlEnds().list_lost(conn, 10) == []
            lost = conn.execute(select(func.count()).select_from(log_table_of(LostEntry)))
            assert lost.scalar_one() == 0
        told = [one.detail for one in read_own(running) if one.event == "lost"]
        assert [one and one.count for one in told] == [3]
        # The rolls go on where they were: no stub comes twice, and new entries can be read.
        home = await open_household(running, bsn)
        assert not inquiry_part(await inquire(running, home)).pointers
        tags = [entry[2:34] for entry in read_entries(running) if entry[1] == 1]
        assert len(set(tags)) == len(tags)


async def test_a_withdrawn_consent_stays_withdrawn(copies: Copies) -> None:
    bsn = next(NUMBERS)
    async with opened(copies) as running:
        session = act_part(
            await running.ask("portal", "open_session", [by_bsn(bsn, identity="document")])
        )
        assert session.handle is not None
        consent = Consent(
            kind="explicit",
            purpose="coordinate_family_help",
            given_by="self",
            written=True,
            given_at=now(),
            until_at=now() + timedelta(days=90),
        )
        await _wish(running, session.handle, consent=consent)
        backup = copies.back_up(running)
        await _wish(running, session.handle, withdraws=running.broker.log.size - 1)
        assert count(running, ConsentRecord, withdrawn_at=...) == 1
        mirror = copies.mirror(running)
    copies.lose_database()
    assert copies.restore(backup, mirror)["ended_again_consent"] == 1
    async with opened(copies) as running:
        assert count(running, ConsentRecord, withdrawn_at=...) == 1


async def test_what_a_resident_wished_after_the_backup_holds(copies: Copies) -> None:
    """Who may not look, and a shield; what was taken back stays so."""
    bsn = next(NUMBERS)
    async with opened(copies) as running:
        await register(running, "debt-counselling", bsn, "debt_counselling")
        home = await open_household(running, bsn)
        session = act_part(
            await running.ask("portal", "open_session", [by_bsn(bsn, identity="document")])
        )
        assert session.handle is not None
        school = running.world.members["school"].id
        await _wish(running, session.handle, blocks=school, objection=Objection(made_at=now()))
        early = running.broker.log.size - 1
        backup = copies.back_up(running)
        await _wish(running, session.handle, lifts=early)
        await _wish(running, session.handle, shields=True)
        await _wish(running, session.handle, lifts=running.broker.log.size - 1)
        await _wish(running, session.handle, shields=True)
        (pointer,) = inquiry_part(await inquire(running, home)).pointers
        assert pointer.rung == "category"
        await _wish(running, session.handle, blocks=running.world.members["social-team"].id)
        await _wish(running, session.handle, objection=Objection(made_at=now()))
        await _wish(running, session.handle, lifts=running.broker.log.size - 1)
        mirror = copies.mirror(running)
    copies.lose_database()

    result = copies.restore(backup, mirror)

    ended = {kind: result[f"ended_again_{kind}"] for kind in ("block", "objection", "lifted")}
    assert ended == {"block": 1, "objection": 1, "lifted": 3}
    async with opened(copies) as running:
        assert count(running, BlockRecord) == 1
        assert count(running, ObjectionRecord) == 0
        assert count(running, ShieldRecord) == 1
        home = await open_household(running, bsn)
        assert inquiry_part(await inquire(running, home)).pointers == ()
        with running.broker.store.writing() as conn:
            conn.execute(delete(table_of(BlockRecord)))
        (pointer,) = inquiry_part(await inquire(running, home)).pointers
        assert pointer.rung == "category"


async def test_what_was_taken_back_after_the_backup_stays_so(copies: Copies) -> None:
    """A wrong person's pointers and handle; a closed occasion."""
    wrong, bsn, child = next(NUMBERS), next(NUMBERS), next(NUMBERS)
    async with opened(copies) as running:
        source = await register(running, "debt-counselling", wrong, "debt_counselling")
        home = await open_household(running, bsn, child)
        backup = copies.back_up(running)
        assert source.handle is not None
        answer = await running.ask(
            "debt-counselling", "report_wrong_person", [by_handle(source.handle)], say()
        )
        assert act_part(answer).state == "annulled"
        closes = CloseOccasion(reason="completed", goals_reached="yes", plan_made=True)
        people = [by_handle(one) for one in home.handles.values()]
        said = say(occasion=home.occasion, closes=closes)
        answer = await running.ask("social-team", "close_occasion", people, said)
        assert act_part(answer).state == "closed"
        before = _dump(running)
        mirror = copies.mirror(running)
    copies.lose_database()
    result = copies.restore(backup, mirror)
    ended = {kind: result[f"ended_again_{kind}"] for kind in ("annulled", "reference", "occasion")}
    assert ended == {"annulled": 1, "reference": 1, "occasion": 1}
    async with opened(copies) as running:
        assert _dump(running) == before


def _dump(running: Running) -> list[Any]:
    """Return which pointers, references and open occasions there are."""
    references, occasions = table_of(ReferenceRecord), table_of(OccasionRecord)
    with running.broker.store.reading() as conn:
        return [
            conn.execute(select(func.count()).select_from(table_of(InvolvementRecord))).scalar(),
            sorted(map(bytes, conn.execute(select(references.c.lookup)).scalars())),
            [one is None for one in conn.execute(select(occasions.c.closed_at)).scalars()],
        ]
