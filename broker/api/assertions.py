"""A client's assertion (`private_key_jwt`): who it is from, by which key, for whom and when.

Rules: the algorithm is one of three that prove a private key, and fits the key; the header says
nothing but algorithm, kind and key; claims are read once and strictly, for joserfc takes duplicate
members; the kind is named, so that no message that a partner signs for the broker is an assertion,
nor the other way round. Sources: RFC 7515, RFC 7523 section 3, RFC 8725, NL GOV Assurance profile
for OAuth 2.0 (audience, `jti` of 128 bits, once; PS256 in the place of RS256).
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from datwat.party.errors import PartyError
from datwat.protocol.canonical import CanonicalError, decode_strict
from datwat.protocol.values import FormError, decode_bytes

ALGORITHMS: Final = ("ES256", "PS256", "EdDSA", "Ed25519")
LONGEST_LIFE: Final = timedelta(minutes=5)
_LEEWAY: Final = timedelta(seconds=30)
_KINDS: Final = frozenset({"JWT", "client-authentication+jwt"})
_HEADER: Final = frozenset({"alg", "typ", "kid"})
_LONGEST: Final = 8_192
_SHORTEST_JTI, _LONGEST_JTI = 22, 256
# A partner's id or a client's: nothing else is looked for (a database takes no NUL in a text).
_ID_FORM: Final = re.compile(r"[a-z0-9][a-z0-9:-]{0,63}")
_SMALLEST_RSA: Final = 3_072
_LARGEST_RSA: Final = 8_192
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class AssertionRefusedError(PartyError):
    """An assertion that does not hold; nobody is told which of its rules it breaks."""

    code = "assertion_refused"
    default_detail = "The assertion does not hold."


class ClientKeyError(PartyError):
    """A public key that no client can have."""

    code = "access_client_key"
    default_detail = (
        "The key must be one public JWK: Ed25519, P-256, or RSA of 3,072 to 8,192 bits. "
        "Leave every private member out."
    )


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion that holds; it may not be used again before `spent_until`."""

    client_id: str
    jti_hash: bytes = field(repr=False)
    issued_at: datetime
    spent_until: datetime


def read_issuer(text: str) -> str:
    """Return who an assertion says it is from, nothing of it believed; raise the refusal."""
    issuer = _read_part(text, 1).get("iss")
    if not isinstance(issuer, str) or not _ID_FORM.fullmatch(issuer):
        raise AssertionRefusedError
    return issuer


def read_assertion(
    text: str, keys: Sequence[str], *, client_id: str, aud: str, now: datetime
) -> Assertion:
    """Return the assertion if `client_id` made it for `aud` just now; `keys` are its public JWKs.

    Raises AssertionRefusedError.
    """
    header = _read_part(text, 0)
    if not set(header) <= _HEADER or header.get("typ") not in _KINDS:
        raise AssertionRefusedError
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise AssertionRefusedError
    key = _choose_key([read_client_key(one) for one in keys], header.get("kid"), str(algorithm))
    _require_signature(text, key, str(algorithm))
    return _read_claims(_read_part(text, 1), client_id=client_id, aud=aud, now=now)


def _require_signature(text: str, key: Key, algorithm: str) -> None:
    with warnings.catch_warnings():
        # `EdDSA` with an Ed25519 key is `Ed25519` (RFC 9864); clients go on to use the old name.
        warnings.simplefilter("ignore", SecurityWarning)
        try:
            jws.deserialize_compact(text, key, algorithms=[algorithm])
        except (JoseError, ValueError, TypeError):
            raise AssertionRefusedError from None


def read_client_key(text: str) -> Key:
    """Return the public key of a JWK's text, of one of the kinds taken; raise ClientKeyError."""
    try:
        members = decode_strict(text.encode(), max_bytes=_LONGEST)
        if not isinstance(members, dict) or _PRIVATE & set(members):
            raise ClientKeyError
        key = JWKRegistry.import_key(members)
    except (CanonicalError, JoseError, ValueError, TypeError, KeyError):
        raise ClientKeyError from None
    if not _find_algorithms(key):
        raise ClientKeyError
    return key


def _find_algorithms(key: Key) -> tuple[str, ...]:
    """Return what a key may sign with; nothing for a kind that is not taken."""
    match key:
        case OKPKey() if key.curve_name == "Ed25519":
            return "EdDSA", "Ed25519"
        case ECKey() if key.curve_name == "P-256":
            return ("ES256",)
        case RSAKey() if _SMALLEST_RSA <= key.public_key.key_size <= _LARGEST_RSA:
            return ("PS256",)
    return ()


def _choose_key(keys: Sequence[Key], kid: object, algorithm: str) -> Key:
    """Return the one key that is meant: by its thumbprint, or the only one that there is."""
    named = [key for key in keys if kid is None or kid in (key.thumbprint(), key.kid)]
    if len(named) != 1 or algorithm not in _find_algorithms(named[0]):
        raise AssertionRefusedError
    return named[0]


def _read_claims(claims: dict[str, Any], *, client_id: str, aud: str, now: datetime) -> Assertion:
    """Hold the claims against the profile: issuer, subject, audience, time, id."""
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise AssertionRefusedError
    if claims.get("aud") not in (aud, [aud]):
        raise AssertionRefusedError
    issued, expires = _read_moment(claims.get("iat")), _read_moment(claims.get("exp"))
    begins = _read_moment(claims["nbf"]) if "nbf" in claims else issued
    if max(issued, begins) > now + _LEEWAY or expires <= now or issued < now - LONGEST_LIFE:
        raise AssertionRefusedError
    if not timedelta(0) < expires - issued <= LONGEST_LIFE:
        raise AssertionRefusedError
    jti = claims.get("jti")
    if not isinstance(jti, str) or not _SHORTEST_JTI <= len(jti) <= _LONGEST_JTI:
        raise AssertionRefusedError
    spent = hashlib.sha256(f"{client_id}\0{jti}".encode("utf-8", "replace")).digest()
    return Assertion(client_id, spent, issued, expires + _LEEWAY)


def _read_moment(value: object) -> datetime:
    if not isinstance(value, int) or isinstance(value, bool):
        raise AssertionRefusedError
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise AssertionRefusedError from None


def _read_part(text: str, number: int) -> dict[str, Any]:
    """Return one part of a compact JWS as JSON without duplicate members."""
    parts = text.split(".") if len(text) <= _LONGEST else []
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        raise AssertionRefusedError
    try:
        found = decode_strict(decode_bytes(parts[number]))
    except (FormError, CanonicalError):
        raise AssertionRefusedError from None
    if not isinstance(found, dict):
        raise AssertionRefusedError
    return found
