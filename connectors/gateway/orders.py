"""An order's life at the source: checked, spent, read, sealed; protocol.md section 8, in its order.

Rule (promises 3 and 4): nothing is read before the order's proof holds, and nothing but the ordered
fields is. What leaves was recorded in the same transaction that spent the request; the same order
again gets the recorded bytes. A failure leaves nothing spent: nothing left the source.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from connectors.gateway.errors import InvolvementUnknownError
from connectors.gateway.evidence import Evidence, record_order
from connectors.gateway.memory import LogMemory
from connectors.gateway.withheld import require_given
from connectors.gateway_tables import gateway_ended, gateway_spent
from connectors.policy import PolicyKeeper
from connectors.sources.errors import SourceError
from connectors.sources.opening import Sources
from connectors.tables import involvements
from datwat.party import clock
from datwat.party.spent import SpentRequests
from datwat.party.trust_list import Directory, read_verify_keys
from datwat.protocol.canonical import CanonicalError
from datwat.protocol.catalogue import CatalogueView
from datwat.protocol.checkpoint import Checkpoint
from datwat.protocol.entry import derive_commit
from datwat.protocol.envelope import EnvelopeError, seal_envelope
from datwat.protocol.freshness import CLOCK_SKEW
from datwat.protocol.keys import ExchangePublicKey, Signer
from datwat.protocol.messages import ReleaseCore, ReleaseObject
from datwat.protocol.order import OrderEnvelope, OrderObject
from datwat.protocol.order_checks import (
    open_order,
    read_core,
    read_order,
    require_core,
    require_cosigned,
    require_fields,
    require_logged,
    require_request,
    require_times,
    verify_request,
)
from datwat.protocol.order_errors import OrderPurposeUnknownError, OrderRequesterError
from datwat.protocol.signing import build_message
from datwat.protocol.trust import Partner
from datwat.protocol.values import PROTOCOL_VERSION, derive_function, encode_bytes, encode_moment


@dataclass(frozen=True, slots=True)
class Checked:
    """An order of which steps 1 to 4 and 6 hold."""

    envelope: OrderEnvelope = field(repr=False)
    order: OrderObject = field(repr=False)
    request: ReleaseObject = field(repr=False)
    core: ReleaseCore = field(repr=False)
    checkpoint: Checkpoint
    cosigned: Checkpoint
    requester: Partner

    @property
    def order_hash(self) -> bytes:
        """What is ordered, without the proofs beside it: the commit of the entry in the log."""
        return derive_commit(self.order.core, self.order.payload_hash)


class Orders:
    """Takes orders, one call each; safe for many at once in one loop."""

    def __init__(
        self,
        *,
        own: str,
        key: Signer,
        directory: Callable[[], Directory],
        policy: PolicyKeeper,
        engine: Engine,
        memory: LogMemory,
        sources: Sources,
        withheld: Path | None,
    ) -> None:
        """Keep the parts; `own` is this source's id, `withheld` the file of what it keeps back."""
        self._own = own
        self._key = key
        self._directory = directory
        self._policy = policy
        self._engine = engine
        self._memory = memory
        self._sources = sources
        self._withheld = withheld
        self._spent = SpentRequests(gateway_spent)

    async def answer(self, body: bytes) -> bytes:
        """Return the signed envelope for an order, or raise why there is none.

        Raises:
            GatewayStoppedError, OrderError (NeedProofError too), MessageError, NoteError,
            ReceiptError, IssuerRefusedError, RidReusedError, SourceRefusesError, SourceError.
        """
        now = clock.now()
        await asyncio.to_thread(self._memory.require_running)
        checked = check_order(body, self._directory(), self._own, now)
        catalogue = await self._require_permitted(checked)
        number, recorded = await asyncio.to_thread(self._admit, checked, now)
        if recorded is not None:
            return recorded
        require_given(
            self._withheld,
            client=number,
            product=checked.request.product,
            requester=checked.requester.id,
        )
        try:
            sealed = await self._read_and_seal(checked, number, catalogue)
        except SourceError as error:
            await asyncio.to_thread(self._record_failure, checked, error.code, now)
            raise
        return await asyncio.to_thread(self._record, checked, sealed, now)

    async def _require_permitted(self, checked: Checked) -> CatalogueView:
        """Step 5, by the signed bundle; one that may be newer is fetched where it is unknown."""
        bundle = await self._policy.require_bundle()
        try:
            self._require_fields(checked, bundle.view)
        except OrderPurposeUnknownError:
            bundle = await self._policy.refresh()
            self._require_fields(checked, bundle.view)
        return bundle.view

    def _require_fields(self, checked: Checked, catalogue: CatalogueView) -> None:
        require_fields(
            checked.core,
            checked.request,
            catalogue,
            self._sources.allowed(checked.request.product),
            source_function=derive_function(self._own),
            requester_function=derive_function(checked.requester.id),
        )

    def _admit(self, checked: Checked, now: datetime) -> tuple[str, bytes | None]:
        """Steps 7 and 8: the log's memory, then what was recorded for this order, if anything.

        Returns the local client number, and the recorded envelope.
        """
        envelope, request = checked.envelope, checked.request
        self._memory.accept(
            checked.checkpoint, envelope.checkpoint.encode(), envelope.consistency, now
        )
        self._memory.require_known_root(checked.cosigned, envelope.cosigned.encode(), now)
        with self._engine.begin() as connection:
            # A little longer than they are answered: clocks may differ when the same comes again.
            self._spent.purge(connection, now - 2 * CLOCK_SKEW)
            spent = self._spent.find(
                connection, request.iss, request.rid, checked.order_hash, now=now
            )
            if spent is not None:
                return "", spent.answer
            return _find_client(connection, envelope.involvement), None

    async def _read_and_seal(
        self, checked: Checked, number: str, catalogue: CatalogueView
    ) -> bytes:
        """Step 9: read just the ordered fields of this client, and seal them to the requester."""
        request, core = checked.request, checked.core
        record = await self._sources.fetch_record(request.product, number, core.fields)
        product = catalogue.products.get(request.product)
        if product is None or set(record.values) != set(core.fields):
            raise SourceError
        own = self._directory().partners.get(self._own)
        share_bsn = own is not None and own.may_use_bsn and checked.requester.may_use_bsn
        try:
            body = seal_envelope(
                hashlib.sha256(checked.order.core).digest(),
                ExchangePublicKey(request.reply_key),
                record.values,
                product.derive_size_classes(core.fields),
                record.bsn if share_bsn else None,
            )
        except (EnvelopeError, CanonicalError):
            raise SourceError from None
        return self._sign(body.model_dump(mode="json"), request.rid)

    def _sign(self, body: Mapping[str, Any], rid: bytes) -> bytes:
        members = {
            **body,
            "v": PROTOCOL_VERSION,
            "type": "envelope",
            "iss": self._own,
            "aud": self._directory().trust.broker.id,
            "iat": encode_moment(clock.now()),
            "rid": encode_bytes(rid),
            "has_statement": False,
            "has_ticket": False,
        }
        return build_message(members, (), self._key).to_bytes()

    def _record(self, checked: Checked, sealed: bytes, now: datetime) -> bytes:
        """Spend the request with what leaves, in one transaction; the first of two equals wins."""
        request = checked.request
        with self._engine.begin() as connection:
            earlier = self._spent.spend(
                connection, request.iss, request.rid, checked.order_hash, answer=sealed, now=now
            )
            if earlier is not None and earlier.answer is not None:
                return earlier.answer
            self._keep(connection, checked, "released", now)
            return sealed

    def _record_failure(self, checked: Checked, code: str, now: datetime) -> None:
        with self._engine.begin() as connection:
            self._keep(connection, checked, code, now)

    def _keep(self, connection: Connection, checked: Checked, outcome: str, now: datetime) -> None:
        evidence = Evidence(
            requester=checked.requester.id,
            rid=checked.request.rid,
            origin=checked.checkpoint.origin,
            log_index=checked.envelope.receipt.index,
            core=checked.order.core,
            payload_hash=checked.order.payload_hash,
            tag=checked.order.tag,
            is_told=checked.core.notice == "now",
            client=_find_number(connection, checked.envelope.involvement),
        )
        record_order(connection, evidence, outcome, now)


