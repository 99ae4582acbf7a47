"""The trust list: who is who, signed offline by a threshold of covenant keys.

One document says which partners, broker, key holder, log, policy keys and witnesses there are; no
party believes anybody about anybody else. It opens, each party can only close. Signatures and
thresholds are in `signing.py`; who reads the list, when and from where, is `party/trust_list.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from datwat.protocol.values import (
    URL_PATTERN,
    Bytes32,
    Moment,
    PartyId,
    PlainText,
    ShortText,
    Slug,
    Value,
)

Url = Annotated[str, Field(pattern=URL_PATTERN)]
VKey = Annotated[str, Field(pattern=r"^[^\s+]{1,200}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{40,100}$")]


class PublicJwk(Value):
    """An Ed25519 public key (RFC 8037); its id is its RFC 7638 thumbprint."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: Bytes32


class BsnRight(Value):
    """That a law lets this partner use the BSN: of whom (`whose`) and for what class (`for`)."""

    law: ShortText
    whose: Slug
    uses: tuple[Literal["register", "inquire", "self"], ...] = Field(min_length=1, max_length=3)


class Partner(Value):
    """An organisation and a function: help and enforcement are different partners."""

    id: PartyId
    name: ShortText
    domain: Slug
    enforcement: bool = False
    covenant_until: Moment
    keys: tuple[PublicJwk, ...] = Field(min_length=1, max_length=4)
    gateway_url: Url | None
    bsn_rights: tuple[BsnRight, ...] = Field(default=(), max_length=8)
    contact: PlainText
    profile: PlainText

    @property
    def may_use_bsn(self) -> bool:
        """Whether a law lets it use the BSN for others than a resident themselves."""
        return any(set(right.uses) - {"self"} for right in self.bsn_rights)


class Covenant(Value):
    """The keys whose threshold signs this list and the next."""

    threshold: int = Field(ge=1, le=16)
    keys: tuple[PublicJwk, ...] = Field(min_length=1, max_length=16)


class BrokerEntry(Value):
    """The broker: signing keys, X25519 keys (to seal tickets to), address."""

    id: PartyId
    name: ShortText
    keys: tuple[PublicJwk, ...] = Field(min_length=1, max_length=4)
    x25519: tuple[Bytes32, ...] = Field(min_length=1, max_length=4)
    url: Url


class Epoch(Value):
    """A scalar of the key holder by its number, and its public key pk = s·G."""

    epoch: int = Field(ge=1)
    pk: Bytes32


class KeyHolderEntry(Value):
    """The key holder: X25519 keys, address, and the epochs in force."""

    id: PartyId
    name: ShortText
    x25519: tuple[Bytes32, ...] = Field(min_length=1, max_length=4)
    url: Url
    epochs: tuple[Epoch, ...] = Field(min_length=1, max_length=2)


class PolicyKeys(Value):
    """The keys whose threshold signs the bundle of purposes, products and Rego."""

    threshold: int = Field(ge=1, le=16)
    keys: tuple[PublicJwk, ...] = Field(min_length=1, max_length=16)


class LogEntry(Value):
    """The log: its origin (which ends in a generation) and its verifier keys."""

    origin: ShortText
    vkeys: tuple[VKey, ...] = Field(min_length=1, max_length=4)


class Witness(Value):
    """A witness, its verifier key, and where it takes checkpoints (None: the log asks it nothing).

    A list without `url` is spelled as before there was one.
    """

    name: ShortText
    vkey: VKey
    url: Url | None = None

    @model_serializer(mode="wrap")
    def _spell(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        members: dict[str, Any] = handler(self)
        if self.url is None:
            del members["url"]
        return members


class TrustList(Value):
    """Everybody in the covenant, until `valid_until`; a higher `seq` replaces a lower one."""

    v: Literal[1]
    seq: int = Field(ge=1)
    valid_until: Moment
    covenant: Covenant
    partners: tuple[Partner, ...] = Field(max_length=2_000)
    broker: BrokerEntry
    key_holder: KeyHolderEntry
    policy: PolicyKeys
    log: LogEntry
    witnesses: tuple[Witness, ...] = Field(default=(), max_length=32)
    witness_threshold: int = Field(ge=0, le=32)


class Card(Value):
    """What a party says of itself at `init`, for the covenant to take up or not.

    A card that is no witness's is spelled as before there were such.
    """

    v: Literal[1]
    role: Literal["partner", "broker", "key_holder", "policy", "witness"]
    partner: Partner | None = None
    broker: BrokerEntry | None = None
    log: LogEntry | None = None
    key_holder: KeyHolderEntry | None = None
    policy_keys: tuple[PublicJwk, ...] = ()
    witness: Witness | None = None

    @model_serializer(mode="wrap")
    def _spell(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        members: dict[str, Any] = handler(self)
        if self.witness is None:
            del members["witness"]
        return members
