"""The bytes of a ratchet's file: slots, and a journal whose records are chained. Pure.

Slots lie at 0 and 8,192: sha256(32) | length(4) | JSON {seq, values, journal: [end, chain]}.
The journal begins at 16,384: length(4) | JSON [kind, id] | chain(32), and so on; `chain` is
SHA-256 over the chain before and the record.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SLOT_LENGTH = 8_192
SLOTS = (0, SLOT_LENGTH)
JOURNAL_START = 2 * SLOT_LENGTH
EMPTY_CHAIN = bytes(32)
MAX_RECORD = 1_024
_CHECK_LENGTH = 32
_LENGTH_BYTES = 4
_BODY_START = _CHECK_LENGTH + _LENGTH_BYTES

Record = tuple[str, str]
"""Kind and identifier."""


@dataclass(frozen=True)
class Mark:
    """How far something got: a size or sequence number, and the digest of what was there."""

    number: int
    digest: bytes


@dataclass(frozen=True)
class Slot:
    """What a slot says: its sequence number, the marks, and how far the journal reached."""

    sequence: int
    values: Mapping[str, Mark]
    journal_end: int
    chain: bytes


@dataclass(frozen=True)
class Read:
    """A record of the journal, where it ends in the journal, and the chain there."""

    record: Record
    end: int
    chain: bytes


def build_slot(slot: Slot) -> bytes:
    """Return the bytes of a slot; longer than `SLOT_LENGTH` where it has no room."""
    content = {
        "seq": slot.sequence,
        "values": {name: [mark.number, mark.digest.hex()] for name, mark in slot.values.items()},
        "journal": [slot.journal_end, slot.chain.hex()],
    }
    body = json.dumps(content, separators=(",", ":")).encode()
    return hashlib.sha256(body).digest() + len(body).to_bytes(_LENGTH_BYTES, "big") + body


def read_slot(data: bytes) -> Slot | None:
    """Return the slot that these bytes hold, None if it is empty or was torn."""
    length = int.from_bytes(data[_CHECK_LENGTH:_BODY_START], "big")
    body = data[_BODY_START : _BODY_START + length]
    if len(body) != length or not length:
        return None
    if not hmac.compare_digest(hashlib.sha256(body).digest(), data[:_CHECK_LENGTH]):
        return None
    content: dict[str, Any] = json.loads(body)
    values = {
        name: Mark(number, bytes.fromhex(digest))
        for name, (number, digest) in content["values"].items()
    }
    end, chain = content["journal"]
    return Slot(int(content["seq"]), values, int(end), bytes.fromhex(chain))


def build_records(records: Iterable[Record], chain: bytes) -> tuple[bytes, bytes]:
    """Return the bytes of records after a chain, and the chain after them.

    Raises:
        ValueError: one is longer than `MAX_RECORD` bytes.
    """
    data = bytearray()
    for record in records:
        body = json.dumps(record, separators=(",", ":")).encode()
        if len(body) > MAX_RECORD:
            raise ValueError("a record is too long")
        chain = _derive_chain(chain, body)
        data += len(body).to_bytes(_LENGTH_BYTES, "big") + body + chain
    return bytes(data), chain


def read_records(data: bytes) -> Iterator[Read]:
    """Yield the records of a journal until its end, or a torn one."""
    position, before = 0, EMPTY_CHAIN
    while True:
        start = position + _LENGTH_BYTES
        length = int.from_bytes(data[position:start], "big")
        body = data[start : start + length]
        chain = data[start + length : start + length + _CHECK_LENGTH]
        if not length or len(chain) != _CHECK_LENGTH:
            return
        if not hmac.compare_digest(_derive_chain(before, body), chain):
            return
        kind, identifier = json.loads(body)
        position, before = start + length + _CHECK_LENGTH, chain
        yield Read((kind, identifier), position, chain)


def _derive_chain(before: bytes, body: bytes) -> bytes:
    return hashlib.sha256(before + body).digest()
