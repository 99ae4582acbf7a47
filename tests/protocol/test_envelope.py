"""The sealed release: opens whole, for its request and its order, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datwat.protocol.canonical import CanonicalError, encode_canonical
from datwat.protocol.envelope import (
    EnvelopeBody,
    EnvelopeError,
    EnvelopeObject,
    OpenedEnvelope,
    ValueTooLargeError,
    open_envelope,
    require_fields,
    seal_envelope,
    subject_matches,
)
from datwat.protocol.keys import ExchangeError, ExchangeKey, ExchangePublicKey, SigningKey
from datwat.protocol.sealing import build_cipher
from datwat.protocol.signing import build_message, open_message

RECIPIENT, OTHER = ExchangeKey.generate(), ExchangeKey.generate()
CORE, OTHER_CORE = b"c" * 32, b"d" * 32
VALUES: dict[str, Any] = {
    "debts.since": "2025-01-31",
    "debts.amount": 1200,
    "debts.remark": None,
    "contact": {"name": "J. Jansen", "days": ["mo", "tu"]},
}
SIZES = {"debts.since": 64, "debts.amount": 32, "debts.remark": 512, "contact": 128, "other": 64}
RELEASE_KEY = b"k" * 32
BSN, ANOTHER = "999990019", "999993653"


def sealed(**changes: object) -> EnvelopeBody:
    body = seal_envelope(CORE, RECIPIENT.public, VALUES, SIZES, BSN, release_key=RELEASE_KEY)
    return body.model_copy(update=changes)


def opened(body: EnvelopeBody, core: bytes = CORE, key: ExchangeKey = RECIPIENT) -> OpenedEnvelope:
    return open_envelope(body, key, core, list(VALUES), size_classes=SIZES)


def refusal(body: EnvelopeBody, core: bytes = CORE, key: ExchangeKey = RECIPIENT) -> str:
    with pytest.raises(EnvelopeError) as caught:
        opened(body, core, key)
    return caught.value.code


def test_what_is_sealed_opens_for_its_request() -> None:
    got = opened(sealed())
    assert got.values == VALUES
    assert subject_matches(got, BSN)
    assert not subject_matches(got, ANOTHER)


PATHS = st.from_regex(r"\A[a-z][a-z0-9_]{0,8}(\.[a-z][a-z0-9_]{0,8}){0,2}\Z")
JSON_VALUES = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("aé€😀", max_size=9)
)


@settings(max_examples=50)
@given(st.dictionaries(PATHS, JSON_VALUES, min_size=1, max_size=12))
def test_any_values_come_back_and_sizes_tell_nothing(values: dict[str, Any]) -> None:
    sizes = dict.fromkeys(values, 64)
    body = seal_envelope(CORE, RECIPIENT.public, values, sizes, None)
    got = open_envelope(body, RECIPIENT, CORE, list(values), size_classes=sizes)
    assert got.values == values
    assert {len(field) for field in body.fields.values()} == {64 + 16}


def test_the_order_of_the_members_does_not_matter() -> None:
    backwards = sealed(fields=dict(reversed(sealed().fields.items())))
    assert opened(backwards).values == VALUES


def test_null_has_the_size_of_any_value() -> None:
    full = {**VALUES, "debts.remark": "x" * 500}
    body = seal_envelope(CORE, RECIPIENT.public, full, SIZES, BSN)
    sizes = [{path: len(field) for path, field in one.fields.items()} for one in (body, sealed())]
    assert sizes[0] == sizes[1] == {path: SIZES[path] + 16 for path in VALUES}


def test_without_a_bsn_the_subject_has_the_same_size_and_fits_nobody() -> None:
    body = seal_envelope(CORE, RECIPIENT.public, VALUES, SIZES, None)
    assert len(body.subject) == len(sealed().subject)
    assert not subject_matches(opened(body), BSN)


def test_another_recipient_or_order_is_refused() -> None:
    assert refusal(sealed(), key=OTHER) == "envelope_key"
    assert refusal(sealed(), core=OTHER_CORE) == "envelope_core"
    # Relabelled for another order: the label was bound into the seal.
    assert refusal(sealed(core_hash=OTHER_CORE), core=OTHER_CORE) == "envelope_key"
    assert refusal(sealed(enc=bytes(80))) == "envelope_key"


def moved(**changes: bytes) -> EnvelopeBody:
    names = {name.replace("__", "."): value for name, value in changes.items()}
    return sealed(fields={**sealed().fields, **names})


def test_fields_that_were_swapped_moved_or_changed_are_refused() -> None:
    sizes = dict.fromkeys(VALUES, 128)
    body = seal_envelope(CORE, RECIPIENT.public, VALUES, sizes, BSN)
    fields = body.fields
    first, second = "debts.amount", "debts.since"
    swapped = {**fields, first: fields[second], second: fields[first]}
    copied = {**fields, first: fields[second]}
    changed = {**fields, first: bytes([fields[first][0] ^ 1]) + fields[first][1:]}
    for wrong in (swapped, copied, changed):
        with pytest.raises(EnvelopeError) as caught:
            open_envelope(body.model_copy(update={"fields": wrong}), RECIPIENT, CORE, list(VALUES))
        assert caught.value.code == "envelope_field"
        assert caught.value.place in VALUES


def test_a_field_of_another_envelope_does_not_fit() -> None:
    again = seal_envelope(CORE, RECIPIENT.public, VALUES, SIZES, BSN)
    assert refusal(moved(contact=again.fields["contact"])) == "envelope_field"


def test_dropped_and_added_fields_are_refused_by_broker_and_client() -> None:
    dropped = {path: field for path, field in sealed().fields.items() if path != "contact"}
    added = {**sealed().fields, "other": bytes(80)}
    renamed = {**dropped, "other": sealed().fields["contact"]}
    for fields, code in [
        (dropped, "envelope_field_missing"),
        (added, "envelope_field_extra"),
        (renamed, "envelope_field_missing"),
    ]:
        assert refusal(sealed(fields=fields)) == code
        with pytest.raises(EnvelopeError) as caught:
            require_fields(sealed(fields=fields), CORE, list(VALUES))
        assert caught.value.code == code
    require_fields(sealed(), CORE, list(VALUES), SIZES)


def test_dropping_a_field_at_both_ends_does_not_open_either() -> None:
    # A broker that narrows the envelope and lies to the client about the order: places shift.
    fields = {path: field for path, field in sealed().fields.items() if path != "contact"}
    with pytest.raises(EnvelopeError) as caught:
        open_envelope(sealed(fields=fields), RECIPIENT, CORE, list(fields))
    assert caught.value.code == "envelope_field"


def test_a_field_of_another_size_is_refused() -> None:
    assert refusal(moved(contact=sealed().fields["debts.since"])) == "envelope_field_size"


def reseal(path: str, padded: bytes) -> EnvelopeBody:
    index = sorted(VALUES).index(path)
    cipher = build_cipher(RELEASE_KEY)
    field = cipher.encrypt(index.to_bytes(12, "big"), padded, CORE + path.encode())
    return moved(**{path.replace(".", "__"): field})


@pytest.mark.parametrize(
    "padded",
    [
        (1).to_bytes(4, "big") + b"1" + b"\0" * 26 + b"\1",
        (29).to_bytes(4, "big") + b"1" + b"\0" * 27,
        (1_000).to_bytes(4, "big") + b"1" + b"\0" * 27,
        (0).to_bytes(4, "big") + b"\0" * 28,
        (3).to_bytes(4, "big") + b"1.0" + b"\0" * 25,
        (2).to_bytes(4, "big") + b" 1" + b"\0" * 26,
    ],
    ids=["hidden byte", "too long", "far too long", "nothing", "float", "not canonical"],
)
def test_a_field_that_hides_something_is_refused(padded: bytes) -> None:
    assert len(padded) in (32, 33)
    assert refusal(reseal("debts.amount", padded[:32])) == "envelope_value"


def test_a_changed_subject_is_refused() -> None:
    subject = sealed().subject
    changed = bytes([subject[0] ^ 1]) + subject[1:]
    assert refusal(sealed(subject=changed)) == "envelope_subject"
    again = seal_envelope(CORE, RECIPIENT.public, VALUES, SIZES, ANOTHER)
    assert refusal(sealed(subject=again.subject)) == "envelope_subject"


def test_what_the_source_cannot_seal_is_refused_at_the_source() -> None:
    with pytest.raises(ValueTooLargeError):
        seal_envelope(CORE, RECIPIENT.public, {"a": "x" * 11}, {"a": 16}, None)
    seal_envelope(CORE, RECIPIENT.public, {"a": "x" * 10}, {"a": 16}, None)
    with pytest.raises(ValueTooLargeError):
        seal_envelope(CORE, RECIPIENT.public, {"a": 1}, {"a": 65_536}, None)
    with pytest.raises(CanonicalError):
        seal_envelope(CORE, RECIPIENT.public, {"a": 1.5}, {"a": 16}, None)
    with pytest.raises(KeyError):
        seal_envelope(CORE, RECIPIENT.public, {"a": 1}, {}, None)
    with pytest.raises(ExchangeError):
        seal_envelope(CORE, ExchangePublicKey(bytes(32)), {"a": 1}, {"a": 16}, None)


def test_nothing_of_the_content_shows() -> None:
    got = opened(sealed())
    assert "Jansen" not in repr(got)
    raw = encode_canonical(sealed().model_dump(mode="json"))
    assert b"Jansen" not in raw
    assert BSN.encode() not in raw


def test_it_travels_as_a_signed_message_of_the_source() -> None:
    key = SigningKey.generate()
    members = {
        "v": 1,
        "type": "envelope",
        "iss": "00000001234567890000:schuldhulp",
        "aud": "00000001234567890001:wijkteam",
        "iat": "2026-03-01T12:00:00Z",
        "rid": "AAAAAAAAAAAAAAAAAAAAAA",
        **sealed().model_dump(mode="json"),
    }
    message = open_message(build_message(members, [], key).to_bytes(), {key.kid: key.public})
    body = EnvelopeObject.model_validate_json(message.object_bytes)
    assert opened(body).values == VALUES


def test_each_envelope_has_a_key_of_its_own() -> None:
    bodies = [seal_envelope(CORE, RECIPIENT.public, VALUES, SIZES, BSN) for _ in range(3)]
    assert len({body.fields["contact"] for body in bodies}) == 3
    assert len({body.enc for body in bodies}) == 3
