"""The trust list before it is signed: a draft in the covenant's own folder.

Rules: a draft takes up cards, one per party, and is complete only with a broker, a key holder and
policy keys; it holds the `seq` of the list signed last (`trust_signing.py`).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError

from datwat.party.errors import PartyError
from datwat.party.files import describe_obstacle, replace_file
from datwat.party.settings import make_private_folder
from datwat.protocol.errors import ProtocolError
from datwat.protocol.keys import SigningKey, VerifyKey
from datwat.protocol.notes import COSIGNATURE_TYPE, VerifierKey
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
KEY_PATTERN = "covenant-*.key"
# Shorter words (of, en, de) stand in any address.
_LEAST_TELLING = 5


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
    """What will be signed next; `seq` is that of the list signed last.

    `outgoing` are the keys that parties go by until then, where the draft introduces others.
    """

    v: int = Field(default=1, ge=1, le=1)
    seq: int = Field(default=0, ge=0)
    covenant: Covenant
    outgoing: Covenant | None = None
    partners: tuple[Partner, ...] = ()
    broker: BrokerEntry | None = None
    log: LogEntry | None = None
    key_holder: KeyHolderEntry | None = None
    policy_keys: tuple[PublicJwk, ...] = ()
    policy_threshold: int = Field(default=1, ge=1, le=16)
    witnesses: tuple[Witness, ...] = ()
    witness_threshold: int = Field(default=0, ge=0)


def create_draft(folder: Path, *, keys: int, threshold: int, policy_threshold: int) -> Draft:
    """Write `keys` fresh covenant keys and an empty draft into a folder without one."""
    if (folder / DRAFT_FILE).exists():
        raise DraftError(f"{folder} already holds a draft: choose another folder.")
    if threshold > keys:
        raise DraftError("The threshold is higher than the number of keys.")
    make_private_folder(folder)
    covenant = _draw_covenant(folder, 1, keys, threshold)
    draft = Draft(covenant=covenant, policy_threshold=policy_threshold)
    write_draft(folder, draft)
    return draft


def replace_covenant(folder: Path, *, keys: int, threshold: int) -> Draft:
    """Write `keys` fresh covenant keys that the next list introduces; return its draft.

    That list needs the threshold of the old keys as well, for parties go by those. Raises
    DraftError where others are being introduced already.
    """
    draft = read_draft(folder)
    if draft.outgoing is not None:
        raise DraftError(
            "New covenant keys are in the draft already: `datwat trust sign` with the old and the "
            "new ones, or take them back with `datwat trust keep-keys`."
        )
    if threshold > keys:
        raise DraftError("The threshold is higher than the number of keys.")
    first = 1 + max((_read_number(path) for path in folder.glob(KEY_PATTERN)), default=0)
    # Those that lie elsewhere have numbers too: the new ones go on behind all that ever were.
    first = max(first, 1 + len(draft.covenant.keys))
    covenant = _draw_covenant(folder, first, keys, threshold)
    changed = draft.model_copy(update={"covenant": covenant, "outgoing": draft.covenant})
    write_draft(folder, changed)
    return changed


def keep_covenant(draft: Draft) -> Draft:
    """Return the draft with the keys that parties go by; raise DraftError without others."""
    if draft.outgoing is None:
        raise DraftError("The draft introduces no covenant keys: nothing was changed.")
    return draft.model_copy(update={"covenant": draft.outgoing, "outgoing": None})


def end_policy_key(draft: Draft, kid: str) -> Draft:
    """Return the draft without a policy key, by its thumbprint.

    Raises DraftError where there is none, or too few would be left.
    """
    left = tuple(key for key in draft.policy_keys if VerifyKey(key.x).kid != kid)
    if len(left) == len(draft.policy_keys):
        raise DraftError("No policy key of the draft has this thumbprint: `datwat trust show`.")
    if len(left) < draft.policy_threshold:
        raise DraftError(
            f"{draft.policy_threshold} policy keys must sign, and fewer would be left: `datwat "
            "trust add` the card of another one first."
        )
    return draft.model_copy(update={"policy_keys": left})


def _draw_covenant(folder: Path, first: int, keys: int, threshold: int) -> Covenant:
    public = []
    for number in range(first, first + keys):
        key = SigningKey.generate()
        path = folder / f"covenant-{number}.key"
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(key.to_jwk_text(), encoding="utf-8")
        public.append(PublicJwk(kty="OKP", crv="Ed25519", x=key.public.raw))
    return Covenant(threshold=threshold, keys=tuple(public))


def _read_number(path: Path) -> int:
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def read_draft(folder: Path) -> Draft:
    """Return the draft of a folder; raise DraftError."""
    path, advice = folder / DRAFT_FILE, "name the --folder that `datwat trust new` made"
    try:
        return Draft.model_validate_json(read_file(path, DraftError, advice))
    except ValidationError:
        raise DraftError(f"{path} is no draft: restore it, or {advice}.") from None


def write_draft(folder: Path, draft: Draft) -> None:
    """Replace the draft of a folder, whole or not at all."""
    replace_file(folder / DRAFT_FILE, draft.model_dump_json(indent=2).encode())


def read_card(path: Path) -> Card:
    """Return the card in a file; raise CardError."""
    advice = "each party's `init` writes a card"
    try:
        return Card.model_validate_json(read_file(path, CardError, advice))
    except ValidationError:
        raise CardError(f"{path} is not a card: {advice}.") from None


def add_card(draft: Draft, card: Card) -> Draft:
    """Return the draft with this card; a partner's newer card replaces the older one.

    Raises CardError where the card lacks what its role needs, or a partner's contact names it.
    """
    match card.role:
        case "partner" if card.partner is not None:
            _require_nameless_contact(card.partner)
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
        case "witness" if card.witness is not None:
            return _add_witness(draft, card.witness)
    raise CardError("The card lacks what its role needs.")


def _require_nameless_contact(partner: Partner) -> None:
    """Raise CardError where the contact tells the name: at *category* it is all that is shown."""
    words = partner.name.casefold().replace(",", " ").split()
    said = partner.contact.casefold()
    if any(word in said for word in words if len(word) >= _LEAST_TELLING):
        raise CardError(
            "The partner's contact names the organisation. It is shown where the name is not: "
            "give a number or an address alone (`--contact` of its `init`)."
        )


def require_witnesses(draft: Draft, threshold: int) -> Draft:
    """Return the draft in which so many witnesses must vouch; raise DraftError for too many."""
    if threshold > len(draft.witnesses):
        raise DraftError(
            f"The draft has {len(draft.witnesses)} witnesses: `datwat trust add` their cards first."
        )
    return draft.model_copy(update={"witness_threshold": threshold})


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


def read_file(path: Path, refused: type[PartyError], advice: str) -> bytes:
    """Return the bytes of a file; raise `refused`, which names the file and gives the advice."""
    try:
        return path.read_bytes()
    except OSError as error:
        obstacle = describe_obstacle(error, path).removesuffix(".")
        raise refused(f"{obstacle}; {advice}.") from None


def _add_witness(draft: Draft, witness: Witness) -> Draft:
    """Return the draft with this witness; its newer card replaces the older one of that name.

    One key under two names would count twice, and is refused.
    """
    try:
        key = VerifierKey.parse(witness.vkey)
    except ProtocolError:
        key = None
    if key is None or key.type != COSIGNATURE_TYPE or key.name != witness.name:
        raise CardError("The card's verifier key is not that of a witness of its name.")
    others = tuple(one for one in draft.witnesses if one.name != witness.name)
    if any(VerifierKey.parse(one.vkey).public_key == key.public_key for one in others):
        raise CardError("Another witness in the draft has this key: each needs one of its own.")
    return draft.model_copy(update={"witnesses": (*others, witness)})


def _add_policy_keys(draft: Draft, keys: tuple[PublicJwk, ...]) -> Draft:
    new = tuple(key for key in keys if key not in draft.policy_keys)
    return draft.model_copy(update={"policy_keys": draft.policy_keys + new})
