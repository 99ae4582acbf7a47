"""`datwat keyholder keys`: the exchange key, by which tickets reach the broker alone.

The scalar is renewed by `datwat keyholder rotate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from datwat.party.own_keys import parse_exchange
from datwat.party.own_keys_cli import HomeKinds, KeyKind
from datwat.party.trust_draft import CardError
from datwat.protocol.trust import Card
from keyholder.secrets import EXCHANGE_NAME, draw_exchange_key


def _name_on_card(card: Card, keys: Sequence[bytes], _gone: bytes | None) -> Card:
    if card.key_holder is None:
        raise CardError("The card of this home is not a key holder's: put its card.json back.")
    entry = card.key_holder.model_copy(update={"x25519": tuple(keys)})
    return card.model_copy(update={"key_holder": entry})


HOLDER_KEYS: Final[HomeKinds] = {
    "exchange": KeyKind(
        file=EXCHANGE_NAME,
        draw=draw_exchange_key,
        parse=parse_exchange,
        read_listed=lambda trust, _card: trust.key_holder.x25519,
        name_on_card=_name_on_card,
    )
}
