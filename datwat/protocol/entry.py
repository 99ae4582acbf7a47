r"""An entry of the log: 66 pseudorandom bytes on the tree, and a sealed content off it.

Rule: what lies on the tree says nothing about a person and never changes; the commit covers the
plaintext, so a content can be sealed anew or destroyed while every proof goes on to hold.

    entry        = ver(1)=01 | type(1) | ref(32) | hash(32)
    tag          = HMAC(k_tag, "dw-tag/v1\0" ‖ u64 n)         n = 0,1,2… per chain and quarter
    payload_hash = SHA-256(salt32 ‖ payload)
    commit       = SHA-256("dw-commit/v1\0" ‖ SHA-256(core) ‖ payload_hash)
    sealed       = seal(k_enc, salt32 ‖ u32 len ‖ core ‖ u32 len ‖ payload ‖ zeros to 1,024n)
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import IntEnum
from typing import Literal

from pydantic import Field

from datwat.protocol.errors import ProtocolError
from datwat.protocol.merkle import hash_leaf
from datwat.protocol.sealing import derive_key, seal, unseal
from datwat.protocol.values import Bytes32, Value

ENTRY_VERSION = 1
ENTRY_LENGTH = 66
SALT_LENGTH = 32
PADDED_TO = 1_024
ZERO_REF = bytes(32)
TAG_PLACE = slice(2, 34)
COMMIT_PLACE = slice(34, ENTRY_LENGTH)

Audience = Literal["open", "own", "delayed"]

_LENGTH_BYTES = 4


class EntryType(IntEnum):
    """What kind of thing an entry is; everything about a person is one type."""

    PERSON = 1
    TAG_ROOT = 2
    STATEMENT = 3


class EntryError(ProtocolError):
    """The bytes are not an entry of this version."""

    code = "entry_malformed"
    default_detail = "This is not an entry of the log."


class ContentError(ProtocolError):
    """A sealed content does not open to what the entry commits to."""

    code = "entry_content_invalid"
    default_detail = "The content does not belong to this entry."


class Entry(Value):
    """The 66 bytes of one entry, read: `ref` and `hash` as the type says."""

    type: EntryType
    ref: Bytes32
    hash: Bytes32

    def serialise(self) -> bytes:
        """Return the 66 bytes."""
        return bytes((ENTRY_VERSION, self.type)) + self.ref + self.hash


class Content(Value):
    """What a sealed content holds: the two halves of an entry, and the salt of the second."""

    salt: Bytes32 = Field(repr=False)
    core: bytes = Field(repr=False)
    payload: bytes = Field(repr=False)

    @property
    def payload_hash(self) -> bytes:
        """The hash of the resident's half, as the partner holds it."""
        return derive_payload_hash(self.salt, self.payload)


def parse_entry(data: bytes) -> Entry:
    """Return the entry that the bytes spell.

    Raises:
        EntryError: not 66 bytes, another version, or an unknown type.
    """
    if len(data) != ENTRY_LENGTH or data[0] != ENTRY_VERSION:
        raise EntryError
    try:
        kind = EntryType(data[1])
    except ValueError as error:
        raise EntryError from error
    return Entry(type=kind, ref=data[2:34], hash=data[34:])


def build_person_entry(tag: bytes, commit: bytes) -> bytes:
    """Return the entry about one person."""
    return Entry(type=EntryType.PERSON, ref=tag, hash=commit).serialise()


def build_tag_root_entry(size: int, root: bytes) -> bytes:
    """Return the entry that states the root over the sorted tags of the first `size` entries."""
    ref = size.to_bytes(8, "big") + bytes(24)
    return Entry(type=EntryType.TAG_ROOT, ref=ref, hash=root).serialise()


def build_statement_entry(document: bytes) -> bytes:
    """Return the entry by which the log states a public document."""
    digest = hashlib.sha256(document).digest()
    return Entry(type=EntryType.STATEMENT, ref=ZERO_REF, hash=digest).serialise()


def derive_leaf_hash(entry: bytes) -> bytes:
    """Return the leaf of an entry on the tree: SHA-256(00 ‖ entry)."""
    return hash_leaf(entry)


