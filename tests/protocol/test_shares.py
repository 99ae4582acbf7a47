"""Shares of a scalar: as published; any two give it back; a wrong one is found by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from datwat.protocol import group
from datwat.protocol.shares import Share, ShareError, join_shares, require_share, split_scalar

PUBLISHED = json.loads(
    (Path(__file__).parent.parent / "vectors" / "scalar-shares.json").read_text()
)
SCALARS = st.integers(1, group.ORDER - 1).map(lambda value: value.to_bytes(32, "little"))


def raw(name: str) -> bytes:
    return bytes.fromhex(PUBLISHED[name])


def split(scalar: bytes, coefficient: bytes) -> tuple[Share, ...]:
    try:
        return split_scalar(scalar, coefficient=coefficient)
    except group.ScalarError:  # a share of zero: one coefficient in 2^251
        assume(condition=False)
        raise


def test_the_shares_are_as_published() -> None:
    shares = split_scalar(raw("secret"), coefficient=raw("coefficient"))
    assert [share.value.hex() for share in shares] == PUBLISHED["shares"]
    assert [share.number for share in shares] == [1, 2, 3]
    assert {share.public for share in shares} == {raw("public")}
    assert {share.slope for share in shares} == {group.multiply_base(raw("coefficient"))}
    for two in combinations(shares, 2):
        assert join_shares(two) == raw("secret")


@given(SCALARS, SCALARS)
def test_any_two_and_all_three_give_it_back_in_any_order(scalar: bytes, coefficient: bytes) -> None:
    shares = split(scalar, coefficient)
    for some in (*combinations(shares, 2), shares):
        assert join_shares(some) == scalar
        assert join_shares(some[::-1]) == scalar


@given(SCALARS, SCALARS, st.integers(0, 2), st.integers(0, 31), st.integers(1, 255))
def test_a_changed_share_is_found_by_itself(
    scalar: bytes, coefficient: bytes, place: int, byte: int, change: int
) -> None:
    share = split(scalar, coefficient)[place]
    require_share(share)
    wrong = bytearray(share.value)
    wrong[byte] ^= change
    with pytest.raises(ShareError):
        require_share(replace(share, value=bytes(wrong)))
    with pytest.raises(ShareError):
        require_share(replace(share, number=share.number % 3 + 1))


@given(SCALARS, SCALARS)
def test_one_share_fits_every_scalar(scalar: bytes, other: bytes) -> None:
    """For each other scalar there is a coefficient with which the first share is the same."""
    first = split(scalar, raw("coefficient"))[0]
    assume(first.value != other)
    coefficient = group.add_scalars(first.value, group.negate_scalar(other))
    assert split(other, coefficient)[0].value == first.value


def test_what_does_not_belong_together_is_refused() -> None:
    shares, again = split_scalar(raw("secret")), split_scalar(raw("secret"))
    other = split_scalar(group.random_scalar())
    bad: list[list[Share]] = [
        [],
        [shares[0]],
        [shares[0], shares[0]],
        [shares[0], again[1]],
        [shares[0], other[1]],
        [shares[0], shares[1], again[2]],
        [shares[0], replace(shares[1], number=3)],
        [shares[0], replace(shares[1], number=0)],
        [shares[0], replace(shares[1], value=bytes(32))],
        [shares[0], replace(shares[1], public=bytes(32))],
        [*shares, shares[0]],
    ]
    for some in bad:
        with pytest.raises(ShareError):
            join_shares(some)


def test_a_share_does_not_show_its_value() -> None:
    share = split_scalar(raw("secret"))[0]
    assert str(share.value) not in repr(share)
