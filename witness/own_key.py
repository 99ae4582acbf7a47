"""The key with which a witness vouches, the next one beside it, and how the covenant knows them.

Rule: a list names one key of a witness, so that nobody counts twice; while the next one becomes
known the witness vouches with both, and each reader sees the one that their list names.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from datwat.party.own_keys import OwnKeys
from datwat.party.own_keys_cli import HomeKinds, KeyKind
from datwat.party.settings import SecretError
from datwat.party.trust_draft import CardError
from datwat.protocol.keys import KeyFormError, SigningKey
from datwat.protocol.notes import VerifierKey
from datwat.protocol.trust import Card, TrustList, Witness
from witness.cosign import build_vkey

KEY_NAME: Final = "witness.key"


def draw_key() -> bytes:
    """Return a new key as its file has it: 32 bytes, in hexadecimal."""
    return SigningKey.generate().to_private().private_bytes_raw().hex().encode("ascii")


def parse_key(content: bytes) -> SigningKey:
    """Return a key from its file; raise SecretError."""
    try:
        return SigningKey.from_seed(bytes.fromhex(content.decode("ascii")))
    except (ValueError, KeyFormError):
        raise SecretError(f"The secret {KEY_NAME} is damaged: restore it.") from None


def open_keys(home: Path) -> OwnKeys[SigningKey]:
    """Return the keys of a home; raise SecretError."""
    return OwnKeys(home, KEY_NAME, parse_key)


def _require_witness(card: Card) -> Witness:
    if card.witness is None:
        raise CardError("The card of this home is not a witness's: put its card.json back.")
    return card.witness


def _read_listed(trust: TrustList, card: Card) -> list[bytes]:
    own = _require_witness(card).name
    return [VerifierKey.parse(one.vkey).public_key for one in trust.witnesses if one.name == own]


def _name_on_card(card: Card, keys: Sequence[bytes], _gone: bytes | None) -> Card:
    witness = _require_witness(card)
    vkey = build_vkey(witness.name, keys[0])
    return card.model_copy(update={"witness": witness.model_copy(update={"vkey": vkey})})


WITNESS_KEYS: Final[HomeKinds] = {
    "signing": KeyKind(
        file=KEY_NAME,
        draw=draw_key,
        parse=parse_key,
        read_listed=_read_listed,
        name_on_card=_name_on_card,
    )
}
