"""Canonical JSON: equal to RFC 8785 for what is accepted, and nothing ambiguous is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from datwat.protocol import canonical
from datwat.protocol.canonical import (
    MAX_BYTES,
    CanonicalError,
    decode_canonical,
    decode_strict,
    encode_canonical,
)

LIMIT = 2**53 - 1
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = st.text(st.characters(max_codepoint=127), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-LIMIT, LIMIT) | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


class Colour(StrEnum):
    RED = "red"


def nest(depth: int) -> object:
    value: object = []
    for _ in range(depth - 1):
        value = [value]
    return value


@given(VALUES)
def test_encoding_equals_rfc_8785(value: Any) -> None:  # noqa: ANN401 - rfc8785 types its own
    assert encode_canonical(value) == rfc8785.dumps(value)


@given(VALUES)
def test_what_is_encoded_decodes_to_the_same(value: object) -> None:
    assert decode_canonical(encode_canonical(value)) == value


@given(VALUES)
def test_another_spelling_is_read_but_not_canonical(value: object) -> None:
    other = json.dumps(value, ensure_ascii=False).encode() + b" "
    assert decode_strict(other) == value
    with pytest.raises(CanonicalError) as refused:
        decode_canonical(other)
    assert refused.value.code == "json_not_canonical"


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_a_canonical_error(data: bytes) -> None:
    try:
        decode_strict(data)
    except CanonicalError:
        return
    json.loads(data)


@pytest.mark.parametrize(
    ("value", "code", "place"),
    [
        (1.0, "json_float", "$"),
        ({"a": [1, float("nan")]}, "json_float", "$.a[1]"),
        (float("inf"), "json_float", "$"),
        ({"a": {"b": 2**53}}, "json_big_integer", "$.a.b"),
        (-(2**53), "json_big_integer", "$"),
        ({1: "a"}, "json_key", "$"),
        ({"a": {"é": 1}}, "json_key", "$.a"),
        ({"a": b"bytes"}, "json_kind", "$.a"),
        ({"a", "b"}, "json_kind", "$"),
        ("\ud800", "json_lone_surrogate", None),
        (["\udfff"], "json_lone_surrogate", None),
    ],
)
def test_encoding_refuses(value: object, code: str, place: str | None) -> None:
    with pytest.raises(CanonicalError) as refused:
        encode_canonical(value)
    assert (refused.value.code, refused.value.place) == (code, place)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a":1,"a":1}', "json_duplicate_key"),
        (b'{"b":[{"a":1,"\\u0061":2}]}', "json_duplicate_key"),
        (b"NaN", "json_float"),
        (b"[-Infinity]", "json_float"),
        (b"1.0", "json_float"),
        (b"1e3", "json_float"),
        (b"9007199254740992", "json_big_integer"),
        (b"-9007199254740992", "json_big_integer"),
        (b"1" * 5_000, "json_big_integer"),
        (b'"\\ud800"', "json_lone_surrogate"),
        (b'{"\\uDc00":1}', "json_lone_surrogate"),
        (b'"\xed\xa0\x80"', "json_not_utf8"),
        (b'"\xff"', "json_not_utf8"),
        (b"\xef\xbb\xbf{}", "json_not_utf8"),
        (b"", "json_malformed"),
        (b"{} {}", "json_malformed"),
        (b"{'a':1}", "json_malformed"),
        (b'"\x01"', "json_malformed"),
        (b"[1,]", "json_malformed"),
        (b"[" * 33 + b"]" * 33, "json_too_deep"),
        (b"[" * 500_000 + b"]" * 500_000, "json_too_deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "json_too_deep"),
        (b'"' + b"a" * MAX_BYTES + b'"', "json_too_large"),
    ],
)
def test_decoding_refuses(data: bytes, code: str) -> None:
    with pytest.raises(CanonicalError) as refused:
        decode_strict(data)
    assert refused.value.code == code


OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5).map(encode_canonical)
PIECES = [b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b"-", b"0", b"1", b".5", b"e3", b" "]
PIECES += [b"\x00", b"\x7f", b"\xc3\xa9", b"\xff", b"NaN", b"null", b'"a":1', b',"a":1,"a":2']
PIECES += [
    b"9007199254740991",
    b"9007199254740992",
    b"\\ud800",
    b"\\u0061",
    b"\\/",
    b"\\b",
    b"\\u0008",
]


@st.composite
def nearly_canonical(draw: st.DrawFn) -> bytes:
    data = draw(OBJECTS)
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 3)))
        data = data[:start] + draw(st.sampled_from(PIECES)) + data[end:]
    return data


def read_by(read: Callable[[bytes], Any], data: bytes) -> str:
    try:
        return repr(read(data))
    except CanonicalError as error:
        return error.code


@given(nearly_canonical())
@example(b'{"a":-0}')
@example(b'{"a":1,"a":1}')
@example(b'{"a":9007199254740992}')
@example(b'{"a":[9007199254740991,-9007199254740993]}')
@example(b'{"a":0.5}')
@example(b'{"a":[1e3]}')
@example(b'{"a":18446744073709551616}')
@example(b'{"a":"\\u001f\\b\\f\x7f"}')
@example(b'{"a":NaN}')
@example(b'{"b":1,"a":2}')
@example(b'{"a":' * 33 + b"1" + b"}" * 33)
def test_the_short_way_and_the_long_way_read_the_same(data: bytes) -> None:
    short = [read_by(read, data) for read in (decode_strict, decode_canonical)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canonical, "_find_canonical", lambda _data: None)
        assert short == [read_by(read, data) for read in (decode_strict, decode_canonical)]


def test_a_message_as_partners_write_it_goes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    members = {"at": "2026-03-02T09:00:00Z", "n": 12, "of": ["00000099000000001000:team", None]}
    data = encode_canonical(members)

    def refuse(_data: bytes) -> Any:  # noqa: ANN401 - JSON
        raise AssertionError

    monkeypatch.setattr(canonical, "_decode_strict", refuse)
    assert decode_strict(data) == decode_canonical(data) == members


def test_pairs_of_surrogates_and_wide_flat_documents_are_read() -> None:
    assert decode_strict(b'"\\ud83d\\ude00"') == "\U0001f600"
    wide = [[index] for index in range(100)]
    assert decode_strict(encode_canonical(wide)) == wide


@pytest.mark.parametrize("depth", [32, 33])
def test_encoder_and_decoder_agree_on_depth(depth: int) -> None:
    value = nest(depth)
    raw = json.dumps(value).encode()
    if depth == 32:
        assert encode_canonical(value) == raw
        assert decode_canonical(raw) == value
        return
    for refuse in (lambda: encode_canonical(value), lambda: decode_strict(raw)):
        with pytest.raises(CanonicalError) as refused:
            refuse()
        assert refused.value.code == "json_too_deep"


def test_tuples_and_text_enums_have_the_form_of_what_they_are() -> None:
    assert encode_canonical((1, Colour.RED)) == b'[1,"red"]'


def test_errors_never_repeat_the_input() -> None:
    secret = b"999990019"
    for data in (
        b'{"%s":1,"%s":2}' % (secret, secret),
        b'{"x":%s' % secret,
        b'{"a":{"%s\xc3\xa9":1}}' % secret,
        b"%s.5" % secret,
    ):
        with pytest.raises(CanonicalError) as refused:
            decode_canonical(data)
        shown = f"{refused.value!r}{refused.value}{refused.value.place}{refused.value.__cause__!r}"
        assert secret.decode() not in shown


def test_a_smaller_limit_is_kept() -> None:
    with pytest.raises(CanonicalError) as refused:
        decode_strict(b'"12345"', max_bytes=6)
    assert refused.value.code == "json_too_large"
    assert decode_strict(b'"1234"', max_bytes=6) == "1234"
