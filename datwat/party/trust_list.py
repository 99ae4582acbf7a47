"""The trust list as a party holds it: read from where it chose, accepted by rule, never going back.

Rules (reference "Trust list"): the first list is pinned by its hash, typed at install; the next
must be signed by the threshold of the one held and have a higher `seq`; the ratchet remembers
which one was accepted. The list opens, each party can only close: in force = in the list, covenant
not over, and not closed here. An expired list opens for nobody.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from datwat.party.errors import PartyError
from datwat.protocol.canonical import decode_canonical
from datwat.protocol.documents import SignedDocument, build_verify_keys, require_threshold
from datwat.protocol.keys import VerifyKey
from datwat.protocol.trust import Covenant, Partner, PublicJwk, TrustList

MAX_LIST_BYTES = 2_097_152


class TrustListError(PartyError):
    """No list that may be believed."""

    code = "trust_list_unusable"
    default_detail = "The trust list cannot be used: check its address and its pin."


class TrustListFormError(TrustListError):
    """Not a trust list."""

    code = "trust_list_form"
    default_detail = "The document is not a trust list of this version."


class TrustListPinError(TrustListError):
    """Not the list whose hash was typed at install, nor the one accepted last."""

    code = "trust_list_pin"
    default_detail = "The trust list is not the one that is pinned: compare its hash."


class TrustListOldError(TrustListError):
    """A list that was replaced, or another one with the same number."""

    code = "trust_list_old"
    default_detail = "The trust list is older than the one in use, or another of the same number."


class TrustListKeysError(TrustListError):
    """One key with two owners: its signature would not say who spoke."""

    code = "trust_list_keys"
    default_detail = "The trust list gives one key or one id to two parties."


class TrustListExpiredError(TrustListError):
    """Past `valid_until`: nobody is heard until a new one is there."""

    code = "trust_list_expired"
    default_detail = "The trust list has expired: a new one must be signed."


class IssuerRefusedError(PartyError):
    """A party that is not in force."""

    code = "issuer_refused"
    default_detail = "This party does not take part at present."


class IssuerUnknownError(IssuerRefusedError):
    """Not in the list."""

    code = "issuer_unknown"
    default_detail = "This party is not in the trust list."


class CovenantExpiredError(IssuerRefusedError):
    """Its covenant is over."""

    code = "covenant_expired"
    default_detail = "The covenant of this partner has ended."


class PartnerSuspendedError(IssuerRefusedError):
    """Closed here, whatever the list says."""

    code = "partner_suspended"
    default_detail = "This partner is suspended here."


@dataclass(frozen=True, slots=True)
class AcceptedList:
    """A list that was accepted: its document as it came, its hash, and its content."""

    document: bytes = field(repr=False)
    digest: bytes
    trust: TrustList = field(repr=False)


@dataclass(frozen=True, slots=True)
class Issuer:
    """A party that may sign: a partner of the list, or the broker."""

    id: str
    role: Literal["partner", "broker"]
    partner: Partner | None


def accept_first(document: bytes, digest: bytes) -> AcceptedList:
    """Return the list whose payload has exactly this SHA-256, if its own covenant signed it.

    Raises TrustListPinError, TrustListFormError, ThresholdError, CanonicalError.
    """
    accepted, signed = _parse(document)
    if not hmac.compare_digest(accepted.digest, digest):
        raise TrustListPinError
    _require_signed(signed, accepted.trust.covenant)
    return accepted


def accept_next(document: bytes, held: AcceptedList) -> AcceptedList:
    """Return the list that may follow `held`, or `held` itself where it is the same list.

    Raises TrustListOldError, TrustListFormError, ThresholdError, CanonicalError.
    """
    accepted, signed = _parse(document)
    if hmac.compare_digest(accepted.digest, held.digest):
        return held
    if accepted.trust.seq <= held.trust.seq:
        raise TrustListOldError
    _require_signed(signed, held.trust.covenant)
    return accepted


class Directory:
    """Who is in force, as one unchanging view of an accepted list and of what is closed here."""

    def __init__(self, accepted: AcceptedList, closed: frozenset[str] = frozenset()) -> None:
        """Index the list; raises TrustListKeysError where a key or an id has two owners."""
        self.accepted = accepted
        self.trust = accepted.trust
        self.closed = closed
        self.partners: Mapping[str, Partner] = {p.id: p for p in self.trust.partners}
        self.keys: Mapping[str, VerifyKey]
        self._issuers: Mapping[str, Issuer]
        self.keys, self._issuers = _index_keys(self.trust)

    @property
    def digest(self) -> bytes:
        """The list's hash, for the log."""
        return self.accepted.digest

    def with_closed(self, closed: frozenset[str]) -> Directory:
        """Return the same list with other partners closed."""
        return Directory(self.accepted, closed)

    def require_in_force(self, now: datetime) -> None:
        """Raise TrustListExpiredError after the list's `valid_until`."""
        if now > self.trust.valid_until:
            raise TrustListExpiredError

    def require_issuer(self, kid: str, now: datetime) -> Issuer:
        """Return the owner of the key `kid`, if it is in force; raise IssuerRefusedError."""
        issuer = self._issuers.get(kid)
        if issuer is None:
            raise IssuerUnknownError
        if issuer.partner is not None:
            self._require_open(issuer.partner, now)
        else:
            self.require_in_force(now)
        return issuer

    def require_partner(self, partner_id: str, now: datetime) -> Partner:
        """Return the partner with this id, if it is in force; raise IssuerRefusedError."""
        partner = self.partners.get(partner_id)
        if partner is None:
            raise IssuerUnknownError
        self._require_open(partner, now)
        return partner

    def _require_open(self, partner: Partner, now: datetime) -> None:
        self.require_in_force(now)
        if now > partner.covenant_until:
            raise CovenantExpiredError
        if partner.id in self.closed:
            raise PartnerSuspendedError


