"""The way to the sources: orders now, contact requests and notices until they are delivered.

Rules: an order has two seconds, proofs included; its receipt is made for a head that the gateway
can tie to what it accepted before, and where it holds another size it says so (`need_proof`). An
order that is older than what the gateway named goes under that very head: that needs no proof, so
that no other order can overtake it once more.
What waits in the outbox is tried again until it is delivered or over; nothing of it is logged by
value. Source: protocol.md sections 3 and 8.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import ValidationError

from broker.audit.proofs import Proofs, SignedHead
from broker.exchange.release import DeliveryFailedError, Order, choose_failure
from datwat.party import clock
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
# Other orders move a gateway on meanwhile, so it may ask for another proof; more often than this
# only one that means to keep the broker busy.
_MOST_TRIES = 16


class HttpGateways:
    """Implements `broker.exchange.release.Gateways` over HTTP."""

    def __init__(
        self, http: HttpOut, proofs: Proofs, read_cosigned: Callable[[], SignedHead]
    ) -> None:
        """`read_cosigned` gives a checkpoint that enough witnesses vouched for, not long ago.

        It is read on the event loop, for each order.
        """
        self._http = http
        self._proofs = proofs
        self._read_cosigned = read_cosigned
        # The head that each gateway was last sent: a first guess, as orders overtake each other.
        self._bases: dict[str, int] = {}
        # Gateways (by address) that did not answer when they were last asked, and since when.
        self._silent: dict[str, datetime] = {}

    async def send_order(self, source: Partner, order: Order) -> bytes:
        """Return what the gateway answers; raise DeliveryFailedError for anything but an answer."""
        until = time.monotonic() + ORDER_SECONDS
        base = self._bases.get(source.id, 0)
        head = self._proofs.read_known_head()
        for _ in range(_MOST_TRIES):
            try:
                return await self._send(source, order, base, head, until=until)
            except PeerRefusedError as error:
                needed = _read_needed(error)
                # One that asks for what it was just given would ask for ever.
                if needed is None or needed == base:
                    raise DeliveryFailedError(choose_failure(error.peer_code)) from None
                base, head = needed, self._choose_head(order, needed)
        raise DeliveryFailedError("source_refused_order")

    async def deliver(self, url: str, message: bytes) -> None:
        """Hand over a contact request or a notice; raises PeerError where it did not arrive."""
        with self._noting(url):
            await self._http.post_message(
                url, message, seconds=_DELIVERY_SECONDS, max_bytes=_MAX_ANSWER
            )

    def find_silent(self, gateway_url: str) -> datetime | None:
        """Return since when a gateway gave no answer, or None where its last one came."""
        return self._silent.get(_name_host(gateway_url))

    @contextmanager
    def _noting(self, url: str) -> Iterator[None]:
        """Note whether an answer came; one that refuses is an answer too."""
        host = _name_host(url)
        try:
            yield
        except (PeerTooSlowError, PeerUnreachableError, PeerAnswerInvalidError):
            self._silent.setdefault(host, clock.now())
            raise
        except PeerRefusedError:
            self._silent.pop(host, None)
            raise
        self._silent.pop(host, None)

    def _choose_head(self, order: Order, needed: int) -> SignedHead:
        """Return the head that a gateway named, where the order lies under it; else the newest.

        Whichever process sent the named one: of one tree and key each gives the same bytes.
        """
        if order.index < needed:
            return self._proofs.read_head_at(needed)
        return self._proofs.read_known_head()

    async def _send(
        self, source: Partner, order: Order, base: int, head: SignedHead, *, until: float
    ) -> bytes:
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
            cosigned=self._read_cosigned().note,
        )
        left = until - time.monotonic()
        if left <= 0:
            raise DeliveryFailedError("source_too_slow")
        # Before it is answered: an order that follows at once begins where this one ends.
        if base != head.size:  # else it is a head that was named, or nothing moved
            self._bases[source.id] = head.size
        url = f"{(source.gateway_url or '').rstrip('/')}/v1/orders"
        try:
            with self._noting(url):
                # The same order again is answered with what was recorded for it.
                return await self._http.post_message(
                    url,
                    body.model_dump_json().encode(),
                    seconds=left,
                    max_bytes=_MAX_ANSWER,
                    is_repeatable=True,
                )
        except PeerTooSlowError:
            raise DeliveryFailedError("source_too_slow") from None
        except PeerUnreachableError:
            raise DeliveryFailedError("source_unreachable") from None
        except PeerAnswerInvalidError:
            raise DeliveryFailedError("source_answer_invalid") from None


def _name_host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _read_needed(error: PeerRefusedError) -> int | None:
    """Return the size that a gateway asks a proof from, or None where it refuses."""
    if error.status != _CONFLICT or not error.answer:
        return None
    try:
        return NeedProof.model_validate_json(error.answer).need_proof
    except ValidationError:
        return None
