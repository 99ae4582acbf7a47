"""The broker's settings: those of every party, and what only a broker has."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from datwat.protocol.values import FormError
from datwat.web.staff import CLAIM_PATTERN, StaffSettings


class BrokerSettings(StaffSettings):
    """`bundle` names the signed policy bundle: a path (or URL) of the archive, without extension.

    The archive is `<bundle>.tar.gz`, its signature `<bundle>.json`. `opa_url` with `opa_token` (a
    secret) asks an OPA that somebody else runs; empty: the broker starts its own. An answer of OPA
    that takes longer than `opa_deadline_ms` is a denial. `bundles_port` (0: off) serves the bundle
    on this machine to an OPA that somebody else runs. The rate bounds what one
    partner may send: `rate_per_second` messages in the long run, `rate_burst` at once. Each
    `tag_root_seconds` the log states a root over its new tags; each `witness_seconds` the witnesses
    of the trust list are asked to vouch for it. `ldv_target` says where records of processing
    activities go: `file:<folder>`, or the https address of an OTLP/HTTP collector (its token is the
    secret `ldv.token`); empty: nowhere. After `ldv_alarm_seconds` unacknowledged `status` warns.
    `staff_roles_claim` holds a list of `<organisation>:<role>` of who logs in to the officers'
    pages; the register of roles decides.
    """

    log_origin: str = Field(default="", max_length=250)
    bundle: str = Field(default="", max_length=1_024)
    opa_url: str = Field(default="", max_length=256)
    opa_deadline_ms: int = Field(default=250, ge=50, le=10_000)
    bundles_port: int = Field(default=0, ge=0, le=65_535)
    rate_per_second: int = Field(default=50, ge=1, le=100_000)
    rate_burst: int = Field(default=500, ge=1, le=1_000_000)
    tag_root_seconds: float = Field(default=60, ge=0.1, le=3_600)
    witness_seconds: float = Field(default=15, ge=0.1, le=60)
    kek_days: int = Field(default=7, ge=1, le=365)
    backup_days: int = Field(default=30, ge=2, le=400)
    backup_recipient: str = Field(default="", pattern=r"^(age1[a-z0-9]{58})?$")
    ldv_target: str = Field(default="", max_length=1_024)
    ldv_alarm_seconds: int = Field(default=300, ge=10, le=86_400)
    staff_roles_claim: str = Field(default="roles", pattern=CLAIM_PATTERN)

    @model_validator(mode="after")
    def require_overlap(self) -> Self:
        """Refuse generations that are over before the next one seals."""
        if self.backup_days <= self.kek_days:
            raise FormError("backup_days must be more than kek_days.")
        return self
