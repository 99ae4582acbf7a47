"""What oversight counts is written with its entry, hidden with it, and ends with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.oversight_store import SqlOversightCounts
from broker.adapters.oversight_tables import ActRecord
from broker.exchange.answering_telling import NumberInAnswerError
from broker.exchange.looking import (
    EntryLook,
    EntryUnknownError,
    Look,
    ReasonMissingError,
    SecondPersonError,
)
from broker.exchange.reading_entry import LookedEntry
from broker.pseudonyms.veil import Veil
from datwat.protocol.acts import Professional
from datwat.protocol.canonical import decode_canonical
from datwat.protocol.values import encode_bytes
from tests.exchange.test_openings import BOSS, open_waiting
from tests.exchange.world import (
    ON_EACH_DATABASE,
    WORKER,
    Running,
    bsns,
    by_handle,
    inquire,
    now,
    open_household,
    register,
    say,
)
from tests.transparency.test_access_log import events, log_in

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
_ACTS, _ENTRIES = table_of(ActRecord), table_of(LogEntry)
REVIEWER = Professional(id="t.oezicht", role="toezichthouder")
LOOK = EntryLook(by=REVIEWER, reason="Steekproef van november.")
TWO = EntryLook(
    by=REVIEWER,
    reason="Steekproef van november.",
    second=Professional(id="a.auditor", role="auditor"),
)


def list_acts(running: Running, since: int) -> list[Mapping[str, Any]]:
    """Return what was counted of the entries from one on."""
    with running.broker.store.reading() as conn:
        query = select(_ACTS).where(_ACTS.c.idx >= since).order_by(_ACTS.c.idx)
        return [dict(row) for row in conn.execute(query).mappings()]


async def test_each_person_in_a_question_is_one_row_with_its_entry(broker: Running) -> None:
    bsn, other = next(NUMBERS), next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    size = broker.broker.log.size
    home = await open_household(broker, bsn, other)
    await inquire(broker, home, bsn)
    await inquire(broker, home, other)
    rows = list_acts(broker, size)
    assert [row["act"] for row in rows] == ["open_occasion"] * 2 + ["inquire"] * 2
    found, nobody = rows[2:]
    assert (found["found_nothing"], nobody["found_nothing"]) == (False, True)
    assert all(row["permit"] and row["shown_at"] == row["at"] for row in rows)
    assert {row["result"] for row in rows[:2]} == {"help_request"}
    assert len({row["occasion"] for row in rows}) == 1
    assert rows[0]["subject"] != rows[1]["subject"]
    assert {row["subject"] for row in rows[:2]} == {found["subject"], nobody["subject"]}
    partner = broker.world.members["social-team"].id
    veil = Veil(broker.broker.secrets.row_key)
    assert {row["professional"] for row in rows} == {veil.hide_professional(partner, WORKER.id)}
    with broker.broker.store.reading() as conn:
        ends = conn.execute(
            select(_ENTRIES.c.idx, _ENTRIES.c.retention_until).where(_ENTRIES.c.idx >= size)
        )
        by_index = {row.idx: row.retention_until for row in ends}
    assert {row["idx"]: row["retention_until"] for row in rows} == by_index
    # Nothing names anybody: no staff id, no subject id, no BSN.
    said = repr([dict(row) for row in rows])
    assert WORKER.id not in said
    assert bsn not in said


async def test_a_refusal_names_its_blade(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    size = broker.broker.log.size
    stranger = Professional(id="x.vreemd", role="regisseur")
    await broker.ask(
        "social-team",
        "inquire",
        [by_handle(home.handles[bsn])],
        say(occasion=home.occasion).model_copy(update={"professional": stranger}),
        purpose=broker.purpose("coordinate_family_help"),
        rung="dat",
    )
    (row,) = list_acts(broker, size)
    assert (row["permit"], row["is_stated"]) == (False, False)
    assert row["blade"] in {"purpose", "subsidiarity", "proportionality", "transparency"}


async def test_what_waits_is_counted_from_its_opening_on(broker: Running) -> None:
    bsn = next(NUMBERS)
    size = broker.broker.log.size
    home, row = await open_waiting(broker, bsn)
    await inquire(broker, home, bsn)
    rows = list_acts(broker, size)
    assert [one["act"] for one in rows] == ["open_occasion", "inquire"]
    assert [one["shown_at"] for one in rows] == [None, None]
    store = SqlOversightCounts()
    with broker.broker.store.reading() as conn:
        assert store.list_indexes(conn, size, size + 100, now()) == []
    await broker.broker.openings.open(row, BOSS)
    rows = list_acts(broker, size)
    assert all(one["shown_at"] >= one["at"] for one in rows)
    with broker.broker.store.reading() as conn:
        indexes = store.list_indexes(conn, size, size + 100, now())
    assert indexes == [one["idx"] for one in rows]


async def test_it_ends_with_the_content_of_its_entry(broker: Running) -> None:
    bsn = next(NUMBERS)
    size = broker.broker.log.size
    await open_household(broker, bsn)
    (row,) = list_acts(broker, size)
    with broker.broker.store.writing() as conn:
        over = now() - timedelta(seconds=1)
        conn.execute(
            update(_ENTRIES).where(_ENTRIES.c.idx == row["idx"]).values(retention_until=over)
        )
    assert (await broker.broker.ends.ends.erase_due(now(), 100)).contents >= 1
    assert list_acts(broker, size) == []
    with pytest.raises(EntryUnknownError):
        await broker.broker.oversight.looks.record_entry(row["idx"], LOOK)


async def _find_asked(broker: Running, bsn: str) -> tuple[int, Any]:
    """Return the number of an inquiry about somebody who reads their log, and that reader."""
    home = await open_household(broker, bsn)
    size = broker.broker.log.size
    await inquire(broker, home, bsn)
    (resident,) = await log_in(broker, bsn)
    return list_acts(broker, size)[0]["idx"], resident


async def test_a_look_stands_in_the_log_before_anything_is_shown(broker: Running) -> None:
    bsn = next(NUMBERS)
    number, resident = await _find_asked(broker, bsn)
    before = events(await resident.read())
    found = await broker.broker.oversight.looks.record_entry(number, LOOK)
    assert isinstance(found, LookedEntry)
    assert (found.number, found.act, found.permit, found.waits) == (number, "inquire", True, False)
    assert (found.staff, found.role) == (WORKER.id, WORKER.role)
    assert found.partner == broker.world.members["social-team"].id
    assert found.purpose == "coordinate_family_help"
    assert {one.blade for one in found.findings} >= {"purpose", "subsidiarity"}
    assert WORKER.id not in repr(found)
    page = await resident.read()
    assert events(page) == ["reviewed", *before]
    card = page.cards[0]
    assert card.details["looked_because"] == LOOK.reason
    assert card.details["looked_by"] == REVIEWER.role
    assert card.details["question_about"] == number
    assert "bekeken" in card.summary.nl
    assert REVIEWER.id not in page.model_dump_json()


async def test_a_look_at_what_waits_takes_two_and_waits_with_it(broker: Running) -> None:
    bsn = next(NUMBERS)
    size = broker.broker.log.size
    home, row = await open_waiting(broker, bsn)
    await inquire(broker, home, bsn)
    number = list_acts(broker, size)[1]["idx"]
    (resident,) = await log_in(broker, bsn)
    before, looks = events(await resident.read()), broker.broker.oversight.looks
    head = broker.broker.log.size
    with pytest.raises(EntryUnknownError) as alone:
        await looks.record_entry(number, LOOK)
    with pytest.raises(EntryUnknownError) as nothing:
        await looks.record_entry(9_999_999, LOOK)
    # Whoever looks alone cannot tell what waits from what is not there, nor by a trace it leaves.
    assert str(alone.value) == str(nothing.value)
    assert broker.broker.log.size == head
    found = await looks.record_entry(number, TWO)
    assert found.waits
    assert events(await resident.read()) == before
    with broker.broker.store.reading() as conn:
        entry = broker.broker.store.find_entry(conn, head)
    assert entry is not None
    assert entry.audience == "delayed"
    await broker.broker.openings.open(row, BOSS)
    page = await resident.read()
    assert events(page)[:3] == ["reviewed", "inquire", "open_occasion"]
    assert page.cards[0].details["looked_by"] == "toezichthouder, auditor"
    assert page.cards[0].told_later_at is not None
    # Opened: one alone may look from here on, and it is an ordinary entry.
    assert not (await looks.record_entry(number, LOOK)).waits
    assert events(await resident.read())[0] == "reviewed"


async def test_what_is_no_question_cannot_be_looked_at(broker: Running) -> None:
    bsn = next(NUMBERS)
    number, _ = await _find_asked(broker, bsn)
    looks = broker.broker.oversight.looks
    await looks.record_entry(number, LOOK)
    size = broker.broker.log.size
    for wrong in (size - 1, size, -1):  # a look itself, beyond the log, nonsense
        with pytest.raises(EntryUnknownError):
            await looks.record_entry(wrong, LOOK)
    with pytest.raises(ReasonMissingError):
        await looks.record_entry(number, EntryLook(by=REVIEWER, reason="   kort   "))
    with pytest.raises(SecondPersonError):
        await looks.record_entry(
            number, EntryLook(by=REVIEWER, reason="Goede reden.", second=REVIEWER)
        )
    for by, reason in (
        (REVIEWER, "Over 999990019."),
        (Professional(id="t.oezicht", role="rol 999990019"), "Goede reden."),
    ):
        with pytest.raises(NumberInAnswerError):  # the resident would read it in their log
            await looks.record_entry(number, EntryLook(by=by, reason=reason))
        with pytest.raises(NumberInAnswerError):
            await looks.record(Look(by=by, second=BOSS, reason=reason))
    assert broker.broker.log.size == size


async def test_a_sample_is_drawn_by_a_seed_that_was_stated_before(broker: Running) -> None:
    reviewing = broker.broker.oversight.reviewing
    size = broker.broker.log.size
    first = await reviewing.draw_sample(3)
    assert first.drawn_at is None
    number, _ = await _find_asked(broker, next(NUMBERS))
    drawn = await reviewing.draw_sample(3)
    assert drawn.seed == first.seed
    assert set(drawn.chosen) <= set(range(size, drawn.size or 0))
    assert 1 <= len(drawn.chosen) <= 3
    assert number >= drawn.first
    said = {}
    with broker.broker.store.reading() as conn:
        for index in (size, broker.broker.log.size - 2, broker.broker.log.size - 1):
            row = broker.broker.store.find_entry(conn, index)
            assert row is not None
            document = decode_canonical(row.document or b"")
            said[index] = document["type"]
            if document["type"] == "review_sample":
                assert document["seed"] == encode_bytes(first.seed)
    assert list(said.values()) == ["review_seed", "review_sample", "review_seed"]
    found = await reviewing.refresh("sample")
    assert [row.entries[0] for row in found.rows] == list(drawn.chosen)
