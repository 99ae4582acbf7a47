"""The key holder's card: what it says of itself for the trust list, its epochs with their keys."""

from __future__ import annotations

from pathlib import Path

from datwat.party.files import replace_file
from datwat.party.init import CARD_FILE
from datwat.protocol.trust import Card, KeyHolderEntry
from keyholder.secrets import Secrets
from keyholder.settings import KeyHolderSettings


def build_card(settings: KeyHolderSettings, secrets: Secrets) -> Card:
    """Return the card with every epoch that these secrets have."""
    entry = KeyHolderEntry(
        id=settings.id,
        name=settings.name,
        x25519=tuple(key.public.raw for key in secrets.exchange_keys.keys),
        url=settings.url,
        epochs=secrets.epochs,
    )
    return Card(v=1, role="key_holder", key_holder=entry)


def renew_card(settings: KeyHolderSettings, secrets: Secrets) -> Path:
    """Replace the card in the home folder and return its path; the covenant takes it up."""
    path = settings.home / CARD_FILE
    replace_file(path, build_card(settings, secrets).model_dump_json(indent=2).encode())
    return path
