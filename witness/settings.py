"""The witness's settings: those of every party, and how long it reads the log for one request.

`name` is that of the witness's key in notes; by custom an address without a scheme.
`follow_seconds` must stay below what the log waits for an answer.
"""

from __future__ import annotations

from pydantic import Field

from datwat.party.settings import PartySettings
from datwat.protocol.notes import KeyName


class WitnessSettings(PartySettings):
    """`log_url` is where the log is read, if not at `/v1/log` of the broker in the trust list."""

    name: KeyName
    log_url: str = Field(default="", pattern=r"^(https?://[^\s?#@]{1,240})?$")
    follow_seconds: float = Field(default=8.0, ge=0.1, le=300)
    fetch_seconds: float = Field(default=5.0, ge=0.1, le=60)
