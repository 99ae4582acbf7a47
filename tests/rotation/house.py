"""Processes of one broker that turn pseudonyms together, on a real log, and a small key holder.

`test_rotating.py` has the key holder's own rotation; here are rows that are damaged, or move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import update

from broker.adapters.rotation_store import SqlRotationStore
from broker.adapters.row_key_file import RowKeyFile
from broker.adapters.stores import build_registers
from broker.adapters.tables import PseudonymRecord, table_of
from broker.exchange.rotating import Rotating, RotationGround
from broker.pseudonyms.rotation import Epochs, PseudonymRow
from broker.pseudonyms.subjects import draw_id
from datwat.protocol import group
from datwat.protocol.rotation import Progress, Rotation
from tests.adapters.registers import NOW, writing
from tests.audit.conftest import LogWorld
from tests.keys.ring_world import make_row_file
from tests.rotation.scalars import draw_person

T = table_of(PseudonymRecord)
STORE = SqlRotationStore()
MANY = 200
LOWEST = bytes(32)


@dataclass
class Holder:
    """The key holder: its scalars by epoch, what it says, and what it was told last."""

    scalars: dict[int, bytes] = field(default_factory=lambda: {1: group.random_scalar()})
    said: Rotation = field(default_factory=lambda: Rotation(v=1, state="none"))
    told: Progress | None = None

    @property
    def public_keys(self) -> dict[int, bytes]:
        return {epoch: group.multiply_base(scalar) for epoch, scalar in self.scalars.items()}

    def begin(self) -> None:
        (leaving,) = self.scalars
        self.scalars[leaving + 1] = group.random_scalar()
        self.told = None
        self._turn(leaving, leaving + 1)

    def abort(self) -> None:
        """Have all turned back."""
        assert self.said.leaving
        assert self.said.current
        self._turn(self.said.current, self.said.leaving)

    def _turn(self, leaving: int, current: int) -> None:
        inverse = group.invert_scalar(self.scalars[leaving])
        delta = group.multiply_scalars(self.scalars[current], inverse)
        self.said = Rotation(v=1, state="turn", leaving=leaving, current=current, delta=delta)

    async def ask(self, progress: Progress | None) -> Rotation:
        self.told = progress
        return self.said

    def finish(self) -> None:
        """Destroy the scalar that is left, as `finish` does once it was told that all is turned."""
        said, told = self.said, self.told
        assert told is not None
        assert (told.leaving, told.current, told.done) == (said.leaving, said.current, True)
        assert said.leaving is not None
        del self.scalars[said.leaving]
        self.said = Rotation(v=1, state="ended", current=said.current)

    def find_pseudonym(self, person: bytes, epoch: int) -> bytes:
        return group.multiply(self.scalars[epoch], person)


class Process:
    """One process of the broker, begun just now: it has no δ, and remembers nothing."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.subjects = build_registers(house.file.keys).subjects
        ground = RotationGround(
            subjects=self.subjects,
            store=STORE,
            turns=self.subjects.turns,
            asking=house.holder,
            log=house.world.log,
            reading=house.world.store.reading,
            read_epoch_keys=lambda: house.holder.public_keys,
            keeps_house=lambda: self in house.keepers,
        )
        self.rotating = Rotating(ground)

    async def step(self) -> None:
        """Ask the key holder, and turn a batch if this process keeps house."""
        self.rotating._asked_at = None  # noqa: SLF001 - as if two seconds had passed
        await self.rotating.run_step()

    def find(self, pseudonym: bytes, epoch: int) -> bytes | None:
        with self._house.world.store.reading() as conn:
            return self.subjects.find_subject(conn, pseudonym, epoch).subject_id


class House:
    """A broker's database and row key, its people by H, and which processes keep house."""

    def __init__(self, world: LogWorld, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.file = make_row_file(folder)
        self.holder = Holder()
        self.keepers: tuple[Process, ...] = ()
        self.known: dict[bytes, bytes] = {}
        self.damaged: set[bytes] = set()

    @property
    def epochs(self) -> Epochs:
        with self.world.store.reading() as conn:
            return STORE.find_epochs(conn)

    def reopen(self) -> None:
        """Read the row key anew; who is begun from here on has what the file has."""
        self.file = RowKeyFile(self.folder / "secrets" / "row.key")

    def open(self, *, keeps_house: bool = False) -> Process:
        process = Process(self)
        if keeps_house:
            self.keepers = (process,)
        return process

    def add(self, process: Process, count: int = 1) -> None:
        """Write so many new persons, under the epoch that rows are written under."""
        epoch = self.epochs.current or 1
        with writing(self.world.engine) as conn:
            for _ in range(count):
                person, subject_id = draw_person(), draw_id()
                pseudonym = self.holder.find_pseudonym(person, epoch)
                process.subjects.add_subject(conn, subject_id, pseudonym, epoch, NOW)
                self.known[person] = subject_id

    def list_rows(self) -> Sequence[PseudonymRow]:
        """Return all rows, in the order in which they are turned."""
        with self.world.store.reading() as conn:
            return STORE.list_rows(conn, b"", 10_000)

    def list_left(self) -> Sequence[PseudonymRow]:
        """Return the whole rows that are still to be turned."""
        leaving = self.epochs.leaving
        rows = [row for row in self.list_rows() if row.epoch == leaving]
        return [row for row in rows if row.subject_id not in self.damaged]

    def list_ahead(self) -> Sequence[PseudonymRow]:
        """Return those of them that the pass will come by."""
        return [row for row in self.list_left() if row.index > self.epochs.cursor]

    def damage(self, row: PseudonymRow, sealed: bytes = bytes(60)) -> None:
        self._write(row, sealed=sealed)
        self.damaged.add(row.subject_id)

    def mend(self, row: PseudonymRow) -> None:
        self._write(row, sealed=row.sealed)
        self.damaged.remove(row.subject_id)

    def move(self, row: PseudonymRow, index: bytes) -> None:
        """Give a row another index, as the rotation of the row key does.

        Nobody is found by this one until the row is turned.
        """
        self._write(row, lookup=index)

    def move_behind(self) -> PseudonymRow:
        """Give a whole row that the pass has yet to turn an index behind its cursor."""
        row = self.list_ahead()[-1]
        self.move(row, LOWEST)
        return row

    def _write(self, row: PseudonymRow, **values: bytes) -> None:
        with writing(self.world.engine) as conn:
            where = T.c.subject_id == row.subject_id
            assert conn.execute(update(T).where(where).values(**values)).rowcount == 1

    async def turn_all(self, *processes: Process) -> None:
        """Take steps until the broker says that it is done, and the key holder heard it."""
        for _ in range(MANY):
            for process in processes:
                await process.step()
            if self.epochs.is_done:
                for process in processes:
                    await process.step()
                return
        pytest.fail(f"not done after {MANY} steps")

    async def finish(self, *processes: Process) -> None:
        self.holder.finish()
        for process in processes:
            await process.step()
        assert self.epochs.leaving is None

    def require_turned(self) -> None:
        """Fail unless all that is left under the old epoch are the damaged rows."""
        epochs = self.epochs
        assert epochs.is_done
        left = {row.subject_id for row in self.list_rows() if row.epoch != epochs.current}
        assert left == self.damaged

    def require_found(self, *processes: Process) -> None:
        """Fail unless each process finds everybody, by every epoch that there is."""
        for person, subject_id in self.known.items():
            if subject_id in self.damaged:
                continue
            for epoch in self.holder.scalars:
                pseudonym = self.holder.find_pseudonym(person, epoch)
                for process in processes:
                    assert process.find(pseudonym, epoch) == subject_id