def read_verify_keys(keys: tuple[PublicJwk, ...]) -> dict[str, VerifyKey]:
    """Return the Ed25519 keys of a list entry by their ids."""
    return build_verify_keys(VerifyKey(key.x) for key in keys)


def parse_list(document: bytes) -> tuple[AcceptedList, SignedDocument, dict[str, VerifyKey]]:
    """Return a list, its signatures and its own covenant keys, none of it believed yet.

    Raises TrustListFormError, DocumentFormError, CanonicalError.
    """
    accepted, signed = _parse(document)
    return accepted, signed, read_verify_keys(accepted.trust.covenant.keys)


def _parse(document: bytes) -> tuple[AcceptedList, SignedDocument]:
    signed = SignedDocument.from_bytes(document, max_bytes=MAX_LIST_BYTES)
    decode_canonical(signed.payload)
    try:
        trust = TrustList.model_validate_json(signed.payload)
    except ValidationError:
        raise TrustListFormError from None
    digest = hashlib.sha256(signed.payload).digest()
    return AcceptedList(document=document, digest=digest, trust=trust), signed


def _require_signed(signed: SignedDocument, covenant: Covenant) -> None:
    require_threshold(signed, read_verify_keys(covenant.keys), covenant.threshold)


def _index_keys(trust: TrustList) -> tuple[dict[str, VerifyKey], dict[str, Issuer]]:
    broker = Issuer(id=trust.broker.id, role="broker", partner=None)
    owners = [(broker, trust.broker.keys)]
    owners += [(Issuer(p.id, "partner", p), p.keys) for p in trust.partners]
    if len({issuer.id for issuer, _ in owners} | {trust.key_holder.id}) != len(owners) + 1:
        raise TrustListKeysError
    keys: dict[str, VerifyKey] = {}
    issuers: dict[str, Issuer] = {}
    for issuer, own in owners:
        for kid, key in read_verify_keys(own).items():
            if kid in keys:
                raise TrustListKeysError
            keys[kid] = key
            issuers[kid] = issuer
    return keys, issuers
