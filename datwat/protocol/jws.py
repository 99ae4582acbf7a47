"""One JWS signature over exact bytes, with a header that is compared and never interpreted.

Ed25519 (RFC 8032) over the JWS signing input (RFC 7515 section 5.1, `alg` of RFC 9864); the header
is exactly `{"alg":"Ed25519","kid":…}` in canonical bytes, anything else is refused. joserfc
reads what this module writes (a test); verifying goes straight to `cryptography`, because joserfc
takes duplicate keys and other headers, and costs 30 µs more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from datwat.protocol.canonical import encode_canonical
from datwat.protocol.errors import ProtocolError
from datwat.protocol.keys import Signer, VerifyKey
from datwat.protocol.values import Bytes64, BytesUpTo64K, Value, encode_bytes

_PROTECTED = re.compile(rb'\{"alg":"Ed25519","kid":"([A-Za-z0-9_-]{43})"\}')


class MessageError(ProtocolError):
    """A signed message that does not hold."""

    code = "message_refused"
    default_detail = "The message is refused."


class MessageHeaderError(MessageError):
    """A protected header other than exactly alg and kid."""

    code = "message_header"
    default_detail = 'The protected header must be exactly {"alg":"Ed25519","kid":…}.'


class MessageKeyError(MessageError):
    """Signed by a key that is not in force."""

    code = "message_key_unknown"
    default_detail = "The signing key is not in the trust list."


class MessageSignatureError(MessageError):
    """The signature is not that key's over these bytes."""

    code = "message_signature"
    default_detail = "The signature does not hold."


class Signature(Value):
    """A protected header and a signature over it and a payload."""

    protected: BytesUpTo64K
    signature: Bytes64


def _signing_input(protected: bytes, payload: bytes) -> bytes:
    return f"{encode_bytes(protected)}.{encode_bytes(payload)}".encode("ascii")


def sign_object(object_bytes: bytes, signer: Signer) -> Signature:
    """Return the JWS header and signature over exact bytes, by the key of this moment."""
    key = signer.now()
    protected = encode_canonical({"alg": "Ed25519", "kid": key.kid})
    return Signature(
        protected=protected, signature=key.sign(_signing_input(protected, object_bytes))
    )


def read_kid(protected: bytes) -> str:
    """Return the kid of a protected header; raise MessageHeaderError for any other header."""
    match = _PROTECTED.fullmatch(protected)
    if match is None:
        raise MessageHeaderError
    return match[1].decode("ascii")


def verify_object(
    object_bytes: bytes, protected: bytes, signature: bytes, keys: Mapping[str, VerifyKey]
) -> str:
    """Return the kid of the key in `keys` that signed exactly these bytes.

    Raises MessageHeaderError, MessageKeyError, MessageSignatureError.
    """
    kid = read_kid(protected)
    key = keys.get(kid)
    if key is None or key.kid != kid:
        raise MessageKeyError
    if not key.is_signature(signature, _signing_input(protected, object_bytes)):
        raise MessageSignatureError
    return kid
