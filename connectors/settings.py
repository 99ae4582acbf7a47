"""The connector's settings: those of every party, and what only a partner has."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator

from datwat.party.settings import PartySettings
from datwat.protocol.values import FormError

SUBSTANTIAL: Final = "http://eidas.europa.eu/LoA/substantial"
HIGH: Final = "http://eidas.europa.eu/LoA/high"
STAFF_SECRET_NAME: Final = "staff-client.secret"  # noqa: S105 - the name of a file
_CLAIM: Final = r"^[A-Za-z0-9_:./-]{1,100}$"


class ConnectorSettings(PartySettings):
    """`declaration` names the files of the partner's sources, separated by commas, if it holds any.

    `withheld` names the file of what this source keeps to itself. `local_host` and `local_port` are
    where the partner's own software reaches the local API. `patience_seconds` is for how long a
    message without an answer is sent again before the application is told.

    `pages_url` is the address at which the partner's own staff reach their pages; without it there
    are none. Then `staff_issuer` and `staff_client_id` say who they are: `staff_id_claim` holds
    their id, `staff_role_claim` their function, without which nobody comes in.
    """

    declaration: str = Field(default="", max_length=4_096)
    withheld: str = Field(default="", max_length=1_024)
    local_host: str = Field(default="127.0.0.1", max_length=253)
    local_port: int = Field(default=0, ge=0, le=65_535)
    patience_seconds: int = Field(default=20, ge=0, le=600)
    pages_host: str = Field(default="127.0.0.1", max_length=253)
    pages_port: int = Field(default=0, ge=0, le=65_535)
    pages_url: str = Field(default="", pattern=r"^(https?://[^\s?#@]{1,240})?$")
    staff_issuer: str = Field(default="", pattern=r"^(https?://[^\s?#@]{1,240})?$")
    staff_client_id: str = Field(default="", max_length=200)
    staff_id_claim: str = Field(default="sub", pattern=_CLAIM)
    staff_role_claim: str = Field(default="role", pattern=_CLAIM)
    staff_levels: str = Field(default=f"{SUBSTANTIAL},{HIGH}", min_length=1, max_length=1_000)
    theme: str = Field(default="", max_length=1_024)

    @model_validator(mode="after")
    def _pages_are_whole(self) -> Self:
        stated = [bool(self.pages_url), bool(self.staff_issuer), bool(self.staff_client_id)]
        if any(stated) and not all(stated):
            raise FormError(
                "The pages of the staff need all three: pages_url, staff_issuer, staff_client_id."
            )
        return self

    @property
    def has_pages(self) -> bool:
        """Whether the partner's own staff have pages here."""
        return bool(self.pages_url)

    @property
    def is_secure(self) -> bool:
        """Whether staff reach their pages by TLS: then the cookies travel by nothing else."""
        return self.pages_url.startswith("https://")

    @property
    def accepted_staff_levels(self) -> frozenset[str]:
        """The values of `acr` that let staff in."""
        return frozenset(level.strip() for level in self.staff_levels.split(",") if level.strip())

    @property
    def declaration_paths(self) -> tuple[Path, ...]:
        """The declarations' files; relative ones lie in the home folder."""
        names = (name.strip() for name in self.declaration.split(","))
        return tuple(self.home / name for name in names if name)

    @property
    def withheld_path(self) -> Path | None:
        """The file of what this source withholds, or None."""
        return self.home / self.withheld if self.withheld else None
