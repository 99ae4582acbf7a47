"""The broker's keys that the trust list names: signing, exchange, log.

Rule: the log's older keys stay on its card when they sign no more: receipts that they signed are
checked by the list for as long as those are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from broker.adapters.secrets import (
    EXCHANGE_NAME,
    LOG_NAME,
    SIGNING_NAME,
    draw_exchange_key,
    draw_log_key,
    draw_signing_key,
    parse_log_key,
)
from datwat.party.own_keys import parse_exchange, parse_signing
from datwat.party.own_keys_cli import HomeKinds, KeyKind
from datwat.party.trust_draft import CardError
from datwat.protocol.notes import SIGNATURE_TYPE, VerifierKey
from datwat.protocol.trust import BrokerEntry, Card, LogEntry, PublicJwk, TrustList

_MOST: Final = 4


def _require_broker(card: Card) -> BrokerEntry:
    if card.broker is None:
        raise CardError("The card of this home is not a broker's: put its card.json back.")
    return card.broker


def _require_log(card: Card) -> LogEntry:
    if card.log is None:
        raise CardError("The card of this home names no log: put its card.json back.")
    return card.log


def _name_signing(card: Card, keys: Sequence[bytes], _gone: bytes | None) -> Card:
    jwks = tuple(PublicJwk(kty="OKP", crv="Ed25519", x=raw) for raw in keys)
    return card.model_copy(
        update={"broker": _require_broker(card).model_copy(update={"keys": jwks})}
    )


def _name_exchange(card: Card, keys: Sequence[bytes], _gone: bytes | None) -> Card:
    entry = _require_broker(card).model_copy(update={"x25519": tuple(keys)})
    return card.model_copy(update={"broker": entry})


def _name_log(card: Card, keys: Sequence[bytes], gone: bytes | None) -> Card:
    log = _require_log(card)
    own = [VerifierKey(name=log.origin, type=SIGNATURE_TYPE, public_key=raw).text for raw in keys]
    kept = [vkey for vkey in log.vkeys if VerifierKey.parse(vkey).public_key != gone]
    vkeys = tuple(dict.fromkeys((*own, *kept)))[:_MOST]
    return card.model_copy(update={"log": log.model_copy(update={"vkeys": vkeys})})


def _read_log(trust: TrustList, _card: Card) -> list[bytes]:
    return [VerifierKey.parse(vkey).public_key for vkey in trust.log.vkeys]


LISTED_KEYS: Final[HomeKinds] = {
    "signing": KeyKind(
        file=SIGNING_NAME,
        draw=draw_signing_key,
        parse=parse_signing,
        read_listed=lambda trust, _card: [key.x for key in trust.broker.keys],
        name_on_card=_name_signing,
    ),
    "exchange": KeyKind(
        file=EXCHANGE_NAME,
        draw=draw_exchange_key,
        parse=parse_exchange,
        read_listed=lambda trust, _card: trust.broker.x25519,
        name_on_card=_name_exchange,
    ),
    "log": KeyKind(
        file=LOG_NAME,
        draw=draw_log_key,
        parse=parse_log_key,
        read_listed=_read_log,
        name_on_card=_name_log,
    ),
}