def derive_quarter(moment: datetime) -> str:
    """Return the quarter (UTC) of a moment, such as 2026Q4; raise ValueError if it is naive."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    utc = moment.astimezone(UTC)
    return f"{utc.year:04}Q{(utc.month + 2) // 3}"


def derive_tag_key(chain_key: bytes, audience: Audience, quarter: str) -> bytes:
    """Return k_tag of a chain in one quarter; it tells nothing about another quarter or chain."""
    return derive_key(chain_key, (audience + quarter).encode("ascii"))


def derive_tag(tag_key: bytes, number: int) -> bytes:
    """Return the stub of place `number` (0, 1, 2 …) in the roll of a chain and quarter."""
    return hmac.digest(tag_key, b"dw-tag/v1\x00" + number.to_bytes(8, "big"), "sha256")


def derive_payload_hash(salt: bytes, payload: bytes) -> bytes:
    """Return the hash of the resident's half, which says nothing without the salt."""
    return hashlib.sha256(salt + payload).digest()


def derive_commit(core: bytes, payload_hash: bytes) -> bytes:
    """Return what an entry about a person commits to; `core` is empty where no partner acted."""
    return derive_commit_of(hashlib.sha256(core).digest(), payload_hash)


def derive_commit_of(core_hash: bytes, payload_hash: bytes) -> bytes:
    """Return what an entry commits to, for whoever sees only the SHA-256 of its core."""
    return hashlib.sha256(b"dw-commit/v1\x00" + core_hash + payload_hash).digest()


def derive_content_key(quarter_key: bytes) -> bytes:
    """Return k_enc from K(subject, quarter)."""
    return derive_key(quarter_key, b"dw-content/v1\x00")


def seal_content(key: bytes, content: Content) -> bytes:
    """Seal both halves of an entry about a person, padded, bound to the entry's commit."""
    body = (
        content.salt
        + len(content.core).to_bytes(_LENGTH_BYTES, "big")
        + content.core
        + len(content.payload).to_bytes(_LENGTH_BYTES, "big")
        + content.payload
    )
    commit = derive_commit(content.core, content.payload_hash)
    return seal(key, body + bytes(-len(body) % PADDED_TO), _content_aad(commit))


def open_content(key: bytes, sealed: bytes, commit: bytes) -> Content:
    """Return both halves of the entry with this commit.

    Raises:
        ContentError: other key, other entry, other form, or not what the commit covers.
    """
    body = _unseal_body(key, sealed, commit)
    salt, rest = body[:SALT_LENGTH], body[SALT_LENGTH:]
    core, rest = _take(rest)
    payload, padding = _take(rest)
    if len(padding) >= PADDED_TO or len(body) % PADDED_TO or padding.strip(b"\x00"):
        raise ContentError
    # Cut to these lengths just now, and checked by its hash: a page of a log opens many.
    content = Content.model_construct(salt=salt, core=core, payload=payload)
    if not hmac.compare_digest(derive_commit(core, content.payload_hash), commit):
        raise ContentError
    return content


def may_hold(key: bytes, sealed: bytes, commit: bytes, marks: Iterable[bytes]) -> bool:
    """Tell whether one of `marks` lies anywhere in what `open_content` would give.

    A quick look, for whoever passes over most contents; raises ContentError where it cannot look.
    """
    body = _unseal_body(key, sealed, commit)
    return any(mark in body for mark in marks)


def seal_input(key: bytes, data: bytes, commit: bytes) -> bytes:
    """Seal what only replay and a reviewing officer read, padded, bound to the entry's commit."""
    body = len(data).to_bytes(_LENGTH_BYTES, "big") + data
    return seal(key, body + bytes(-len(body) % PADDED_TO), _input_aad(commit))


def open_input(key: bytes, sealed: bytes, commit: bytes) -> bytes:
    """Return what `seal_input` sealed for the entry with this commit; raise ContentError."""
    try:
        body = unseal(key, sealed, _input_aad(commit))
    except ProtocolError as error:
        raise ContentError from error
    return _take(body)[0]


def _unseal_body(key: bytes, sealed: bytes, commit: bytes) -> bytes:
    try:
        return unseal(key, sealed, _content_aad(commit))
    except ProtocolError as error:
        raise ContentError from error


def _content_aad(commit: bytes) -> bytes:
    return b"dw1\x00" + bytes((ENTRY_VERSION, EntryType.PERSON)) + commit


def _input_aad(commit: bytes) -> bytes:
    return b"dw1-input\x00" + bytes((ENTRY_VERSION, EntryType.PERSON)) + commit


def _take(data: bytes) -> tuple[bytes, bytes]:
    """Split off one length-prefixed part."""
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
    if len(data) < _LENGTH_BYTES or len(data) < end:
        raise ContentError
    return data[_LENGTH_BYTES:end], data[end:]
