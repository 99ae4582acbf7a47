"""Contents end with a notice, under a new key, and the tree does not move."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Connection, Engine, delete, func, select, update

from broker.adapters.ends_store import SqlEnds
from broker.adapters.log_tables import (
    DataSubject,
    LogCounter,
    LogEntry,
    LostEntry,
    QuarterKey,
    table_of,
)
from broker.adapters.restore_ends import Replay
from broker.adapters.subject_store import SqlSubjectStore
from broker.audit.ends import Ends
from broker.audit.erasing import POSTPONED, Eraser
from broker.audit.payloads import Organisation, Record, parse_payload
from broker.audit.ports import EntryRow
from broker.audit.records import (
    DELAYED_CHAIN_ID,
    ChainRef,
    EntryDraft,
    Job,
    LostRaceError,
    PreparedEntry,
    SubjectKeys,
)
from broker.pseudonyms.subjects import Subjects
from datwat.party.ratchet import Ratchet
from datwat.protocol.checkpoint import verify_checkpoint
from datwat.protocol.entry import (
    Audience,
    derive_leaf_hash,
    derive_tag,
    derive_tag_key,
    parse_entry,
)
from datwat.protocol.log_cores import EndedCore, find_ended
from datwat.protocol.merkle import derive_root, verify_consistency
from tests.audit.conftest import AT, ORIGIN, LogWorld

_RETENTION = timedelta(days=1_825)
_LATER = AT + timedelta(days=400)
_SOON = AT + timedelta(days=2)
_SOON_MORE = timedelta(days=2)
_ENTRIES, _KEYS = table_of(LogEntry), table_of(QuarterKey)


class EndsWorld(LogWorld):
    """A log with what ends its contents; `waiting` are the marks of what is not opened yet."""

    waiting: set[bytes]

    def build_ends(self) -> Ends:
        self.waiting = set()
        return Ends(
            store=self.store,
            ends=SqlEnds(),
            eraser=Eraser(SqlEnds(), self.kek, lambda _, mark: mark in self.waiting),
            sealing=self.sealing,
            log=self.log,
            party=Organisation(id="00000099000000003000:broker", name="Broker"),
            find_retention=lambda: _RETENTION,
        )

    async def write(
        self,
        keys: SubjectKeys,
        payload: bytes,
        until: datetime,
        audience: Audience = "open",
        *,
        mark: bytes | None = None,
        at: datetime = AT,
    ) -> int:
        entry = self.draft(keys, payload, until, audience, mark=mark, at=at)
        appended = await self.log.append(Job(lambda _: [entry], keys=[keys]))
        return appended.entries[0].index

    def draft(
        self,
        keys: SubjectKeys,
        payload: bytes,
        until: datetime,
        audience: Audience = "open",
        *,
        mark: bytes | None = None,
        at: datetime = AT,
    ) -> PreparedEntry:
        chain = ChainRef(keys.subject_id, audience)
        draft = EntryDraft(
            chain=chain,
            core=b"core",
            payload=payload,
            at=at,
            retention_until=until,
            replay_input=mark,
        )
        return self.sealing.prepare_entry(keys, draft)

    def read(self, subject_id: bytes, *audiences: str) -> dict[int, bytes | None]:
        """Return what each entry of a person holds, None where it ended."""
        with self.store.reading() as conn:
            rows = self.store.fetch_entries_of(
                conn, subject_id, audiences or ("open", "own"), limit=100, before=None
            )
            contents = self.sealing.open_contents(conn, subject_id, rows)
        pairs = zip(rows, contents, strict=True)
        return {row.index: content.payload if content else None for row, content in pairs}

    def list_notices(self, subject_id: bytes, audience: Audience) -> list[tuple[EndedCore, Record]]:
        """Return what each notice in a chain names, and says."""
        with self.store.reading() as conn:
            rows = self.store.fetch_entries_of(conn, subject_id, [audience], limit=100, before=None)
            contents = self.sealing.open_contents(conn, subject_id, rows)
        held = [(find_ended(one.core), one.payload) for one in contents if one is not None]
        return [(core, parse_payload(said)) for core, said in held if core is not None]

    def fetch_keys(self, subject_id: bytes, at: datetime = AT) -> SubjectKeys:
        with self.store.reading() as conn:
            return self.sealing.fetch_keys(conn, [subject_id], at)[subject_id]

    def list_key_rows(self) -> dict[tuple[bytes, str], bytes]:
        with self.store.reading() as conn:
            return {(bytes(a), b): bytes(c) for a, b, c in conn.execute(select(_KEYS))}

    def read_leaves(self) -> list[bytes]:
        with self.store.reading() as conn:
            entries = conn.execute(select(_ENTRIES.c.entry).order_by(_ENTRIES.c.idx)).scalars()
            return [derive_leaf_hash(bytes(entry)) for entry in entries]

    def find_row(self, index: int) -> EntryRow:
        with self.store.reading() as conn:
            row = self.store.find_entry(conn, index)
        assert row is not None
        return row


@pytest.fixture
def world(engine: Engine, folder: Path) -> Iterator[EndsWorld]:
    made = EndsWorld(engine, folder)
    made.start()
    yield made
    made.stop()


def _payload(text: str) -> bytes:
    return orjson.dumps({"event": "inquire", "text": text})


async def test_what_is_due_goes_with_a_notice_and_what_stays_is_under_a_new_key(
    world: EndsWorld,
) -> None:
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    due = await world.write(keys, _payload("due"), _SOON, mark=b"replay")
    held = world.fetch_keys(keys.subject_id)
    stays = await world.write(held, _payload("stays"), _LATER, mark=b"mark")
    before = {index: world.find_row(index) for index in (due, stays)}
    ((place, old_key),) = world.list_key_rows().items()
    root = world.log.size

    ended = await ends.erase_due(_SOON, 100)

    assert (ended.contents, ended.places) == (1, (place,))
    row, kept = world.find_row(due), world.find_row(stays)
    assert (row.sealed, row.input_sealed, row.retention_until) == (None, None, None)
    assert row.entry == before[due].entry
    assert kept.entry == before[stays].entry
    assert kept.sealed != before[stays].sealed
    assert kept.input_sealed != before[stays].input_sealed
    assert kept.retention_until == _LATER
    assert world.list_key_rows()[place] != old_key
    told = world.read(keys.subject_id)
    assert told[due] is None
    assert told[stays] == _payload("stays")
    with world.store.reading() as conn:
        assert world.sealing.open_replay_input(conn, kept) == b"mark"
    notice = parse_payload(told[root] or b"")
    assert (notice.event, notice.notice) == ("erased", "now")
    assert notice.detail is not None
    assert (notice.detail.reason, notice.detail.count) == ("retention_ended", 1)
    assert (notice.detail.since_at, notice.detail.until_at) == (AT, AT)
    assert world.find_row(root).retention_until == _SOON + _RETENTION
    assert (await ends.erase_due(_SOON, 100)).contents == 0


async def test_the_tree_does_not_move(world: EndsWorld) -> None:
    """Whoever mirrored the log before goes on to verify it, and every proof goes on to hold."""
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    await world.write(keys, _payload("due"), _SOON)
    await world.write(world.fetch_keys(keys.subject_id), _payload("stays"), _LATER)
    held = world.read_leaves()
    old = verify_checkpoint(world.log.checkpoint().encode(), ORIGIN, [world.checkpoints.vkey])
    await ends.erase_due(_SOON, 100)
    new = verify_checkpoint(world.log.checkpoint().encode(), ORIGIN, [world.checkpoints.vkey])
    assert world.read_leaves()[: len(held)] == held
    assert (derive_root(held), derive_root(world.read_leaves())) == (old.root, new.root)
    proof = world.log.build_consistency(old.size, new.size)
    verify_consistency(old.size, new.size, proof, old.root, new.root)


async def test_the_notice_lies_in_the_chain_of_what_ended_and_names_it(world: EndsWorld) -> None:
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    await world.write(keys, _payload("a"), _SOON, "open")
    await world.write(world.fetch_keys(keys.subject_id), _payload("stays"), _LATER, "open")
    for audience in ("open", "own"):
        await world.write(world.fetch_keys(keys.subject_id), _payload("b"), _SOON, audience)
    await ends.erase_due(_SOON, 100)
    told: dict[Audience, list[int]] = {"open": [0, 2], "own": [0]}
    for audience, numbers in told.items():
        ((core, record),) = world.list_notices(keys.subject_id, audience)
        assert (record.notice, record.detail and record.detail.count) == ("now", len(numbers))
        assert core.entries == ()
        assert [(one.quarter, one.first, one.last) for one in core.places] == [
            (keys.quarter, number, number) for number in numbers
        ]


@pytest.mark.parametrize(
    ("mark", "audience"),
    [
        (b'{"audience":"open","situation":"x"}', "open"),
        (b'{"audience":"own","situation":"x"}', "own"),
        (b"no JSON", "own"),
        (None, "own"),
    ],
)
async def test_the_end_of_what_waited_is_told_where_it_opened(
    world: EndsWorld, mark: bytes | None, audience: Audience
) -> None:
    """A notice in the auditor's chain would wait for an opening that never comes."""
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    index = await world.write(keys, _payload("waited"), _SOON, "delayed", mark=mark)
    assert (await ends.erase_due(_SOON, 100)).contents == 1
    assert world.read(keys.subject_id, "delayed") == {index: None}
    ((core, record),) = world.list_notices(keys.subject_id, audience)
    assert (record.event, record.notice) == ("erased", "now")
    assert (core.entries, core.places) == ((index,), ())


