"""What officers do with purposes by command, while the broker runs: the same acts as on its pages.

Rules: who acts or looks follows from the named token; the register of roles still decides, read at
that moment. Nothing here names a person. The officers' API runs exactly these commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from broker.policy.approving import build_statement
from broker.policy.asked import (
    ApproveAsked,
    DraftAsked,
    LanguageAsked,
    OneAsked,
    RollBackAsked,
    TextAsked,
    WithdrawalAsked,
)
from broker.purposes.life import build_approval
from broker.purposes.life_errors import ProposalStaleError
from broker.purposes.roles import DRAFT_READERS, ROLES, Acting, Role, RoleName
from broker.wiring import Broker
from datwat.party.admin import OPERATOR, Command, Holder, RoleCommand
from datwat.party.problems import read_members
from datwat.protocol.values import FormError, encode_bytes, encode_moment

RunAs = Callable[[dict[str, Any], Holder], Awaitable[dict[str, Any]]]


def build_acting(holder: Holder) -> Acting:
    """Return who acts by a token; the home's own claims no role but `operator`."""
    try:
        return Acting(holder.staff, frozenset({Role.parse(f"{holder.organisation}:{holder.role}")}))
    except FormError:
        return Acting(holder.staff, frozenset())


def build_read(broker: Broker, run: RunAs, roles: tuple[RoleName, ...] = ROLES) -> RoleCommand:
    """Return the command that shows something to who holds one of these roles."""

    async def read(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        await require_reader(broker, holder, roles)
        return await run(members, holder)

    return RoleCommand(read)


async def require_reader(broker: Broker, holder: Holder, roles: tuple[RoleName, ...]) -> None:
    """Ask the register, as it is at this moment; raise RoleMissingError.

    Whoever has the home's own token administers it and may read all.
    """
    if holder is not OPERATOR:
        await asyncio.to_thread(broker.role_register.require, build_acting(holder), *roles)


def build_authoring_commands(broker: Broker) -> dict[str, Command]:
    """Return the commands of the life of a purpose."""
    return {
        **_build_reads(broker),
        **_build_draft_acts(broker),
        **_build_proposal_acts(broker),
        **_build_approval_acts(broker),
    }


def _build_reads(broker: Broker) -> dict[str, Command]:
    async def preview(members: dict[str, Any], _holder: Holder) -> dict[str, Any]:
        asked = read_members(TextAsked, members)
        look = broker.authoring.preview
        found = await asyncio.to_thread(look, asked.text, asked.cases, asked.language)
        return to_members(found)

    async def purposes(members: dict[str, Any], _holder: Holder) -> dict[str, Any]:
        asked = read_members(LanguageAsked, members)
        found = await asyncio.to_thread(broker.authoring.list_purposes, asked.language)
        return {"purposes": [to_members(one) for one in found]}

    async def calendar(members: dict[str, Any], _holder: Holder) -> dict[str, Any]:
        asked = read_members(LanguageAsked, members)
        found = await asyncio.to_thread(broker.authoring.calendar, asked.language)
        return {"calendar": [to_members(one) for one in found]}

    async def history(members: dict[str, Any], _holder: Holder) -> dict[str, Any]:
        asked = read_members(LanguageAsked, members)
        found = await asyncio.to_thread(broker.authoring.history, asked.purpose, asked.language)
        return {"publications": [to_members(one) for one in found]}

    return {
        "purpose_preview": build_read(broker, preview),
        "purpose_list": build_read(broker, purposes),
        "purpose_calendar": build_read(broker, calendar),
        "purpose_history": build_read(broker, history),
    }


def _build_draft_acts(broker: Broker) -> dict[str, Command]:
    async def drafts(_members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        found = await asyncio.to_thread(broker.authoring.list_drafts, build_acting(holder))
        return {"drafts": [to_members(one) for one in found]}

    async def begin(members: dict[str, Any], _holder: Holder) -> dict[str, Any]:
        asked = read_members(LanguageAsked, members)
        purpose = asked.purpose or ""
        text, cases, digest = await asyncio.to_thread(broker.authoring.begin_draft, purpose)
        return {"text": text, "cases": cases, "base_digest": digest}

    async def show(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        asked, acting = read_members(OneAsked, members), build_acting(holder)
        look = broker.authoring.show_draft
        return to_members(await asyncio.to_thread(look, acting, asked.id, asked.language))

    async def save(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        asked = read_members(DraftAsked, members)
        return to_members(await broker.authoring.save_draft(build_acting(holder), asked))

    async def drop(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        asked = read_members(OneAsked, members)
        await broker.authoring.drop_draft(build_acting(holder), asked.id)
        return {"id": asked.id, "dropped": True}

    async def propose(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        asked = read_members(OneAsked, members)
        return to_members(await broker.authoring.propose(build_acting(holder), asked.id))

    return {
        "purpose_drafts": build_read(broker, drafts, DRAFT_READERS),
        "purpose_begin": build_read(broker, begin),
        "purpose_draft": build_read(broker, show, DRAFT_READERS),
        "purpose_save": RoleCommand(save),
        "purpose_drop": RoleCommand(drop),
        "purpose_propose": RoleCommand(propose),
    }


def _build_proposal_acts(broker: Broker) -> dict[str, Command]:
    async def proposals(_members: dict[str, Any], _holder: Holder) -> dict[str, Any]:
        found = await asyncio.to_thread(broker.authoring.list_proposals)
        return {"proposals": [to_members(one) for one in found]}

    async def show(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        asked, acting = read_members(OneAsked, members), build_acting(holder)
        look = broker.authoring.show_proposal
        return to_members(await asyncio.to_thread(look, acting, asked.id, asked.language))

    async def take_back(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        asked = read_members(OneAsked, members)
        await broker.authoring.take_back(build_acting(holder), asked.id)
        return {"id": asked.id, "taken_back": True}

    async def withdraw(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        asked = read_members(WithdrawalAsked, members)
        found = await broker.authoring.propose_withdrawal(build_acting(holder), asked)
        return to_members(found)

    async def roll_back(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        asked = read_members(RollBackAsked, members)
        return to_members(await broker.authoring.propose_roll_back(build_acting(holder), asked))

    return {
        "purpose_proposals": build_read(broker, proposals),
        "purpose_proposal": build_read(broker, show),
        "purpose_take_back": RoleCommand(take_back),
        "purpose_withdraw": RoleCommand(withdraw),
        "purpose_roll_back": RoleCommand(roll_back),
    }


def _build_approval_acts(broker: Broker) -> dict[str, Command]:
    async def to_sign(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        asked, acting = read_members(OneAsked, members), build_acting(holder)
        approving, ports = broker.authoring.approving, broker.authoring.ports
        base, document = ports.read_bundle(), ports.read_document()
        found = await asyncio.to_thread(approving.read_to_sign, acting, asked.id)
        if found.row.base_bundle_digest != base.digest:
            raise ProposalStaleError  # something was published in between
        return {
            "approval": build_approval(found.row).model_dump(mode="json"),
            "statement": build_statement(found.row).model_dump(mode="json"),
            "archive": encode_bytes(found.archive),
            "base_archive": encode_bytes(base.archive),
            "base_document": encode_bytes(document),
            "to_seq": found.row.words.to_seq,
            "earlier": None if found.earlier is None else encode_bytes(found.earlier),
            "text_nl": found.row.words.text_nl,
            "text_en": found.row.words.text_en,
            "changes_nl": list(found.row.words.changes_nl),
            "changes_en": list(found.row.words.changes_en),
        }

    async def approve(members: dict[str, Any], holder: Holder) -> dict[str, Any]:
        asked, acting = read_members(ApproveAsked, members), build_acting(holder)
        authoring = broker.authoring
        if asked.signatures is not None:
            return to_members(await authoring.approve(acting, asked.id, asked.signatures))
        passphrase = asked.passphrase or ""
        return to_members(await authoring.approve_sealed(acting, asked.id, passphrase))

    return {"purpose_to_sign": RoleCommand(to_sign), "purpose_approve": RoleCommand(approve)}


def to_members(shown: object) -> dict[str, Any]:
    """Return a dataclass of plain values as JSON values."""
    found: dict[str, Any] = _to_json(shown)
    return found


def _to_json(value: Any) -> Any:  # noqa: ANN401 - JSON
    if is_dataclass(value):
        return {one.name: _to_json(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, datetime):
        return encode_moment(value)
    if isinstance(value, Mapping):
        return {key: _to_json(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(member) for member in value]
    return value
