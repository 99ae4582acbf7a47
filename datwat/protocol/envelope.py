"""The sealed release: what a source answers, which the broker passes on and cannot read.

HPKE (RFC 9180, base mode: DHKEM X25519, HKDF-SHA256, AES-256-GCM) carries one random release key to
the request's key, its info binding the core. Each permitted field is AES-256-GCM(release key, nonce
= its place among the paths in byte order, aad = core_hash ‖ path), padded to its size class, null
too; so no field can be read, moved, swapped or dropped, and its size tells nothing. `subject` lets
a client that may use the BSN discard a stranger's record. The source signs it all as a message.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from pydantic import Field

from datwat.protocol.canonical import CanonicalError, decode_canonical, encode_canonical
from datwat.protocol.errors import ProtocolError
from datwat.protocol.keys import ExchangeError, ExchangeKey, ExchangePublicKey
from datwat.protocol.messages import FieldPath, MessageObject
from datwat.protocol.sealing import KEY_SIZE, NONCE_SIZE, TAG_SIZE, build_cipher, derive_key
from datwat.protocol.values import Bytes32, BytesUpTo64K, Value, _BytesForm

_INFO = b"dw-release/v1\0"
_SUBJECT_INFO = b"dw-subject/v1\0"
_SUBJECT_AAD = b"subject"
_LENGTH_SIZE = 4
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_ENC_SIZE = 32 + KEY_SIZE + TAG_SIZE
_SUBJECT_SIZE = 32 + TAG_SIZE
MAX_FIELDS = 64
MAX_SIZE_CLASS = 65_536 - TAG_SIZE


class EnvelopeError(ProtocolError):
    """The envelope does not answer what was asked."""

    code = "envelope_refused"
    default_detail = "The envelope is refused."


class EnvelopeCoreError(EnvelopeError):
    """Sealed for another order."""

    code = "envelope_core"
    default_detail = "The envelope was sealed for another order."


class EnvelopeKeyError(EnvelopeError):
    """The release key does not open: another recipient, another order, or changed."""

    code = "envelope_key"
    default_detail = "The envelope does not open with this request's key for this order."


class EnvelopeMissingError(EnvelopeError):
    """A permitted field was left out."""

    code = "envelope_field_missing"
    default_detail = "The envelope lacks a field that was ordered."


class EnvelopeExtraError(EnvelopeError):
    """A field that was not ordered."""

    code = "envelope_field_extra"
    default_detail = "The envelope holds a field that was not ordered."


class EnvelopeSizeError(EnvelopeError):
    """A field whose size is not that of its class."""

    code = "envelope_field_size"
    default_detail = "A field of the envelope does not have the size of its class."


class EnvelopeFieldError(EnvelopeError):
    """A field that was moved, swapped or changed."""

    code = "envelope_field"
    default_detail = "A field of the envelope was moved, swapped or changed."


class EnvelopeValueError(EnvelopeError):
    """A field that opens, but holds no padded canonical value."""

    code = "envelope_value"
    default_detail = "A field of the envelope does not hold one padded value."


class EnvelopeSubjectError(EnvelopeError):
    """The subject's seal does not open."""

    code = "envelope_subject"
    default_detail = "The envelope's mark of whom it is about was changed."


class ValueTooLargeError(EnvelopeError):
    """A source's value that its schema's size class cannot hold."""

    code = "envelope_value_too_large"
    default_detail = "A value is larger than the size class of its field."


class EnvelopeBody(Value):
    """What the source seals; `enc` is HPKE's encapsulated key and the sealed release key."""

    core_hash: Bytes32
    enc: Annotated[bytes, _BytesForm(_ENC_SIZE, _ENC_SIZE)]
    fields: dict[FieldPath, BytesUpTo64K] = Field(min_length=1, max_length=MAX_FIELDS)
    subject: Annotated[bytes, _BytesForm(_SUBJECT_SIZE, _SUBJECT_SIZE)]


class EnvelopeObject(MessageObject, EnvelopeBody):
    """The object of the source's signed message: the body and what every message carries."""

    type: Literal["envelope"]


@dataclass(frozen=True, slots=True)
class OpenedEnvelope:
    """The values by path, and what tells whether they are about one's own client."""

    values: dict[str, Any] = field(repr=False)
    subject_tag: bytes = field(repr=False)
    subject_key: bytes = field(repr=False)


def _nonce(index: int) -> bytes:
    return index.to_bytes(NONCE_SIZE, "big")


def _pad(value: object, size_class: int) -> bytes:
    raw = encode_canonical(value)
    room = size_class - _LENGTH_SIZE - len(raw)
    if room < 0 or size_class > MAX_SIZE_CLASS:
        raise ValueTooLargeError
    return len(raw).to_bytes(_LENGTH_SIZE, "big") + raw + bytes(room)


