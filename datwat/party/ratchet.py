"""The ratchet: what may never go back, kept outside the database and outside its backups.

Rule: a named number only rises, and at one number there is one digest; what was ended stays listed.
Lower is refused; equal with another digest is an alarm. An error while writing or syncing is final:
after it nothing is known about the disk, so the process must stop (retrying an fsync lies).

One file, locked by the process that uses it:
    slots at 0 and 8,192    sha256(32) | length(4) | JSON {seq, values, journal: [end, chain]}
    journal from 16,384     length(4) | JSON [kind, id] | chain(32)
The slots are written in turn, so a write that a crash tore leaves the other one. `chain` is
SHA-256 over the chain before and the record: one that was changed or taken out is noticed. A slot
holds how far the journal reached when it was written: a journal cut back below that is noticed.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from datwat.protocol.errors import DatwatError

_SLOT_LENGTH = 8_192
_SLOTS = (0, _SLOT_LENGTH)
_JOURNAL_START = 2 * _SLOT_LENGTH
_CHECK_LENGTH = 32
_LENGTH_BYTES = 4
_MAX_RECORD = 1_024
_EMPTY_CHAIN = bytes(_CHECK_LENGTH)


class RatchetError(DatwatError):
    """The ratchet cannot be used."""

    code = "ratchet_unusable"
    default_detail = "The ratchet cannot be used."


class RatchetLockedError(RatchetError):
    """Another process holds it."""

    code = "ratchet_locked"
    default_detail = "Another process uses this ratchet; stop it first."


class RatchetDamagedError(RatchetError):
    """The file is not what this module wrote."""

    code = "ratchet_damaged"
    default_detail = "The ratchet's file is damaged or was cut back; do not serve from it."


class RatchetBrokenError(RatchetError):
    """Writing failed once; nothing after that can be trusted."""

    code = "ratchet_broken"
    default_detail = "The ratchet could not be written; the process must stop."


class RatchetRefusedError(RatchetError):
    """Something would go back."""

    code = "ratchet_refused"
    default_detail = "This is older than what was accepted before."


class RatchetAlarmError(RatchetError):
    """Two different things claim the same place: a fork."""

    code = "ratchet_alarm"
    default_detail = "Something else was accepted at this place before: raise the alarm."


@dataclass(frozen=True)
class Mark:
    """How far something got: a size or sequence number, and the digest of what was there."""

    number: int
    digest: bytes


class Ratchet:
    """A party's ratchet; every method is safe to call from several threads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._broken = False
        self._sequence = 0
        self._values: dict[str, Mark] = {}
        self._records: dict[str, dict[str, None]] = {}
        self._journal_end = _JOURNAL_START
        self._chain = _EMPTY_CHAIN

    @classmethod
    def open(cls, path: Path) -> Ratchet:
        """Open or create the ratchet and hold it until `close`.

        Raises:
            RatchetLockedError: another process holds it.
            RatchetDamagedError: the file was changed, or cut back.
        """
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise RatchetError("The ratchet's file cannot be opened.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise RatchetLockedError from error
        ratchet = cls(descriptor)
        try:
            if os.fstat(descriptor).st_size == 0:
                ratchet._create(path)
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

    def record(self, kind: str, identifier: str) -> None:
        """Note durably that something ended; the same again changes nothing.

        Raises:
            RatchetBrokenError: it could not be written; stop.
        """
        self.record_all([(kind, identifier)])

    def record_all(self, ended: Iterable[tuple[str, str]]) -> None:
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
            data, chain = bytearray(), self._chain
            for each in new:
                body = json.dumps(each, separators=(",", ":")).encode()
                if len(body) > _MAX_RECORD:
                    raise RatchetError("What is to be recorded is too long.")
                chain = _derive_chain(chain, body)
                data += len(body).to_bytes(_LENGTH_BYTES, "big") + body + chain
            if not data:
                return
            self._write(bytes(data), self._journal_end)
            self._journal_end += len(data)
            self._chain = chain
            for kind, identifier in new:
                self._records.setdefault(kind, {})[identifier] = None

    def records(self, kind: str) -> tuple[str, ...]:
        """Return everything recorded of a kind, oldest first."""
        with self._lock:
            return tuple(self._records.get(kind, {}))

    def _create(self, path: Path) -> None:
        """Write the first slot, and make the file's name durable too."""
        self._write_slot({})
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _read(self) -> None:
        found = [slot for slot in map(self._read_slot, _SLOTS) if slot is not None]
        if not found:
            raise RatchetDamagedError
        newest = max(found, key=lambda slot: int(slot["seq"]))
        self._sequence = int(newest["seq"])
        self._values = {
            name: Mark(number, bytes.fromhex(digest))
            for name, (number, digest) in newest["values"].items()
        }
        end, chain = newest["journal"]
        self._read_journal(int(end), bytes.fromhex(chain))

    def _read_slot(self, offset: int) -> dict[str, Any] | None:
        """Return the content of a slot, or None if it is empty or was torn."""
        data = os.pread(self._descriptor, _SLOT_LENGTH, offset)
        start = _CHECK_LENGTH + _LENGTH_BYTES
        length = int.from_bytes(data[_CHECK_LENGTH:start], "big")
        body = data[start : start + length]
        if len(body) != length or not length:
            return None
        if not hmac.compare_digest(hashlib.sha256(body).digest(), data[:_CHECK_LENGTH]):
            return None
        content: dict[str, Any] = json.loads(body)
        return content

    def _read_journal(self, least_end: int, chain_there: bytes) -> None:
        """Read records until the end or a torn one, which no caller was ever told of."""
        size = os.fstat(self._descriptor).st_size
        data = os.pread(self._descriptor, max(0, size - _JOURNAL_START), _JOURNAL_START)
        position = 0
        reached = least_end == _JOURNAL_START
        while True:
            start = position + _LENGTH_BYTES
            length = int.from_bytes(data[position:start], "big")
            body = data[start : start + length]
            chain = data[start + length : start + length + _CHECK_LENGTH]
            if not length or len(chain) != _CHECK_LENGTH:
                break
            if not hmac.compare_digest(_derive_chain(self._chain, body), chain):
                break
            kind, identifier = json.loads(body)
            self._records.setdefault(kind, {})[identifier] = None
            self._chain = chain
            position = start + length + _CHECK_LENGTH
            if _JOURNAL_START + position == least_end:
                reached = hmac.compare_digest(chain, chain_there)
        self._journal_end = _JOURNAL_START + position
        if not reached:
            raise RatchetDamagedError

    def _write_slot(self, values: dict[str, Mark]) -> None:
        """Write the slot that is not the newest, then believe it."""
        content = {
            "seq": self._sequence + 1,
            "values": {name: [mark.number, mark.digest.hex()] for name, mark in values.items()},
            "journal": [self._journal_end, self._chain.hex()],
        }
        body = json.dumps(content, separators=(",", ":")).encode()
        data = hashlib.sha256(body).digest() + len(body).to_bytes(_LENGTH_BYTES, "big") + body
        if len(data) > _SLOT_LENGTH:
            raise RatchetError("The ratchet has no room for another name.")
        self._write(data, _SLOTS[(self._sequence + 1) % 2])
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


def require_apart(ratchet: Path, database: Path) -> None:
    """Refuse a ratchet in the database's own directory: one restored copy would take both back.

    Raises:
        RatchetError: they lie in one directory.
    """
    if ratchet.resolve().parent == database.resolve().parent:
        raise RatchetError("Keep the ratchet in another directory than the database.")


def _derive_chain(before: bytes, body: bytes) -> bytes:
    return hashlib.sha256(before + body).digest()
