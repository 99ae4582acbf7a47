"""Signed notes and verifier keys: a text, and who signed it.

Rule: everything has one accepted spelling, and is parsed before anything is believed; a signature
line names a key by name and id, which proves nothing until the key has verified it.
Source: C2SP signed-note; key types 0x01 (Ed25519) and 0x04 (tlog-cosignature) only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, ValidationError

from datwat.protocol.errors import ProtocolError
from datwat.protocol.values import KEY_NAME_PATTERN, Bytes32, Value

MAX_NOTE_LENGTH = 65_536
MAX_SIGNATURES = 64
SIGNATURE_TYPE: Literal[1] = 1
COSIGNATURE_TYPE: Literal[4] = 4

_KEY_ID_LENGTH = 4
_VKEY = re.compile(r"([^\s+]{1,250})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{1,64})")

KeyName = Annotated[str, Field(pattern=KEY_NAME_PATTERN)]


class NoteError(ProtocolError):
    """A note or a verifier key does not hold."""

    code = "checkpoint_invalid"
    default_detail = "The checkpoint does not hold."


class NoteMalformedError(NoteError):
    """The bytes are not a signed note, or its text is not that of a checkpoint."""

    code = "checkpoint_malformed"
    default_detail = "This is not a signed checkpoint."


class VerifierKeyMalformedError(NoteError):
    """The text is not an Ed25519 verifier key."""

    code = "verifier_key_malformed"
    default_detail = "This is not the text of an Ed25519 verifier key."


class NoteSignatureError(NoteError):
    """A line of a known key does not verify."""

    code = "checkpoint_signature_invalid"
    default_detail = "A signature under this checkpoint is not valid."


class VerifierKey(Value):
    """A public key with the name and the type under which it may sign notes."""

    name: KeyName
    type: Literal[1, 4]
    public_key: Bytes32

    @property
    def key_id(self) -> bytes:
        """The four bytes that stand before this key's signatures."""
        material = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        return hashlib.sha256(material).digest()[:_KEY_ID_LENGTH]

    @property
    def text(self) -> str:
        """The verifier key as text: name+id+key."""
        encoded = encode_base64(bytes([self.type]) + self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Return the key that the text spells.

        Raises:
            VerifierKeyMalformedError: another form, another algorithm, or an id that does not fit.
        """
        found = _VKEY.fullmatch(text)
        if found is None:
            raise VerifierKeyMalformedError
        name, key_id, encoded = found.groups()
        try:
            material = decode_base64(encoded)
            key = cls.model_validate(
                {"name": name, "type": material[0], "public_key": material[1:]}
            )
            Ed25519PublicKey.from_public_bytes(key.public_key)
        except (ValueError, ValidationError, IndexError) as error:
            raise VerifierKeyMalformedError from error
        if key.key_id.hex() != key_id:
            raise VerifierKeyMalformedError
        return key

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check a raw Ed25519 signature; raise NoteSignatureError."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise NoteSignatureError from error


class SignatureLine(Value):
    """One line under a note: who says to have signed, and the bytes after the key id."""

    name: KeyName
    key_id: Annotated[bytes, Field(min_length=_KEY_ID_LENGTH, max_length=_KEY_ID_LENGTH)]
    signature: bytes

    @property
    def text(self) -> str:
        """The line with its newline."""
        return f"— {self.name} {encode_base64(self.key_id + self.signature)}\n"

    def is_of(self, key: VerifierKey) -> bool:
        """Whether the line names this key (which proves nothing yet)."""
        return self.name == key.name and self.key_id == key.key_id


class Note(Value):
    """A text with the signature lines under it; the text keeps its final newline."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def serialise(self) -> bytes:
        """Return the exact bytes of the note."""
        return (self.text + "\n" + "".join(line.text for line in self.signatures)).encode()


def parse_note(data: bytes) -> Note:
    """Return the text and signature lines of a note; nothing is verified.

    Raises:
        NoteMalformedError: too long, not UTF-8, control characters, no or too many signature lines,
            or a line in any but its one form.
    """
    if len(data) > MAX_NOTE_LENGTH:
        raise NoteMalformedError
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteMalformedError from error
    if any(character < " " and character != "\n" for character in whole):
        raise NoteMalformedError
    text, separator, lines = whole.rpartition("\n\n")
    if not separator or not text or not lines.endswith("\n"):
        raise NoteMalformedError
    rows = lines[:-1].split("\n")
    if len(rows) > MAX_SIGNATURES:
        raise NoteMalformedError
    return Note(text=text + "\n", signatures=tuple(_parse_line(row) for row in rows))


def _parse_line(row: str) -> SignatureLine:
    parts = row.split(" ")
    if len(parts) != 3 or parts[0] != "—":  # noqa: PLR2004 - dash, name, signature
        raise NoteMalformedError
    try:
        signature = decode_base64(parts[2])
        return SignatureLine(
            name=parts[1],
            key_id=signature[:_KEY_ID_LENGTH],
            signature=signature[_KEY_ID_LENGTH:],
        )
    except (ValueError, ValidationError) as error:
        raise NoteMalformedError from error


def encode_base64(value: bytes) -> str:
    """Return `value` as padded base64 (RFC 4648 section 4), as notes spell bytes."""
    return base64.b64encode(value).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Return the bytes of padded base64 in its one spelling; raise ValueError for any other."""
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64") from error
    if encode_base64(value) != text:
        raise ValueError("not the one spelling of base64")
    return value