async def test_the_end_of_a_notice_is_not_told(world: EndsWorld) -> None:
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    await world.write(keys, _payload("due"), _SOON)
    await ends.erase_due(_SOON, 100)
    much_later = _SOON + _RETENTION
    size = world.log.size
    assert (await ends.erase_due(much_later, 100)).contents == 1
    assert world.log.size == size
    assert set(world.read(keys.subject_id).values()) == {None}
    assert world.list_key_rows() == {}


async def test_the_chain_goes_on_after_an_end(world: EndsWorld) -> None:
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    await world.write(keys, _payload("due"), _SOON)
    await ends.erase_due(_SOON, 100)
    index = await world.write(world.fetch_keys(keys.subject_id), _payload("new"), _LATER)
    tag_key = derive_tag_key(keys.chain_key, "open", keys.quarter)
    tags = [parse_entry(world.find_row(at).entry).ref for at in (0, 1, index)]
    assert tags == [derive_tag(tag_key, number) for number in range(3)]


async def test_what_waits_for_its_opening_does_not_end(world: EndsWorld) -> None:
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    waits = await world.write(keys, _payload("waits"), _SOON, "delayed", mark=b"waits")
    held = world.fetch_keys(keys.subject_id)
    opened = await world.write(held, _payload("opened"), _SOON, "delayed", mark=b"opened")
    world.waiting.add(b"waits")
    assert (await ends.erase_due(_SOON, 100)).contents == 1
    told = world.read(keys.subject_id, "delayed")
    assert (told[waits], told[opened]) == (_payload("waits"), None)
    assert world.find_row(waits).retention_until == _SOON + POSTPONED
    world.waiting.clear()
    assert (await ends.erase_due(_SOON + POSTPONED, 100)).contents == 1
    assert world.read(keys.subject_id, "delayed")[waits] is None


