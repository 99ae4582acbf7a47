"""The broker's settings: those of every party, and what only a broker has."""

from __future__ import annotations

from pydantic import Field

from datwat.party.settings import PartySettings


class BrokerSettings(PartySettings):
    """`bundle` names the signed policy bundle: a path (or URL) of the archive, without extension.

    The archive is `<bundle>.tar.gz`, its signature `<bundle>.json`. `opa_url` with `opa_token` (a
    secret) asks an OPA that somebody else runs; empty: the broker starts its own. An answer of OPA
    that takes longer than `opa_deadline_ms` is a denial. The rate bounds what one
    partner may send: `rate_per_second` messages in the long run, `rate_burst` at once.
    """

    log_origin: str = Field(default="", max_length=250)
    bundle: str = Field(default="", max_length=1_024)
    opa_url: str = Field(default="", max_length=256)
    opa_deadline_ms: int = Field(default=250, ge=50, le=10_000)
    rate_per_second: int = Field(default=100, ge=1, le=100_000)
    rate_burst: int = Field(default=2_000, ge=1, le=1_000_000)
