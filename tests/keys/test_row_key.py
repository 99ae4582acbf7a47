"""The row key is replaced while people are found, and nothing stays under the old one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, inspect, update

from broker.adapters import row_moving
from broker.adapters.backup_file import BackupError, BackupHeader, derive_row_check
from broker.adapters.row_key_file import (
    NoRotationError,
    RotationUnderWayError,
    RowKeyError,
    RowKeyFile,
)
from broker.adapters.row_moving import SEALED
from broker.adapters.stores import build_registers
from broker.adapters.tables import InvolvementRecord, table_of
from broker.exchange.registers import Registers
from broker.exchange.row_turning import OVERLAP, SEEN_AFTER, RowTurning
from broker.pseudonyms.errors import RaceLost
from broker.pseudonyms.row_keys import KEPT_LABELS, RowKeys
from broker.pseudonyms.veil import Veil
from datwat.protocol.sealing import UnsealError
from tests.adapters.registers import DAY, NOW, SCHOOL, writing
from tests.adapters.test_registers_schema import fill
from tests.audit.conftest import LogWorld, folder, world
from tests.keys.other_rows import add_other_rows, begin_replay
from tests.keys.ring_world import (
    FIRST_KEY,
    HOUR,
    Person,
    add_person,
    add_spent,
    build_turning,
    keep_all,
    make_row_file,
    read_numbers,
    require_found,
)

__all__ = ["folder", "world"]

# Sealed under the KEK, or by whoever gave them.
_OF_OTHERS = {
    "log_entries", "log_quarter_keys", "subjects", "log_head",
    "decision_log",  # a chain, under keys that outlive the row key
}  # fmt: skip
_TURNED = NOW + SEEN_AFTER
_LATER = _TURNED + OVERLAP


class Ring:
    """A log, rows under a row key in a file, and what carries its rotation on."""

    def __init__(self, world: LogWorld, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.file = make_row_file(folder)
        self.people = [Person(number) for number in range(12)]
        self.reopen()

    def reopen(self) -> None:
        """Begin anew with what the file says, as another process would."""
        self.file = RowKeyFile(self.folder / "secrets" / "row.key")
        self.registers: Registers = build_registers(self.file.keys)
        self.turning: RowTurning = build_turning(
            self.file, self.world.log, self.world.store.reading
        )

    def fill(self, *, codes: bool = False) -> None:
        with writing(self.world.engine) as conn:
            for person in self.people:
                add_person(conn, self.registers, person, code=codes)
            add_spent(conn, self.file.keys)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self.world.store.reading() as conn:
            yield conn

    def require_found(self) -> None:
        with self.reading() as conn:
            require_found(conn, self.registers, self.people)

    async def turn(self) -> None:
        """Do all that is due once every process has seen the new key."""
        await keep_all(self.turning, _TURNED)
        await keep_all(self.turning, _TURNED + SEEN_AFTER)


@pytest.fixture
def ring(world: LogWorld, folder: Path) -> Ring:
    return Ring(world, folder)


def test_every_table_with_something_sealed_is_moved(engine: Engine) -> None:
    """A table that is forgotten here would be lost with the old key."""
    inspector = inspect(engine)
    sealed = {
        name
        for name in inspector.get_table_names()
        if any(
            column["name"] in {"sealed", "answer"} or column["name"].endswith("_sealed")
            for column in inspector.get_columns(name)
        )
    }
    assert sealed - _OF_OTHERS == {one.table.name for one in SEALED}


def test_every_keyed_hash_is_moved_or_waited_for(engine: Engine) -> None:
    inspector = inspect(engine)
    hashed = {
        name
        for name in inspector.get_table_names()
        if "lookup" in {column["name"] for column in inspector.get_columns(name)}
    }
    moved = {one.table.name for one in SEALED if one.lookup is not None}
    assert hashed == moved | {"introductions"}


@pytest.mark.asyncio
async def test_people_are_found_after_each_step(ring: Ring) -> None:
    ring.fill()
    ring.file.start(NOW)
    ring.require_found()
    assert await ring.turning.keep(NOW, 3) == 0  # others may not have seen the key yet
    for moment in (_TURNED, _TURNED + SEEN_AFTER, _LATER + SEEN_AFTER):
        while await ring.turning.keep(moment, 3):
            ring.require_found()
            new = Person(len(ring.people))
            if new.number < 40:  # new people come meanwhile
                with writing(ring.world.engine) as conn:
                    add_person(conn, ring.registers, new, code=False)
                ring.people.append(new)
        # What was sealed before and given out, such as a page's cursor, opens for an hour.
        assert len(ring.file.keys.state.keys) == (2 if moment < _LATER else 1)
    assert list(ring.file.keys.state.keys) == [2]
    assert len(ring.people) == 40
    with ring.reading() as conn:
        old = RowKeys.of(FIRST_KEY)
        assert all(count == closed for count, closed in read_numbers(conn, old).values())
        strangers = build_registers(old)
        for person in ring.people:
            assert strangers.subjects.find_subject(conn, person.pseudonym, 1).subject_id is None
    ring.reopen()
    ring.require_found()


@pytest.mark.asyncio
async def test_a_row_of_each_table_opens_under_the_new_key(ring: Ring) -> None:
    with writing(ring.world.engine) as conn:
        fill(conn, ring.registers)
        add_other_rows(conn, ring.file)
        add_spent(conn, ring.file.keys)
    begin_replay(ring.world.engine, ring.file)
    with ring.reading() as conn:
        before = read_numbers(conn, ring.file.keys)
    assert all(count and not closed for count, closed in before.values()), before
    ring.file.start(NOW)
    await ring.turn()
    await keep_all(ring.turning, NOW + 8 * DAY)  # the code of an introduction is over
    assert list(ring.file.keys.state.keys) == [2]
    assert ring.file.keys.state.keys[2] != FIRST_KEY
    ring.reopen()
    with ring.reading() as conn:
        assert read_numbers(conn, ring.file.keys) == before


@pytest.mark.asyncio
async def test_the_old_key_waits_for_what_was_given_out_under_it(ring: Ring) -> None:
    ring.fill(codes=True)
    ring.file.start(NOW)
    await ring.turn()
    assert ring.turning.build_status(_TURNED)["row_key_step"] == "waiting"
    await keep_all(ring.turning, _TURNED + OVERLAP / 2)
    assert len(ring.file.keys.state.keys) == 2
    await keep_all(ring.turning, _LATER + SEEN_AFTER)
    assert len(ring.file.keys.state.keys) == 2
    said = ring.turning.build_status(_LATER)
    assert said["introductions_waited_for"] == len(ring.people)
    with writing(ring.world.engine) as conn:
        for person in ring.people:
            found = ring.registers.references.find_introduction(conn, SCHOOL, person.code, NOW)
            assert found is not None
            assert found.subject_id == person.subject_id
            ring.registers.references.redeem_introduction(
                conn, SCHOOL, person.code, os.urandom(16), NOW
            )
    await keep_all(ring.turning, _LATER + HOUR)
    assert list(ring.file.keys.state.keys) == [2]


@pytest.mark.parametrize("turned_between", [True, False])
def test_one_person_is_never_two(ring: Ring, *, turned_between: bool) -> None:
    """Who looked before another one wrote, and writes after the ring was turned, loses."""
    person, again = Person(1), Person(1)
    ring.file.start(NOW)
    with ring.reading() as conn:  # both look
        assert ring.registers.subjects.find_subject(conn, person.pseudonym, 1).subject_id is None
    with writing(ring.world.engine) as conn:
        add_person(conn, ring.registers, person, code=False)
    if turned_between:
        ring.file.turn(NOW)
    with pytest.raises(RaceLost), writing(ring.world.engine) as conn:
        add_person(conn, ring.registers, again, code=False)
    with ring.reading() as conn:
        require_found(conn, ring.registers, [person])


@pytest.mark.asyncio
async def test_turned_back_before_anything_was_written(ring: Ring) -> None:
    ring.fill()
    ring.file.start(NOW)
    ring.file.abort(NOW)
    assert list(ring.file.keys.state.keys.values()) == [FIRST_KEY]
    ring.require_found()
    with pytest.raises(NoRotationError):
        ring.file.abort(NOW)


@pytest.mark.asyncio
async def test_turned_back_half_way(ring: Ring) -> None:
    ring.fill()
    ring.file.start(NOW)
    await ring.turning.keep(_TURNED, 3)
    for _ in range(4):
        await ring.turning.keep(_TURNED + SEEN_AFTER, 3)
    with pytest.raises(RotationUnderWayError):
        ring.file.start(_TURNED)
    moment = _TURNED + HOUR
    ring.file.abort(moment)
    ring.require_found()
    for later in (SEEN_AFTER, 2 * SEEN_AFTER, 2 * SEEN_AFTER + OVERLAP, 3 * OVERLAP):
        while await ring.turning.keep(moment + later, 3):
            ring.require_found()
    assert list(ring.file.keys.state.keys.values()) == [FIRST_KEY]
    with ring.reading() as conn:
        numbers = read_numbers(conn, RowKeys.of(FIRST_KEY))
    assert not any(closed for _, closed in numbers.values())


@pytest.mark.asyncio
async def test_a_restart_goes_on_where_the_file_says(ring: Ring) -> None:
    ring.fill()
    ring.file.start(NOW)
    for moment in (_TURNED, _TURNED + SEEN_AFTER, _LATER + SEEN_AFTER):
        steps = 1
        while steps:
            ring.reopen()
            steps = await keep_some(ring, moment, 30)
            ring.require_found()
    assert list(ring.file.keys.state.keys) == [2]


async def keep_some(ring: Ring, moment: object, most: int) -> int:
    """Do at most so many steps; return 0 where the last pass found nothing to do."""
    done = 0
    for _ in range(most):
        if not await ring.turning.keep(moment, 100):  # type: ignore[arg-type]
            return 0
        done += 1
    return done


@pytest.mark.asyncio
async def test_who_wrote_meanwhile_wins(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that changed between reading and writing is not put back to what was read."""
    ring.fill()
    with writing(ring.world.engine) as conn:
        fill(conn, ring.registers)
    table = table_of(InvolvementRecord)
    ring.file.start(NOW)
    await ring.turning.keep(_TURNED, 3)
    real = row_moving.SqlRowTables.move

    def move(self: row_moving.SqlRowTables, conn: Connection, place: int, moves: object) -> int:
        if SEALED[place].table is table:
            conn.execute(update(table).values(sealed=b"written meanwhile"))
        return real(self, conn, place, moves)  # type: ignore[arg-type]

    monkeypatch.setattr(row_moving.SqlRowTables, "move", move)
    await keep_all(ring.turning, _TURNED + SEEN_AFTER, 100)
    with ring.reading() as conn:
        assert bytes(conn.execute(table.select()).one().sealed) == b"written meanwhile"


