"""What operators do about the broker's own keys while it runs: begin, follow and turn back.

Rule: a rotation goes on by itself, a piece in each round of housekeeping; no answer here holds a
key, and none waits for the end.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from broker.wiring import Broker
from datwat.party.admin import Command
from datwat.party.errors import PartyError
from datwat.party.problems import InputInvalidError
from datwat.protocol.values import encode_moment

KeyName = Literal["row", "kek"]


class RotationFinalError(PartyError):
    """What was begun can only go on."""

    code = "rotation_final"
    default_detail = (
        "A new generation of the KEK cannot be taken back: keys lie under it already. Nothing is "
        "lost by it; older generations open until their life is over."
    )


def build_keys_commands(broker: Broker) -> dict[str, Command]:
    """Return the commands `keys_status`, `keys_rotate` and `keys_abort`."""

    async def status(_members: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(_build_status, broker)

    async def rotate(members: dict[str, Any]) -> dict[str, Any]:
        now = broker.rooms.clock().replace(microsecond=0)
        if _read_name(members) == "row":
            await asyncio.to_thread(broker.secrets.row_file.start, now)
        else:
            await asyncio.to_thread(broker.ends.generations.start, now)
        return await status({})

    async def abort(members: dict[str, Any]) -> dict[str, Any]:
        if _read_name(members) == "kek":
            raise RotationFinalError
        now = broker.rooms.clock().replace(microsecond=0)
        await asyncio.to_thread(broker.secrets.row_file.abort, now)
        return await status({})

    return {"keys_status": status, "keys_rotate": rotate, "keys_abort": abort}


def _read_name(members: dict[str, Any]) -> KeyName:
    name = members.get("key")
    if name == "row":
        return "row"
    if name == "kek":
        return "kek"
    raise InputInvalidError("`key` is row or kek.")


def _build_status(broker: Broker) -> dict[str, Any]:
    now, generations, rows = broker.rooms.clock(), broker.ends.generations, broker.ends.rows
    assert rows is not None  # noqa: S101 - a broker is built with it
    living = broker.secrets.kek.list_generations()
    said = rows.build_status(now)
    if not broker.sharing.keeps_house and said["row_key_leaves"] is not None:
        # Another process of this broker moves the rows, and alone knows how far it is.
        kept = ("row_key", "row_key_leaves", "row_key_since")
        said = {name: said[name] for name in kept} | {"row_key_step": "elsewhere"}
    return {
        **said,
        "kek": living[-1].number,
        "kek_since": encode_moment(living[-1].started_at),
        "kek_generations": [one.number for one in living],
        "kek_all_under_newest": generations.is_resealed(),
    }
