"""What a broker's process takes up when another one changed it, and what it tells the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from broker.adapters.changes_store import SqlChanges
from broker.exchange.changes import Changes, ChangesHere
from broker.sharing import (
    OUTBOX,
    POLICY,
    PUBLISHED,
    SUSPENSIONS,
    TRUST_LIST,
    Sharing,
)
from broker.wiring import Broker
from datwat.party.openapi import Operation


def build_changes(broker: Broker) -> Changes:
    """Return what tells whether something weighed changed: here, or for all processes."""
    if broker.sharing.is_shared:
        return SqlChanges(broker.rooms.clock)
    return ChangesHere()


def follow_others(broker: Broker, wake_outbox: Callable[[], None]) -> None:
    """Have what other processes change taken up here, and tell them what changes here."""
    sharing = broker.sharing

    async def published() -> bool:
        if not sharing.keeps_house:
            await broker.publishing.follow()
        return True

    async def wake() -> bool:
        wake_outbox()
        return True

    sharing.on(SUSPENSIONS, broker.suspensions.follow)
    sharing.on(TRUST_LIST, broker.keeper.take_up_held)
    sharing.on(POLICY, broker.following.take_up_shared)
    sharing.on(PUBLISHED, published)
    sharing.on(OUTBOX, wake)
    sharing.at_each_poll(broker.secrets.kek.reread)
    # By an older ring a person may not be found who is there, and become two.
    sharing.at_each_poll(broker.secrets.row_file.refresh)
    broker.keeper.on_accepted = lambda: sharing.announce(TRUST_LIST)
    broker.following.on_taken_up = lambda: sharing.announce(POLICY)
    broker.following.states_documents = lambda: sharing.keeps_house


def build_wake(broker: Broker, woken: asyncio.Event) -> Callable[[], None]:
    """Return what has the outbox looked at soon, by whichever process keeps house."""

    def wake() -> None:
        if broker.sharing.keeps_house:
            woken.set()
        else:
            broker.sharing.announce(OUTBOX)

    return wake


def gate(operations: Sequence[Operation], sharing: Sharing) -> tuple[Operation, ...]:
    """Return the routes, those that are asked something closed while this process is not current.

    What is only read (GET) says of itself how old it is.
    """
    return tuple(
        _gate(operation, sharing) if operation.method == "POST" else operation
        for operation in operations
    )


def _gate(operation: Operation, sharing: Sharing) -> Operation:
    answer = operation.endpoint

    async def answer_when_current(request: Request) -> Response:
        await sharing.require_current()
        return await answer(request)

    return replace(operation, endpoint=answer_when_current)
