"""What is in force here and since when, and what lies ready and was refused: for `status`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from broker.policy.publication import Publication
from datwat.protocol.bundle import Bundle
from datwat.protocol.errors import DatwatError
from datwat.protocol.values import encode_moment


@dataclass(frozen=True, slots=True)
class Refused:
    """A bundle that was not put in force: its number where it could be read, and why."""

    seq: int | None
    code: str
    detail: str
    at: datetime

    @classmethod
    def of(cls, error: DatwatError, publication: Publication | None, at: datetime) -> Refused:
        """Return why what lies in the officers' folder was refused."""
        seq = publication.statement.seq if publication is not None else None
        return cls(seq, error.code, error.detail, at)


@dataclass(frozen=True, slots=True)
class PolicyState:
    """The bundle in force here, and the one that is not."""

    seq: int
    revision: str
    digest: str
    since_at: datetime
    refused: Refused | None = None

    def to_status(self, now: datetime) -> dict[str, Any]:
        """Return this as `status` tells it, in plain members."""
        held = self.refused
        refused = held and {
            "seq": held.seq,
            "code": held.code,
            "detail": held.detail,
            "at": encode_moment(held.at),
        }
        return {
            "policy_revision": self.revision,
            "policy_seq": self.seq,
            "policy_since_at": encode_moment(self.since_at),
            "policy_seconds_ago": max(0, int((now - self.since_at).total_seconds())),
            "policy_refused": refused,
        }


def build_state(bundle: Bundle, since_at: datetime, refused: Refused | None = None) -> PolicyState:
    """Return the state in which `bundle` is in force since that second."""
    since_at = since_at.replace(microsecond=0)
    return PolicyState(bundle.seq, bundle.revision, bundle.digest, since_at, refused)
