"""The ticket: how the one-time key of a blind look-up reaches the broker, and nobody else.

ticket = u16 length ‖ header ‖ nonce (12) ‖ AES-256-GCM(k_KB, t, aad = header), header = canonical
JSON. k_KB comes from X25519 between key holder and broker, so only these two can make one (HPKE in
base mode could be anybody). It fits one message only: partner, class, rid, number of elements; and
t⁻¹·pkT must be the epoch's published key, so that nobody is given another scalar.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, ValidationError

from datwat.protocol import group
from datwat.protocol.blinding import MAX_ELEMENTS
from datwat.protocol.canonical import CanonicalError, decode_canonical, encode_canonical
from datwat.protocol.freshness import CLOCK_SKEW, MAX_AGE, require_fresh
from datwat.protocol.keys import KID_PATTERN, ExchangeKey, ExchangePublicKey
from datwat.protocol.sealing import OVERHEAD, UnsealError, derive_key, seal, unseal
from datwat.protocol.ticket_errors import (
    TicketAheadError,
    TicketClassError,
    TicketCountError,
    TicketEpochError,
    TicketEvaluationError,
    TicketExpiredError,
    TicketForgedError,
    TicketFormError,
    TicketKeyError,
    TicketMessageError,
    TicketPartnerError,
    TicketScalarError,
)
from datwat.protocol.values import (
    PROTOCOL_VERSION,
    Bytes16,
    Bytes32,
    Moment,
    PartyId,
    Value,
    encode_bytes,
)

TicketClass = Literal["register", "inquire", "self"]
_INFO = b"dw-ticket/v1\0"
_LENGTH_SIZE = 2
_SEALED_SIZE = OVERHEAD + group.SIZE
_MAX_HEADER = 1_024


@dataclass(frozen=True, slots=True)
class TicketKey:
    """k_KB, and the id of the pair of keys that it comes from."""

    kid: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TicketUse:
    """The one message that a ticket is for: who sends it, of what class, its id, its elements."""

    partner: str
    ticket_class: TicketClass
    rid: bytes
    n: int


class TicketHeader(Value):
    """What a ticket is for; authenticated, not secret. `public` is pkT = t·s·G."""

    model_config = ConfigDict(
        validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    v: Literal[1]
    kid: Annotated[str, Field(pattern=KID_PATTERN)]
    partner: PartyId
    ticket_class: TicketClass = Field(alias="class")
    epoch: int = Field(ge=1, le=2**31)
    iat: Moment
    rid: Bytes16
    n: int = Field(ge=1, le=MAX_ELEMENTS)
    public: Bytes32 = Field(alias="pkT")

    @classmethod
    def build(
        cls, use: TicketUse, *, key: TicketKey, epoch: int, iat: datetime, public: bytes
    ) -> Self:
        """Return the header of a ticket for `use` under `key`; raise ValidationError if unfit."""
        return cls.model_validate(
            {
                "v": PROTOCOL_VERSION,
                "kid": key.kid,
                "partner": use.partner,
                "class": use.ticket_class,
                "epoch": epoch,
                "iat": iat,
                "rid": use.rid,
                "n": use.n,
                "pkT": public,
            }
        )

    def to_bytes(self) -> bytes:
        """Return the header's canonical JSON."""
        return encode_canonical(self.model_dump(mode="json"))


@dataclass(frozen=True, slots=True)
class OpenedTicket:
    """A ticket that fits; it takes the one-time key off its elements."""

    header: TicketHeader
    _inverse: bytes = field(repr=False)

    def derive_point(self, unblinded: bytes) -> bytes:
        """Return P = t⁻¹·gamma = s·H; raise PointError."""
        return group.multiply(self._inverse, unblinded)


def derive_ticket_key(
    own: ExchangeKey, *, holder: ExchangePublicKey, broker: ExchangePublicKey
) -> TicketKey:
    """Return k_KB for one of the two; `own` is the private key of holder or broker.

    Both public keys are bound into key and id. Raises ValueError if `own` is neither of the two,
    ExchangeError for a low-order key.
    """
    if own.public.raw not in (holder.raw, broker.raw):
        msg = "the own key is neither the key holder's nor the broker's"
        raise ValueError(msg)
    other = broker if own.public.raw == holder.raw else holder
    info = _INFO + holder.raw + broker.raw
    secret = derive_key(own.derive_shared_secret(other), info)
    return TicketKey(derive_pair_id(holder, broker), secret)


