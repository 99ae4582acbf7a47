"""What a session of a resident holds: the handles that the broker gave, and whose pages are shown.

Rule: never a BSN, a name or a claim; whoever represents nobody finds nobody else here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from connectors.portal.desk import Handles, ResidentDesk
from connectors.portal.errors import NotRepresentedError
from connectors.portal.login import read_identity
from connectors.portal.said import Said
from connectors.portal.settings import PortalSettings
from datwat.web.login import Entrance

Who = Literal["self", "represented"]


@dataclass
class Resident:
    """One resident; `viewing` is whose pages they look at now, `said` what they are saying.

    `kept` is what a screen remembers until the session ends, by its name and whose pages it is of.
    """

    handles: Handles = field(repr=False)
    viewing: Who = "self"
    said: Said = field(default_factory=Said, repr=False)
    kept: dict[tuple[str, Who], Any] = field(default_factory=dict, repr=False)

    @property
    def persons(self) -> tuple[Who, ...]:
        """Whose log may be looked at in this session."""
        return ("self", "represented") if self.handles.represented else ("self",)

    def require_handle(self, who: Who) -> bytes:
        """Return the handle of a person; raise NotRepresentedError."""
        if who == "self":
            return self.handles.own
        if self.handles.represented is None:
            raise NotRepresentedError
        return self.handles.represented

    @property
    def handle(self) -> bytes:
        """The handle of whose pages are shown now."""
        return self.require_handle(self.viewing)

    @property
    def eyes(self) -> Literal["self", "representative"]:
        """With whose eyes that person is seen now."""
        return "self" if self.viewing == "self" else "representative"


def build_entrance(settings: PortalSettings, desk: ResidentDesk) -> Entrance[Resident]:
    """Return what the portal does with a login that holds, and at the end of a session."""

    async def enter(claims: Mapping[str, Any], _now: datetime) -> tuple[Resident, str]:
        identity = read_identity(claims, settings)
        handles = await desk.open_session(identity)
        return Resident(handles), f"{identity.bsn} {identity.represented}"

    async def leave(resident: Resident) -> None:
        await desk.end_session(resident.handles)

    return Entrance(enter, leave, settings.home_page)
