"""Messages: one signature that authenticates, stops replay and is the evidence.

A message is `{object, protected, signature, parts[]}`, each base64url of exact bytes. The signature
is a flattened JWS (RFC 7515 section 7.2.2) whose payload is `object`: canonical JSON with at least
v, type, iss, aud, iat, rid and `parts`, the SHA-256 of each part in order. Who may have signed is
the trust list's to say; what for, is the object's `type`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError

from datwat.protocol.canonical import (
    MAX_BYTES,
    CanonicalError,
    decode_canonical,
    decode_strict,
    encode_canonical,
)
from datwat.protocol.freshness import CLOCK_SKEW, MAX_AGE, require_fresh
from datwat.protocol.jws import MessageError, sign_object, verify_object
from datwat.protocol.keys import Signer, VerifyKey
from datwat.protocol.values import (
    PROTOCOL_VERSION,
    Bytes64,
    BytesUpTo1M,
    BytesUpTo64K,
    Value,
    decode_bytes,
    decode_moment,
    encode_bytes,
)

MAX_PARTS = 1_002
SALT_SIZE = 16
_RID_SIZE = 16


class MessageFormError(MessageError):
    """Not the wire form of a message."""

    code = "message_form"
    default_detail = "A message is JSON with object, protected, signature and parts, in base64url."


class MessageObjectError(MessageError):
    """The signed bytes are not the canonical JSON of an object."""

    code = "message_object"
    default_detail = "The signed object is not a JSON object in its canonical form."


class MessagePartsError(MessageError):
    """A part was swapped, dropped, added or changed."""

    code = "message_parts"
    default_detail = "The parts are not those that the signed object names, in that order."


class MessageVersionError(MessageError):
    """Another version of the protocol."""

    code = "message_version"
    default_detail = "The message is of another version of the protocol."


class MessageTypeError(MessageError):
    """Signed for something else."""

    code = "message_type"
    default_detail = "The message is not of the type that belongs here."


class MessageIssuerError(MessageError):
    """The issuer that is named does not own the signing key."""

    code = "message_issuer"
    default_detail = "The issuer is not the owner of the signing key."


class MessageAudienceError(MessageError):
    """Meant for somebody else."""

    code = "message_audience"
    default_detail = "The message is meant for another party."


class MessageTimeError(MessageError):
    """No moment, or one without UTC."""

    code = "message_time"
    default_detail = "`iat` must be a date-time in UTC of the form 2026-01-31T12:00:00Z."


class MessageExpiredError(MessageError):
    """Too old."""

    code = "message_expired"
    default_detail = "The message is too old: sign it anew."


class MessageAheadError(MessageError):
    """From the future."""

    code = "message_ahead"
    default_detail = "The message's time lies in the future: check the clocks."


class MessageIdError(MessageError):
    """No id of 128 bits."""

    code = "message_rid"
    default_detail = "`rid` must be base64url of 16 random bytes."


class SignedMessage(Value):
    """A message on the wire; nothing in it is believed before `open_message`."""

    object: BytesUpTo1M
    protected: BytesUpTo64K
    signature: Bytes64
    parts: Annotated[tuple[BytesUpTo1M, ...], Field(strict=False, max_length=MAX_PARTS)]

    @classmethod
    def from_bytes(cls, data: bytes, *, max_bytes: int = MAX_BYTES) -> Self:
        """Return the message of its wire form; raise CanonicalError or MessageFormError."""
        members = decode_strict(data, max_bytes=max_bytes)
        try:
            return cls.model_validate(members)
        except ValidationError as error:
            raise MessageFormError(place=_find_place(error)) from None

    def to_bytes(self) -> bytes:
        """Return the wire form: canonical JSON of four base64url members."""
        return encode_canonical(self.model_dump(mode="json"))


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """A message whose signature and parts hold; who may have signed it is the caller's question.

    `kid` is the key that signed: its owner by the trust list goes into `require_envelope`.
    """

    kid: str
    object: dict[str, Any] = field(repr=False)
    object_bytes: bytes = field(repr=False)
    request_hash: bytes
    parts: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every object carries, checked."""

    type: str
    iss: str
    aud: str
    iat_at: datetime
    rid: bytes


