"""The way to the sources: orders now, contact requests and notices until they are delivered.

Rules: an order has two seconds, proofs included; its receipt is made for a head that the gateway
can tie to what it accepted before, and where it holds another size it says so (`need_proof`).
What waits in the outbox is tried again until it is delivered or over; nothing of it is logged by
value. Source: protocol.md sections 3 and 8.
"""

from __future__ import annotations

import time

from pydantic import ValidationError

from broker.audit.proofs import Proofs
from broker.exchange.release import DeliveryFailedError, Order, choose_failure
from datwat.party.http_out import (
    HttpOut,
    PeerAnswerInvalidError,
    PeerRefusedError,
    PeerTooSlowError,
    PeerUnreachableError,
)
from datwat.protocol.order import Consistency, NeedProof, OrderEnvelope
from datwat.protocol.trust import Partner

ORDER_SECONDS = 2.0
_DELIVERY_SECONDS = 5.0
_MAX_ANSWER = 1_048_576
_CONFLICT = 409


class HttpGateways:
    """Implements `broker.exchange.release.Gateways` over HTTP."""

    def __init__(self, http: HttpOut, proofs: Proofs) -> None:
        self._http = http
        self._proofs = proofs
        # Where each gateway's newest checkpoint stood when it last answered: only a first guess.
        self._bases: dict[str, int] = {}

    async def send_order(self, source: Partner, order: Order) -> bytes:
        """Return what the gateway answers; raise DeliveryFailedError for anything but an answer."""
        url = f"{(source.gateway_url or '').rstrip('/')}/v1/orders"
        until = time.monotonic() + ORDER_SECONDS
        base = self._bases.get(source.id, 0)
        while True:
            try:
                return await self._send(url, source.id, order, base, until)
            except PeerRefusedError as error:
                needed = _read_needed(error)
                # Other orders move a gateway on meanwhile, so it may ask more than once; one that
                # asks for what it was just given would ask for ever.
                if needed is None or needed == base:
                    raise DeliveryFailedError(choose_failure(error.peer_code)) from None
                base = needed

    async def deliver(self, url: str, message: bytes) -> None:
        """Hand over a contact request or a notice; raises PeerError where it did not arrive."""
        await self._http.post_message(
            url, message, seconds=_DELIVERY_SECONDS, max_bytes=_MAX_ANSWER
        )

    async def _send(self, url: str, source: str, order: Order, base: int, until: float) -> bytes:
        head = self._proofs.read_head()
        if base > head.size:
            raise DeliveryFailedError("source_refused_order")
        body = OrderEnvelope(
            v=1,
            message=order.message,
            involvement=order.involvement,
            receipt=self._proofs.build_receipt(order.index, head.size),
            checkpoint=head.note,
            consistency=Consistency(
                from_size=base,
                to_size=head.size,
                path=self._proofs.build_consistency(base, head.size),
            ),
            cosigned=head.note,
        )
        left = until - time.monotonic()
        if left <= 0:
            raise DeliveryFailedError("source_too_slow")
        try:
            answer = await self._http.post_message(
                url, body.model_dump_json().encode(), seconds=left, max_bytes=_MAX_ANSWER
            )
        except PeerTooSlowError:
            raise DeliveryFailedError("source_too_slow") from None
        except PeerUnreachableError:
            raise DeliveryFailedError("source_unreachable") from None
        except PeerAnswerInvalidError:
            raise DeliveryFailedError("source_answer_invalid") from None
        self._bases[source] = head.size
        return answer


def _read_needed(error: PeerRefusedError) -> int | None:
    """Return the size that a gateway asks a proof from, or None where it refuses."""
    if error.status != _CONFLICT or not error.answer:
        return None
    try:
        return NeedProof.model_validate_json(error.answer).need_proof
    except ValidationError:
        return None
