"""Introduction codes on paper: what is written is read back, and a slip of the pen is found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.pages.codes import read_code, write_code
from datwat.protocol.values import encode_bytes

CODES = st.binary(min_size=16, max_size=16)
SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@given(CODES)
def test_a_code_is_read_back_however_it_is_typed(code: bytes) -> None:
    written = write_code(code)
    assert [len(group) for group in written.split("-")] == [4] * 7
    typed = written.lower().replace("0", "o").replace("1", "l").replace("-", " ")
    assert read_code(written) == read_code(f"  {typed} ") == code
    assert read_code(encode_bytes(code)) == code


@given(CODES, st.integers(0, 27), st.integers(1, 31))
def test_one_wrong_sign_is_always_found(code: bytes, place: int, step: int) -> None:
    signs = list(write_code(code).replace("-", ""))
    signs[place] = SIGNS[(SIGNS.index(signs[place]) + step) % len(SIGNS)]
    assert read_code("".join(signs)) is None


@given(CODES, st.integers(0, 24))
def test_two_signs_that_changed_places_are_found(code: bytes, place: int) -> None:
    signs = list(write_code(code).replace("-", ""))
    signs[place], signs[place + 1] = signs[place + 1], signs[place]
    assert "".join(signs) == write_code(code).replace("-", "") or read_code("".join(signs)) is None


def test_what_is_no_code_is_none() -> None:
    written = write_code(bytes(16))
    for typed in ("", "U" * 28, written[:-1], written + "0", "é" * 28, "Z" * 28, "!" * 22):
        assert read_code(typed) is None, typed
