"""The key holder's settings: those of every party, and the quotas.

A quota bounds what a stolen partner key is worth: at 2,000 a day trying all BSNs takes 124 years
(reference "Threats"). The portal's is small: a resident logs in, and is not searched for.
"""

from __future__ import annotations

from pydantic import Field

from datwat.party.settings import PartySettings


class KeyHolderSettings(PartySettings):
    """Quotas are elements per partner and UTC day."""

    quota_register: int = Field(default=2_000, ge=0, le=10_000_000)
    quota_inquire: int = Field(default=2_000, ge=0, le=10_000_000)
    quota_self: int = Field(default=500, ge=0, le=10_000_000)

    @property
    def quotas(self) -> dict[str, int]:
        """The daily quota by class."""
        return {
            "register": self.quota_register,
            "inquire": self.quota_inquire,
            "self": self.quota_self,
        }
