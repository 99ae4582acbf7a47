"""Who runs an officer's command: by a named token and the register of roles, or the home's own.

Rules: a named token says who acts and the register, read at that moment, whether they hold a role
that the command asks for; the home's own token is the administrator's, who names the person and the
role in which they act, as what they do is written down with that role. Where two do it together,
the second is somebody of the register, as soon as that holds anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from broker.commands.authoring_commands import build_acting
from broker.purposes.roles import ANSWERERS, RoleMissingError, RoleName, derive_held
from broker.wiring import Broker
from datwat.party.admin import Command, Holder, RoleCommand
from datwat.party.problems import InputInvalidError, read_members
from datwat.protocol.acts import Professional
from datwat.protocol.values import ShortText, StaffId, Value, derive_staff_id

_ROLE: Final = "privacyfunctionaris"
_Asked = TypeVar("_Asked", bound=Value)


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts, as far as it was said: the staff id and the role that the resident reads.

    `is_named`: a token of their own says so.
    """

    staff: str = field(repr=False)
    role: str
    is_named: bool = False

    def require_professional(self) -> Professional:
        """Return them as who decides; raise InputInvalidError where they were not named."""
        try:
            return Professional(id=derive_staff_id(self.staff), role=self.role)
        except ValidationError as error:
            raise InputInvalidError.from_validation(error) from None


# Whoever has the home's own token, in commands that no named token runs.
ADMINISTRATOR: Final = Who(staff="", role="")


class SecondRoleError(RoleMissingError):
    """A second person who holds no fitting role."""

    default_detail = (
        "The second person holds no role that fits: `datwat broker roles list` shows who does."
    )


class SecondAsked(Value):
    """Whom who acts names beside themselves, where two do it together."""

    second_by: StaffId | None = None
    second_role: ShortText | None = None

    @property
    def second(self) -> Professional | None:
        """The second person; None unless both the id and the role were stated."""
        if self.second_by is None or self.second_role is None:
            return None
        return Professional(id=self.second_by, role=self.second_role)


Run = Callable[[dict[str, Any], Who], Awaitable[dict[str, Any]]]


def read_asked(model: type[_Asked], members: dict[str, Any]) -> _Asked:
    """Return what is asked; raise InputInvalidError where a member is wrong."""
    stated = {name: held for name, held in members.items() if name not in {"by", "role"}}
    if stated.get("second_by") is not None:
        stated["second_by"] = derive_staff_id(str(stated["second_by"]))
    return read_members(model, stated)


class OfficerCommands:
    """Makes commands that ask for a role; touches nothing of the broker before one runs."""

    def __init__(self, broker: Broker) -> None:
        """Keep the broker, whose register is read for each command."""
        self._broker = broker

    def build(self, run: Run, roles: tuple[RoleName, ...]) -> Command:
        """Return the command that does `run` for who holds one of `roles`."""

        async def do(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
            return await run(members, await self._find_who(members, holder, roles))

        return RoleCommand(do)

    async def _find_who(
        self, members: dict[str, Any], holder: Holder, roles: tuple[RoleName, ...]
    ) -> Who:
        """Return who acts; raise RoleMissingError."""
        if not holder.organisation:  # the home's own token
            return Who(str(members.get("by", "")), str(members.get("role", "")))
        acting, register = build_acting(holder), self._broker.role_register
        await asyncio.to_thread(register.require, acting, *roles)
        return Who(acting.staff, str(members.get("role") or _ROLE), is_named=True)

    async def require_second(
        self, who: Who, staff: str | None, roles: tuple[RoleName, ...] = ANSWERERS
    ) -> None:
        """Raise SecondRoleError where a second person is stated who holds none of `roles`.

        The administrator, with the home's own token, answers for both names only as long as the
        register holds nobody at all.
        """
        if staff is None:
            return
        rows = await asyncio.to_thread(self._broker.role_register.list_rows)
        if not who.is_named and all(row.ended_at is not None for row in rows):
            return
        if not any(role.name in roles for role in derive_held(staff, rows)):
            raise SecondRoleError
