"""What the log states of a purpose's life, for anyone and for good: no name, no text of a person.

An approval is stated with its signature, so that whoever reads the log can check without the broker
that enough keys signed what was published.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from broker.audit.records import Statement
from broker.purposes.drafts import ApprovalRow, ProposalRow
from broker.purposes.roles import Role
from datwat.protocol.canonical import decode_strict, encode_canonical
from datwat.protocol.values import encode_moment

_MAX_BYTES = 65_536


def state_proposal(kind: str, row: ProposalRow, role: Role, now: datetime) -> Statement:
    """Return the statement that something was proposed, or that a proposal was taken back."""
    return Statement(encode_canonical({**_describe(kind, row), **_name(role)}), now)


def state_approval(row: ProposalRow, approval: ApprovalRow, role: Role, now: datetime) -> Statement:
    """Return the statement of an approval, with the approval as it was signed."""
    signed = decode_strict(approval.approval, max_bytes=_MAX_BYTES)
    members = {**_describe("purpose_approved", row), **_name(role)}
    return Statement(encode_canonical({**members, "key": approval.kid, "approval": signed}), now)


def state_publication(row: ProposalRow, kids: list[str], now: datetime) -> Statement:
    """Return the statement that a proposal was published under the approvals of these keys."""
    return Statement(
        encode_canonical({**_describe("purpose_published", row), "keys": sorted(kids)}), now
    )


def _name(role: Role) -> dict[str, str]:
    return {"organisation": role.organisation, "role": role.name}


def _describe(kind: str, row: ProposalRow) -> dict[str, Any]:
    words = row.words
    return {
        "v": 1,
        "type": kind,
        "effect": words.effect,
        "purpose": words.purpose,
        "digest": words.digest,
        "base_digest": words.base_digest,
        "valid_from": None if words.valid_from is None else encode_moment(words.valid_from),
        "bundle_digest": row.bundle_digest,
        "seq": row.seq,
        "to_seq": words.to_seq,
    }
