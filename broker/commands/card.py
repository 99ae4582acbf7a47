"""What the covenant is told of a broker and its log."""

from __future__ import annotations

from broker.adapters.secrets import BrokerSecrets
from broker.settings import BrokerSettings
from datwat.protocol.trust import BrokerEntry, Card, LogEntry, PublicJwk


def build_card(settings: BrokerSettings, secrets: BrokerSecrets) -> Card:
    """Return this broker's card, with every key that it has, the newest first."""
    entry = BrokerEntry(
        id=settings.id,
        name=settings.name,
        keys=tuple(
            PublicJwk(kty="OKP", crv="Ed25519", x=key.public.raw)
            for key in secrets.signing_keys.keys
        ),
        x25519=tuple(key.public.raw for key in secrets.exchange_keys.keys),
        url=settings.url,
    )
    origin = settings.log_origin
    vkeys = secrets.build_signer(origin).vkeys
    return Card(
        v=1, role="broker", broker=entry, log=LogEntry(origin=origin, vkeys=tuple(reversed(vkeys)))
    )
