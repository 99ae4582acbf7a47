"""The gateway put together: its parts, its three routes, and what its administrator sees of it.

Rule: a route does nothing but pass on bytes and answer; what is decided lies in the rooms beside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response

from connectors.gateway.contacts import ContactBook
from connectors.gateway.memory import Alarm, LogMemory
from connectors.gateway.orders import Orders
from connectors.gateway.relayed import Relayed
from connectors.policy import PolicyKeeper
from connectors.sources.opening import Sources
from datwat.party import clock
from datwat.party.http_in import build_json_response
from datwat.party.openapi import Operation
from datwat.party.ratchet import Ratchet
from datwat.party.trust_list import Directory
from datwat.protocol.keys import Signer
from datwat.protocol.order import ContactDeliveryObject, NeedProof, NoticeObject, OrderEnvelope
from datwat.protocol.order_errors import NeedProofError
from datwat.protocol.signing import SignedMessage


@dataclass(frozen=True)
class Gateway:
    """A running gateway; `contacts` is what the partner's staff reads."""

    orders: Orders
    relayed: Relayed
    memory: LogMemory
    contacts: ContactBook
    directory: Callable[[], Directory]

    @classmethod
    def build(
        cls,
        *,
        own: str,
        key: Signer,
        directory: Callable[[], Directory],
        policy: PolicyKeeper,
        engine: Engine,
        ratchet: Ratchet,
        sources: Sources,
        withheld: Path | None = None,
    ) -> Self:
        """Return the gateway of the partner `own`; `withheld` is the file of what it keeps back."""
        memory = LogMemory(engine, ratchet)
        return cls(
            orders=Orders(
                own=own,
                key=key,
                directory=directory,
                policy=policy,
                engine=engine,
                memory=memory,
                sources=sources,
                withheld=withheld,
            ),
            relayed=Relayed(own=own, directory=directory, engine=engine),
            memory=memory,
            contacts=ContactBook(engine),
            directory=directory,
        )

    def build_status(self) -> dict[str, Any]:
        """Return what `status` shows: how far the log was followed, and a standing alarm."""
        newest = self.memory.find_newest(self.directory().trust.log.origin)
        alarm = self.memory.find_alarm()
        return {
            "state": "stopped" if alarm else "taking_orders",
            "log_size": newest.size if newest else None,
            "alarm": _describe(alarm) if alarm else None,
            "contacts_open": len(self.contacts.list_open(clock.now())),
        }

    def clear_alarm(self, number: int, by: str) -> None:
        """Take orders again after a person looked; raise AlarmUnknownError. Blocks."""
        self.memory.clear_alarm(number, by, clock.now())


def _describe(alarm: Alarm) -> dict[str, Any]:
    reason = "log_forked" if alarm.checkpoint else "log_not_cosigned"
    return {"number": alarm.number, "reason": reason, "held_size": alarm.held_size}


def build_gateway_operations(gateway: Gateway) -> tuple[Operation, ...]:
    """Return the gateway's routes, to be mounted on the connector's public listener."""

    async def order(request: Request) -> Response:
        try:
            return build_json_response(await gateway.orders.answer(await request.body()))
        except NeedProofError as error:
            return build_json_response(NeedProof(need_proof=error.size), HTTPStatus.CONFLICT)

    async def contact(request: Request) -> Response:
        await gateway.relayed.take_contact(await request.body())
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def notice(request: Request) -> Response:
        await gateway.relayed.take_notice(await request.body())
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return (
        Operation(
            path="/v1/orders",
            operation_id="postOrder",
            summary="Take an order that was written down and answer with sealed fields.",
            endpoint=order,
            answer=SignedMessage,
            request=OrderEnvelope,
            tag="gateway",
            statuses=(403, 404, 409, 502, 503, 504),
        ),
        Operation(
            path="/v1/contact-deliveries",
            operation_id="postContactDelivery",
            summary="Take a contact request for the partner's staff; 204 without content.",
            endpoint=contact,
            answer=None,
            message=(ContactDeliveryObject,),
            tag="gateway",
            statuses=(403, 409),
        ),
        Operation(
            path="/v1/notices",
            operation_id="postNotice",
            summary="Take what became of an earlier exchange; 204 without content.",
            endpoint=notice,
            answer=None,
            message=(NoticeObject,),
            tag="gateway",
            statuses=(403, 409),
        ),
    )
