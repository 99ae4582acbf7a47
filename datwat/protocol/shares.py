"""Shares of a scalar: any two of three give it back, one alone says nothing about it.

Shamir's scheme over the scalars of ristretto255, in the form of RFC 9591 appendices C.1 and C.2:
f(x) = s + a·x modulo L, share i = f(i), and beside each the public s·G and a·G, so that whoever
holds one share sees by itself whether it is whole: f(i)·G = s·G + i·(a·G). Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from datwat.protocol import group
from datwat.protocol.errors import ProtocolError

THRESHOLD: Final = 2
SHARES: Final = 3


class ShareError(ProtocolError):
    """A share that is none, or shares that do not belong together."""

    code = "share_refused"
    default_detail = "A share of the scalar is damaged or of another scalar."


@dataclass(frozen=True, slots=True)
class Share:
    """One share: its number (1 to 3), its value f(number), and the public s·G and a·G."""

    number: int
    value: bytes = field(repr=False)
    public: bytes
    slope: bytes


def split_scalar(scalar: bytes, *, coefficient: bytes | None = None) -> tuple[Share, ...]:
    """Return the three shares of a scalar; `coefficient` (a) is for test vectors only.

    Raises ScalarError.
    """
    a = group.random_scalar() if coefficient is None else group.require_scalar(coefficient)
    public, slope = group.multiply_base(scalar), group.multiply_base(a)
    values: list[bytes] = []
    for _ in range(SHARES):
        values.append(group.add_scalars(values[-1] if values else scalar, a))
    return tuple(Share(number, value, public, slope) for number, value in enumerate(values, 1))


def require_share(share: Share) -> None:
    """Raise ShareError unless the share is one of the scalar whose public key stands beside it."""
    if not 1 <= share.number <= SHARES:
        raise ShareError
    try:
        expected = share.public
        for _ in range(share.number):
            expected = group.add(expected, share.slope)
        fits = hmac.compare_digest(group.multiply_base(share.value), expected)
    except group.GroupError:
        raise ShareError from None
    if not fits:
        raise ShareError


def join_shares(shares: Sequence[Share]) -> bytes:
    """Return the scalar of two or three shares with different numbers.

    Raises ShareError for too few, for a number twice, for one that is damaged, and where they are
    not of one split of one scalar.
    """
    ordered = sorted(shares, key=lambda share: share.number)
    numbers = [share.number for share in ordered]
    if not THRESHOLD <= len(ordered) <= SHARES or len(set(numbers)) != len(numbers):
        raise ShareError
    for share in ordered:
        require_share(share)
    if any((a.public, a.slope) != (b.public, b.slope) for a, b in pairwise(ordered)):
        raise ShareError
    first, second = ordered[0], ordered[1]
    scalar = _interpolate(first, second)
    if not hmac.compare_digest(group.multiply_base(scalar), first.public):
        raise ShareError
    return scalar


def _interpolate(first: Share, second: Share) -> bytes:
    """Return f(0) = (j·f(i) - i·f(j)) / (j - i) for i < j (Lagrange at zero)."""
    i, j = first.number, second.number
    left = group.multiply_scalars(_number(j), first.value)
    right = group.multiply_scalars(_number(i), second.value)
    difference = group.add_scalars(left, group.negate_scalar(right))
    return group.multiply_scalars(difference, group.invert_scalar(_number(j - i)))


def _number(value: int) -> bytes:
    return value.to_bytes(group.SIZE, "little")
