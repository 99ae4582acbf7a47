"""What the covenant is told of a broker and its log."""

from __future__ import annotations

from broker.adapters.secrets import BrokerSecrets
from broker.settings import BrokerSettings
from datwat.protocol.trust import BrokerEntry, Card, LogEntry, PublicJwk


def build_card(settings: BrokerSettings, secrets: BrokerSecrets) -> Card:
    """Return this broker's card."""
    entry = BrokerEntry(
        id=settings.id,
        name=settings.name,
        keys=(PublicJwk(kty="OKP", crv="Ed25519", x=secrets.signing.public.raw),),
        x25519=(secrets.exchange.public.raw,),
        url=settings.url,
    )
    origin = settings.log_origin
    log = LogEntry(origin=origin, vkeys=(secrets.build_signer(origin).vkey,))
    return Card(v=1, role="broker", broker=entry, log=log)
