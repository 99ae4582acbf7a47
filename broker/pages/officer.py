"""Who is there: an officer or operator, from the claims of the staff's own provider.

Rules: what somebody may do is what the login says *and* what the broker's register of roles says
now; the register is read again for every page and every act, so that a role that was taken away
counts from that moment, whatever a session or an open form still holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from broker.purposes.roles import ROLES, Acting, Role, RoleMissingError, RoleName
from broker.settings import BrokerSettings
from datwat.protocol.values import FormError
from datwat.web.login import Entrance
from datwat.web.site import Visit
from datwat.web.staff_login import read_staff_id

# One organisation has six; nobody works for more of them than this.
_MOST_CLAIMS: Final = 200
_LONGEST_CLAIM: Final = 120
READERS: Final = ROLES

# Which roles the register gives a staff id now; reads the database.
FindRoles = Callable[[str], frozenset[Role]]


@dataclass
class Officer:
    """Who is logged in; `roles` are those that the register gave them when it was last read.

    `kept` is what screens keep for as long as the session lasts, by their name.
    """

    acting: Acting = field(repr=False)
    roles: frozenset[Role] = frozenset()
    kept: dict[str, object] = field(default_factory=dict, repr=False)

    def has(self, *names: RoleName) -> bool:
        """Tell whether the last reading gave one of these roles: for what is shown, never done."""
        return any(role.name in names for role in self.roles)


@dataclass(frozen=True)
class Roles:
    """The register of roles as the pages ask it, each time anew."""

    find_roles: FindRoles

    async def fetch_held(self, acting: Acting) -> frozenset[Role]:
        """Return the roles that both the login and the register give."""
        return acting.claims & await asyncio.to_thread(self.find_roles, acting.staff)

    async def is_held(self, staff: str, *names: RoleName) -> bool:
        """Tell whether the register gives somebody one of these roles now, here or not."""
        held = await asyncio.to_thread(self.find_roles, staff)
        return any(role.name in names for role in held)

    async def require_role(self, visit: Visit[Officer], *names: RoleName) -> Role:
        """Return the role of `names` in which somebody is here now; raise RoleMissingError.

        For what is shown as for what is done: a form that was shown before a role was lost does
        nothing after it.
        """
        live = visit.session.held
        live.roles = await self.fetch_held(live.acting)
        for role in sorted(live.roles, key=lambda one: (READERS.index(one.name), one.organisation)):
            if role.name in names:
                return role
        raise RoleMissingError


def read_acting(claims: Mapping[str, Any], settings: BrokerSettings) -> Acting:
    """Return who acts and what the login says they are; raise LoginRefusedError. Pure.

    What is not `<organisation>:<role>` is left out: a provider may say more than is meant for us.
    """
    staff = read_staff_id(claims, settings)
    stated = claims.get(settings.staff_roles_claim)
    listed = stated if isinstance(stated, list) else []
    found = (read_role(one) for one in listed[:_MOST_CLAIMS])
    return Acting(staff=staff, claims=frozenset(role for role in found if role is not None))


def read_role(stated: object) -> Role | None:
    """Return the role that a claim says, or None where it says none of ours. Pure."""
    if not isinstance(stated, str) or len(stated) > _LONGEST_CLAIM:
        return None
    try:
        return Role.parse(stated)
    except FormError:
        return None


def build_entrance(settings: BrokerSettings, roles: Roles) -> Entrance[Officer]:
    """Return what the broker does with a login that holds: nobody comes in without a role."""

    async def enter(claims: Mapping[str, Any], _now: datetime) -> tuple[Officer, str]:
        acting = read_acting(claims, settings)
        held = await roles.fetch_held(acting)
        if not held:
            raise RoleMissingError
        return Officer(acting, held), acting.staff

    async def leave(officer: Officer) -> None:
        officer.kept.clear()

    return Entrance(enter, leave, "/")
