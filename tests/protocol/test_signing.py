"""Messages: joserfc reads them; anything changed, moved or meant for another is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey
from joserfc.jws import FlattenedJSONSerialization, HeaderDict

from datwat.protocol.canonical import CanonicalError, encode_canonical
from datwat.protocol.errors import ProtocolError
from datwat.protocol.jws import read_kid, sign_object, verify_object
from datwat.protocol.keys import SigningKey
from datwat.protocol.signing import (
    SignedMessage,
    build_message,
    build_part,
    open_message,
    part_content,
    require_envelope,
)
from datwat.protocol.values import encode_bytes, encode_moment

KEY = SigningKey.from_seed(b"\x01" * 32)
OTHER = SigningKey.from_seed(b"\x02" * 32)
KEYS = {KEY.kid: KEY.public}
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ISS, AUD = "00000001234567890000:wijkteam", "00000009876543210000:broker"
MEMBERS: dict[str, Any] = {
    "v": 1,
    "type": "inquire",
    "iss": ISS,
    "aud": AUD,
    "iat": encode_moment(NOW),
    "rid": encode_bytes(b"r" * 16),
}
PARTS = [build_part(b"statement"), build_part(b"ticket"), build_part(b"person")]
MESSAGE = build_message(MEMBERS, PARTS, KEY)


def refused(act: Callable[[], object]) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        act()
    return caught.value


def wire(**changes: object) -> bytes:
    return encode_canonical({**MESSAGE.model_dump(mode="json"), **changes})


def test_a_message_opens_to_what_was_signed() -> None:
    for form in (MESSAGE, MESSAGE.to_bytes()):
        opened = open_message(form, KEYS)
        assert {**opened.object, "parts": None} == {**MEMBERS, "parts": None}
        assert [part_content(part) for part in opened.parts] == [b"statement", b"ticket", b"person"]
        assert opened.object_bytes == MESSAGE.object
        assert opened.kid == KEY.kid
    assert SignedMessage.from_bytes(MESSAGE.to_bytes()) == MESSAGE


def test_the_repr_of_an_opened_message_shows_no_content() -> None:
    assert "statement" not in repr(open_message(MESSAGE, KEYS))
    assert ISS not in repr(open_message(MESSAGE, KEYS))


def flattened(message: SignedMessage) -> FlattenedJSONSerialization:
    members = message.model_dump(mode="json")
    return {
        "payload": members["object"],
        "protected": members["protected"],
        "signature": members["signature"],
    }


def test_joserfc_verifies_our_signature_and_we_verify_its() -> None:
    okp = OKPKey.import_key(json.loads(KEY.to_jwk_text()))
    read = jws.deserialize_json(flattened(MESSAGE), okp, algorithms=["Ed25519"])
    assert read.payload == MESSAGE.object
    member: HeaderDict = {"protected": {"alg": "Ed25519", "kid": KEY.kid}}
    made: Any = jws.serialize_json(member, MESSAGE.object, okp, algorithms=["Ed25519"])
    changes = {name: made[name] for name in ("protected", "signature")}
    assert open_message(wire(**changes), KEYS).object_bytes == MESSAGE.object


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "Ed25519"},
        {"alg": "EdDSA", "kid": KEY.kid},
        {"alg": "none", "kid": KEY.kid},
        {"alg": "HS256", "kid": KEY.kid},
        {"alg": "Ed25519", "kid": KEY.kid, "typ": "JWT"},
        {"alg": "Ed25519", "kid": KEY.kid, "crit": ["b64"], "b64": False},
        {"alg": "Ed25519", "kid": KEY.kid, "jwk": KEY.public.to_jwk()},
        {"alg": "Ed25519", "kid": KEY.kid + "A"},
        {"alg": "Ed25519", "kid": 1},
    ],
)
def test_any_other_header_is_refused_although_the_signature_holds(header: dict[str, Any]) -> None:
    assert refused(lambda: open_signed_under(encode_canonical(header))).code == "message_header"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"kid":"%s","alg":"Ed25519"}' % KEY.kid.encode(),
        b'{"alg":"Ed25519", "kid":"%s"}' % KEY.kid.encode(),
        b'{"alg":"none","alg":"Ed25519","kid":"%s"}' % KEY.kid.encode(),
        b'{"alg":"Ed25519","kid":"%s"}\n' % KEY.kid.encode(),
        b"",
    ],
)
def test_any_other_spelling_of_the_header_is_refused(raw: bytes) -> None:
    assert refused(lambda: open_signed_under(raw)).code == "message_header"


def open_signed_under(protected: bytes) -> object:
    signing_input = f"{encode_bytes(protected)}.{encode_bytes(MESSAGE.object)}".encode()
    signature = encode_bytes(KEY.sign(signing_input))
    return open_message(wire(protected=encode_bytes(protected), signature=signature), KEYS)


def test_wrong_keys_are_refused() -> None:
    assert refused(lambda: open_message(MESSAGE, {})).code == "message_key_unknown"
    only_other = {OTHER.kid: OTHER.public}
    assert refused(lambda: open_message(MESSAGE, only_other)).code == "message_key_unknown"
    # A table that files one key under another's id is not believed.
    misfiled = {KEY.kid: OTHER.public}
    assert refused(lambda: open_message(MESSAGE, misfiled)).code == "message_key_unknown"
    forged = MESSAGE.model_copy(update={"signature": OTHER.sign(b"x")})
    assert refused(lambda: open_message(forged, KEYS)).code == "message_signature"


@given(st.data())
def test_no_byte_of_the_object_may_change(data: st.DataObject) -> None:
    changed = bytearray(MESSAGE.object)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    message = MESSAGE.model_copy(update={"object": bytes(changed)})
    assert refused(lambda: open_message(message, KEYS)).code == "message_signature"


@pytest.mark.parametrize(
    "parts",
    [
        [PARTS[1], PARTS[0], PARTS[2]],
        PARTS[:2],
        [*PARTS, PARTS[2]],
        [PARTS[0], PARTS[1], PARTS[2] + b"x"],
        [PARTS[0], PARTS[1], build_part(b"person")],
        [],
    ],
    ids=["swapped", "dropped", "added", "changed", "other salt", "none"],
)
def test_parts_must_be_those_that_are_named(parts: list[bytes]) -> None:
    form = wire(parts=[encode_bytes(part) for part in parts])
    assert refused(lambda: open_message(form, KEYS)).code == "message_parts"


@pytest.mark.parametrize("named", [None, "x", 5, [1, 2, 3], {"a": "b"}, [None] * 3])
def test_parts_that_are_named_badly_are_refused(named: object) -> None:
    raw = encode_canonical({**MEMBERS, "parts": named})
    assert refused(lambda: open_message(resigned(raw), KEYS)).code == "message_parts"


def resigned(raw: bytes) -> SignedMessage:
    signed = sign_object(raw, KEY)
    return MESSAGE.model_copy(update={"object": raw, "signature": signed.signature})


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b'"text"',
        b"",
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b'{"a": 1}',
    ],
)
def test_an_object_that_is_not_canonical_is_refused_although_signed(raw: bytes) -> None:
    assert refused(lambda: open_message(resigned(raw), KEYS)).code == "message_object"


@pytest.mark.parametrize(
    ("form", "code", "place"),
    [
        (b"[]", "message_form", None),
        (b"{}", "message_form", "object"),
        (wire(object=5), "message_form", "object"),
        (wire(object="===="), "message_form", "object"),
        (wire(signature="AAAA"), "message_form", "signature"),
        (wire(parts="AAAA"), "message_form", "parts"),
        (wire(parts={"a": "AAAA"}), "message_form", "parts"),
        (wire(parts=["AAAA", "A"]), "message_form", "parts.1"),
        (wire(parts=["AAAA"] * 1_003), "message_form", "parts"),
        (wire(stranger=1), "message_form", None),
        (MESSAGE.to_bytes()[:-1] + b',"parts":[]}', "json_duplicate_key", None),
        (b"\xff", "json_not_utf8", None),
        (b"x" * 1_048_577, "json_too_large", None),
    ],
)
def test_other_wire_forms_are_refused_with_a_place(
    form: bytes, code: str, place: str | None
) -> None:
    error = refused(lambda: open_message(form, KEYS))
    assert (error.code, error.place) == (code, place)


def test_parts_have_fresh_salt() -> None:
    assert build_part(b"same") != build_part(b"same")
    assert build_part(b"same", b"s" * 16) == b"s" * 16 + b"same"
    assert part_content(build_part(b"")) == b""
    assert refused(lambda: part_content(b"s" * 15)).code == "message_parts"
    with pytest.raises(ValueError, match="16 bytes"):
        build_part(b"same", b"short")


def admit(now: datetime = NOW, **changes: object) -> object:
    return require_envelope({**MEMBERS, **changes}, type="inquire", iss=ISS, aud=AUD, now=now)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"v": 2}, "message_version"),
        ({"v": True}, "message_version"),
        ({"v": "1"}, "message_version"),
        ({"v": None}, "message_version"),
        ({"type": "release"}, "message_type"),
        ({"type": ["inquire"]}, "message_type"),
        ({"iss": "00000001234567890001:wijkteam"}, "message_issuer"),
        ({"aud": "00000009876543210000:keyholder"}, "message_audience"),
        ({"aud": [AUD]}, "message_audience"),
        ({"aud": None}, "message_audience"),
        ({"rid": "AAAA"}, "message_rid"),
        ({"rid": 5}, "message_rid"),
        ({"rid": encode_bytes(b"r" * 16) + "=="}, "message_rid"),
        ({"iat": "2026-03-01T12:00:00"}, "message_time"),
        ({"iat": "2026-03-01T12:00:00+00:00"}, "message_time"),
        ({"iat": "2026-03-01T12:00:00.5Z"}, "message_time"),
        ({"iat": "2026-02-30T12:00:00Z"}, "message_time"),
        ({"iat": "yesterday"}, "message_time"),
        ({"iat": 1_772_366_400}, "message_time"),
        ({"iat": None}, "message_time"),
    ],
)
def test_what_is_not_for_here_is_refused_with_its_own_code(
    changes: dict[str, Any], code: str
) -> None:
    error = refused(lambda: admit(**changes))
    assert error.code == code
    assert error.place == next(iter(changes))


@pytest.mark.parametrize("member", ["v", "type", "iss", "aud", "rid", "iat"])
def test_a_missing_member_is_refused(member: str) -> None:
    members = {name: value for name, value in MEMBERS.items() if name != member}
    error = refused(lambda: require_envelope(members, type="inquire", iss=ISS, aud=AUD, now=NOW))
    assert error.place == member


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(0, None), (90, None), (91, "message_expired"), (-30, None), (-31, "message_ahead")],
)
def test_time_has_two_sharp_edges(seconds: int, code: str | None) -> None:
    now = NOW + timedelta(seconds=seconds)
    if code is None:
        admit(now)
    else:
        assert refused(lambda: admit(now)).code == code


def test_a_naive_clock_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="time zone"):
        admit(NOW.replace(tzinfo=None))


def test_a_signature_is_over_exact_bytes() -> None:
    raw = encode_canonical(MEMBERS)
    signed = sign_object(raw, KEY)
    assert verify_object(raw, signed.protected, signed.signature, KEYS) == KEY.kid
    assert read_kid(signed.protected) == KEY.kid
    error = refused(lambda: verify_object(raw + b" ", signed.protected, signed.signature, KEYS))
    assert error.code == "message_signature"


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_protocol_error(data: bytes) -> None:
    refused(lambda: open_message(data, KEYS))


def test_the_wire_size_is_bounded_where_the_caller_says_so() -> None:
    size = len(MESSAGE.to_bytes())
    assert open_message(MESSAGE.to_bytes(), KEYS, max_bytes=size).kid == KEY.kid
    with pytest.raises(CanonicalError):
        open_message(MESSAGE.to_bytes(), KEYS, max_bytes=size - 1)