async def test_who_seals_while_a_key_is_replaced_loses_the_race(world: EndsWorld) -> None:
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    await world.write(keys, _payload("due"), _SOON)
    held = world.fetch_keys(keys.subject_id)
    entry = world.draft(held, _payload("in flight"), _LATER)
    await ends.erase_due(_SOON, 100)
    with pytest.raises(LostRaceError):
        await world.log.append(Job(lambda _: [entry], keys=[held]))
    index = await world.write(world.fetch_keys(keys.subject_id), _payload("again"), _LATER)
    assert world.read(keys.subject_id)[index] == _payload("again")


async def test_who_seals_loses_the_race_also_where_the_caller_went_away(world: EndsWorld) -> None:
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    await world.write(keys, _payload("due"), _SOON)
    gate = threading.Event()

    def wait(_: Connection) -> list[PreparedEntry]:
        gate.wait()
        return []

    before = asyncio.create_task(world.log.append(Job(wait)))
    ending = asyncio.create_task(ends.erase_due(_SOON, 100))
    await asyncio.sleep(0.1)
    ending.cancel()
    with suppress(asyncio.CancelledError):
        await ending
    held = world.fetch_keys(keys.subject_id)  # what is committed: the old key, for a moment yet
    entry = world.draft(held, _payload("in flight"), _LATER)
    gate.set()
    await before
    with pytest.raises(LostRaceError):
        await world.log.append(Job(lambda _: [entry], keys=[held]))