def _unpad(padded: bytes) -> object:
    end = _LENGTH_SIZE + int.from_bytes(padded[:_LENGTH_SIZE], "big")
    if len(padded) < end or padded[end:].strip(b"\0"):
        raise EnvelopeValueError
    try:
        return decode_canonical(padded[_LENGTH_SIZE:end])
    except CanonicalError:
        raise EnvelopeValueError from None


def _derive_subject_tag(subject_key: bytes, bsn: str) -> bytes:
    return hmac.digest(subject_key, bsn.encode("ascii"), hashlib.sha256)


def _seal_release_key(key: bytes, recipient: ExchangePublicKey, core_hash: bytes) -> bytes:
    try:
        public = X25519PublicKey.from_public_bytes(recipient.raw)
        return _SUITE.encrypt(key, public, _INFO + core_hash)
    except ValueError:  # a point of low order, chosen by the requester
        raise ExchangeError from None


def seal_envelope(
    core_hash: bytes,
    recipient: ExchangePublicKey,
    values: Mapping[str, Any],
    size_classes: Mapping[str, int],
    subject_bsn: str | None,
    *,
    release_key: bytes | None = None,
) -> EnvelopeBody:
    """Return the envelope of `values`, one ciphertext per path, null too.

    `size_classes` gives each path's padded size in bytes (a value may take four less).
    `subject_bsn` is the client's normalised BSN where both sides may use it, else None. Sealed once
    per request key: a retry returns the recorded bytes. `release_key` is for test vectors only.
    Raises ValueTooLargeError, CanonicalError, ExchangeError; KeyError for a path without a class.
    """
    key = os.urandom(KEY_SIZE) if release_key is None else release_key
    cipher = build_cipher(key)
    paths = sorted(values, key=str.encode)
    fields = {
        path: cipher.encrypt(
            _nonce(index), _pad(values[path], size_classes[path]), core_hash + path.encode()
        )
        for index, path in enumerate(paths)
    }
    subject = (
        os.urandom(KEY_SIZE)
        if subject_bsn is None
        else _derive_subject_tag(derive_key(key, _SUBJECT_INFO), subject_bsn)
    )
    return EnvelopeBody(
        core_hash=core_hash,
        enc=_seal_release_key(key, recipient, core_hash),
        fields=fields,
        subject=cipher.encrypt(_nonce(len(paths)), subject, core_hash + _SUBJECT_AAD),
    )


def require_fields(
    body: EnvelopeBody,
    core_hash: bytes,
    paths: Collection[str],
    size_classes: Mapping[str, int] | None = None,
) -> None:
    """Raise unless the envelope is for this core and has exactly these paths: no key needed.

    With `size_classes` each field must also have the size of its class. This is all that the broker
    can check; the client checks it again. Raises EnvelopeCoreError, -Missing-, -Extra-, -Size-.
    """
    if not hmac.compare_digest(body.core_hash, core_hash):
        raise EnvelopeCoreError
    expected = set(paths)
    if expected - body.fields.keys():
        raise EnvelopeMissingError
    if body.fields.keys() - expected:
        raise EnvelopeExtraError
    if size_classes is not None and any(
        len(sealed) != size_classes[path] + TAG_SIZE for path, sealed in body.fields.items()
    ):
        raise EnvelopeSizeError


def open_envelope(
    body: EnvelopeBody,
    recipient: ExchangeKey,
    core_hash: bytes,
    expected_paths: Collection[str],
    *,
    size_classes: Mapping[str, int] | None = None,
) -> OpenedEnvelope:
    """Return the values of an envelope whose signature was checked before.

    Steps: 1. core and paths; 2. the release key; 3. every field at its place; 4. the subject. Each
    refusal is an EnvelopeError with its own code; nothing is returned unless everything opens.
    """
    require_fields(body, core_hash, expected_paths, size_classes)
    try:
        key = _SUITE.decrypt(body.enc, recipient.private, _INFO + core_hash)
    except (InvalidTag, ValueError):
        raise EnvelopeKeyError from None
    cipher = build_cipher(key)
    values: dict[str, Any] = {}
    for index, path in enumerate(sorted(body.fields, key=str.encode)):
        try:
            padded = cipher.decrypt(_nonce(index), body.fields[path], core_hash + path.encode())
        except InvalidTag:
            raise EnvelopeFieldError(place=path) from None
        values[path] = _unpad(padded)
    try:
        tag = cipher.decrypt(_nonce(len(values)), body.subject, core_hash + _SUBJECT_AAD)
    except InvalidTag:
        raise EnvelopeSubjectError from None
    return OpenedEnvelope(values, tag, derive_key(key, _SUBJECT_INFO))


def subject_matches(opened: OpenedEnvelope, bsn: str) -> bool:
    """Tell, in constant time, whether the source sealed this normalised BSN as the subject."""
    expected = _derive_subject_tag(opened.subject_key, bsn)
    return hmac.compare_digest(opened.subject_tag, expected)
