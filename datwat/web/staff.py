"""The settings of a party whose own staff have pages: where these are, and who says who comes in.

Light on purpose: a party's settings are read by every command, and no command needs a page.
"""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, model_validator

from datwat.party.settings import PartySettings
from datwat.protocol.values import FormError

SUBSTANTIAL: Final = "http://eidas.europa.eu/LoA/substantial"
HIGH: Final = "http://eidas.europa.eu/LoA/high"
STAFF_SECRET_NAME: Final = "staff-client.secret"  # noqa: S105 - the name of a file
CLAIM_PATTERN: Final = r"^[A-Za-z0-9_:./-]{1,100}$"


class StaffSettings(PartySettings):
    """`pages_url` is the address at which the party's own staff reach their pages.

    Without it there are none. With it, `staff_issuer` and `staff_client_id` say who they are:
    `staff_id_claim` holds their id, `staff_levels` the values of `acr` that let in. What they may
    do is a claim of the party's own.
    """

    pages_host: str = Field(default="127.0.0.1", max_length=253)
    pages_port: int = Field(default=0, ge=0, le=65_535)
    pages_url: str = Field(default="", pattern=r"^(https?://[^\s?#@]{1,240})?$")
    staff_issuer: str = Field(default="", pattern=r"^(https?://[^\s?#@]{1,240})?$")
    staff_client_id: str = Field(default="", max_length=200)
    staff_id_claim: str = Field(default="sub", pattern=CLAIM_PATTERN)
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
        """Whether the party's own staff have pages here."""
        return bool(self.pages_url)

    @property
    def is_secure(self) -> bool:
        """Whether staff reach their pages by TLS: then the cookies travel by nothing else."""
        return self.pages_url.startswith("https://")

    @property
    def accepted_staff_levels(self) -> frozenset[str]:
        """The values of `acr` that let staff in."""
        return frozenset(level.strip() for level in self.staff_levels.split(",") if level.strip())
