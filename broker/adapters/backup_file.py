r"""The file of a backup: an age file whose content opens only with the broker's KEK besides.

Rules: KEK, row key and every other secret stay out of it; whoever holds the file needs the private
key that belongs to its recipient *and* the KEK's generation of that day, so that with the end of
that generation the whole copy is over. Source: docs/decisions/0015; age-encryption.org/v1.

    file      = age(recipient, header JSON ‖ "\n" ‖ age(a key of this file's own, lines))
    header    names the log and holds the secret half of that key, sealed under the KEK
    lines     = {"table": name, "columns": [...]}, then one JSON array per row, then {"rows": n}
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Self

import orjson
import pyrage
from pydantic import Field, ValidationError
from pyrage import x25519

from broker.audit.ports import KekPort
from broker.pseudonyms.row_keys import BACKUP, RowKeys
from datwat.party.errors import PartyError
from datwat.protocol.sealing import UnsealError
from datwat.protocol.values import Bytes32, BytesUpTo64K, Moment, Value

_KEK_CONTEXT = b"dw-backup/v1"
_MAX_HEADER = 16_384
_CHUNK = 65_536
Line = dict[str, Any] | list[Any]


class BackupError(PartyError):
    """The backup cannot be made or used."""

    code = "backup_unusable"
    default_detail = "This file is not a backup of a broker, or it is damaged."


class BackupKekError(BackupError):
    """It was made under another KEK, or under a generation that is over."""

    code = "backup_kek"
    default_detail = (
        "The KEK of this home does not open this backup: it is another broker's, or older than a "
        "backup may get. Put back the kek.json that belongs to it."
    )


class BackupOverError(BackupError):
    """Its generation of the KEK was destroyed once, and is here again."""

    code = "backup_over"
    default_detail = (
        "The life of this backup is over: what ended since then is no longer held anywhere, so it "
        "would come back. Take a newer backup."
    )


class BackupHeader(Value):
    """What a backup says of itself before its rows."""

    v: Literal[1]
    origin: str = Field(max_length=250)
    size: int = Field(ge=0)
    root: Bytes32
    revision: str = Field(max_length=32)
    made_at: Moment
    kek_sealed: BytesUpTo64K = Field(repr=False)
    row_check: Bytes32 = Field(repr=False)

    def require_row_key(self, row_key: RowKeys | bytes) -> None:
        """Raise BackupError unless the rows were sealed under a key of this ring."""
        checks = RowKeys.of(row_key).build_checks(BACKUP, self.origin.encode())
        if not any(hmac.compare_digest(self.row_check, check) for check in checks):
            raise BackupError("The row key of this home is not that of this backup: put it back.")


class FileKey:
    """The key of one backup's own; its secret half leaves this process only sealed."""

    def __init__(self, identity: x25519.Identity) -> None:
        self.identity = identity

    @classmethod
    def draw(cls) -> Self:
        """Return a new key."""
        return cls(x25519.Identity.generate())

    def seal(self, kek: KekPort) -> bytes:
        """Return the secret half, sealed under the newest generation of the KEK."""
        return kek.seal(str(self.identity).encode(), _KEK_CONTEXT)

    @classmethod
    def unseal(cls, sealed: bytes, kek: KekPort) -> Self:
        """Return the key of a header.

        Raises BackupKekError where the KEK does not open it, KeyStoreError.
        """
        try:
            return cls(x25519.Identity.from_str(kek.unseal(sealed, _KEK_CONTEXT).decode()))
        except (UnsealError, pyrage.IdentityError, UnicodeDecodeError):
            raise BackupKekError from None


def derive_row_check(row_key: RowKeys | bytes, origin: str) -> bytes:
    """Return what tells whether a row key belongs to a backup, and nothing of the key.

    During a rotation it is both of its keys that are needed, for rows lie under either.
    """
    return RowKeys.of(row_key).build_checks(BACKUP, origin.encode())[0]


def read_recipient(text: str) -> x25519.Recipient:
    """Return an age public key; raise BackupError for anything else."""
    try:
        return x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise BackupError("Set backup_recipient, or --to, to an age public key: age1….") from None


