"""What a card of the resident's log says, built from what its entries committed to. Pure.

Rule (promise 5): whoever shows a card builds it by this function, from entries found in the log:
nobody's word about them is asked. Sentences are no part of it: they are rendered from the codes.
Source: AVG 12, 15; audit-log.md ("Chains").
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from datwat.protocol.access_log import EntryProof
from datwat.protocol.entry import derive_commit, derive_payload_hash
from datwat.protocol.errors import ProtocolError
from datwat.protocol.values import decode_bytes

_Json = dict[str, Any]
# An entry says these of a consent to the broker, and of an objection in a member of its own.
_NO_DETAIL = frozenset(
    {"consent_id", "objection_id", "block_id", "question_id", "objection_reason"}
)


class CardDataError(ProtocolError):
    """Entries that cannot be those of one card."""

    code = "card_data"
    default_detail = "These entries are not those of one card."


@dataclass(frozen=True, slots=True)
class Told:
    """One entry: its own payload, and core and payload of what it tells (of what it reopens)."""

    index: int
    payload: _Json = field(repr=False)
    core: bytes = field(repr=False)
    told: _Json = field(repr=False)


def read_told(index: int, core: bytes, payload: bytes) -> Told:
    """Return what an entry tells; the half that it opens is the very one committed to.

    Raises:
        CardDataError.
    """
    try:
        own = _load(payload)
        reopened = own.get("reopened")
        if reopened is None:
            return Told(index, own, core, own)
        salt, core, earlier = (decode_bytes(reopened[name]) for name in ("salt", "core", "payload"))
        commit = derive_commit(core, derive_payload_hash(salt, earlier))
        if not hmac.compare_digest(commit, decode_bytes(reopened["commit"])):
            raise CardDataError
        return Told(index, own, core, _load(earlier))
    except (ValueError, KeyError, TypeError):
        raise CardDataError from None


def read_all_told(proofs: Sequence[EntryProof]) -> list[Told]:
    """Return what the entries of one card tell, in the order of the log; raise CardDataError."""
    told = [read_told(proof.index, proof.core, proof.payload) for proof in proofs]
    return sorted(told, key=lambda one: one.index)


def build_told_data(told: Sequence[Told]) -> _Json:
    """Return what the card of an entry, or of a question and its outcome, says beside sentences.

    Plain JSON: every member of `CardContents`, without its texts. `told` is in the log's order.

    Raises:
        CardDataError: they do not form one card: another number of them, or another's outcome.
    """
    try:
        first, *later = told
        for outcome in later:
            _require_outcome(outcome, first)
        return _build(first, [outcome.told for outcome in later[::-1]])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CardDataError from None


def _load(raw: bytes) -> _Json:
    payload = orjson.loads(raw)
    if not isinstance(payload, dict):
        raise CardDataError
    return payload


def _require_outcome(outcome: Told, question: Told) -> None:
    core_hash = decode_bytes(orjson.loads(outcome.core)["core_hash"])
    fits = hmac.compare_digest(core_hash, hashlib.sha256(question.core).digest())
    if outcome.told["event"] != "outcome" or not fits:
        raise CardDataError


def _build(first: Told, outcomes: Sequence[_Json]) -> _Json:
    told = first.told
    asked, said, detail = (told.get(name) or {} for name in ("asked", "said", "detail"))
    delivered = next(
        (one["delivered"] for one in (*outcomes, told) if one.get("delivered")), _Json()
    )
    is_later = first.payload is not told
    details = _build_details(detail)
    if is_later:
        # Told later: why, until when and by whose decision stands in the entry that opened it.
        details |= _build_details(first.payload.get("detail") or {})
    return {
        "number": first.index,
        "event": told["event"],
        "at": told["at"],
        "requester": told["requester"]["id"],
        "requester_name": told["requester"]["name"],
        "role": asked.get("role"),
        "purpose": asked.get("purpose"),
        "motivation": asked.get("motivation"),
        "permitted": said.get("permit"),
        "rung": said.get("rung"),
        "findings": [_pick(one, "blade", "code", "satisfied") for one in said.get("findings", ())],
        "pointers": [_build_pointer(one) for one in told.get("pointers", ())],
        "fields_asked": asked.get("fields", []),
        "fields_given": delivered.get("fields", []),
        "withheld": [_pick(one, "field", "code") for one in said.get("withheld", ())],
        "failure": delivered.get("failure"),
        "legal_basis": said.get("legal_basis"),
        "told_later_at": first.payload["at"] if is_later else None,
        "details": details,
        "reason": detail.get("objection_reason"),
    }


def _build_pointer(one: _Json) -> _Json:
    source = one["source"]
    return {
        "source": source["id"],
        "source_name": source["name"],
        "kind": one["kind"],
        "rung": one["rung"],
    }


def _pick(members: _Json, *names: str) -> _Json:
    return {name: members[name] for name in names}


def _build_details(detail: _Json) -> _Json:
    """Return what an act says of the person as plain members, for a page to list."""
    found: _Json = {}
    for name, value in detail.items():
        if name in _NO_DETAIL:
            continue
        match value:
            case str() | int() | bool():
                found[name] = value
            case list() if value:
                found[name] = [str(item) for item in value]
            case dict():
                found[name] = str(value.get("name") or value.get("purpose") or "")
    return found
