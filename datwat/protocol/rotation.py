"""A rotation of the key holder's scalar, between key holder and broker: how far it is, and δ.

The broker asks, signed as every message, and says how far it is; what comes back is sealed under a
key that only these two can derive (X25519 and HKDF, as for tickets) and bound to the `rid` of the
question, so that nobody else can have made it and none is taken twice. δ = s'/s turns a pseudonym
of `leaving` into one of `current`. Source: docs/reference/protocol.md; docs/decisions/0026.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from datwat.protocol.canonical import CanonicalError, decode_canonical, encode_canonical
from datwat.protocol.errors import ProtocolError
from datwat.protocol.keys import ExchangeKey, ExchangePublicKey
from datwat.protocol.messages import EpochNumber, MessageObject
from datwat.protocol.sealing import UnsealError, derive_key, seal, unseal
from datwat.protocol.values import Bytes16, Bytes32, BytesUpTo64K, Value

_INFO = b"dw-rotation/v1\0"


class RotationSealError(ProtocolError):
    """Not sealed by the key holder for this very question, or not of this form."""

    code = "rotation_sealed"
    default_detail = "The key holder's answer about its rotation does not open or has another form."


class Progress(Value):
    """How far the broker is: of every thousand rows so many, from `leaving` to `current`."""

    leaving: EpochNumber
    current: EpochNumber
    permille: int = Field(ge=0, le=1_000)
    done: bool


class RotationObject(MessageObject):
    """The broker asks whether the scalar rotates; `progress` is there once it turns rows."""

    type: Literal["rotation"]
    progress: Progress | None = None


class RotationAnswer(Value):
    """The answer: a `Rotation`, sealed to the broker."""

    v: Literal[1]
    rid: Bytes16
    sealed: BytesUpTo64K


class Rotation(Value):
    """What the key holder says: nothing rotates; turn by δ; or it ended and `current` is left.

    `leaving`, `current` and `delta` are there where rows are to be turned; `current` alone where a
    rotation ended.
    """

    v: Literal[1]
    state: Literal["none", "turn", "ended"]
    leaving: EpochNumber | None = None
    current: EpochNumber | None = None
    delta: Bytes32 | None = Field(default=None, repr=False)


def derive_rotation_key(
    own: ExchangeKey, *, holder: ExchangePublicKey, broker: ExchangePublicKey
) -> bytes:
    """Return the key (32 bytes) that seals a rotation; `own` is the private key of either.

    Raises ValueError if `own` is neither of the two, ExchangeError for a low-order key.
    """
    if own.public.raw not in (holder.raw, broker.raw):
        msg = "the own key is neither the key holder's nor the broker's"
        raise ValueError(msg)
    other = broker if own.public.raw == holder.raw else holder
    return derive_key(own.derive_shared_secret(other), _INFO + holder.raw + broker.raw)


def seal_rotation(
    rotation: Rotation, rid: bytes, key: bytes, *, nonce: bytes | None = None
) -> bytes:
    """Return a rotation sealed for the question with id `rid`; `nonce` is for vectors only."""
    raw = encode_canonical(rotation.model_dump(mode="json"))
    return seal(key, raw, _INFO + rid, nonce=nonce)


def open_rotation(sealed: bytes, rid: bytes, key: bytes) -> Rotation:
    """Return what the key holder sealed for the question with id `rid`; raise RotationSealError."""
    try:
        raw = unseal(key, sealed, _INFO + rid)
        decode_canonical(raw)
        found = Rotation.model_validate_json(raw)
    except (UnsealError, CanonicalError, ValidationError):
        raise RotationSealError from None
    turns = found.leaving is not None and found.current is not None and found.delta is not None
    if turns != (found.state == "turn") or (found.current is None) != (found.state == "none"):
        raise RotationSealError
    return found