def _find_place(error: ValidationError) -> str | None:
    """Return the first finding's place, if it is one of our own member names."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
    known = bool(first) and first[0] in SignedMessage.model_fields
    return ".".join(str(step) for step in first) if known else None


def build_part(content: bytes, salt16: bytes | None = None) -> bytes:
    """Return 16 random bytes ‖ content, so that the hash of a part tells nothing about it.

    `salt16` is for test vectors, and for a caller that must build the same part twice.
    """
    salt = os.urandom(SALT_SIZE) if salt16 is None else salt16
    if len(salt) != SALT_SIZE:
        msg = "the salt of a part has 16 bytes"
        raise ValueError(msg)
    return salt + content


def part_content(part: bytes) -> bytes:
    """Return the content of a part; raise MessagePartsError if it has no salt."""
    if len(part) < SALT_SIZE:
        raise MessagePartsError
    return part[SALT_SIZE:]


def build_message(members: Mapping[str, Any], parts: Sequence[bytes], key: Signer) -> SignedMessage:
    """Return the signed message of an object's members (JSON values, no `parts`) and its parts."""
    digests = [encode_bytes(hashlib.sha256(part).digest()) for part in parts]
    object_bytes = encode_canonical({**members, "parts": digests})
    signed = sign_object(object_bytes, key)
    return SignedMessage(
        object=object_bytes,
        protected=signed.protected,
        signature=signed.signature,
        parts=tuple(parts),
    )


def _read_object(object_bytes: bytes) -> dict[str, Any]:
    try:
        members = decode_canonical(object_bytes)
    except CanonicalError as error:
        raise MessageObjectError(error.detail) from None
    if not isinstance(members, dict):
        raise MessageObjectError
    return members


def open_message(
    wire: bytes | SignedMessage, keys: Mapping[str, VerifyKey], *, max_bytes: int = MAX_BYTES
) -> OpenedMessage:
    """Return the message if one of `keys` signed it and the parts are those that it names.

    Steps: 1. form; 2. signature; 3. object; 4. number, order and hash of the parts. Type, issuer,
    audience and time are `require_envelope`'s. Raises CanonicalError or a MessageError of its own.
    """
    message = (
        wire
        if isinstance(wire, SignedMessage)
        else SignedMessage.from_bytes(wire, max_bytes=max_bytes)
    )
    kid = verify_object(message.object, message.protected, message.signature, keys)
    members = _read_object(message.object)
    require_parts(members, message.parts)
    return OpenedMessage(
        kid=kid,
        object=members,
        object_bytes=message.object,
        request_hash=hashlib.sha256(message.object).digest(),
        parts=message.parts,
    )


def require_parts(members: Mapping[str, Any], parts: Sequence[bytes]) -> None:
    """Raise MessagePartsError unless `parts` are exactly those whose hashes the object lists."""
    named = members.get("parts")
    if not isinstance(named, list) or len(named) != len(parts):
        raise MessagePartsError
    for digest, part in zip(named, parts, strict=True):
        if digest != encode_bytes(hashlib.sha256(part).digest()):
            raise MessagePartsError


def require_envelope(
    members: Mapping[str, Any],
    *,
    type: str,  # noqa: A002 - the member's own name
    iss: str,
    aud: str,
    now: datetime,
    max_age: timedelta = MAX_AGE,
    skew: timedelta = CLOCK_SKEW,
) -> Envelope:
    """Return what every object carries, if it is of this type, from and to these, and of this time.

    `iss` is the owner, by the trust list, of the key that signed: a partner signs for itself only.
    Raises MessageVersionError, -Type-, -Issuer-, -Audience-, -Id-, -Time-, -Expired-, -Ahead-.
    """
    version = members.get("v")
    if isinstance(version, bool) or version != PROTOCOL_VERSION:
        raise MessageVersionError(place="v")
    if members.get("type") != type:
        raise MessageTypeError(place="type")
    if members.get("iss") != iss:
        raise MessageIssuerError(place="iss")
    if members.get("aud") != aud:  # a list that holds the audience is another value
        raise MessageAudienceError(place="aud")
    rid = _read_rid(members.get("rid"))
    issued_at = _read_moment(members.get("iat"))
    require_fresh(
        issued_at,
        now,
        expired=MessageExpiredError,
        ahead=MessageAheadError,
        max_age=max_age,
        skew=skew,
    )
    return Envelope(type=type, iss=iss, aud=aud, iat_at=issued_at, rid=rid)


def _read_rid(value: object) -> bytes:
    try:
        rid = decode_bytes(value) if isinstance(value, str) else b""
    except ValueError:
        rid = b""
    if len(rid) != _RID_SIZE:
        raise MessageIdError(place="rid")
    return rid


def _read_moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise MessageTimeError(place="iat")
    try:
        return decode_moment(value)
    except ValueError:
        raise MessageTimeError(place="iat") from None
