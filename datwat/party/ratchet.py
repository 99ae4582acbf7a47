"""The ratchet: what may never go back, kept outside the database and outside its backups.

Rule: a named number only rises, and at one number there is one digest; what was ended stays listed
until whoever listed it says that nothing can bring it back (`forget`). Lower is refused; equal with
another digest is an alarm. An error while writing or syncing is final: after it nothing is known
about the disk, so the process must stop (retrying an fsync lies).

One file, locked by the process that uses it (its bytes: `ratchet_form`). The slots are written in
turn, so a write that a crash tore leaves the other one. Each record is chained to the one before:
one that was changed or taken out is noticed. A slot holds how far the journal reached when it was
written: a journal cut back below that is noticed.

The journal is only appended to. To forget, the whole file is written anew beside the old one,
locked, synced, put in its place by one rename, and the folder synced, before anything else is
written: a crash leaves the old file or the new one, and what was recorded after is in whichever
there is. So it is too where somebody took the file away, or put an older copy in its place, while
it was in use: what is held here is what counts.
"""

from __future__ import annotations

import hmac
import os
import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from datwat.party import ratchet_file as file
from datwat.party import ratchet_form as form
from datwat.party.files import sync_folder
from datwat.party.ratchet_errors import (
    RatchetAlarmError,
    RatchetBrokenError,
    RatchetDamagedError,
    RatchetError,
    RatchetLockedError,
    RatchetRefusedError,
)
from datwat.party.ratchet_form import Mark, Record, Slot

__all__ = [
    "Mark",
    "Ratchet",
    "RatchetAlarmError",
    "RatchetBrokenError",
    "RatchetDamagedError",
    "RatchetError",
    "RatchetLockedError",
    "RatchetRefusedError",
    "require_apart",
]


