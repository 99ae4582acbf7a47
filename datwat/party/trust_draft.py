"""The trust list before it is signed: a draft in the covenant's own folder.

Rules: a draft takes up cards, one per party, and is complete only with a broker, a key holder and
policy keys; each signing raises `seq` by one; covenant keys that are never in one place sign one
after the other what lies in `trust-list.pending.json`.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError

from datwat.party.errors import PartyError
from datwat.party.settings import make_private_folder
from datwat.party.trust_list import Directory, accept_first, read_verify_keys
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.documents import (
    SignedDocument,
    add_signature,
    count_valid_signatures,
    sign_document,
)
from datwat.protocol.keys import SigningKey
from datwat.protocol.trust import (
    BrokerEntry,
    Card,
    Covenant,
    KeyHolderEntry,
    LogEntry,
    Partner,
    PolicyKeys,
    PublicJwk,
    TrustList,
    Witness,
)
from datwat.protocol.values import Value

DRAFT_FILE = "draft.json"
LIST_FILE = "trust-list.json"
PENDING_FILE = "trust-list.pending.json"
KEY_PATTERN = "covenant-*.key"


class DraftError(PartyError):
    """The draft cannot be used as it is."""

    code = "trust_draft"
    default_detail = "The draft of the trust list cannot be used: `datwat trust new` makes one."


class CardError(PartyError):
    """A file is not a card, or not one that can be taken up."""

    code = "trust_card"
    default_detail = "This file is not a card: each party's `init` writes one."


class DraftIncompleteError(DraftError):
    """Somebody without whom nothing works is missing."""

    code = "trust_draft_incomplete"
    default_detail = "The draft lacks a card."


class Draft(Value):
    """What will be signed next; `seq` is that of the list signed last."""

    v: int = Field(default=1, ge=1, le=1)
    seq: int = Field(default=0, ge=0)
    covenant: Covenant
    partners: tuple[Partner, ...] = ()
    broker: BrokerEntry | None = None
    log: LogEntry | None = None
    key_holder: KeyHolderEntry | None = None
    policy_keys: tuple[PublicJwk, ...] = ()
    policy_threshold: int = Field(default=1, ge=1, le=16)
    witnesses: tuple[Witness, ...] = ()
    witness_threshold: int = Field(default=0, ge=0)


class Signing(NamedTuple):
    """What became of a signing: the list's hash (hex), how many keys signed, how many must."""

    seq: int
    digest: str
    signed: int
    threshold: int
    path: Path

    @property
    def is_complete(self) -> bool:
        """Whether enough keys signed."""
        return self.signed >= self.threshold


def create_draft(folder: Path, *, keys: int, threshold: int, policy_threshold: int) -> Draft:
    """Write `keys` fresh covenant keys and an empty draft into a folder without one."""
    if (folder / DRAFT_FILE).exists():
        raise DraftError("This folder already holds a draft: choose another one.")
    if threshold > keys:
        raise DraftError("The threshold is higher than the number of keys.")
    make_private_folder(folder)
    public = []
    for number in range(1, keys + 1):
        key = SigningKey.generate()
        path = folder / f"covenant-{number}.key"
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(key.to_jwk_text(), encoding="utf-8")
        public.append(PublicJwk(kty="OKP", crv="Ed25519", x=key.public.raw))
    covenant = Covenant(threshold=threshold, keys=tuple(public))
    draft = Draft(covenant=covenant, policy_threshold=policy_threshold)
    write_draft(folder, draft)
    return draft


def read_draft(folder: Path) -> Draft:
    """Return the draft of a folder; raise DraftError."""
    try:
        return Draft.model_validate_json((folder / DRAFT_FILE).read_bytes())
    except (OSError, ValidationError):
        raise DraftError from None


def write_draft(folder: Path, draft: Draft) -> None:
    """Replace the draft of a folder, whole or not at all."""
    _write(folder / DRAFT_FILE, draft.model_dump_json(indent=2).encode())


def read_card(path: Path) -> Card:
    """Return the card in a file; raise CardError."""
    try:
        return Card.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise CardError from None


def add_card(draft: Draft, card: Card) -> Draft:
    """Return the draft with this card; a partner's newer card replaces the older one.

    Raises CardError where the card lacks what its role needs.
    """
    match card.role:
        case "partner" if card.partner is not None:
            others = tuple(p for p in draft.partners if p.id != card.partner.id)
            return draft.model_copy(update={"partners": (*others, card.partner)})
        case "broker" if card.broker is not None and card.log is not None:
            update = {"broker": card.broker, "log": card.log}
            # A broker that also builds the bundle may bring the policy keys on the same card.
            return _add_policy_keys(draft.model_copy(update=update), card.policy_keys)
        case "key_holder" if card.key_holder is not None:
            return draft.model_copy(update={"key_holder": card.key_holder})
        case "policy" if card.policy_keys:
            return _add_policy_keys(draft, card.policy_keys)
    raise CardError("The card lacks what its role needs.")


