"""While a key of the log or a witness is replaced, who knows either of the two reads the same."""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from datwat.party.own_keys_cli import start_next
from datwat.protocol.checkpoint import (
    CheckpointSigner,
    CheckpointUnsignedError,
    verify_checkpoint,
    verify_cosignatures,
)
from datwat.protocol.cosigning import find_other_line, read_cosignature_lines
from datwat.protocol.notes import Note, parse_note
from tests.witness.conftest import world
from tests.witness.world import World
from witness.cosign import build_vkey
from witness.own_key import WITNESS_KEYS, open_keys

__all__ = ["world"]
ORIGIN = "log.example/log/1"


def test_a_checkpoint_by_both_keys_is_read_by_either() -> None:
    keys = [Ed25519PrivateKey.generate() for _ in range(2)]
    old, new = (CheckpointSigner(ORIGIN, key).vkey for key in keys)
    signer = CheckpointSigner(ORIGIN, lambda: keys)
    note = signer.sign(3, bytes(32)).encode()
    assert signer.vkeys == (old, new)
    assert signer.sign(3, bytes(32)).encode() == note
    for known in ([old], [new], [old, new]):
        assert verify_checkpoint(note, ORIGIN, known).size == 3
    keys.pop(0)
    later = signer.sign(3, bytes(32)).encode()
    assert verify_checkpoint(later, ORIGIN, [new]).size == 3
    with pytest.raises(CheckpointUnsignedError):
        verify_checkpoint(later, ORIGIN, [old])


def test_a_running_witness_vouches_with_both_keys(world: World) -> None:
    request = world.maker.request(0)
    assert len(_read_lines(world, world.ask(0).content)) == 1
    start_next(world.home, WITNESS_KEYS["signing"])
    new, old = (
        build_vkey(world.witness.name, key.public.raw) for key in open_keys(world.home).keys
    )
    assert old == world.witness.vkey
    until, answer = time.monotonic() + 20, b""
    while time.monotonic() < until:
        answer = world.ask(world.maker.size).content
        if len(_read_lines(world, answer)) == 2:
            break
        time.sleep(0.2)
    text = parse_note(request.checkpoint).text
    for known, other in ((old, new), (new, old)):
        lines = read_cosignature_lines(request.checkpoint, answer, [known])
        assert len(verify_cosignatures(Note(text=text, signatures=lines), [known])) == 1
        # A broker keeps the line that it does not know yet, for whoever has the next list.
        (kept,) = find_other_line(request.checkpoint, answer, lines)
        note = Note(text=text, signatures=(*lines, kept))
        assert len(verify_cosignatures(note, [other])) == 1
        assert len(verify_cosignatures(note, [known])) == 1


def _read_lines(world: World, answer: bytes) -> tuple[object, ...]:
    text = parse_note(world.maker.note()).text
    return parse_note(f"{text}\n".encode() + answer).signatures
