"""What an operator does about systems that ask for decisions: clients in and out, the log checked.

Rules: a client stands for a partner of the trust list and ends with a date; its key is public, and
a private one is refused before anything is kept; nothing here names a resident.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import Field, ValidationError
from sqlalchemy import Connection

from broker.adapters.decision_log import SqlDecisionLog
from broker.adapters.token_clients import SqlAccess
from broker.api.assertions import read_client_key
from broker.audit.records import Appendable, Job
from broker.exchange.access import AccessClient
from broker.wiring import Broker
from datwat.party.admin import Command
from datwat.party.errors import PartyError
from datwat.party.problems import InputInvalidError
from datwat.party.trust_list import IssuerUnknownError
from datwat.protocol.canonical import decode_strict, encode_canonical
from datwat.protocol.values import Moment, PartyId, Value, encode_moment

LONGEST = timedelta(days=400)
_KEPT = ("kty", "crv", "x", "y", "n", "e")
_ValueT = TypeVar("_ValueT", bound=Value)
CLIENT_ID_PATTERN = r"^[a-z][a-z0-9-]{2,62}[a-z0-9]$"


class ClientUnknownError(PartyError):
    """No such client."""

    code = "access_client_unknown"
    default_detail = "There is no such client: `datwat broker clients list` shows them."


class ClientExistsError(PartyError):
    """The id is taken."""

    code = "access_client_exists"
    default_detail = "There is a client with this id: end it first, or choose another id."


class _Added(Value):
    client: str = Field(pattern=CLIENT_ID_PATTERN)
    partner: PartyId
    jwk: str = Field(max_length=8_192, repr=False)
    until_at: Moment


class _Named(Value):
    client: str = Field(max_length=64)


def build_others_commands(broker: Broker) -> dict[str, Command]:
    """Return the commands by name."""
    store, write = SqlAccess(), _build_write(broker)

    async def clients_add(members: dict[str, Any]) -> dict[str, Any]:
        asked = _read(_Added, members)
        rooms, now = broker.rooms, broker.rooms.clock()
        if asked.partner not in rooms.trust.directory.partners:
            raise IssuerUnknownError(place="partner")
        if not now < asked.until_at <= now + LONGEST:
            raise InputInvalidError(
                f"A client ends after now, and within {LONGEST.days} days: give that date.",
                place="until_at",
            )
        client = AccessClient(
            asked.client, asked.partner, _write_key(asked.jwk), now, asked.until_at
        )
        if not await write(lambda conn: store.add_client(conn, client)):
            raise ClientExistsError
        return describe_client(client)

    async def clients_list(_members: dict[str, Any]) -> dict[str, Any]:
        with broker.rooms.reading() as conn:
            found = store.list_clients(conn, broker.rooms.clock())
        return {"clients": [describe_client(client) for client in found]}

    async def clients_end(members: dict[str, Any]) -> dict[str, Any]:
        asked = _read(_Named, members)
        if not await write(lambda conn: store.end_client(conn, asked.client)):
            raise ClientUnknownError
        return {"client": asked.client, "ended": True}

    async def decisions_check(_members: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(_check_decisions, broker)

    return {
        "clients_add": clients_add,
        "clients_list": clients_list,
        "clients_end": clients_end,
        "decisions_check": decisions_check,
    }


def _check_decisions(broker: Broker) -> dict[str, Any]:
    with broker.database.connect() as conn:
        found = SqlDecisionLog(broker.secrets.row_key).check(conn)
    return {
        "decisions": found.count,
        "first": found.first,
        "last": found.last,
        "holds": found.broken_at is None,
        "broken_at": found.broken_at,
    }


def describe_client(client: AccessClient) -> dict[str, Any]:
    """Return what is shown of a client: its key by its thumbprint."""
    return {
        "client": client.client_id,
        "partner": client.partner,
        "key": read_client_key(client.jwk).thumbprint(),
        "since_at": encode_moment(client.since_at),
        "until_at": encode_moment(client.until_at),
    }


def _write_key(text: str) -> str:
    """Return a public key in one spelling, with its required members only."""
    read_client_key(text)
    members: dict[str, Any] = decode_strict(text.encode())
    public = {name: members[name] for name in _KEPT if name in members}
    return encode_canonical(public).decode()


def _build_write(broker: Broker) -> Callable[[Callable[[Connection], bool]], Awaitable[bool]]:
    """Return what does something in the log's turn, and tells whether it was done."""

    async def write(do: Callable[[Connection], bool]) -> bool:
        is_done = False

        def work(conn: Connection) -> Sequence[Appendable]:
            nonlocal is_done
            is_done = do(conn)
            return []

        await broker.rooms.log.append(Job(work))
        return is_done

    return write


def _read(kind: type[_ValueT], members: dict[str, Any]) -> _ValueT:
    try:
        return kind.model_validate(members)
    except ValidationError as error:
        raise InputInvalidError.from_validation(error) from None
