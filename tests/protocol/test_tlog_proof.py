"""The proof file of C2SP tlog-proof: golden vector, one spelling, and negatives."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datwat.protocol.checkpoint import CheckpointOriginError, CheckpointUnsignedError
from datwat.protocol.merkle import InclusionError
from datwat.protocol.notes import NoteSignatureError
from datwat.protocol.tlog_proof import (
    CosignaturesMissingError,
    TlogProof,
    TlogProofError,
    parse_tlog_proof,
    verify_tlog_proof,
)

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "tlog-proof.json").read_text())
PLAIN = VECTOR["plain"].encode()
LEAF = bytes.fromhex(VECTOR["leaf_hash"])
LOG, KEYS, WITNESSES = VECTOR["log"], [VECTOR["vkey"]], [VECTOR["witness_vkey"]]


def test_golden_vector() -> None:
    proof = parse_tlog_proof(PLAIN)
    assert (proof.index, proof.extra) == (VECTOR["index"], None)
    assert proof.serialise() == PLAIN
    found, (word,) = verify_tlog_proof(
        proof, LEAF, origin=LOG, vkeys=KEYS, witness_vkeys=WITNESSES, threshold=1
    )
    assert (found.size, found.root.hex()) == (VECTOR["size"], VECTOR["root"])
    assert word.timestamp == VECTOR["cosigned_at"]
    more = parse_tlog_proof(VECTOR["with_extra"].encode())
    assert more.extra == bytes.fromhex(VECTOR["extra"])
    assert more.serialise().decode() == VECTOR["with_extra"]
    assert more.model_copy(update={"extra": None}) == proof


def test_what_it_does_not_prove() -> None:
    proof = parse_tlog_proof(PLAIN)
    with pytest.raises(InclusionError):
        verify_tlog_proof(proof, bytes(32), origin=LOG, vkeys=KEYS)
    for changes in ({"index": 256}, {"path": proof.path[1:]}, {"path": ()}, {"index": 300}):
        with pytest.raises(InclusionError):
            verify_tlog_proof(proof.model_copy(update=changes), LEAF, origin=LOG, vkeys=KEYS)
    with pytest.raises(CheckpointUnsignedError):
        verify_tlog_proof(proof, LEAF, origin=LOG, vkeys=[])
    with pytest.raises(CheckpointOriginError):
        verify_tlog_proof(proof, LEAF, origin="other.example/log/1", vkeys=KEYS)
    with pytest.raises(CosignaturesMissingError):
        verify_tlog_proof(proof, LEAF, origin=LOG, vkeys=KEYS, threshold=1)
    spoilt = proof.checkpoint.replace(b"\n300\n", b"\n301\n")
    with pytest.raises(NoteSignatureError):
        verify_tlog_proof(
            proof.model_copy(update={"checkpoint": spoilt}), LEAF, origin=LOG, vkeys=KEYS
        )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@v1\n", "@v2\n"),
        ("index 257", "index 0257"),
        ("index 257", "index -1"),
        ("index 257", "index 99999999999999999999"),
        ("index 257", "index  257"),
        ("index 257\n", ""),
        ("index 257\n", "extra AA\nindex 257\n"),
        ("index 257\n", "index 257\nextra YQ==\n"),
        ("index 257\n", "index 257\r\n"),
        ("index 257\n", "index 257\nAAAA\n"),
        ("index 257\n", "index 257\n" + "A" * 43 + "=\n" * 1),
        ("\n\n", "\n"),
        ("c2sp", " c2sp"),
    ],
)
def test_other_spellings_are_refused(old: str, new: str) -> None:
    changed = VECTOR["plain"].replace(old, new, 1 if old != "\n\n" else -1).encode()
    assert changed != PLAIN
    if "AAAAA" in new:  # one more hash: a proof in form, which then proves nothing
        with pytest.raises(InclusionError):
            verify_tlog_proof(parse_tlog_proof(changed), LEAF, origin=LOG, vkeys=KEYS)
        return
    with pytest.raises(TlogProofError):
        parse_tlog_proof(changed)


def test_too_long_a_proof_is_refused() -> None:
    line = "A" * 43 + "=\n"
    for data in (
        PLAIN.replace(b"index 257\n", b"index 257\n" + line.encode() * 65),
        PLAIN + b"x" * 300_000,
        b"",
    ):
        with pytest.raises(TlogProofError):
            parse_tlog_proof(data)


@given(st.binary(max_size=200))
def test_parsing_is_total(data: bytes) -> None:
    for whole in (data, b"c2sp.org/tlog-proof@v1\n" + data):
        with contextlib.suppress(TlogProofError):
            assert parse_tlog_proof(whole).serialise() == whole


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=64),
    st.one_of(st.none(), st.binary(max_size=99)),
)
def test_every_proof_has_one_spelling(index: int, path: list[bytes], extra: bytes | None) -> None:
    proof = TlogProof(index=index, path=tuple(path), checkpoint=b"a\n\nb\n", extra=extra)
    assert parse_tlog_proof(proof.serialise()) == proof
