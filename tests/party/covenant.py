"""A covenant for tests: parties with real keys, and a list that real covenant keys sign."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from datwat.protocol import group
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.documents import sign_document
from datwat.protocol.keys import ExchangeKey, SigningKey
from datwat.protocol.signing import SignedMessage, build_message
from datwat.protocol.trust import (
    BrokerEntry,
    BsnRight,
    Covenant,
    Epoch,
    KeyHolderEntry,
    LogEntry,
    Partner,
    PolicyKeys,
    PublicJwk,
    TrustList,
)
from datwat.protocol.values import encode_bytes, encode_moment

BROKER_ID = "00000099000000003000:broker"
KEY_HOLDER_ID = "00000099000000002000:key-holder"
VKEY = "log.example/log/1+00000000+" + "A" * 44


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def jwk(key: SigningKey) -> PublicJwk:
    return PublicJwk(kty="OKP", crv="Ed25519", x=key.public.raw)


@dataclass
class Member:
    """A partner and its private key."""

    partner: Partner
    key: SigningKey

    @property
    def id(self) -> str:
        return self.partner.id

    def sign(
        self, members: dict[str, Any], parts: tuple[bytes, ...] = (), **changes: object
    ) -> SignedMessage:
        """Sign an object with a fresh id and the present time, unless `changes` say otherwise."""
        base = {
            "v": 1,
            "iss": self.id,
            "iat": encode_moment(now()),
            "rid": encode_bytes(os.urandom(16)),
            "has_statement": False,
            "has_ticket": False,
        }
        return build_message({**base, **members, **changes}, parts, self.key)


def build_member(number: int, *uses: str, covenant_until: datetime | None = None) -> Member:
    key = SigningKey.generate()
    rights = (
        (BsnRight.model_validate({"law": "Jeugdwet 7.2.1", "whose": "youth", "uses": uses}),)
        if uses
        else ()
    )
    partner = Partner(
        id=f"{99 * 10**12 + number:020d}:youth-help",
        name=f"Partner {number}",
        domain="youth",
        covenant_until=covenant_until or now() + timedelta(days=300),
        keys=(jwk(key),),
        gateway_url=None,
        bsn_rights=rights,
        contact="020 000 0000",
        profile="Helps.",
    )
    return Member(partner, key)


@dataclass
class TestCovenant:
    """All keys of a covenant, and its members."""

    __test__ = False

    members: tuple[Member, ...] = ()
    covenant_keys: tuple[SigningKey, ...] = field(
        default_factory=lambda: tuple(SigningKey.generate() for _ in range(3))
    )
    threshold: int = 2
    broker_key: SigningKey = field(default_factory=SigningKey.generate)
    broker_exchange: ExchangeKey = field(default_factory=ExchangeKey.generate)
    policy_key: SigningKey = field(default_factory=SigningKey.generate)
    key_holder: KeyHolderEntry | None = None

    def broker_entry(self) -> BrokerEntry:
        return BrokerEntry(
            id=BROKER_ID,
            name="Broker",
            keys=(jwk(self.broker_key),),
            x25519=(self.broker_exchange.public.raw,),
            url="http://127.0.0.1:1",
        )

    def build(self, seq: int = 1, valid_until: datetime | None = None) -> TrustList:
        holder = self.key_holder or KeyHolderEntry(
            id=KEY_HOLDER_ID,
            name="Key holder",
            x25519=(ExchangeKey.generate().public.raw,),
            url="http://127.0.0.1:2",
            epochs=(Epoch(epoch=1, pk=group.multiply_base(group.random_scalar())),),
        )
        self.key_holder = holder
        return TrustList(
            v=1,
            seq=seq,
            valid_until=valid_until or now() + timedelta(days=30),
            covenant=Covenant(
                threshold=self.threshold, keys=tuple(jwk(key) for key in self.covenant_keys)
            ),
            partners=tuple(member.partner for member in self.members),
            broker=self.broker_entry(),
            key_holder=holder,
            policy=PolicyKeys(threshold=1, keys=(jwk(self.policy_key),)),
            log=LogEntry(origin="log.example/log/1", vkeys=(VKEY,)),
            witness_threshold=0,
        )

    def sign(self, trust: TrustList, *, signers: int = 2) -> bytes:
        payload = encode_canonical(trust.model_dump(mode="json"))
        return sign_document(payload, self.covenant_keys[:signers]).to_bytes()


def write(path: Path, document: bytes) -> Path:
    path.write_bytes(document)
    return path
