"""What a log asks of a witness: golden vector, the published example, and each refusal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from datwat.protocol import cosigning
from datwat.protocol.checkpoint import CheckpointSigner, build_cosignature, verify_cosignatures
from datwat.protocol.cosigning import (
    AddCheckpoint,
    CosigningError,
    CosigningForkError,
    CosigningFormError,
    CosigningOriginError,
    CosigningProofError,
    CosigningSizeError,
    CosigningUnsignedError,
    Vouched,
    parse_add_checkpoint,
    require_growth,
    require_known_log,
)
from datwat.protocol.notes import NoteSignatureError, parse_note

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "add-checkpoint.json").read_text())
BODY = VECTOR["request"].encode()
LOG, KEYS, WITNESSES = VECTOR["log"], [VECTOR["vkey"]], [VECTOR["witness_vkey"]]
VOUCHED = Vouched(VECTOR["old_size"], bytes.fromhex(VECTOR["old_root"]))
SIGNER = CheckpointSigner(
    LOG, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTOR["private_key"]))
)
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTOR["witness_private_key"]))

# C2SP tlog-witness, "Example request body"
PUBLISHED = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
""".encode()  # noqa: E501 - as published


def judge(request: AddCheckpoint, vouched: Vouched) -> int:
    checkpoint = require_known_log(request, LOG, KEYS)
    require_growth(request, checkpoint, vouched)
    return checkpoint.size


def change(**members: object) -> AddCheckpoint:
    return parse_add_checkpoint(BODY).model_copy(update=members)


def test_golden_vector() -> None:
    request = parse_add_checkpoint(BODY)
    assert request.serialise() == BODY
    assert judge(request, VOUCHED) == VECTOR["size"]
    text = parse_note(request.checkpoint).text
    line = build_cosignature(text, VECTOR["witness"], WITNESS, VECTOR["cosigned_at"])
    assert line.text == VECTOR["answer"]
    lines = cosigning.read_cosignature_lines(
        request.checkpoint, VECTOR["answer"].encode(), WITNESSES
    )
    assert lines == (line,)
    note = cosigning.add_lines(request.checkpoint, lines)
    (word,) = verify_cosignatures(parse_note(note), WITNESSES)
    assert word.timestamp == VECTOR["cosigned_at"]
    assert cosigning.build_size_answer(100).decode() == VECTOR["conflict"]
    assert cosigning.read_size_answer(VECTOR["conflict"].encode()) == 100
    assert cosigning.derive_origin_hash(LOG) == VECTOR["origin_hash"]
    assert judge(parse_add_checkpoint(VECTOR["first_request"].encode()), Vouched()) == 7


def test_the_published_request_has_this_form() -> None:
    request = parse_add_checkpoint(PUBLISHED)
    assert (request.old_size, len(request.proof)) == (20852014, 4)
    assert request.serialise() == PUBLISHED
    with pytest.raises(CosigningOriginError):
        require_known_log(request, LOG, KEYS)
    with pytest.raises(CosigningUnsignedError):
        require_known_log(request, "example.com/behind-the-sofa", KEYS)


def test_each_refusal_has_the_status_of_the_specification() -> None:
    smaller = change(checkpoint=SIGNER.sign(50, bytes(32)).encode())
    spoilt = change(
        checkpoint=parse_add_checkpoint(BODY).checkpoint.replace(b"\n300\n", b"\n301\n")
    )
    stranger = CheckpointSigner(LOG, Ed25519PrivateKey.generate()).sign(300, bytes(32)).encode()
    other = CheckpointSigner("other.example/log", Ed25519PrivateKey.generate())
    unsigned = change(checkpoint=b"no checkpoint")
    forked = change(checkpoint=SIGNER.sign(100, bytes(32)).encode(), proof=())
    empty = AddCheckpoint(old_size=0, proof=(), checkpoint=SIGNER.sign(0, bytes(32)).encode())
    first = AddCheckpoint(
        old_size=0, proof=change().proof[:1], checkpoint=SIGNER.sign(7, bytes(32)).encode()
    )
    cases: list[tuple[AddCheckpoint, Vouched, type[CosigningError], int]] = [
        (smaller, VOUCHED, CosigningFormError, 400),
        (unsigned, VOUCHED, CosigningFormError, 400),
        (spoilt, VOUCHED, CosigningUnsignedError, 403),
        (change(checkpoint=stranger), VOUCHED, CosigningUnsignedError, 403),
        (
            change(checkpoint=other.sign(300, bytes(32)).encode()),
            VOUCHED,
            CosigningOriginError,
            404,
        ),
        (change(), Vouched(99, bytes(32)), CosigningSizeError, 409),
        (change(), Vouched(), CosigningSizeError, 409),
        (change(proof=change().proof[1:]), VOUCHED, CosigningProofError, 422),
        (change(), Vouched(100, bytes(32)), CosigningProofError, 422),
        (forked, VOUCHED, CosigningForkError, 422),
        (empty, Vouched(), CosigningProofError, 422),
        (first, Vouched(), CosigningProofError, 422),
    ]
    for request, vouched, kind, status in cases:
        with pytest.raises(kind) as refused:
            judge(request, vouched)
        assert refused.value.status == status