def suspend_partner(draft: Draft, partner_id: str, now: datetime) -> Draft:
    """Return the draft in which the partner's covenant ends now; raise DraftError if unknown."""
    if all(partner.id != partner_id for partner in draft.partners):
        raise DraftError("This partner is not in the draft: `datwat trust show` lists them.")
    ended = tuple(
        partner.model_copy(update={"covenant_until": now.replace(microsecond=0)})
        if partner.id == partner_id
        else partner
        for partner in draft.partners
    )
    return draft.model_copy(update={"partners": ended})


def build_list(draft: Draft, *, seq: int, valid_until: datetime) -> TrustList:
    """Return the list that the draft makes; raise DraftIncompleteError naming what is missing."""
    if draft.broker is None or draft.log is None:
        raise DraftIncompleteError("The draft lacks the broker's card: `datwat trust add` it.")
    if draft.key_holder is None:
        raise DraftIncompleteError("The draft lacks the key holder's card: `datwat trust add` it.")
    if len(draft.policy_keys) < draft.policy_threshold:
        raise DraftIncompleteError("The draft lacks policy keys: `datwat trust add` their card.")
    return TrustList(
        v=1,
        seq=seq,
        valid_until=valid_until.replace(microsecond=0),
        covenant=draft.covenant,
        partners=tuple(sorted(draft.partners, key=lambda partner: partner.id)),
        broker=draft.broker,
        key_holder=draft.key_holder,
        policy=PolicyKeys(threshold=draft.policy_threshold, keys=draft.policy_keys),
        log=draft.log,
        witnesses=draft.witnesses,
        witness_threshold=draft.witness_threshold,
    )


def sign_draft(folder: Path, keys: list[SigningKey], *, now: datetime, days: int) -> Signing:
    """Sign the draft, or add to the signatures of the pending list if the draft is still that one.

    With enough signatures it becomes `trust-list.json`, until then `trust-list.pending.json`.
    Raises DraftError, DraftIncompleteError, TrustListKeysError.
    """
    draft = read_draft(folder)
    pending = _find_pending(folder, draft)
    if pending is None:
        trust = build_list(draft, seq=draft.seq + 1, valid_until=now + timedelta(days=days))
        payload = encode_canonical(trust.model_dump(mode="json"))
        document = sign_document(payload, keys)
    else:
        document = pending
        for key in keys:
            document = add_signature(document, key)
    signed = len(count_valid_signatures(document, read_verify_keys(draft.covenant.keys)))
    digest = hashlib.sha256(document.payload)
    result = Signing(
        seq=draft.seq + 1,
        digest=digest.hexdigest(),
        signed=signed,
        threshold=draft.covenant.threshold,
        path=folder / (LIST_FILE if signed >= draft.covenant.threshold else PENDING_FILE),
    )
    if result.is_complete:
        Directory(accept_first(document.to_bytes(), digest.digest()))  # refuses a key used twice
        write_draft(folder, draft.model_copy(update={"seq": result.seq}))
        (folder / PENDING_FILE).unlink(missing_ok=True)
    _write(result.path, document.to_bytes())
    return result


def read_keys(paths: list[Path]) -> list[SigningKey]:
    """Return the covenant keys in these files; raise DraftError or KeyFormError."""
    if not paths:
        raise DraftError("No covenant key to sign with: name one with --key.")
    try:
        return [SigningKey.from_jwk_text(path.read_text(encoding="utf-8")) for path in paths]
    except OSError:
        raise DraftError("A file with a covenant key cannot be read.") from None


def _add_policy_keys(draft: Draft, keys: tuple[PublicJwk, ...]) -> Draft:
    new = tuple(key for key in keys if key not in draft.policy_keys)
    return draft.model_copy(update={"policy_keys": draft.policy_keys + new})


def _find_pending(folder: Path, draft: Draft) -> SignedDocument | None:
    """Return the pending list if it is what the draft makes now; an outdated one is dropped."""
    try:
        pending = SignedDocument.from_bytes((folder / PENDING_FILE).read_bytes())
        trust = TrustList.model_validate_json(pending.payload)
    except (OSError, ValidationError):
        return None
    same = build_list(draft, seq=draft.seq + 1, valid_until=trust.valid_until) == trust
    return pending if same else None


def _write(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)