def check_order(body: bytes, directory: Directory, own: str, now: datetime) -> Checked:
    """Return the order in `body` if steps 1 to 4 and 6 hold: all that needs no memory.

    Raises OrderError, MessageError, CanonicalError, NoteError, ReceiptError, IssuerRefusedError.
    """
    directory.require_in_force(now)
    trust = directory.trust
    envelope = read_order(body)
    order = open_order(
        envelope.message,
        read_verify_keys(trust.broker.keys),
        broker=trust.broker.id,
        own=own,
        now=now,
    )
    signed = verify_request(order, directory.keys)
    issuer = directory.require_issuer(signed.kid, now)
    if issuer.partner is None:
        raise OrderRequesterError
    request = require_request(signed, order, requester=issuer.id, broker=trust.broker.id, own=own)
    core = read_core(order.core)
    require_times(request.iat, core.iat, now)
    require_core(core, order, envelope.involvement)
    return Checked(
        envelope=envelope,
        order=order,
        request=request,
        core=core,
        checkpoint=require_logged(order, envelope, trust.log),
        cosigned=require_cosigned(
            envelope.cosigned.encode(),
            trust.log,
            [witness.vkey for witness in trust.witnesses],
            trust.witness_threshold,
            now,
        ),
        requester=issuer.partner,
    )


def _find_client(connection: Connection, reference: bytes) -> str:
    """Return the local number of the client whose involvement this is; raise if it has ended."""
    ended = select(gateway_ended.c.reference).where(gateway_ended.c.reference == reference)
    if connection.execute(ended).first() is not None:
        raise InvolvementUnknownError
    number = _find_number(connection, reference)
    if number is None:
        raise InvolvementUnknownError
    return number


def _find_number(connection: Connection, reference: bytes) -> str | None:
    """Return the local number of the client whose involvement this is or was, if it is known."""
    number: str | None = connection.execute(
        select(involvements.c.client).where(involvements.c.reference == reference)
    ).scalar()
    return number
