"""Notes and checkpoints: the C2SP examples, the golden vector, and negatives of our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from datwat.protocol import checkpoint as cp
from datwat.protocol import notes

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "receipt.json").read_text())
LOG, VKEY, NOTE = VECTOR["log"], VECTOR["vkey"], VECTOR["checkpoint"].encode()
ROOT = bytes.fromhex(VECTOR["root"])
SIGNER = cp.CheckpointSigner(
    LOG, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTOR["private_key"]))
)
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTOR["witness_private_key"]))

# C2SP signed-note, sections "Example" and the first one of the document.
EXAMPLE_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2O"
    "NncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def test_the_published_note_verifies() -> None:
    key = notes.VerifierKey.parse(EXAMPLE_VKEY)
    assert key.text == EXAMPLE_VKEY
    note = notes.parse_note(EXAMPLE_NOTE.encode())
    assert note.serialise() == EXAMPLE_NOTE.encode()
    (line,) = note.signatures
    assert line.is_of(key)
    key.verify(line.signature, note.text.encode())
    with pytest.raises(notes.NoteSignatureError):
        key.verify(line.signature, note.text.encode() + b" ")


def test_golden_vector() -> None:
    assert SIGNER.vkey == VKEY
    assert SIGNER.sign(VECTOR["size"], ROOT).encode() == NOTE
    found = cp.verify_checkpoint(NOTE, LOG, [VKEY])
    assert found == cp.Checkpoint(origin=LOG, size=3, root=ROOT)
    note = notes.parse_note(NOTE)
    line = cp.build_cosignature(note.text, VECTOR["witness"], WITNESS, VECTOR["cosigned_at"])
    assert line.text == VECTOR["cosignature"]
    cosigned = notes.parse_note(NOTE + line.text.encode())
    (word,) = cp.verify_cosignatures(cosigned, [VECTOR["witness_vkey"]])
    assert (word.name, word.timestamp) == (VECTOR["witness"], VECTOR["cosigned_at"])
    assert cp.verify_checkpoint(cosigned.serialise(), LOG, [VKEY]) == found


def test_lines_of_unknown_keys_are_ignored_but_never_enough() -> None:
    other = cp.CheckpointSigner(LOG, Ed25519PrivateKey.generate())
    stranger = other.sign(3, ROOT).encode()
    with pytest.raises(cp.CheckpointUnsignedError):
        cp.verify_checkpoint(stranger, LOG, [VKEY])
    both = NOTE + stranger.rpartition(b"\n\n")[2]
    assert cp.verify_checkpoint(both, LOG, [VKEY]).size == 3
    with pytest.raises(cp.CheckpointUnsignedError):
        cp.verify_checkpoint(NOTE, LOG, [])


def test_a_bad_line_of_a_known_key_spoils_the_note() -> None:
    forged = notes.SignatureLine(
        name=LOG, key_id=notes.VerifierKey.parse(VKEY).key_id, signature=bytes(64)
    )
    for spoilt in (NOTE + forged.text.encode(), NOTE.replace(b"\n3\n", b"\n4\n")):
        with pytest.raises(notes.NoteSignatureError):
            cp.verify_checkpoint(spoilt, LOG, [VKEY])


def test_a_checkpoint_of_another_log_is_refused_even_when_signed_by_the_known_key() -> None:
    private_key = Ed25519PrivateKey.generate()
    signer = cp.CheckpointSigner("broker.example/log/2", private_key)
    with pytest.raises(cp.CheckpointOriginError):
        cp.verify_checkpoint(signer.sign(3, ROOT).encode(), LOG, [signer.vkey])


def test_a_witness_key_signs_no_checkpoint_and_a_log_key_no_cosignature() -> None:
    text = notes.parse_note(NOTE).text
    line = cp.build_cosignature(text, LOG, WITNESS, 1)
    vkey = notes.VerifierKey(name=LOG, type=4, public_key=WITNESS.public_key().public_bytes_raw())
    note = notes.Note(text=text, signatures=(line,))
    with pytest.raises(cp.CheckpointUnsignedError):
        cp.verify_checkpoint(note.serialise(), LOG, [vkey.text])
    assert cp.verify_cosignatures(notes.parse_note(NOTE), [VKEY]) == ()


@pytest.mark.parametrize("change", ["timestamp", "length", "future", "text"])
def test_a_cosignature_that_does_not_hold_is_refused(change: str) -> None:
    text = notes.parse_note(NOTE).text
    line = cp.build_cosignature(text, VECTOR["witness"], WITNESS, 1_000)
    signature = {
        "timestamp": (1_001).to_bytes(8, "big") + line.signature[8:],
        "length": line.signature[:-1],
        "future": b"\xff" * 8 + line.signature[8:],
        "text": line.signature,
    }[change]
    changed = line.model_copy(update={"signature": signature})
    text = text.replace("\n3\n", "\n4\n") if change == "text" else text
    with pytest.raises(notes.NoteSignatureError):
        cp.verify_cosignatures(
            notes.Note(text=text, signatures=(changed,)), [VECTOR["witness_vkey"]]
        )


_LINE = NOTE.rpartition(b"\n\n")[2]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"\n\n" + _LINE,
        NOTE[:-1],
        NOTE.rpartition(b"\n\n")[0] + b"\n",
        NOTE + b"\n",
        NOTE + b"- a b\n",
        NOTE + "— a\n".encode(),
        NOTE + "— a AAAA==\n".encode(),
        NOTE + "— a+b AAAAAAAA\n".encode(),
        NOTE + "— a AAA\n".encode(),
        NOTE + "— a AB==\n".encode(),
        NOTE + ("— " + "a" * 10_000 + " AAAAAAAA\n").encode(),
        NOTE + b"\xff",
        NOTE.replace(b"\n3\n", b"\n3\r\n"),
        NOTE + _LINE * 64,
        NOTE + b"x" * 70_000,
    ],
)
def test_what_is_not_a_note_is_refused(data: bytes) -> None:
    with pytest.raises(notes.NoteMalformedError):
        notes.parse_note(data)


@pytest.mark.parametrize(
    "text",
    [
        f"{LOG}\n3\n",
        f"{LOG}\n03\n{notes.encode_base64(ROOT)}\n",
        f"{LOG}\n-3\n{notes.encode_base64(ROOT)}\n",
        f"{LOG}\n+3\n{notes.encode_base64(ROOT)}\n",
        f"{LOG}\n٣\n{notes.encode_base64(ROOT)}\n",
        f"{LOG}\n{2**63}\n{notes.encode_base64(ROOT)}\n",
        f"{LOG}\n{'9' * 5000}\n{notes.encode_base64(ROOT)}\n",
        f"{LOG}\n3\n{notes.encode_base64(ROOT[:31])}\n",
        f"{LOG}\n3\n{notes.encode_base64(ROOT)[:-1]}\n",
        f"{LOG}\n3\n{notes.encode_base64(ROOT)}\n\nextension\n",
        f"\n3\n{notes.encode_base64(ROOT)}\n",
    ],
)
def test_what_is_not_the_text_of_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(notes.NoteMalformedError):
        cp.parse_checkpoint(text)


def test_extension_lines_are_signed_and_ignored() -> None:
    text = notes.parse_note(NOTE).text + "extension\n"
    assert cp.parse_checkpoint(text).size == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        VKEY.replace("+", "-"),
        VKEY.replace("broker", "Broker"),
        VKEY[:-4] + "AAAA",
        VKEY + "\n",
        VKEY.replace("+AR", "+Ag"),
        EXAMPLE_VKEY.replace("530d903a", "530D903A"),
    ],
)
def test_what_is_not_a_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(notes.VerifierKeyMalformedError):
        notes.VerifierKey.parse(text)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_note_of_one_spelling_or_refused(data: bytes) -> None:
    try:
        note = notes.parse_note(data + b"\n\n" + _LINE)
    except notes.NoteMalformedError:
        return
    assert note.serialise() == data + b"\n\n" + _LINE


@given(place=st.integers(0, len(NOTE) - 1), bit=st.integers(0, 7))
def test_no_changed_bit_is_accepted(place: int, bit: int) -> None:
    changed = NOTE[:place] + bytes([NOTE[place] ^ (1 << bit)]) + NOTE[place + 1 :]
    with pytest.raises(notes.NoteError):
        cp.verify_checkpoint(changed, LOG, [VKEY])
