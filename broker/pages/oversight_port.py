"""What the pages of oversight work with: the same service that its commands call.

Rule: the broker fills it in one place (`pages_wiring.py`); a page asks for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from broker.exchange.looking import Looks
from broker.transparency.dpia import Sheet
from broker.transparency.figures import Month, PartnerUse
from broker.transparency.indicators import Indicators
from broker.transparency.oversight_words import Language
from broker.transparency.processing_register import Register
from broker.transparency.reviewing import Reviewing


class OversightService(Protocol):
    """Lists, looks, figures, register and fact sheet."""

    @property
    def reviewing(self) -> Reviewing:
        """Review lists, samples and findings."""

    @property
    def looks(self) -> Looks:
        """Writes down who looks at an entry."""

    async def fetch_indicators(self, month: Month) -> Indicators:
        """Return the public tables of a month that is over."""

    async def fetch_use(self, partner: str, month: Month) -> PartnerUse:
        """Return a partner's own use of a month; raise PartnerNotListedError."""

    def read_register(self) -> Register:
        """Return the register of processing activities of what is in force now."""

    def read_dpia(self) -> Sheet:
        """Return the fact sheet of what is in force now."""


@dataclass(frozen=True)
class OversightPort:
    """The service, and how partners are called: `name(party)` is a dash for who is not listed."""

    service: OversightService
    name: Callable[[str], str]
    say: Callable[[str, Language], str]
    list_partners: Callable[[], list[tuple[str, str]]]