@pytest.mark.asyncio
async def test_a_row_that_opens_under_no_key_holds_nothing_up(ring: Ring) -> None:
    ring.fill()
    with writing(ring.world.engine) as conn:
        fill(conn, ring.registers)
        conn.execute(update(table_of(InvolvementRecord)).values(sealed=bytes(60)))
    ring.file.start(NOW)
    await ring.turn()
    assert ring.turning.build_status(_TURNED)["rows_unreadable"] == 1
    await keep_all(ring.turning, NOW + 8 * DAY)
    assert list(ring.file.keys.state.keys) == [2]
    ring.require_found()


def test_what_cannot_be_made_anew_stays(tmp_path: Path) -> None:
    file = make_row_file(tmp_path)
    before = [file.keys.derive_kept(label) for label in KEPT_LABELS]
    number = Veil(file.keys).hide("subject", b"1" * 16)
    file.start(NOW)
    file.turn(NOW)
    file.destroy(1)
    again = RowKeyFile(tmp_path / "secrets" / "row.key")
    assert [again.keys.derive_kept(label) for label in KEPT_LABELS] == before
    assert Veil(again.keys).hide("subject", b"1" * 16) == number
    again.start(NOW)
    again.turn(NOW)
    again.destroy(2)
    assert [again.keys.derive_kept(label) for label in KEPT_LABELS] == before
    assert list(again.keys.state.keys) == [3]


