"""Documents signed by a threshold of keys: the trust list and the bundle of purposes.

JWS, general JSON serialisation (RFC 7515 section 7.2.1), each signature with the same strict header
as a message. A key counts once however often it signed; an unknown key counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Self

from pydantic import Field, ValidationError

from datwat.protocol.canonical import MAX_BYTES, decode_strict, encode_canonical
from datwat.protocol.errors import ProtocolError
from datwat.protocol.jws import (
    MessageKeyError,
    MessageSignatureError,
    Signature,
    sign_object,
    verify_object,
)
from datwat.protocol.keys import SigningKey, VerifyKey
from datwat.protocol.values import BytesUpTo1M, Value

MAX_SIGNATURES = 64


class DocumentFormError(ProtocolError):
    """Not a JWS in its general JSON serialisation, without unprotected headers."""

    code = "document_form"
    default_detail = "A signed document is JSON with payload and signatures, in base64url."


class ThresholdError(ProtocolError):
    """Fewer keys signed than the threshold asks."""

    code = "document_threshold"
    default_detail = "Too few of the keys that must sign this document have signed it."


class SignedDocument(Value):
    """A payload and the signatures over it; believe nothing before `require_threshold`."""

    payload: BytesUpTo1M
    signatures: Annotated[
        tuple[Signature, ...], Field(strict=False, min_length=1, max_length=MAX_SIGNATURES)
    ]

    @classmethod
    def from_bytes(cls, data: bytes, *, max_bytes: int = 2 * MAX_BYTES) -> Self:
        """Return the document of its wire form; raise CanonicalError or DocumentFormError."""
        members = decode_strict(data, max_bytes=max_bytes)
        try:
            return cls.model_validate(members)
        except ValidationError:
            raise DocumentFormError from None

    def to_bytes(self) -> bytes:
        """Return the wire form: canonical JSON."""
        return encode_canonical(self.model_dump(mode="json"))


def build_verify_keys(keys: Iterable[VerifyKey]) -> dict[str, VerifyKey]:
    """Return the keys by their ids."""
    return {key.kid: key for key in keys}


def sign_document(payload: bytes, keys: Sequence[SigningKey]) -> SignedDocument:
    """Return `payload`, exact bytes, signed by each of `keys`."""
    return SignedDocument(
        payload=payload, signatures=tuple(sign_object(payload, key) for key in keys)
    )


def add_signature(document: SignedDocument, key: SigningKey) -> SignedDocument:
    """Return the document with one more signature, for keys that are never in one place."""
    return SignedDocument(
        payload=document.payload,
        signatures=(*document.signatures, sign_object(document.payload, key)),
    )


def count_valid_signatures(
    document: SignedDocument, keys: Mapping[str, VerifyKey]
) -> frozenset[str]:
    """Return the kids of the keys in `keys` that signed the payload.

    Raises MessageHeaderError for a header that is not exactly alg and kid; a signature by another
    key, or one that does not hold, counts for nothing.
    """
    valid = set()
    for signature in document.signatures:
        try:
            kid = verify_object(document.payload, signature.protected, signature.signature, keys)
        except (MessageKeyError, MessageSignatureError):
            continue
        valid.add(kid)
    return frozenset(valid)


def require_threshold(
    document: SignedDocument, keys: Mapping[str, VerifyKey], threshold: int
) -> bytes:
    """Return the payload if at least `threshold` (≥ 1) different keys of `keys` signed it.

    Raises ThresholdError.
    """
    if threshold < 1:
        msg = "a threshold is at least one"
        raise ValueError(msg)
    if len(count_valid_signatures(document, keys)) < threshold:
        raise ThresholdError
    return document.payload