def derive_pair_id(holder: ExchangePublicKey, broker: ExchangePublicKey) -> str:
    """Return the `kid` of the tickets between these two public keys."""
    return encode_bytes(hashlib.sha256(_INFO + holder.raw + broker.raw).digest())


def seal_ticket(
    header: TicketHeader, one_time_scalar: bytes, key: TicketKey, *, nonce: bytes | None = None
) -> bytes:
    """Return the ticket that carries `one_time_scalar` under `header` (whose kid is `key`'s).

    `nonce` is for test vectors only. Raises ScalarError.
    """
    if header.kid != key.kid:
        msg = "the header names another key"
        raise ValueError(msg)
    raw = header.to_bytes()
    sealed = seal(key.secret, group.require_scalar(one_time_scalar), raw, nonce=nonce)
    return len(raw).to_bytes(_LENGTH_SIZE, "big") + raw + sealed


def _split(ticket: bytes) -> tuple[bytes, bytes]:
    length = int.from_bytes(ticket[:_LENGTH_SIZE], "big")
    end = _LENGTH_SIZE + length
    if length > _MAX_HEADER or len(ticket) != end + _SEALED_SIZE:
        raise TicketFormError
    return ticket[_LENGTH_SIZE:end], ticket[end:]


def _parse_header(raw: bytes) -> TicketHeader:
    try:
        members = decode_canonical(raw)
        header = TicketHeader.model_validate(members, by_name=False, by_alias=True)
    except (CanonicalError, ValidationError):
        raise TicketFormError from None
    return header


def parse_ticket_header(ticket: bytes) -> TicketHeader:
    """Return the header without any proof that it is genuine; raise TicketFormError."""
    return _parse_header(_split(ticket)[0])


def _require_use(header: TicketHeader, use: TicketUse) -> None:
    if header.partner != use.partner:
        raise TicketPartnerError
    if header.ticket_class != use.ticket_class:
        raise TicketClassError
    if header.rid != use.rid:
        raise TicketMessageError
    if header.n != use.n:
        raise TicketCountError


def open_ticket(
    ticket: bytes,
    keys: Mapping[str, TicketKey],
    *,
    use: TicketUse,
    epoch_keys: Mapping[int, bytes],
    now: datetime,
    max_age: timedelta = MAX_AGE,
    skew: timedelta = CLOCK_SKEW,
) -> OpenedTicket:
    """Return the opened ticket if it is genuine, fresh, and made for this very message.

    `keys` maps pair ids to keys, `epoch_keys` the epochs in force to their public keys, both from
    the trust list. `max_age` grows to RESUME_AGE only where an admitted message is resumed. Steps:

    1. the form; 2. the key; 3. genuine; 4. partner, class, rid, n; 5. time; 6. epoch;
    7. 0 < t < L; 8. t⁻¹·pkT is the epoch's key. Each refusal is a TicketError with its own code.
    """
    raw, sealed = _split(ticket)
    header = _parse_header(raw)
    key = keys.get(header.kid)
    if key is None:
        raise TicketKeyError
    try:
        scalar = unseal(key.secret, sealed, raw)
    except UnsealError:
        raise TicketForgedError from None
    _require_use(header, use)
    require_fresh(
        header.iat,
        now,
        expired=TicketExpiredError,
        ahead=TicketAheadError,
        max_age=max_age,
        skew=skew,
    )
    epoch_key = epoch_keys.get(header.epoch)
    if epoch_key is None:
        raise TicketEpochError
    return OpenedTicket(header, _require_epoch_key(scalar, header.public, epoch_key))


def _require_epoch_key(scalar: bytes, public: bytes, epoch_key: bytes) -> bytes:
    """Return t⁻¹ if t⁻¹·pkT is the epoch's key."""
    try:
        inverse = group.invert_scalar(scalar)
    except group.ScalarError:
        raise TicketScalarError from None
    try:
        fits = group.multiply(inverse, public) == epoch_key
    except group.PointError:
        fits = False
    if not fits:
        raise TicketEvaluationError
    return inverse