class Ratchet:
    """A party's ratchet; every method is safe to call from several threads.

    `is_shared`: several processes may use it at once (`ratchet_server.py`).
    """

    is_shared = False

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path
        self._lock = threading.Lock()
        self._broken = False
        self._sequence = 0
        self._values: dict[str, Mark] = {}
        # By kind and identifier, with the place among all records.
        self._records: dict[str, dict[str, int]] = {}
        self._count = 0
        self._journal_end = form.JOURNAL_START
        self._chain = form.EMPTY_CHAIN

    @classmethod
    def open(cls, path: Path) -> Ratchet:
        """Open or create the ratchet and hold it until `close`.

        Raises:
            RatchetLockedError: another process holds it.
            RatchetDamagedError: the file was changed, or cut back.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RatchetError("The ratchet's file cannot be opened.") from error
        try:
            file.lock(descriptor)
            file.require_in_place(descriptor, path)
            with suppress(OSError):  # left by a crash while it was written: never the ratchet
                file.name_new(path).unlink()
            ratchet = cls(descriptor, path)
            if os.fstat(descriptor).st_size == 0:
                ratchet._create()
            else:
                ratchet._read()
        except BaseException:
            os.close(descriptor)
            raise
        return ratchet

    def close(self) -> None:
        """Let go of the file; nothing is pending, every call has synced what it wrote."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def value(self, name: str) -> Mark | None:
        """Return how far `name` got, or None."""
        return self._values.get(name)

    def advance(self, name: str, number: int, digest: bytes) -> None:
        """Move `name` to `number` and sync; the same again changes nothing.

        Raises:
            RatchetRefusedError: `number` is lower than before.
            RatchetAlarmError: `number` is the same, `digest` another.
            RatchetBrokenError: it could not be written; stop.
        """
        with self._lock:
            self._require_usable()
            before = self._values.get(name)
            if before is not None:
                if number < before.number:
                    raise RatchetRefusedError
                if number == before.number:
                    if not hmac.compare_digest(digest, before.digest):
                        raise RatchetAlarmError
                    return
            self._write_slot({**self._values, name: Mark(number, digest)})

    def advance_from(self, name: str, before: Mark | None, number: int, digest: bytes) -> bool:
        """Move `name` as `advance` does, but only on from `before`; False: it moved meanwhile.

        For who looked whether `before` leads there. Raises what `advance` raises.
        """
        if self.value(name) != before:
            return False
        self.advance(name, number, digest)
        return True

    def record(self, kind: str, identifier: str) -> None:
        """Note durably that something ended; the same again changes nothing.

        Raises:
            RatchetBrokenError: it could not be written; stop.
        """
        self.record_all([(kind, identifier)])

    def record_all(self, ended: Iterable[Record]) -> None:
        """Note durably, with one sync, kind and identifier of what ended; those known are left out.

        Raises:
            RatchetError: one of them is too long; nothing was written.
            RatchetBrokenError: it could not be written; stop.
        """
        with self._lock:
            self._require_usable()
            new = [
                each
                for each in dict.fromkeys(ended)
                if each[1] not in self._records.get(each[0], {})
            ]
            data, chain = _build_records(new, self._chain)
            if not data:
                return
            self._write(data, self._journal_end)
            self._journal_end += len(data)
            self._chain = chain
            for each in new:
                self._remember(each)

    def records(self, kind: str) -> tuple[str, ...]:
        """Return everything recorded of a kind, oldest first."""
        with self._lock:
            return tuple(self._records.get(kind, {}))

    def read_all(self) -> tuple[dict[str, Mark], list[Record]]:
        """Return all marks, and all records in their order."""
        with self._lock:
            return dict(self._values), [record for _, record in self._list_placed()]

    def forget(self, kinds: Collection[str], mark: Record) -> int:
        """Take what was recorded of these kinds before `mark` out of the file; return how much.

        Only for what nothing can bring back any more: the caller answers for that. What cannot be
        written (a full disk) leaves all as it is.

        Raises:
            RatchetError: the new file could not be written; nothing changed.
            RatchetBrokenError: whether it took the old one's place is not known; stop.
        """
        with self._lock:
            self._require_usable()
            place = self._records.get(mark[0], {}).get(mark[1], 0)
            held = self._list_placed()
            kept = [one for at, one in held if at >= place or one[0] not in kinds]
            if len(kept) < len(held):
                self._replace(kept)
            return len(held) - len(kept)

    def _list_placed(self) -> list[tuple[int, Record]]:
        """Return all records with their places, oldest first."""
        return sorted(
            (at, (kind, identifier))
            for kind, held in self._records.items()
            for identifier, at in held.items()
        )

    def _replace(self, records: list[Record]) -> None:
        """Put a new file with these records in the place of the old one."""
        journal, chain = _build_records(records, form.EMPTY_CHAIN)
        end = form.JOURNAL_START + len(journal)
        sequence = self._sequence + 1
        slot = form.build_slot(Slot(sequence, self._values, end, chain))
        # In its own place of the two, so that the next one does not overwrite the only one.
        head = (b"\0" * form.SLOTS[sequence % 2] + slot).ljust(form.JOURNAL_START, b"\0")
        new = file.name_new(self._path)
        try:
            descriptor = file.write_new(new, head + journal)
        except OSError as error:
            raise RatchetError("The ratchet's file could not be written anew.") from error
        try:
            os.rename(new, self._path)  # noqa: PTH104 - counted by a test
            sync_folder(self._path.parent)
        except OSError as error:
            self._broken = True
            os.close(descriptor)
            raise RatchetBrokenError from error
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._sequence, self._journal_end, self._chain = sequence, end, chain
        self._records, self._count = {}, 0
        for each in records:
            self._remember(each)

    def _create(self) -> None:
        """Write the first slot, and make the file's name durable too."""
        self._write_slot({})
        sync_folder(self._path.parent)

    def _read(self) -> None:
        slots = [
            form.read_slot(os.pread(self._descriptor, form.SLOT_LENGTH, at)) for at in form.SLOTS
        ]
        found = [slot for slot in slots if slot is not None]
        if not found:
            raise RatchetDamagedError
        newest = max(found, key=lambda slot: slot.sequence)
        self._sequence, self._values = newest.sequence, dict(newest.values)
        self._read_journal(newest.journal_end, newest.chain)

    def _read_journal(self, least_end: int, chain_there: bytes) -> None:
        """Read records until the end or a torn one, which no caller was ever told of."""
        size = os.fstat(self._descriptor).st_size
        data = os.pread(self._descriptor, max(0, size - form.JOURNAL_START), form.JOURNAL_START)
        reached = least_end == form.JOURNAL_START
        for read in form.read_records(data):
            self._remember(read.record)
            self._journal_end, self._chain = form.JOURNAL_START + read.end, read.chain
            if self._journal_end == least_end:
                reached = hmac.compare_digest(read.chain, chain_there)
        if not reached:
            raise RatchetDamagedError

    def _remember(self, record: Record) -> None:
        kind, identifier = record
        self._count += 1
        self._records.setdefault(kind, {})[identifier] = self._count

    def _write_slot(self, values: dict[str, Mark]) -> None:
        """Write the slot that is not the newest, then believe it."""
        sequence = self._sequence + 1
        data = form.build_slot(Slot(sequence, values, self._journal_end, self._chain))
        if len(data) > form.SLOT_LENGTH:
            raise RatchetError("The ratchet has no room for another name.")
        self._write(data, form.SLOTS[sequence % 2])
        self._sequence += 1
        self._values = values

    def _write(self, data: bytes, offset: int) -> None:
        try:
            written = os.pwrite(self._descriptor, data, offset)
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._broken = True
            raise RatchetBrokenError from error
        if written != len(data):
            self._broken = True
            raise RatchetBrokenError

    def _require_usable(self) -> None:
        if self._broken or self._descriptor < 0:
            raise RatchetBrokenError
        if os.fstat(self._descriptor).st_nlink == 0:
            self._replace([record for _, record in self._list_placed()])


def require_apart(ratchet: Path, database: Path) -> None:
    """Refuse a ratchet in the database's own directory: one restored copy would take both back.

    Raises:
        RatchetError: they lie in one directory.
    """
    if ratchet.resolve().parent == database.resolve().parent:
        raise RatchetError("Keep the ratchet in another directory than the database.")


def _build_records(records: Iterable[Record], chain: bytes) -> tuple[bytes, bytes]:
    try:
        return form.build_records(records, chain)
    except ValueError:
        raise RatchetError("What is to be recorded is too long.") from None
