"""Rows are turned once each, whoever is killed in between, and everybody is found throughout."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress

import pytest
from sqlalchemy import Connection, Engine, func, select, update

from broker.adapters.rotation_store import SqlRotationStore
from broker.adapters.stores import build_registers
from broker.adapters.tables import PseudonymRecord, table_of
from broker.pseudonyms.errors import (
    EpochLeftError,
    RaceLost,
    RotationConflict,
    RotationWaits,
    SubjectMismatch,
)
from broker.pseudonyms.rotation import DeltaError, Epochs, Turn
from broker.pseudonyms.subjects import Subjects, draw_id
from datwat.protocol import group
from tests.adapters.registers import NOW, ROW_KEY, at_once, writing
from tests.rotation.scalars import Scalars, draw_person

T = table_of(PseudonymRecord)
STORE = SqlRotationStore()
Known = dict[bytes, bytes]


class KilledError(Exception):
    """Stands for a process that ends before it could commit."""


def build_subjects(turn: Turn | None = None) -> Subjects:
    """Return what a process that just started has: keys, and δ if it was given."""
    subjects = build_registers(ROW_KEY).subjects
    subjects.turns.held = turn
    return subjects


def fill(engine: Engine, scalars: Scalars, count: int) -> Known:
    """Write so many persons under epoch 1; return the subject of each."""
    known = {draw_person(): draw_id() for _ in range(count)}
    subjects = build_subjects()
    with writing(engine) as conn:
        for person, subject_id in known.items():
            subjects.add_subject(conn, subject_id, scalars.find_pseudonym(person, 1), 1, NOW)
    return known


def begin(engine: Engine, leaving: int = 1, current: int = 2) -> bool:
    with writing(engine) as conn:
        return STORE.begin(conn, leaving, current)


def turn_batch(conn: Connection, subjects: Subjects, turn: Turn, limit: int = 3) -> bool:
    """Turn the next rows; tell whether there were any."""
    epochs = STORE.find_epochs(conn)
    rows = STORE.list_rows(conn, epochs.cursor, limit)
    if not rows:
        STORE.restart(conn, epochs, is_done=not [*STORE.list_leaving(conn, epochs)])
        return False
    mine = [subjects.build_turned(row, turn) for row in rows if row.epoch == turn.leaving]
    STORE.turn_rows(conn, epochs, mine, rows[-1].index)
    return True


def turn_all(engine: Engine, turn: Turn) -> None:
    more = True
    while more:
        with writing(engine) as conn:
            more = turn_batch(conn, build_subjects(turn), turn)


def find(engine: Engine, subjects: Subjects, pseudonym: bytes, epoch: int) -> bytes | None:
    with engine.connect() as conn:
        return subjects.find_subject(conn, pseudonym, epoch).subject_id


def require_all_found(engine: Engine, scalars: Scalars, known: Known, turn: Turn) -> None:
    subjects = build_subjects(turn)
    for person, subject_id in known.items():
        for epoch in (1, 2):
            pseudonym = scalars.find_pseudonym(person, epoch)
            assert find(engine, subjects, pseudonym, epoch) == subject_id


def read_epochs(engine: Engine) -> Epochs:
    with engine.connect() as conn:
        return STORE.find_epochs(conn)


def list_epochs(engine: Engine) -> Sequence[int]:
    with engine.connect() as conn:
        return conn.execute(select(T.c.epoch)).scalars().all()


def test_killed_between_any_two_batches_it_goes_on_and_turns_no_row_twice(
    engine: Engine, scalars: Scalars
) -> None:
    known, turn = fill(engine, scalars, 20), scalars.build_turn()
    assert begin(engine)
    more, killed = True, 0
    while more:
        with suppress(KilledError), writing(engine) as conn:
            turn_batch(conn, build_subjects(turn), turn)
            raise KilledError  # after the rows were written, before they are committed
        killed += 1
        require_all_found(engine, scalars, known, turn)
        with writing(engine) as conn:
            more = turn_batch(conn, build_subjects(turn), turn)
        require_all_found(engine, scalars, known, turn)
    assert killed > 6
    epochs = read_epochs(engine)
    assert (epochs.current, epochs.leaving, epochs.is_done) == (2, 1, True)
    assert epochs.turned == len(known)
    assert list_epochs(engine) == [2] * len(known)


def test_after_the_end_the_other_epoch_is_refused_and_everybody_found(
    engine: Engine, scalars: Scalars
) -> None:
    known = fill(engine, scalars, 5)
    begin(engine)
    with writing(engine) as conn:
        assert not STORE.end(conn, 2)  # rows are left
    turn_all(engine, scalars.build_turn())
    with writing(engine) as conn:
        assert STORE.end(conn, 2)
    subjects = build_subjects()
    for person, subject_id in known.items():
        assert find(engine, subjects, scalars.find_pseudonym(person, 2), 2) == subject_id
        with pytest.raises(EpochLeftError):
            find(engine, subjects, scalars.find_pseudonym(person, 1), 1)


def test_the_same_batch_twice_changes_nothing(engine: Engine, scalars: Scalars) -> None:
    known, turn = fill(engine, scalars, 4), scalars.build_turn()
    begin(engine)
    epochs = read_epochs(engine)
    with engine.connect() as conn:
        rows = STORE.list_rows(conn, b"", 10)
    turned = [build_subjects().build_turned(row, turn) for row in rows]
    with writing(engine) as conn:
        assert STORE.turn_rows(conn, epochs, turned, rows[-1].index) == 4
    with pytest.raises(RaceLost), writing(engine) as conn:
        STORE.turn_rows(conn, epochs, turned, rows[-1].index)
    with writing(engine) as conn:  # even where the cursor would let it
        assert STORE.turn_rows(conn, read_epochs(engine), turned, b"\xff") == 0
    require_all_found(engine, scalars, known, turn)


def test_a_row_of_the_current_epoch_is_not_turned_wherever_it_lies(
    engine: Engine, scalars: Scalars
) -> None:
    fill(engine, scalars, 1)
    begin(engine)
    with engine.connect() as conn:
        rows = STORE.list_rows(conn, b"", 10)
    turned = [build_subjects().build_turned(row, scalars.build_turn()) for row in rows]
    with writing(engine) as conn:
        conn.execute(update(T).values(epoch=2))
        assert STORE.turn_rows(conn, read_epochs(engine), turned, rows[-1].index) == 0
        assert [row.index for row in STORE.list_rows(conn, b"", 10)] == [rows[0].index]


def test_one_who_is_erased_meanwhile_stays_away(engine: Engine, scalars: Scalars) -> None:
    fill(engine, scalars, 1)
    turn = scalars.build_turn()
    begin(engine)
    with engine.connect() as conn:
        rows = STORE.list_rows(conn, b"", 10)
    turned = [build_subjects().build_turned(row, turn) for row in rows]
    with writing(engine) as conn:
        conn.execute(T.delete())
        assert STORE.turn_rows(conn, read_epochs(engine), turned, rows[-1].index) == 0
    assert list_epochs(engine) == []


def test_eight_at_once_by_both_epochs_mint_one_person(engine: Engine, scalars: Scalars) -> None:
    fill(engine, scalars, 3)
    begin(engine)
    person, turn = draw_person(), scalars.build_turn()
    numbers = iter(range(8))
    lock = threading.Lock()

    def mint(barrier: threading.Barrier) -> bytes:
        with lock:
            epoch = 1 + next(numbers) % 2
        subjects, pseudonym = build_subjects(turn), scalars.find_pseudonym(person, epoch)
        with engine.connect() as reader:
            seen = subjects.find_subject(reader, pseudonym, epoch)
        assert seen.subject_id is None
        assert seen.epoch == 2
        barrier.wait()
        subject_id = draw_id()
        try:
            with writing(engine) as writer:
                subjects.add_subject(writer, subject_id, seen.pseudonym, seen.epoch, NOW)
        except RaceLost:
            subject_id = b""
        found = find(engine, subjects, pseudonym, epoch)
        assert found is not None
        assert subject_id in (b"", found)
        return found

    assert len(set(at_once(8, mint))) == 1
    with engine.connect() as conn:
        assert conn.execute(select(func.count()).select_from(T)).scalar() == 4


def test_who_looked_before_it_began_may_not_write_after(engine: Engine, scalars: Scalars) -> None:
    fill(engine, scalars, 1)
    person = draw_person()
    subjects = build_subjects()
    with engine.connect() as conn:
        seen = subjects.find_subject(conn, scalars.find_pseudonym(person, 1), 1)
    begin(engine)
    with pytest.raises(RaceLost), writing(engine) as conn:
        subjects.add_subject(conn, draw_id(), seen.pseudonym, seen.epoch, NOW)


def test_the_beginning_waits_for_who_is_writing(engine: Engine, scalars: Scalars) -> None:
    """A row that is being written under the old epoch is seen by the turning, never missed."""
    fill(engine, scalars, 1)
    person, subject_id = draw_person(), draw_id()
    began = threading.Event()

    def start() -> None:
        begin(engine)
        began.set()

    with writing(engine) as conn:
        pseudonym = scalars.find_pseudonym(person, 1)
        build_subjects().add_subject(conn, subject_id, pseudonym, 1, NOW)
        thread = threading.Thread(target=start)
        thread.start()
        assert not began.wait(0.3)
    thread.join(10)
    assert began.is_set()
    turn_all(engine, scalars.build_turn())
    assert list_epochs(engine) == [2, 2]


def test_without_delta_nobody_is_nobody(engine: Engine, scalars: Scalars) -> None:
    known = fill(engine, scalars, 2)
    begin(engine)
    subjects = build_subjects()
    wanted: list[bool] = []
    subjects.turns.listen(lambda: wanted.append(True))
    for person in (*known, draw_person()):
        for epoch in (1, 2):
            with pytest.raises(RotationWaits):
                find(engine, subjects, scalars.find_pseudonym(person, epoch), epoch)
    assert len(wanted) == 6


def test_a_third_epoch_is_refused(engine: Engine, scalars: Scalars) -> None:
    fill(engine, scalars, 1)
    for subjects in (build_subjects(), build_subjects(scalars.build_turn())):
        with pytest.raises(EpochLeftError):
            find(engine, subjects, draw_person(), 3)


def test_an_abort_turns_back(engine: Engine, scalars: Scalars) -> None:
    known, turn = fill(engine, scalars, 10), scalars.build_turn()
    begin(engine)
    with writing(engine) as conn:
        turn_batch(conn, build_subjects(turn), turn, limit=5)
    assert sorted(list_epochs(engine)) == [1] * 5 + [2] * 5
    assert not begin(engine, 3, 4)  # nothing of the kind
    assert begin(engine, leaving=2, current=1)
    back = scalars.build_turn(2, 1)
    require_all_found(engine, scalars, known, back)
    turn_all(engine, back)
    assert list_epochs(engine) == [1] * 10
    with writing(engine) as conn:
        assert STORE.end(conn, 1)
    subjects = build_subjects()
    for person, subject_id in known.items():
        assert find(engine, subjects, scalars.find_pseudonym(person, 1), 1) == subject_id


def test_it_begins_once(engine: Engine, scalars: Scalars) -> None:
    fill(engine, scalars, 1)
    assert begin(engine)
    assert not begin(engine)
    assert not begin(engine, 2, 3)


def test_one_person_in_two_rows_is_an_alarm(engine: Engine, scalars: Scalars) -> None:
    """What must not be is seen: a row under each epoch for one person."""
    (person, _), turn = next(iter(fill(engine, scalars, 1).items())), scalars.build_turn()
    subjects = build_subjects(turn)
    begin(engine)
    with writing(engine) as conn:
        subjects.add_subject(conn, draw_id(), scalars.find_pseudonym(person, 2), 2, NOW)
    with pytest.raises(SubjectMismatch):
        find(engine, subjects, scalars.find_pseudonym(person, 1), 1)
    with pytest.raises(RotationConflict):
        turn_all(engine, turn)


def test_a_row_that_was_changed_is_not_turned(engine: Engine, scalars: Scalars) -> None:
    fill(engine, scalars, 1)
    with writing(engine) as conn:
        conn.execute(update(T).values(sealed=b"\0" * 60))
        (row,) = STORE.list_rows(conn, b"", 10)
    with pytest.raises(SubjectMismatch):
        build_subjects().build_turned(row, scalars.build_turn())


def test_only_a_delta_that_the_public_keys_prove_is_taken(scalars: Scalars) -> None:
    good, keys = scalars.build_delta(), scalars.public_keys
    assert Turn.build(1, 2, good, keys).current == 2
    one = (1).to_bytes(32, "little")
    for wrong in (group.random_scalar(), group.invert_scalar(good), one, bytes(32), b"\xff" * 32):
        with pytest.raises(DeltaError):
            Turn.build(1, 2, wrong, keys)
    with pytest.raises(DeltaError):
        Turn.build(1, 3, good, keys)
    with pytest.raises(DeltaError):
        Turn.build(2, 1, good, keys)


def test_delta_stands_in_no_repr(scalars: Scalars) -> None:
    turn = scalars.build_turn()
    assert scalars.build_delta().hex() not in repr(turn)
    assert str(scalars.build_delta()) not in repr(turn)


@pytest.mark.parametrize(
    ("epochs", "permille"),
    [
        (Epochs(1), 1_000),
        (Epochs(2, 1), 0),
        (Epochs(2, 1, b"\x80" + bytes(31)), 500),
        (Epochs(2, 1, b"\xff" * 32), 999),
        (Epochs(2, 1, b"", 7, is_done=True), 1_000),
    ],
)
def test_how_far_it_is_follows_from_the_cursor(epochs: Epochs, permille: int) -> None:
    assert epochs.permille == permille
