"""ristretto255: RFC 9496's points, the laws of a group, and no silent failure."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datwat.protocol import group

ZERO = bytes(32)
SCALARS = st.integers(1, group.ORDER - 1).map(lambda n: n.to_bytes(32, "little"))
# RFC 9496 appendix A.1: multiples 1 to 4 of the generator.
MULTIPLES = [
    "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
    "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
    "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
    "da80862773358b466ffadfe0b3293ab3d9fd53c5ea6c955358f568322daf6a57",
]
# RFC 9496 appendix A.2: not canonical, negative, not a square, and so on.
BAD_POINTS = [
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
]
BAD_SCALARS = [
    ZERO,
    group.ORDER.to_bytes(32, "little"),
    (group.ORDER + 5).to_bytes(32, "little"),
    b"\xff" * 32,
    b"\x05" + bytes(30),
    b"\x05" + bytes(32),
    b"",
]


def scalar(number: int) -> bytes:
    return (number % group.ORDER).to_bytes(32, "little")


def test_multiples_of_the_generator() -> None:
    for number, expected in enumerate(MULTIPLES, start=1):
        assert group.multiply_base(scalar(number)).hex() == expected
        assert group.multiply(scalar(number), bytes.fromhex(MULTIPLES[0])).hex() == expected


@given(SCALARS, SCALARS)
def test_scalars_follow_arithmetic_modulo_the_order(first: bytes, second: bytes) -> None:
    a, b = int.from_bytes(first, "little"), int.from_bytes(second, "little")
    assert group.multiply_scalars(first, second) == scalar(a * b)
    assert group.invert_scalar(first) == scalar(pow(a, -1, group.ORDER))
    assert group.negate_scalar(first) == scalar(-a)
    if (a + b) % group.ORDER:
        assert group.add_scalars(first, second) == scalar(a + b)


@given(st.binary(min_size=64, max_size=64))
def test_wide_numbers_are_reduced(wide: bytes) -> None:
    number = int.from_bytes(wide, "little")
    if number % group.ORDER:
        assert group.reduce_scalar(wide) == scalar(number)


@given(SCALARS, SCALARS)
def test_multiplication_commutes_and_distributes(first: bytes, second: bytes) -> None:
    one, two = group.multiply_base(first), group.multiply_base(second)
    assert group.multiply(first, two) == group.multiply(second, one)
    assert group.multiply(group.invert_scalar(first), one).hex() == MULTIPLES[0]
    if first not in (second, group.negate_scalar(second)):
        assert group.add(one, two) == group.multiply_base(group.add_scalars(first, second))


@pytest.mark.parametrize("bad", [*map(bytes.fromhex, BAD_POINTS), ZERO, b"", bytes(31), bytes(33)])
def test_what_is_no_point_is_refused_everywhere(bad: bytes) -> None:
    good = group.multiply_base(scalar(7))
    uses: list[Callable[[], bytes]] = [
        lambda: group.require_point(bad),
        lambda: group.multiply(scalar(3), bad),
        lambda: group.add(bad, good),
        lambda: group.add(good, bad),
    ]
    for use in uses:
        with pytest.raises(group.PointError):
            use()


@pytest.mark.parametrize("bad", BAD_SCALARS)
def test_what_is_no_canonical_scalar_is_refused_everywhere(bad: bytes) -> None:
    good = group.multiply_base(scalar(7))
    uses: list[Callable[[], bytes]] = [
        lambda: group.require_scalar(bad),
        lambda: group.multiply(bad, good),
        lambda: group.multiply_base(bad),
        lambda: group.invert_scalar(bad),
        lambda: group.negate_scalar(bad),
        lambda: group.add_scalars(bad, scalar(1)),
        lambda: group.add_scalars(scalar(1), bad),
        lambda: group.multiply_scalars(bad, scalar(1)),
        lambda: group.multiply_scalars(scalar(1), bad),
    ]
    for use in uses:
        with pytest.raises(group.ScalarError):
            use()


def test_the_identity_is_never_given() -> None:
    point = group.multiply_base(scalar(7))
    opposite = group.multiply_base(scalar(-7))
    with pytest.raises(group.PointError):
        group.add(point, opposite)
    with pytest.raises(group.ScalarError):
        group.add_scalars(scalar(7), scalar(-7))
    for wide in (bytes(64), group.ORDER.to_bytes(64, "little"), bytes(63), bytes(65)):
        with pytest.raises(group.ScalarError):
            group.reduce_scalar(wide)


def test_hashing_separates_messages_and_tags() -> None:
    # RFC 9497's vectors (test_blinding) cover the bytes. Here: another message or another tag gives
    # another point, the same the same.
    points = {
        group.hash_to_group(message, dst)
        for message in (b"", b"a", b"a" * 1_000)
        for dst in (b"one", b"two")
    }
    assert len(points) == 6
    assert group.hash_to_group(b"a", b"one") in points
    assert all(group.require_point(point) for point in points)


def test_random_scalars_differ() -> None:
    assert len({group.random_scalar() for _ in range(50)}) == 50


@pytest.fixture
def no_libsodium(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(group, "_LIBRARIES", ("libsodium-of-another-machine.so",))
    group._sodium.cache_clear()  # noqa: SLF001 - loaded once per process
    yield
    group._sodium.cache_clear()  # noqa: SLF001 - loaded once per process


def test_a_missing_library_names_the_package(no_libsodium: None) -> None:
    with pytest.raises(group.LibsodiumMissingError, match="libsodium23"):
        group.random_scalar()


def test_libsodium_itself_would_take_five_plus_the_order_as_five() -> None:
    # Why `require_scalar` exists: without it two spellings of one scalar would be accepted.
    out = ctypes.create_string_buffer(32)
    odd = (group.ORDER + 5).to_bytes(32, "little")
    library = group._sodium()  # noqa: SLF001 - the library underneath is what is shown here
    assert library.crypto_scalarmult_ristretto255_base(out, odd) == 0
    assert out.raw == group.multiply_base(scalar(5))