async def _write_at_last(
    world: EndsWorld, subject_id: bytes, payload: bytes, until: datetime
) -> int:
    while True:
        with suppress(LostRaceError):
            return await world.write(world.fetch_keys(subject_id), payload, until)


async def test_questions_and_ends_at_once_lose_nothing(world: EndsWorld) -> None:
    ends = world.build_ends()
    people = [world.sealing.mint_subject(AT) for _ in range(6)]
    for keys in people:
        await world.write(keys, _payload("first"), _LATER)
    written: dict[int, tuple[bytes, bytes]] = {}

    async def ask(subject_id: bytes, name: str) -> None:
        for number in range(20):
            payload = _payload(f"{name} {number}")
            until = _SOON if number % 2 else _LATER
            index = await _write_at_last(world, subject_id, payload, until)
            if until == _LATER:
                written[index] = (subject_id, payload)

    async def end() -> None:
        for _ in range(40):
            await ends.erase_due(_SOON, 5)
            await asyncio.sleep(0)

    await asyncio.gather(end(), *(ask(one.subject_id, str(at)) for at, one in enumerate(people)))
    while (await ends.erase_due(_SOON, 100)).contents:
        pass
    assert len(written) == 60
    for index, (subject_id, payload) in written.items():
        assert world.read(subject_id)[index] == payload


async def test_content_that_is_damaged_holds_up_nothing(world: EndsWorld) -> None:
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    await world.write(keys, _payload("due"), _SOON)
    damaged = await world.write(world.fetch_keys(keys.subject_id), _payload("x"), _LATER)
    with world.store.writing() as conn:
        conn.execute(update(_ENTRIES).where(_ENTRIES.c.idx == damaged).values(sealed=b"damaged"))
    assert (await ends.erase_due(_SOON, 100)).contents == 1


async def test_a_chain_key_that_opens_no_more_holds_up_nobody_elses_end(
    world: EndsWorld,
) -> None:
    ends, damaged, other = world.build_ends(), *(world.sealing.mint_subject(AT) for _ in "12")
    for keys in (damaged, other):
        await world.write(keys, _payload("due"), _SOON)
    subjects = table_of(DataSubject)
    with world.store.writing() as conn:
        this = subjects.c.subject_id == damaged.subject_id
        conn.execute(update(subjects).where(this).values(chain_key_sealed=b"damaged"))
    assert (await ends.erase_due(_SOON, 100)).contents == 2
    said = [parse_payload(each).event for each in world.read(other.subject_id).values() if each]
    assert said == ["erased"]
    # There is no roll any more in which it could be told.
    assert set(world.read(damaged.subject_id).values()) == {None}


