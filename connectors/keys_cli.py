"""`datwat connector keys` and `datwat portal keys`: the key with which a partner signs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.identity_key import KEY_NAME
from datwat.party.own_keys import parse_signing
from datwat.party.own_keys_cli import HomeKinds, KeyKind
from datwat.party.trust_draft import CardError
from datwat.protocol.keys import SigningKey
from datwat.protocol.trust import Card, Partner, PublicJwk, TrustList


def _require_partner(card: Card) -> Partner:
    if card.partner is None:
        raise CardError("The card of this home is not a partner's: put its card.json back.")
    return card.partner


def _read_listed(trust: TrustList, card: Card) -> list[bytes]:
    own = _require_partner(card).id
    return [key.x for partner in trust.partners if partner.id == own for key in partner.keys]


def _name_on_card(card: Card, keys: Sequence[bytes], _gone: bytes | None) -> Card:
    jwks = tuple(PublicJwk(kty="OKP", crv="Ed25519", x=raw) for raw in keys)
    return card.model_copy(
        update={"partner": _require_partner(card).model_copy(update={"keys": jwks})}
    )


PARTNER_KEYS: Final[HomeKinds] = {
    "signing": KeyKind(
        file=KEY_NAME,
        draw=lambda: SigningKey.generate().to_jwk_text().encode("ascii"),
        parse=parse_signing,
        read_listed=_read_listed,
        name_on_card=_name_on_card,
    )
}
