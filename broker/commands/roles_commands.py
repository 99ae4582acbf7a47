"""What an administrator does about roles and tokens, while the broker runs.

Rule: these take the token of the home folder, and no named one: nobody gives themselves a role.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import Field

from broker.purposes.role_register import TokenAsked
from broker.purposes.roles import EndAsked, GiveAsked
from broker.wiring import Broker
from datwat.party.admin import Command, FindHolder, Holder
from datwat.party.problems import read_members
from datwat.protocol.values import Value, derive_staff_id, encode_moment


class NameAsked(Value):
    """A token by its name."""

    name: str = Field(max_length=64)


def build_roles_commands(broker: Broker) -> dict[str, Command]:
    """Return the commands about the register of roles and its tokens."""

    async def roles_list(_members: dict[str, Any]) -> dict[str, Any]:
        rows = await asyncio.to_thread(broker.role_register.list_rows)
        return {
            "roles": [
                {
                    "organisation": row.role.organisation,
                    "role": row.role.name,
                    "staff": row.staff,
                    "key": row.kid,
                    "given_at": encode_moment(row.given_at),
                    "ended_at": row.ended_at and encode_moment(row.ended_at),
                }
                for row in rows
            ]
        }

    async def roles_give(members: dict[str, Any]) -> dict[str, Any]:
        asked = read_members(GiveAsked, _spell(members))
        await broker.role_register.give(asked)
        return {"organisation": asked.organisation, "role": asked.role, "given": True}

    async def roles_end(members: dict[str, Any]) -> dict[str, Any]:
        asked = read_members(EndAsked, _spell(members))
        ended = await broker.role_register.end(asked)
        kept = [f"{one.purpose} {encode_moment(one.valid_from)}" for one in ended.kept]
        return {
            "organisation": asked.organisation,
            "role": asked.role,
            "ended": True,
            "approvals_kept": kept,
        }

    return {
        "roles_list": roles_list,
        "roles_give": roles_give,
        "roles_end": roles_end,
        **_build_token_commands(broker),
    }


def _build_token_commands(broker: Broker) -> dict[str, Command]:
    async def tokens_list(_members: dict[str, Any]) -> dict[str, Any]:
        rows = await asyncio.to_thread(broker.role_register.list_tokens)
        return {
            "tokens": [
                {
                    "name": row.words.name,
                    "organisation": row.words.organisation,
                    "role": row.words.role,
                    "staff": row.words.staff,
                    "until_at": encode_moment(row.until_at),
                }
                for row in rows
            ]
        }

    async def tokens_create(members: dict[str, Any]) -> dict[str, Any]:
        asked = read_members(TokenAsked, _spell(members))
        token = await broker.role_register.create_token(asked)
        return {"name": asked.name, "token": token}

    async def tokens_revoke(members: dict[str, Any]) -> dict[str, Any]:
        asked = read_members(NameAsked, members)
        await broker.role_register.revoke_token(asked.name)
        return {"name": asked.name, "revoked": True}

    return {
        "tokens_list": tokens_list,
        "tokens_create": tokens_create,
        "tokens_revoke": tokens_revoke,
    }


def build_find_holder(broker: Broker) -> FindHolder:
    """Return what tells the admin listener whose a named token is."""

    async def find_holder(token: str) -> Holder | None:
        row = await broker.role_register.find_holder(token)
        if row is None:
            return None
        return Holder(row.words.staff, row.words.organisation, row.words.role)

    return find_holder


def _spell(members: dict[str, Any]) -> dict[str, Any]:
    """Return the members with the staff id in its one spelling."""
    return {**members, "staff": derive_staff_id(str(members.get("staff")))}
