"""Checkpoints: what a log states about itself, and who vouches for it.

Rule: a checkpoint counts only if a known key of that log signed it; a line of a known key that does
not verify spoils the whole note; lines of unknown keys are ignored.
Source: C2SP tlog-checkpoint, tlog-cosignature (type 0x04, cosignature/v1).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, ValidationError

from datwat.protocol.notes import (
    COSIGNATURE_TYPE,
    SIGNATURE_TYPE,
    KeyName,
    Note,
    NoteError,
    NoteMalformedError,
    NoteSignatureError,
    SignatureLine,
    VerifierKey,
    decode_base64,
    encode_base64,
    parse_note,
)
from datwat.protocol.values import Bytes32, Value

MAX_TREE_SIZE = 2**63 - 1

_SIGNATURE_LENGTH = 64
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class CheckpointUnsignedError(NoteError):
    """No known key signed the note."""

    code = "checkpoint_unsigned"
    default_detail = "No known key of the log signed this checkpoint."


class CheckpointOriginError(NoteError):
    """The checkpoint is of another log."""

    code = "checkpoint_origin"
    default_detail = "This checkpoint belongs to another log."


class Checkpoint(Value):
    """What a log states: its name, how many entries it has, and the root over them."""

    origin: str = Field(pattern=r"^[^\x00-\x1f]+$", max_length=250)
    size: int = Field(ge=0, le=MAX_TREE_SIZE)
    root: Bytes32

    @property
    def text(self) -> str:
        """The note text of this checkpoint."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


class Cosignature(Value):
    """A witness's word: at this moment (Unix seconds) this was the largest tree it had seen."""

    name: KeyName
    timestamp: int = Field(ge=0, le=MAX_TREE_SIZE)


class CheckpointSigner:
    """Signs the checkpoints of one log, by each of its keys; the key name is the origin.

    A log has one key, or two while its next one becomes known: whoever knows either of them reads
    the same note.
    """

    def __init__(
        self, origin: str, keys: Ed25519PrivateKey | Callable[[], Sequence[Ed25519PrivateKey]]
    ) -> None:
        """Take the key, or what gives the keys of the moment, the one in use first."""
        self.origin = origin
        self._read = keys if callable(keys) else lambda: (keys,)
        self._known: dict[int, tuple[Ed25519PrivateKey, VerifierKey]] = {}

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The verifier keys that go into the trust list, in that order."""
        return tuple(self._build_key(key).text for key in self._read())

    @property
    def vkey(self) -> str:
        """The verifier key of the key in use."""
        return self.vkeys[0]

    def sign(self, size: int, root: bytes) -> str:
        """Return the signed note of this tree; equal trees give equal notes (RFC 8032)."""
        text = Checkpoint(origin=self.origin, size=size, root=root).text
        lines = tuple(
            SignatureLine(
                name=self.origin,
                key_id=self._build_key(key).key_id,
                signature=key.sign(text.encode()),
            )
            for key in self._read()
        )
        return Note(text=text, signatures=lines).serialise().decode()

    def _build_key(self, key: Ed25519PrivateKey) -> VerifierKey:
        """Return the verifier key of a key, made once: it costs as much as a signature."""
        known = self._known.get(id(key))
        if known is None:
            public = key.public_key().public_bytes_raw()
            verifier = VerifierKey(name=self.origin, type=SIGNATURE_TYPE, public_key=public)
            known = self._known[id(key)] = (key, verifier)
        return known[1]


def parse_checkpoint(text: str) -> Checkpoint:
    """Return what the text of a note states; extension lines are allowed and ignored.

    Raises:
        NoteMalformedError: it is not the text of a checkpoint.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):  # noqa: PLR2004 - three lines and an end
        raise NoteMalformedError
    origin, size, root = lines[:3]
    if not _DECIMAL.fullmatch(size):
        raise NoteMalformedError
    try:
        return Checkpoint(origin=origin, size=int(size), root=decode_base64(root))
    except (ValueError, ValidationError) as error:
        raise NoteMalformedError from error


def verify_checkpoint(note_bytes: bytes, origin: str, vkeys: Sequence[str]) -> Checkpoint:
    """Return the checkpoint that a known key of this log signed.

    Args:
        note_bytes: the note as it came.
        origin: the name that the log must have.
        vkeys: the verifier keys of the log, from the trust list.

    Raises:
        NoteMalformedError: the bytes are not a signed checkpoint.
        CheckpointUnsignedError: no known key signed.
        NoteSignatureError: a line of a known key does not verify.
        CheckpointOriginError: it is the checkpoint of another log.
        VerifierKeyMalformedError: one of `vkeys` is not a verifier key.
    """
    note = parse_note(note_bytes)
    keys = [key for key in map(VerifierKey.parse, vkeys) if key.type == SIGNATURE_TYPE]
    signed = False
    for line in note.signatures:
        for key in keys:
            if line.is_of(key):
                key.verify(line.signature, note.text.encode())
                signed = True
    if not signed:
        raise CheckpointUnsignedError
    checkpoint = parse_checkpoint(note.text)
    if not hmac.compare_digest(checkpoint.origin.encode(), origin.encode()):
        raise CheckpointOriginError
    return checkpoint


def build_cosignature(
    text: str, name: str, private_key: Ed25519PrivateKey, timestamp: int
) -> SignatureLine:
    """Return the line by which a witness vouches for a checkpoint at `timestamp` (Unix seconds)."""
    key = VerifierKey(
        name=name, type=COSIGNATURE_TYPE, public_key=private_key.public_key().public_bytes_raw()
    )
    signature = private_key.sign(_cosigned(text, timestamp))
    return SignatureLine(
        name=name, key_id=key.key_id, signature=timestamp.to_bytes(8, "big") + signature
    )


def verify_cosignatures(note: Note, vkeys: Sequence[str]) -> tuple[Cosignature, ...]:
    """Return the cosignatures by known witnesses, the newest per witness, in the order of `vkeys`.

    Whether they are enough and new enough is for the caller to judge.

    Raises:
        NoteSignatureError: a line of a known witness does not verify.
        VerifierKeyMalformedError: one of `vkeys` is not a verifier key.
    """
    found = []
    for key in map(VerifierKey.parse, vkeys):
        if key.type != COSIGNATURE_TYPE:
            continue
        moments = [
            _verify_cosignature(line, key, note.text) for line in note.signatures if line.is_of(key)
        ]
        if moments:
            found.append(Cosignature(name=key.name, timestamp=max(moments)))
    return tuple(found)


def _verify_cosignature(line: SignatureLine, key: VerifierKey, text: str) -> int:
    if len(line.signature) != 8 + _SIGNATURE_LENGTH:
        raise NoteSignatureError
    timestamp = int.from_bytes(line.signature[:8], "big")
    if timestamp > MAX_TREE_SIZE:
        raise NoteSignatureError
    key.verify(line.signature[8:], _cosigned(text, timestamp))
    return timestamp


def _cosigned(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()