def test_the_conflict_names_the_size_held() -> None:
    with pytest.raises(CosigningSizeError) as refused:
        judge(change(), Vouched(250, bytes(32)))
    assert refused.value.size == 250


def test_the_same_tree_is_vouched_for_again() -> None:
    again = AddCheckpoint(old_size=300, proof=(), checkpoint=parse_add_checkpoint(BODY).checkpoint)
    assert judge(again, Vouched(300, bytes.fromhex(VECTOR["root"]))) == 300
    padded = again.model_copy(update={"proof": (bytes(32),)})
    with pytest.raises(CosigningProofError):
        judge(padded, Vouched(300, bytes.fromhex(VECTOR["root"])))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("old 100", "old 0100"),
        ("old 100", "old -1"),
        ("old 100", "Old 100"),
        ("old 100\n", ""),
        ("old 100\n", "old 100\r\n"),
        ("old 100\n", "old 100\nAAAA\n"),
        ("old 100\n", "old 100\n" + ("A" * 43 + "=\n") * 64),
        ("old 100\n", "old 99999999999999999999\n"),
        ("\n\n", "\n"),
    ],
)
def test_other_forms_are_refused(old: str, new: str) -> None:
    with pytest.raises(CosigningFormError):
        parse_add_checkpoint(VECTOR["request"].replace(old, new).encode())


def test_a_note_with_a_name_of_ten_kilobytes_is_refused() -> None:
    name = "n" * 10_240
    note = f"{LOG}\n300\n{'A' * 43}=\n\n— {name} {'A' * 96}\n"
    with pytest.raises(CosigningFormError):
        require_known_log(change(checkpoint=note.encode()), LOG, KEYS)
    named = SIGNER.sign(300, bytes(32)).replace(LOG, name)
    with pytest.raises(CosigningFormError):
        require_known_log(change(checkpoint=named.encode()), LOG, KEYS)
    with pytest.raises(CosigningFormError):
        parse_add_checkpoint(BODY + b"x" * 80_000)


@given(st.binary(max_size=200))
def test_parsing_is_total(data: bytes) -> None:
    for whole in (data, b"old 1\n" + data, BODY[:-9] + data):
        try:
            request = parse_add_checkpoint(whole)
            assert request.serialise() == whole
            judge(request, VOUCHED)
        except CosigningError:
            pass


def test_answers_of_a_witness_that_lies() -> None:
    note = parse_add_checkpoint(BODY).checkpoint
    text = parse_note(note).text
    stranger = build_cosignature(
        text, "other.example/w", Ed25519PrivateKey.generate(), 1_792_000_000
    )
    assert cosigning.read_cosignature_lines(note, stranger.text.encode(), WITNESSES) == ()
    other = build_cosignature(text + "x\n", VECTOR["witness"], WITNESS, 1_792_000_000)
    with pytest.raises(NoteSignatureError):
        cosigning.read_cosignature_lines(note, other.text.encode(), WITNESSES)
    for answer in (b"", b"200\n", b"x\n\n" + VECTOR["answer"].encode(), b"\n", bytes(99)):
        with pytest.raises(CosigningFormError):
            cosigning.read_cosignature_lines(note, answer, WITNESSES)
    for answer in (b"", b"1", b"01\n", b"1\n2\n", b"99999999999999999999\n", b"-1\n"):
        with pytest.raises(CosigningFormError):
            cosigning.read_size_answer(answer)


def test_a_newer_line_of_a_witness_replaces_its_older_one() -> None:
    note = parse_add_checkpoint(BODY).checkpoint
    text = parse_note(note).text
    for moment in (1_792_000_000, 1_792_000_060):
        line = build_cosignature(text, VECTOR["witness"], WITNESS, moment)
        note = cosigning.add_lines(note, (line,))
    parsed = parse_note(note)
    assert len(parsed.signatures) == 2
    (word,) = verify_cosignatures(parsed, WITNESSES)
    assert word.timestamp == 1_792_000_060
