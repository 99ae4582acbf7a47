"""The outermost key in a file of its own: the port `KekPort` for one machine.

Rule: the file is readable by its owner only and lies outside the database and its backups; a
generation that is gone cannot be opened again, which is what makes an old backup unreadable.
Source: house reference "audit-log", Ends.

File: JSON {"v": 1, "generations": [{"generation": 1, "started_at": moment, "key": base64url}]}, the
newest last. Sealed: u16 generation ‖ AES-256-GCM under that generation, aad = "dw-kek/v1" ‖
generation ‖ aad. Each change writes a new file, syncs it, puts it in the place of the old one, and
then overwrites the old one: a crash leaves one whole file or the other.
"""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from broker.audit.ports import Generation
from datwat.party.files import describe_obstacle
from datwat.party.key_files import Stamp, find_stamp, replace_key_file, write_key_file
from datwat.protocol.errors import DatwatError
from datwat.protocol.sealing import KEY_SIZE, UnsealError, seal, unseal
from datwat.protocol.values import Bytes32, Moment, Value

_GENERATION_BYTES = 2
_MAX_FILE = 65_536
# A file of before generations had moments: it has sealed since somebody made it, long enough ago.
_UNKNOWN = datetime(2000, 1, 1, tzinfo=UTC)


class KekError(DatwatError):
    """The key file cannot be used."""

    code = "kek_unusable"
    default_detail = "The key file is missing, damaged, or readable by others than its owner."


class _Generation(Value):
    generation: int = Field(ge=1, le=65_535)
    started_at: Moment = _UNKNOWN
    key: Bytes32 = Field(repr=False)


class _KeyFile(Value):
    v: Literal[1]
    generations: tuple[_Generation, ...] = Field(min_length=1, max_length=400)


class FileKek:
    """Seals under the newest generation of a key file, opens under any that it still holds."""

    def __init__(self, path: Path, content: _KeyFile) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._read_at: Stamp | None = None
        self._hold(content)

    def __repr__(self) -> str:
        return f"FileKek(generation={self._newest})"

    @classmethod
    def create(cls, path: Path) -> FileKek:
        """Write a new key file; raise KekError if there is one already."""
        content = _KeyFile(v=1, generations=(_draw(1, datetime.now(UTC)),))
        try:
            write_key_file(path, content.model_dump_json().encode())
        except OSError as error:
            raise KekError(describe_obstacle(error, path)) from None
        return cls(path, content)

    @classmethod
    def open(cls, path: Path) -> FileKek:
        """Read a key file; raise KekError if it is not one, or others may read it."""
        return cls(path, _read(path))

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Return `plaintext` sealed under the newest generation, bound to `aad`."""
        newest = self._newest
        prefix = newest.to_bytes(_GENERATION_BYTES, "big")
        return prefix + seal(self._keys[newest], plaintext, _context(prefix, aad))

    def unseal(self, sealed: bytes, aad: bytes) -> bytes:
        """Return the plaintext; raise UnsealError for another key, context or a gone generation."""
        prefix = sealed[:_GENERATION_BYTES]
        key = self._keys.get(self.read_generation(sealed))
        if key is None:  # another process of this home may have begun a generation just now
            self.reread()
            key = self._keys.get(self.read_generation(sealed))
        if key is None:
            raise UnsealError
        return unseal(key, sealed[_GENERATION_BYTES:], _context(prefix, aad))

    def read_generation(self, sealed: bytes) -> int:
        """Return under which generation it was sealed, living or not."""
        return int.from_bytes(sealed[:_GENERATION_BYTES], "big")

    def list_generations(self) -> tuple[Generation, ...]:
        """Return the living generations, the newest last."""
        return tuple(
            Generation(one.generation, one.started_at) for one in self._content.generations
        )

    def reread(self) -> None:
        """Take up what another process of this home wrote into the file.

        A file that is away, or older than what is held, changes nothing. Raises KekError where it
        is no key file any more: nothing is known then of what it does not open.
        """
        with self._lock:
            mark = find_stamp(self._path)
            if mark is None or mark == self._read_at:
                return
            try:
                found = _read(self._path)
            except KekError:  # the old file is overwritten once the new one has its name
                found = _read(self._path)
            if found.generations[-1].generation >= self._newest:
                self._hold(found)
            self._read_at = mark

    def start_generation(self, now: datetime) -> Generation:
        """Add a generation to the file, durably, and seal under it from here on."""
        self.reread()
        with self._lock:
            made = _draw(self._newest + 1, now.replace(microsecond=0))
            self._replace((*self._content.generations, made))
        return Generation(made.generation, made.started_at)

    def destroy_generation(self, number: int) -> None:
        """Take a generation out of the file and overwrite it; raise KekError for the newest."""
        self.reread()
        with self._lock:
            if number == self._newest:
                raise KekError("The newest generation of the key cannot be destroyed.")
            left = tuple(one for one in self._content.generations if one.generation != number)
            if len(left) < len(self._content.generations):
                self._replace(left)

    def _hold(self, content: _KeyFile) -> None:
        self._content = content
        self._keys = {item.generation: item.key for item in content.generations}
        self._newest = content.generations[-1].generation

    def _replace(self, generations: tuple[_Generation, ...]) -> None:
        content = _KeyFile(v=1, generations=generations)
        try:
            replace_key_file(self._path, content.model_dump_json().encode())
        except OSError as error:
            raise KekError("The key file cannot be written; nothing was changed.") from error
        self._hold(content)


def _draw(number: int, now: datetime) -> _Generation:
    started_at = now.replace(microsecond=0)
    return _Generation(generation=number, started_at=started_at, key=os.urandom(KEY_SIZE))


def _read(path: Path) -> _KeyFile:
    try:
        if path.stat().st_mode & 0o077:
            raise KekError(f"Others may read {path}: chmod 600 it.")
        with path.open("rb") as file:
            return _KeyFile.model_validate_json(file.read(_MAX_FILE + 1))
    except OSError as error:
        obstacle = describe_obstacle(error, path).removesuffix(".")
        raise KekError(f"{obstacle}; the file that belongs to the database is needed.") from None
    except ValidationError:
        raise KekError(
            f"{path} is no key file, or damaged: put back the one that belongs to the database."
        ) from None


def _context(prefix: bytes, aad: bytes) -> bytes:
    return b"dw-kek/v1\x00" + prefix + aad
