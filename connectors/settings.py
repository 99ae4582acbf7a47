"""The connector's settings: those of every party, and what only a partner has."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from datwat.web.staff import CLAIM_PATTERN, StaffSettings


class ConnectorSettings(StaffSettings):
    """`declaration` names the files of the partner's sources, separated by commas, if it holds any.

    `withheld` names the file of what this source keeps to itself. `local_host` and `local_port` are
    where the partner's own software reaches the local API. `patience_seconds` is for how long a
    message without an answer is sent again before the application is told.

    `staff_role_claim` holds the function of who logs in to the staff's own pages (`StaffSettings`);
    nobody comes in without one.
    """

    declaration: str = Field(default="", max_length=4_096)
    withheld: str = Field(default="", max_length=1_024)
    local_host: str = Field(default="127.0.0.1", max_length=253)
    local_port: int = Field(default=0, ge=0, le=65_535)
    patience_seconds: int = Field(default=20, ge=0, le=600)
    staff_role_claim: str = Field(default="role", pattern=CLAIM_PATTERN)

    @property
    def declaration_paths(self) -> tuple[Path, ...]:
        """The declarations' files; relative ones lie in the home folder."""
        names = (name.strip() for name in self.declaration.split(","))
        return tuple(self.home / name for name in names if name)

    @property
    def withheld_path(self) -> Path | None:
        """The file of what this source withholds, or None."""
        return self.home / self.withheld if self.withheld else None
