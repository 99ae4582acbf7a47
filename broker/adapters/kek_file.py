"""The outermost key in a file of its own: the port `KekPort` for one machine.

Rule: the file is readable by its owner only and lies outside the database and its backups; a
generation that is gone cannot be opened again, which is what makes an old backup unreadable.
Source: house reference "audit-log", Ends.

File: JSON {"v": 1, "generations": [{"generation": 1, "key": base64url}]}, the newest last.
Sealed: u16 generation ‖ AES-256-GCM under that generation, aad = "dw-kek/v1" ‖ generation ‖ aad.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from datwat.protocol.errors import DatwatError
from datwat.protocol.sealing import KEY_SIZE, UnsealError, seal, unseal
from datwat.protocol.values import Bytes32, Value

_GENERATION_BYTES = 2
_MAX_FILE = 65_536


class KekError(DatwatError):
    """The key file cannot be used."""

    code = "kek_unusable"
    default_detail = "The key file is missing, damaged, or readable by others than its owner."


class _Generation(Value):
    generation: int = Field(ge=1, le=65_535)
    key: Bytes32 = Field(repr=False)


class _KeyFile(Value):
    v: Literal[1]
    generations: tuple[_Generation, ...] = Field(min_length=1, max_length=1_000)


class FileKek:
    """Seals under the newest generation of a key file, opens under any that it still holds."""

    def __init__(self, content: _KeyFile) -> None:
        self._keys = {item.generation: item.key for item in content.generations}
        self._newest = content.generations[-1].generation

    def __repr__(self) -> str:
        return f"FileKek(generation={self._newest})"

    @classmethod
    def create(cls, path: Path) -> FileKek:
        """Write a new key file; raise KekError if there is one already."""
        content = _KeyFile(v=1, generations=(_Generation(generation=1, key=os.urandom(KEY_SIZE)),))
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise KekError("The key file exists already or cannot be written.") from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        return cls(content)

    @classmethod
    def open(cls, path: Path) -> FileKek:
        """Read a key file; raise KekError if it is not one, or others may read it."""
        try:
            if path.stat().st_mode & 0o077 or path.stat().st_size > _MAX_FILE:
                raise KekError
            return cls(_KeyFile.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError) as error:
            raise KekError from error

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Return `plaintext` sealed under the newest generation, bound to `aad`."""
        prefix = self._newest.to_bytes(_GENERATION_BYTES, "big")
        return prefix + seal(self._keys[self._newest], plaintext, _context(prefix, aad))

    def unseal(self, sealed: bytes, aad: bytes) -> bytes:
        """Return the plaintext; raise UnsealError for another key, context or a gone generation."""
        prefix = sealed[:_GENERATION_BYTES]
        key = self._keys.get(int.from_bytes(prefix, "big"))
        if key is None:
            raise UnsealError
        return unseal(key, sealed[_GENERATION_BYTES:], _context(prefix, aad))


def _context(prefix: bytes, aad: bytes) -> bytes:
    return b"dw-kek/v1\x00" + prefix + aad
