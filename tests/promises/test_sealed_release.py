"""Promise 4: what passes through the broker cannot be opened with anything that it has.

A release is recorded on its way from the source through the broker. Every value in the files of
broker and key holder that could be a key is tried on it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from datwat.party.settings import SETTINGS_FILE
from datwat.protocol.envelope import (
    EnvelopeBody,
    EnvelopeError,
    EnvelopeObject,
    open_envelope,
    seal_envelope,
)
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.sealing import UnsealError, unseal
from datwat.protocol.values import decode_bytes
from tests.databases import list_tables, read_rows
from tests.demo.world import World

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]
KEY = 32
# In small files a key is looked for at every place, in large ones where a run of text begins.
_BASE64 = re.compile(rb"[A-Za-z0-9_-]{43}")
_HEX = re.compile(rb"[0-9a-fA-F]{64}")
_BASE64_ANYWHERE = re.compile(rb"(?=([A-Za-z0-9_-]{43}))")
_HEX_ANYWHERE = re.compile(rb"(?=([0-9a-fA-F]{64}))")
_SMALL = 4_096


def find_candidates(folder: Path) -> set[bytes]:
    """Return every 32 bytes in the files of a folder, and its database, that could be a key."""
    found: set[bytes] = set()
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if len(data) <= _SMALL:
            found |= {data[at : at + KEY] for at in range(len(data) - KEY + 1)}
        small = len(data) <= _SMALL
        hexes = (_HEX_ANYWHERE if small else _HEX).findall(data)
        found |= {bytes.fromhex(text.decode()) for text in hexes}
        found |= set(decode_runs((_BASE64_ANYWHERE if small else _BASE64).findall(data)))
    if (folder / SETTINGS_FILE).exists():
        found |= set(read_blobs(folder))
    return found


def decode_runs(runs: Iterable[bytes]) -> Iterator[bytes]:
    for run in runs:
        yield base64.urlsafe_b64decode(run + b"=")


def read_blobs(home: Path) -> Iterator[bytes]:
    """Yield the first and last 32 bytes of every value in a party's database."""
    for table in list_tables(home):
        for row in read_rows(home, f'SELECT * FROM "{table}"'):
            for value in row:
                if isinstance(value, bytes) and len(value) >= KEY:
                    yield value[:KEY]
                    yield value[-KEY:]


def find_opener(body: EnvelopeBody, candidates: Iterable[bytes]) -> bytes | None:
    """Return the candidate that opens the envelope, as recipient's key or as its release key."""
    path, sealed = min(body.fields.items(), key=lambda item: item[0].encode())
    for candidate in candidates:
        try:
            open_envelope(body, ExchangeKey.from_seed(candidate), body.core_hash, body.fields)
        except (EnvelopeError, ValueError):
            pass
        else:
            return candidate
        try:
            unseal(candidate, bytes(12) + sealed, body.core_hash + path.encode())
        except UnsealError:
            continue
        return candidate
    return None


@pytest.fixture(scope="module")
def recorded(world: World) -> EnvelopeBody:
    """A release as the source answered it to the broker."""
    world.play(world.cases[5])
    one = next(one for one in world.recorders["youth-help"].find("/v1/orders") if one.status == 200)
    message = json.loads(one.answer)
    found = EnvelopeObject.model_validate_json(decode_bytes(message["object"]))
    return EnvelopeBody(
        core_hash=found.core_hash, enc=found.enc, fields=found.fields, subject=found.subject
    )


def test_nothing_that_broker_and_key_holder_hold_opens_a_release(
    world: World, recorded: EnvelopeBody
) -> None:
    candidates: set[bytes] = set()
    for name in ("broker", "key-holder"):
        secrets = list((world.covenant.home(name) / "secrets").iterdir())
        assert len(secrets) >= 3
        candidates |= find_candidates(world.covenant.home(name))
    assert len(candidates) > 500
    assert find_opener(recorded, candidates) is None


@pytest.mark.parametrize("form", ["raw", "hex", "jwk"])
def test_a_key_that_was_kept_would_be_found(tmp_path: Path, form: str) -> None:
    key, core_hash = ExchangeKey.generate(), b"c" * 32
    body = seal_envelope(core_hash, key.public, {"status": "loopt"}, {"status": 64}, None)
    raw = decode_bytes(json.loads(key.to_jwk_text())["d"])
    text = {"raw": raw, "hex": raw.hex().encode(), "jwk": key.to_jwk_text().encode()}[form]
    (tmp_path / "kept").write_bytes(b"before" + text + b"after")
    assert find_opener(body, find_candidates(tmp_path)) == raw
    (tmp_path / "kept").write_bytes(b"before" + ExchangeKey.generate().to_jwk_text().encode())
    assert find_opener(body, find_candidates(tmp_path)) is None


def test_a_release_key_that_was_kept_would_be_found(tmp_path: Path) -> None:
    release_key, core_hash = b"k" * 32, b"c" * 32
    body = seal_envelope(
        core_hash,
        ExchangeKey.generate().public,
        {"status": "loopt"},
        {"status": 64},
        None,
        release_key=release_key,
    )
    (tmp_path / "kept").write_bytes(release_key)
    assert find_opener(body, find_candidates(tmp_path)) == release_key


def test_the_broker_never_received_the_values(world: World, recorded: EnvelopeBody) -> None:
    assert recorded.fields
    for recorder in (world.recorders["broker"], world.recorders["youth-help"]):
        for one in recorder.exchanges:
            for plain in (b"groepsbegeleiding", b"P. Vos"):
                assert plain not in one.request
                assert plain not in one.answer
