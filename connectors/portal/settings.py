"""The portal's settings: those of every party, and which identity provider says who somebody is.

Issuer, client, claims and levels are configuration: nothing of one provider is written into the
code (reference "Identity": OIDC NL GOV).
"""

from __future__ import annotations

from pydantic import Field

from datwat.party.settings import PartySettings

SUBSTANTIAL = "http://eidas.europa.eu/LoA/substantial"
HIGH = "http://eidas.europa.eu/LoA/high"
CLIENT_SECRET_NAME = "oidc-client.secret"  # noqa: S105 - the name of a file


class PortalSettings(PartySettings):
    """`levels` are the accepted values of `acr`, separated by commas; no other lets anybody in.

    `represents_claim` holds an object with a claim named as `bsn_claim`: the represented person.
    `home_page` is where a resident goes after the login. `theme` is a folder with an organisation's
    own name, logo and colours; `exit_url` is what "Leave this page quickly" shows.
    """

    issuer: str = Field(pattern=r"^https?://[^\s?#@]{1,240}$")
    client_id: str = Field(min_length=1, max_length=200)
    bsn_claim: str = Field(default="bsn", pattern=r"^[A-Za-z0-9_:./-]{1,100}$")
    represents_claim: str = Field(default="represents", pattern=r"^[A-Za-z0-9_:./-]{1,100}$")
    levels: str = Field(default=f"{SUBSTANTIAL},{HIGH}", min_length=1, max_length=1_000)
    home_page: str = Field(default="/", pattern=r"^/[A-Za-z0-9/_.-]{0,200}$")
    theme: str = Field(default="", max_length=1_024)
    exit_url: str = Field(
        default="https://www.buienradar.nl", pattern=r"^https://[^\s<>\"]{1,200}$"
    )

    @property
    def accepted_levels(self) -> frozenset[str]:
        """The accepted values of `acr`."""
        return frozenset(level.strip() for level in self.levels.split(",") if level.strip())

    @property
    def is_secure(self) -> bool:
        """Whether residents reach the portal by TLS: then its cookies travel by nothing else."""
        return self.url.startswith("https://")