def test_only_the_key_that_leaves_is_destroyed(tmp_path: Path) -> None:
    file = make_row_file(tmp_path)
    file.destroy(1)
    assert list(file.keys.state.keys) == [1]
    file.start(NOW)
    file.destroy(1)  # the new one is not written under yet
    file.turn(NOW)
    file.destroy(2)
    assert sorted(file.keys.state.keys) == [1, 2]


def test_another_process_sees_what_changed(tmp_path: Path) -> None:
    file = make_row_file(tmp_path)
    other = RowKeyFile(tmp_path / "secrets" / "row.key")
    sealed = other.keys.seal(b"row", b"words", b"aad")
    assert not other.refresh()
    file.start(NOW)
    file.turn(NOW)
    assert other.refresh()
    assert other.keys.unseal(b"row", sealed, b"aad") == b"words"
    assert file.keys.find_stale(b"row", sealed, b"aad") == b"words"
    file.destroy(1)
    other.refresh()
    with pytest.raises(UnsealError):
        other.keys.unseal(b"row", sealed, b"aad")


def test_a_backup_needs_every_key_of_its_time(tmp_path: Path) -> None:
    file = make_row_file(tmp_path)

    def build_header() -> BackupHeader:
        return BackupHeader(
            v=1,
            origin="broker.test/log/1",
            size=0,
            root=bytes(32),
            revision="1",
            made_at=NOW,
            kek_sealed=b"",
            row_check=derive_row_check(file.keys, "broker.test/log/1"),
        )

    before = build_header()
    file.start(NOW)
    file.turn(NOW)
    during = build_header()
    before.require_row_key(file.keys)
    during.require_row_key(file.keys)
    file.destroy(1)
    for older in (before, during):
        with pytest.raises(BackupError, match="row key of this home is not that of this backup"):
            older.require_row_key(file.keys)
    build_header().require_row_key(file.keys)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no row key, or damaged"),
        (bytes(31), "is no row key, or damaged"),
        (b'{"v": 1}', "is no row key, or damaged"),
        (
            (
                b'{"v":1,"keys":[{"number":1,"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}],'
                b'"target":2,"is_turned":true,"changed_at":"2026-03-02T09:30:00Z","kept":{}}'
            ),
            "names a key that it does not hold",
        ),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    make_row_file(tmp_path)
    path = tmp_path / "secrets" / "row.key"
    path.write_bytes(content)
    with pytest.raises(RowKeyError, match=said):
        RowKeyFile(path)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    make_row_file(tmp_path)
    path = tmp_path / "secrets" / "row.key"
    path.chmod(0o640)
    with pytest.raises(RowKeyError, match="Others may read"):
        RowKeyFile(path)


def test_no_key_is_shown(tmp_path: Path) -> None:
    file = make_row_file(tmp_path)
    file.start(NOW)
    said = repr(file) + repr(file.keys) + repr(file.keys.state)
    for key in file.keys.state.keys.values():
        assert key.hex() not in said
        assert repr(key)[2:-1] not in said