def read_identity(path: Path) -> x25519.Identity:
    """Return the age private key in a file as `age-keygen` writes it; raise BackupError."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        (key,) = (line.strip() for line in lines if line.strip() and not line.startswith("#"))
        return x25519.Identity.from_str(key)
    except (OSError, ValueError, pyrage.IdentityError):
        raise BackupError("The key file does not hold one age private key.") from None


def write_file(
    path: Path,
    recipient: x25519.Recipient,
    header: BackupHeader,
    key: FileKey,
    lines: Iterable[Line],
) -> int:
    """Write a whole backup, durably, or nothing; return its length. Nothing is there in the clear.

    Raises BackupError where the file exists or cannot be written; what `lines` raises comes out.
    """
    reader = _LineReader(lines)
    inner, outer = path.with_name(path.name + ".rows"), path.with_name(path.name + ".part")
    try:
        if path.exists():
            raise BackupError("That file exists already: name another one.")
        with _create(inner) as file:
            pyrage.encrypt_io(reader, file, [key.identity.to_public()])
        with inner.open("rb") as rows, _create(outer) as file:
            head = header.model_dump_json().encode() + b"\n"
            pyrage.encrypt_io(_Joined(head, rows), file, [recipient])
            file.flush()
            os.fsync(file.fileno())
        outer.rename(path)
        return path.stat().st_size
    except (OSError, pyrage.EncryptError):
        # The library says of an error of its reader and its writer only what it says of itself.
        if reader.error is not None:
            raise reader.error from None
        raise BackupError(
            "The backup cannot be written there: check the folder and its room."
        ) from None
    finally:
        inner.unlink(missing_ok=True)
        outer.unlink(missing_ok=True)


def open_file(path: Path, identity: x25519.Identity, folder: Path) -> tuple[BackupHeader, Path]:
    """Take off the outer layer; return the header, and a new file in `folder` with the inner one.

    Raises BackupError for another recipient's file, a damaged one, or another form.
    """
    inner = folder / "backup.rows"
    try:
        with path.open("rb") as source, _create(inner) as target:
            splitter = _Splitter(target)
            pyrage.decrypt_io(source, splitter, [identity])
            return BackupHeader.model_validate_json(splitter.head), inner
    except pyrage.DecryptError:
        raise BackupError(
            "This backup does not open: it was made for another key, or it is damaged."
        ) from None
    except (ValidationError, OSError):
        raise BackupError from None


def read_lines(inner: Path, key: FileKey, take: Callable[[Line], None]) -> None:
    """Hand over the lines, in order; raise BackupError where they are not whole.

    What `take` raises comes out. Until this returns, the rows may turn out to be cut off.
    """
    sink = _LineSink(take)
    try:
        with inner.open("rb") as source:
            pyrage.decrypt_io(source, sink, [key.identity])
    except (pyrage.DecryptError, OSError) as error:
        if sink.error is not None:
            raise sink.error from error
        raise BackupError from None
    if sink.error is not None:
        raise sink.error
    sink.require_whole()


def _create(path: Path) -> Any:  # noqa: ANN401 - a binary file, whatever the library calls it
    path.unlink(missing_ok=True)  # left by a run that was cut short
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb")


class _LineReader:
    """Gives lines as a file that is read; each is made when it is needed."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.error: Exception | None = None
        self._lines = iter(lines)
        self._held = bytearray()

    def read(self, size: int = -1) -> bytes:
        wanted = size if size > 0 else _CHUNK
        while len(self._held) < wanted:
            line = self._find_next()
            if line is None:
                break
            self._held += orjson.dumps(line) + b"\n"
        data = bytes(self._held[:wanted])
        del self._held[:wanted]
        return data

    def _find_next(self) -> Line | None:
        try:
            return next(self._lines, None)
        except Exception as error:
            self.error = error
            raise


class _Joined:
    """Gives some bytes and then a file."""

    def __init__(self, head: bytes, rest: Any) -> None:  # noqa: ANN401 - a binary file
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        if self._head:
            data, self._head = self._head, b""
            return data
        return bytes(self._rest.read(size if size > 0 else _CHUNK))


class _Splitter:
    """Takes the first line as the header, and passes on the rest."""

    def __init__(self, target: Any) -> None:  # noqa: ANN401 - a binary file
        self.head = b""
        self._found = False
        self._target = target

    def write(self, data: bytes) -> int:
        if self._found:
            self._target.write(data)
            return len(data)
        head, found, rest = (self.head + bytes(data)).partition(b"\n")
        if len(head) > _MAX_HEADER:
            raise OSError("no header")
        self.head = head
        if found:
            self._found = True
            self._target.write(rest)
        return len(data)

    def flush(self) -> None:
        self._target.flush()


class _LineSink:
    """Takes decrypted bytes and hands over whole lines; holds the first error of its caller's."""

    def __init__(self, take: Callable[[Line], None]) -> None:
        self.error: Exception | None = None
        self._take = take
        self._held = b""
        self._last: Line | None = None

    def write(self, data: bytes) -> int:
        *lines, self._held = (self._held + bytes(data)).split(b"\n")
        try:
            for line in lines:
                self._last = orjson.loads(line)
                self._take(self._last)
        except Exception as error:
            self.error = BackupError() if isinstance(error, orjson.JSONDecodeError) else error
            raise OSError("stopped") from error
        return len(data)

    def flush(self) -> None:
        """Hold nothing back: there is nothing to do."""

    def require_whole(self) -> None:
        if self._held or not isinstance(self._last, dict) or "rows" not in self._last:
            raise BackupError


def chain_lines(*parts: Iterator[Line]) -> Iterator[Line]:
    """Yield the lines of all parts, and the count of rows that says that they are whole."""
    count = 0
    for part in parts:
        for line in part:
            count += isinstance(line, list)
            yield line
    yield {"rows": count}
