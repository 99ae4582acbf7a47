"""Who may ask for decisions without signing a message, and where those decisions are written down.

Rules: a client is a system of one partner, known by a public key; a token stands for it for
minutes and lies here by its hash only; an assertion counts once; a decision is told only when it
was written down (promise 3). Source: RFC 7523, NL GOV OAuth; Authorization Decision Log 0.0.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection

from broker.policy.decision import Decision
from broker.policy.evaluation import Evaluation
from datwat.protocol.values import encode_bytes, encode_moment

EVENT_NAME = "adl.access_evaluation"


@dataclass(frozen=True, slots=True)
class AccessClient:
    """A client of a partner: `jwk` is its public key as JSON text."""

    client_id: str
    partner: str
    jwk: str = field(repr=False)
    since_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token stands for."""

    client_id: str
    partner: str
    until_at: datetime


class AccessStore(Protocol):
    """Clients, tokens and used assertions; each call runs in the caller's transaction."""

    def find_client(self, conn: Connection, client_id: str, now: datetime) -> AccessClient | None:
        """Return the client, if its time is not over."""

    def list_clients(self, conn: Connection, now: datetime) -> Sequence[AccessClient]:
        """Return every client whose time is not over, by id."""

    def add_client(self, conn: Connection, client: AccessClient) -> bool:
        """Keep a client; False where the id is taken."""

    def end_client(self, conn: Connection, client_id: str) -> bool:
        """Forget a client and its tokens; False where there is none."""

    def spend_assertion(self, conn: Connection, jti_hash: bytes, until_at: datetime) -> bool:
        """Keep that an assertion was used; False where it was before."""

    def add_token(self, conn: Connection, token_hash: bytes, grant: Grant) -> None:
        """Keep a token by its hash."""

    def find_grant(self, conn: Connection, token_hash: bytes, now: datetime) -> Grant | None:
        """Return what a token stands for, if its time is not over."""


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """One decision on stated facts, as it is kept: what OPA was asked, what it said, what was told.

    `request_hash` is SHA-256 of the request's bytes, whose free texts are not kept.
    """

    request_hash: bytes
    client_id: str
    evaluation: Evaluation = field(repr=False)
    decision: Decision
    revision: str
    told: dict[str, Any] = field(repr=False)
    at: datetime
    until_at: datetime
    trace_id: str

    def to_json(self) -> bytes:
        """Return the record in the shape of the Authorization Decision Log."""
        return orjson.dumps(
            {
                "event_name": EVENT_NAME,
                "timestamp": encode_moment(self.at),
                "trace_id": self.trace_id,
                "attributes": {
                    "adl.core.policies": self.revision,
                    "adl.core.client": self.client_id,
                    "adl.core.request_sha256": encode_bytes(self.request_hash),
                },
                "body": {
                    "adl.core.request": orjson.Fragment(self.evaluation.as_json),
                    "adl.core.information": orjson.Fragment(self.decision.model_dump_json()),
                    "adl.core.response": self.told,
                },
            }
        )


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What a walk along the chain found; `broken_at` is the first number that does not follow."""

    count: int
    first: int | None
    last: int | None
    broken_at: int | None


class DecisionLog(Protocol):
    """The sealed, chained table of decisions on stated facts."""

    def write(self, conn: Connection, decisions: Sequence[LoggedDecision]) -> None:
        """Append decisions in the caller's transaction, which no other appends beside."""
