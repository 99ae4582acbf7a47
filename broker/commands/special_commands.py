"""What officers do about special situations while the broker runs: list, open, renew, audit.

Rules: nothing here names a person; what the auditor gets is written down before it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from pydantic import Field

from broker.api.routes import Wake
from broker.commands.officers import (
    ADMINISTRATOR,
    OfficerCommands,
    Who,
)
from broker.exchange.answering_telling import require_no_number
from broker.exchange.looking import Look
from broker.involvement.special_situations import (
    Place,
    SpecialSituationRow,
    derive_number,
    derive_state,
)
from broker.purposes.roles import ANSWERERS, REVIEW_READERS
from broker.transparency.proof_bundle import ProofBundles
from broker.wiring import Broker
from datwat.party.admin import Command
from datwat.party.problems import read_members
from datwat.protocol.acts import Professional
from datwat.protocol.completeness import MAX_QUARTERS
from datwat.protocol.values import (
    PlainText,
    Quarter,
    ShortText,
    StaffId,
    Value,
    decode_moment,
    derive_staff_id,
    encode_moment,
)


class TwoAsked(Value):
    """Who does something that nobody does alone, with whom, and why."""

    by: StaffId
    role: ShortText
    second_by: StaffId
    second_role: ShortText
    reason: PlainText


class AuditAsked(TwoAsked):
    """Two persons who look at what waits, and of which quarters (none: the present one)."""

    quarters: tuple[Quarter, ...] = Field(default=(), max_length=MAX_QUARTERS)


_Two = TypeVar("_Two", bound=TwoAsked)


def build_special_commands(
    broker: Broker, build_bundles: Callable[[], ProofBundles], wake_outbox: Wake
) -> dict[str, Command]:
    """Return the commands about special situations."""
    officers = OfficerCommands(broker)

    async def special_list(members: dict[str, Any], _who: Who) -> dict[str, Any]:
        rows = broker.openings.list_waiting(_find_place(members))
        return {"special_situations": [_describe(broker, row) for row in rows]}

    async def special_open(members: dict[str, Any], who: Who) -> dict[str, Any]:
        row = broker.openings.require_waiting(str(members.get("number")))
        by = who.require_professional()
        require_no_number(by.role)
        opened = await broker.openings.open(row, by)
        wake_outbox()
        return {"number": derive_number(row), "opened": opened}

    async def special_renew(members: dict[str, Any], who: Who) -> dict[str, Any]:
        row = broker.openings.require_waiting(str(members.get("number")))
        until_at = decode_moment(str(members.get("until_at")))
        by, reason = who.require_professional(), str(members.get("reason") or "")
        require_no_number(reason, by.role)
        await broker.openings.renew(row, until_at, by, reason)
        return {"number": derive_number(row), "until_at": encode_moment(until_at)}

    async def special_audit(members: dict[str, Any]) -> dict[str, Any]:
        look, quarters = _read_audit(members)
        await officers.require_second(ADMINISTRATOR, look.second.id, REVIEW_READERS)
        written = await broker.oversight.looks.record(look)
        bundle = await build_bundles().fetch_delayed(quarters, broker.rooms.clock())
        return {"entries": written, "bundle": orjson.loads(bundle.model_dump_json())}

    return {
        "special_list": officers.build(special_list, REVIEW_READERS),
        "special_open": officers.build(special_open, ANSWERERS),
        "special_renew": officers.build(special_renew, ANSWERERS),
        "special_audit": special_audit,
    }


def _read_audit(members: dict[str, Any]) -> tuple[Look, tuple[str, ...]]:
    """Return who looks and of which quarters; raise InputInvalidError where a member is wrong."""
    asked = read_two(AuditAsked, members)
    return build_look(asked), asked.quarters


def read_two(model: type[_Two], members: dict[str, Any]) -> _Two:
    """Return what two persons ask; raise InputInvalidError where a member is wrong."""
    staff = {name: derive_staff_id(str(members.get(name))) for name in ("by", "second_by")}
    return read_members(model, {**members, **staff})


def build_look(asked: TwoAsked) -> Look:
    """Return who they are and why; the residents read the roles and the reason."""
    return Look(
        by=Professional(id=asked.by, role=asked.role),
        second=Professional(id=asked.second_by, role=asked.second_role),
        reason=asked.reason,
    )


def _find_place(members: dict[str, Any]) -> Place | None:
    """Return the place in the list after which a page begins: that of the last one before it."""
    if "number" not in members:
        return None
    return decode_moment(str(members.get("until_at"))), str(members["number"])


def _describe(broker: Broker, row: SpecialSituationRow) -> dict[str, Any]:
    return {
        "number": derive_number(row),
        "ground": row.stated.ground,
        "state": derive_state(row, broker.rooms.clock()),
        "until_at": encode_moment(row.stated.until_at),
        "opening": row.stated.opening,
        "decider": row.stated.decider.role,
    }
