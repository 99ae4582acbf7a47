"""A random sample that nobody chose: its seed is stated in the log before it is drawn. Pure.

Rules: the hash of the seed stands in the log first; what is drawn follows from that seed and from
the root of the log at the draw, which nobody picks; the seed is published with the draw, so that
anybody can compute in which order the entries come. An entry that cannot be looked at (it waits, it
ended, it is none of a question) is passed over, and nothing says which. The same is drawn again
from the same numbers.

order = rank(i) ascending, rank(i) = HMAC-SHA256(k, u64 i), k = HMAC-SHA256(seed, tag ‖ root)
Source: RFC 2104; docs/decisions/0021.
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from datwat.protocol.canonical import encode_canonical
from datwat.protocol.values import Bytes32, Value, encode_bytes, encode_moment

SEED_LENGTH = 32
_TAG = b"dw-sample/v1\0"


class DrawWords(Value):
    """The sealed words of a draw: its seed, and what was drawn once it was."""

    seed: Bytes32
    chosen: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """A sample over log[first:size); without `drawn_at` only its seed's hash was stated."""

    id: bytes = field(repr=False)
    announced_at: datetime
    first: int
    until_at: datetime
    seed: bytes = field(repr=False)
    drawn_at: datetime | None = None
    size: int | None = None
    root: bytes | None = None
    chosen: tuple[int, ...] = field(default=(), repr=False)


def rank_entries(seed: bytes, root: bytes, indexes: Iterable[int], count: int) -> tuple[int, ...]:
    """Return the `count` of these entries that come first, in that order."""
    key = hmac.digest(seed, _TAG + root, hashlib.sha256)
    return tuple(
        heapq.nsmallest(
            count, indexes, key=lambda i: hmac.digest(key, i.to_bytes(8, "big"), hashlib.sha256)
        )
    )


def derive_seed_hash(seed: bytes) -> bytes:
    """Return what is stated of a seed before it is used."""
    return hashlib.sha256(_TAG + seed).digest()


def build_announcement(draw: Draw) -> bytes:
    """Return the statement that a sample will be drawn from the entries from `first` on."""
    return encode_canonical(
        {
            "v": 1,
            "type": "review_seed",
            "seed_hash": encode_bytes(derive_seed_hash(draw.seed)),
            "first": draw.first,
            "at": encode_moment(draw.announced_at),
        }
    )


def build_drawn(draw: Draw) -> bytes:
    """Return the statement that publishes the seed of a draw, and over what it was drawn."""
    if draw.size is None or draw.root is None or draw.drawn_at is None:
        raise ValueError("nothing was drawn yet")
    return encode_canonical(
        {
            "v": 1,
            "type": "review_sample",
            "seed": encode_bytes(draw.seed),
            "first": draw.first,
            "size": draw.size,
            "root": encode_bytes(draw.root),
            "at": encode_moment(draw.drawn_at),
        }
    )