async def test_a_person_of_whom_nothing_is_left_goes_whole(world: EndsWorld) -> None:
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    other = world.sealing.mint_subject(AT)
    subjects = Subjects(SqlSubjectStore(), bytes(32))
    for one, pseudonym in ((keys, b"p" * 32), (other, b"q" * 32)):
        await world.write(one, _payload("due"), _SOON if one is keys else _LATER)
        with world.store.writing() as conn:
            subjects.add_subject(conn, one.subject_id, pseudonym, 1, AT)
    delayed = await world.write(
        world.fetch_keys(keys.subject_id), _payload("due"), _SOON, "delayed"
    )
    await ends.erase_due(_SOON, 100)
    assert (await ends.end_subjects(_SOON, b"", 100))[0].contents == 0  # the notice is left
    over = _SOON + _RETENTION
    await world.write(world.fetch_keys(other.subject_id, over), b"{}", over + _SOON_MORE, at=over)
    await ends.erase_due(over, 100)
    held = world.fetch_keys(keys.subject_id)
    entry = world.draft(held, _payload("in flight"), _LATER)
    ended, following = await ends.end_subjects(AT, b"", 100)
    assert (ended.contents, following) == (1, b"")
    assert ended.places == ((keys.subject_id, ""),), "the ratchet holds whom the log once named"
    with pytest.raises(LostRaceError):
        await world.log.append(Job(lambda _: [entry], keys=[held]))
    with world.store.reading() as conn:
        assert subjects.find_subject(conn, b"p" * 32, 1).subject_id is None
        assert subjects.find_subject(conn, b"q" * 32, 1).subject_id == other.subject_id
        for model, column in ((DataSubject, "subject_id"), (LogCounter, "chain_id")):
            table = table_of(model)
            left = set(map(bytes, conn.execute(select(table.c[column])).scalars()))
            assert left - {DELAYED_CHAIN_ID} == {other.subject_id}
        named = conn.execute(
            select(func.count()).where(_ENTRIES.c.subject_id == keys.subject_id)
        ).scalar_one()
        assert named == 0
    assert world.find_row(0).entry  # what lies on the tree stays
    # The auditor's roll has no gap, and names nobody.
    row = world.find_row(delayed)
    assert (row.subject_id, row.audience, row.number) == (DELAYED_CHAIN_ID, "delayed", 0)


async def test_a_person_counts_as_ended_again_only_where_a_backup_had_them(
    world: EndsWorld, tmp_path: Path
) -> None:
    there, gone = world.sealing.mint_subject(AT), world.sealing.mint_subject(AT)
    assert there.new_chain_key_sealed is not None
    with world.store.writing() as conn, Ratchet.open(tmp_path / "ratchet") as ratchet:
        world.store.insert_subject(conn, there.subject_id, there.new_chain_key_sealed, AT)
        ratchet.record_all([("subject", one.subject_id.hex()) for one in (there, gone)])
        replay = Replay(
            conn, kek=world.kek, row_key=bytes(32), is_waiting=lambda _conn, _mark: False, now=AT
        )
        replay.run(ratchet)
        left = conn.execute(select(table_of(DataSubject).c.subject_id)).scalars().all()
    assert (replay.counts["subject"], left) == (1, [])


async def test_persons_are_looked_at_page_by_page(world: EndsWorld) -> None:
    ends = world.build_ends()
    people = sorted((world.sealing.mint_subject(AT) for _ in range(7)), key=lambda k: k.subject_id)
    for keys in people:
        await world.log.append(Job(lambda _: [], keys=[keys]))
    await world.write(world.fetch_keys(people[3].subject_id), _payload("stays"), _LATER)
    after, count = b"", 0
    for _ in range(3):
        ended, after = await ends.end_subjects(AT, after, 3)
        count += ended.contents
        assert ended.places == (), "of whom there was no entry the ratchet need not know"
    assert (count, after) == (6, b"")


async def test_what_a_restore_lost_is_told_once(world: EndsWorld) -> None:
    ends, keys = world.build_ends(), world.sealing.mint_subject(AT)
    index = await world.write(keys, _payload("lost"), _LATER)
    lost = table_of(LostEntry)

    def lose(conn: Connection) -> None:
        conn.execute(update(_ENTRIES).where(_ENTRIES.c.idx == index).values(sealed=None))
        row = {"idx": index, "subject_id": keys.subject_id, "audience": "open", "at": AT}
        conn.execute(lost.insert(), row)

    with world.store.writing() as conn:
        lose(conn)
    assert await ends.tell_lost(_SOON, 10) == 1
    assert await ends.tell_lost(_SOON, 10) == 0
    told = [parse_payload(one) for one in world.read(keys.subject_id).values() if one]
    assert [(one.event, one.detail and one.detail.count) for one in told] == [("lost", 1)]
    with world.store.writing() as conn:
        conn.execute(delete(lost))
