"""Entries: the golden vector, the sealed content, and what must not open."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datwat.protocol import entry
from datwat.protocol.sealing import seal

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "entry.json").read_text())
KEY = bytes(range(32))
SALT = bytes(32)


def _hex(name: str) -> bytes:
    return bytes.fromhex(VECTOR[name])


def _content(core: bytes = b"core", payload: bytes = b"payload") -> entry.Content:
    return entry.Content(salt=SALT, core=core, payload=payload)


def _commit(content: entry.Content) -> bytes:
    return entry.derive_commit(content.core, content.payload_hash)


def test_golden_vector() -> None:
    at = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert entry.derive_quarter(at) == VECTOR["quarter"]
    tag_key = entry.derive_tag_key(_hex("chain_key"), "open", VECTOR["quarter"])
    assert tag_key == _hex("tag_key")
    tags = [entry.derive_tag(tag_key, number) for number in range(3)]
    assert [tag.hex() for tag in tags] == VECTOR["tags"]
    core, payload = VECTOR["core"].encode(), VECTOR["payload"].encode()
    payload_hash = entry.derive_payload_hash(_hex("salt"), payload)
    assert payload_hash == _hex("payload_hash")
    commit = entry.derive_commit(core, payload_hash)
    assert commit == _hex("commit")
    data = entry.build_person_entry(tags[0], commit)
    assert data == _hex("entry")
    assert len(data) == entry.ENTRY_LENGTH
    assert entry.derive_leaf_hash(data) == _hex("leaf_hash")
    key = entry.derive_content_key(_hex("quarter_key"))
    assert key == _hex("content_key")
    content = entry.open_content(key, _hex("sealed"), commit)
    assert content == entry.Content(salt=_hex("salt"), core=core, payload=payload)
    document = VECTOR["statement_document"].encode()
    assert entry.build_statement_entry(document) == _hex("statement_entry")
    tag_root = entry.build_tag_root_entry(VECTOR["tag_root_size"], _hex("tag_root_root"))
    assert tag_root == _hex("tag_root_entry")


@given(
    core=st.binary(max_size=3000),
    payload=st.binary(max_size=3000),
    salt=st.binary(min_size=32, max_size=32),
)
def test_a_content_opens_to_what_was_sealed_and_shows_only_a_size_class(
    core: bytes, payload: bytes, salt: bytes
) -> None:
    content = entry.Content(salt=salt, core=core, payload=payload)
    sealed = entry.seal_content(KEY, content)
    assert (len(sealed) - 28) % 1024 == 0
    assert entry.open_content(KEY, sealed, _commit(content)) == content


@given(data=st.binary(max_size=3000))
def test_an_input_opens_to_what_was_sealed_but_not_as_a_content(data: bytes) -> None:
    commit = _commit(_content())
    sealed = entry.seal_input(KEY, data, commit)
    assert (len(sealed) - 28) % 1024 == 0
    assert entry.open_input(KEY, sealed, commit) == data
    with pytest.raises(entry.ContentError):
        entry.open_content(KEY, sealed, commit)
    with pytest.raises(entry.ContentError):
        entry.open_input(KEY, sealed, bytes(32))


def test_a_content_opens_only_with_its_key_and_for_its_entry() -> None:
    content = _content()
    sealed = entry.seal_content(KEY, content)
    with pytest.raises(entry.ContentError):
        entry.open_content(bytes(32), sealed, _commit(content))
    with pytest.raises(entry.ContentError):
        entry.open_content(KEY, sealed, _commit(_content(core=b"other")))
    with pytest.raises(entry.ContentError):
        entry.open_content(KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]), _commit(content))


def _body(*parts: bytes) -> bytes:
    body = SALT + b"".join(parts)
    return body + bytes(-len(body) % 1024)


@pytest.mark.parametrize(
    "body",
    [
        _body(b"\x00\x00\x00\x04core\x00\x00\x00\x07payloae"),
        _body(b"\x00\x00\x00\x04core\xff\xff\xff\xffpayload"),
        _body(b"\x00\x00\x00\x04core\x00\x00\x00\x07payload") + bytes(1024),
        _body(b"\x00\x00\x00\x04core\x00\x00\x00\x07payload")[:-1] + b"\x01",
        _body(b"\x00\x00\x00\x04core\x00\x00\x00\x07payload")[:-1],
        SALT,
        b"",
    ],
    ids=["other-payload", "length", "padding-long", "padding-used", "padding-short", "cut", "none"],
)
def test_a_body_of_another_form_is_refused_even_under_the_right_key(body: bytes) -> None:
    commit = _commit(_content())
    sealed = seal(KEY, body, b"dw1\x00\x01\x01" + commit)
    with pytest.raises(entry.ContentError):
        entry.open_content(KEY, sealed, commit)


def test_entries_are_read_back_and_other_bytes_refused() -> None:
    data = entry.build_statement_entry(b"document")
    read = entry.parse_entry(data)
    assert read.type is entry.EntryType.STATEMENT
    assert read.ref == entry.ZERO_REF
    assert read.serialise() == data
    for bad in (data[:-1], data + b"\x00", b"\x02" + data[1:], b"\x01\x04" + data[2:], b""):
        with pytest.raises(entry.EntryError):
            entry.parse_entry(bad)


def test_a_tag_key_is_of_one_audience_and_one_quarter() -> None:
    keys = {
        entry.derive_tag_key(KEY, audience, quarter)
        for audience in ("open", "own", "delayed")
        for quarter in ("2026Q1", "2026Q2")
    }
    assert len(keys) == 6


@pytest.mark.parametrize(
    ("moment", "quarter"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026Q1"),
        (datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC), "2026Q1"),
        (datetime(2026, 4, 1, tzinfo=UTC), "2026Q2"),
        (datetime(2026, 9, 30, tzinfo=UTC), "2026Q3"),
        (datetime(2026, 10, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), "2026Q3"),
    ],
)
def test_a_quarter_is_that_of_the_moment_in_utc(moment: datetime, quarter: str) -> None:
    assert entry.derive_quarter(moment) == quarter


def test_a_naive_moment_has_no_quarter() -> None:
    with pytest.raises(ValueError, match="time zone"):
        entry.derive_quarter(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def test_a_content_does_not_print_what_it_holds() -> None:
    assert "core" not in repr(_content(core=b"secret core", payload=b"secret"))
