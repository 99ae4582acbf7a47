"""The life of a blind look-up at the key holder: admit, rights, quota, evaluate, record, answer.

Rules (reference "Blind look-up"): the class must be among the BSN rights that the trust list gives;
`self` excludes all others; nothing is answered before it is charged and recorded in one
transaction; the same bytes get the same answer for ten minutes. The key holder learns neither the
purpose nor a BSN: α is uniformly random, and the message has no parts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from sqlalchemy import Connection, Engine

from datwat.party import metrics
from datwat.party.database import READ_ONLY
from datwat.party.http_in import Admitted, read_message
from datwat.party.own_keys import KeyOfNow
from datwat.party.spent import SpentRequests
from datwat.party.telemetry import get_logger
from datwat.party.trust_list import Directory, IssuerUnknownError
from datwat.protocol import blinding
from datwat.protocol.keys import ExchangeKey, ExchangePublicKey
from datwat.protocol.messages import EvaluateAnswer, EvaluateObject
from datwat.protocol.ticket import (
    TicketHeader,
    TicketKey,
    TicketUse,
    derive_ticket_key,
    seal_ticket,
)
from datwat.protocol.trust import Partner
from keyholder import quotas
from keyholder.errors import BsnRightError, NotListedError, PartsError, QuotaError, SelfCountError
from keyholder.recorder import Made, Recorder
from keyholder.rotating import Rotations
from keyholder.secrets import Secrets
from keyholder.tables import SPENT

# Up to here an evaluation costs less than two milliseconds: not worth a thread.
_SMALL = 8
_MOST_FOR_SELF = 2

_log = get_logger("evaluation")


@dataclass(frozen=True, slots=True)
class Duty:
    """With what the key holder works under one trust list: its epochs, and a key for tickets."""

    epochs: tuple[int, ...]
    ticket_key: TicketKey


@dataclass(frozen=True, slots=True)
class _Work:
    """With what one look-up is evaluated."""

    epoch: int
    scalar: bytes = field(repr=False)
    ticket_key: TicketKey


def derive_duty(
    own_id: str, secrets: Secrets, directory: Directory, exchange: ExchangeKey | None = None
) -> Duty:
    """Return the epochs that both the list and these secrets have; raise NotListedError.

    Tickets are sealed by `exchange`, or where none is given by a key of its own that is listed.

    Tickets go to the first of the broker's X25519 keys: a new one is put first once it is in use.
    """
    entry = directory.trust.key_holder
    listed = [key for key in secrets.exchange_keys.keys if key.public.raw in entry.x25519]
    own = exchange or (listed[-1] if listed else None)
    shared = [epoch.epoch for epoch in secrets.epochs if epoch in entry.epochs]
    if entry.id != own_id or own is None or own.public.raw not in entry.x25519 or not shared:
        raise NotListedError
    broker = ExchangePublicKey(directory.trust.broker.x25519[0])
    key = derive_ticket_key(own, holder=own.public, broker=broker)
    return Duty(epochs=tuple(sorted(shared)), ticket_key=key)


def require_right(partner: Partner, request_class: str, n: int) -> None:
    """Raise unless a law lets this partner use the BSN for this class (UAVG 46, Wabb 10).

    A partner with the right `self` has no other, whatever else the list says. Raises BsnRightError,
    SelfCountError.
    """
    uses = {use for right in partner.bsn_rights for use in right.uses}
    allowed = {"self"} if "self" in uses else uses
    if request_class not in allowed:
        raise BsnRightError
    if request_class == "self" and n > _MOST_FOR_SELF:
        raise SelfCountError


class Evaluator:
    """Answers look-ups; made and used in one event loop, which holds a connection to read with."""

    def __init__(
        self, own_id: str, engine: Engine, rotations: Rotations, limits: Mapping[str, int]
    ) -> None:
        self._id = own_id
        self._engine = engine
        self._rotations = rotations
        self._limits = limits
        self._spent = SpentRequests(SPENT)
        self._recorder = Recorder(engine, self._spent)
        self._listed: Collection[bytes] = ()
        self.exchange = KeyOfNow(rotations.secrets.exchange_keys, lambda: self._listed)
        self._duty: tuple[bytes, int, bytes, Duty] | None = None
        self._reader = engine.execution_options(**{READ_ONLY: True})
        # An SQLite read takes less time than to hand it to a thread; a server's answer takes
        # longer.
        self._held = self._reader.connect() if engine.dialect.name == "sqlite" else None

    def close(self) -> None:
        """Let go of the held connections."""
        self._recorder.close()
        if self._held is not None:
            self._held.close()

    async def answer(self, body: bytes, directory: Directory, now: datetime) -> bytes:
        """Return the JSON of an EvaluateAnswer, committed before it is returned.

        Raises whatever `read_message` raises, RidReusedError, MessageExpiredError, PartsError,
        BsnRightError, SelfCountError, PartnerNotOpenError, QuotaError, PointError, NotListedError.
        """
        admitted = read_message(body, directory, EvaluateObject, aud=self._id, now=now)
        asked = admitted.object
        work = self._require_work(directory, asked.epochs, now)
        try:
            recorded = await self._fetch_turn(admitted, now)
            if recorded is not None:
                return recorded
            if len(asked.elements) <= _SMALL:
                answer = self._evaluate(admitted, work, now)
            else:
                answer = await asyncio.to_thread(self._evaluate, admitted, work, now)
            recorded = await self._recorder.record(self._build_made(admitted, answer, now))
        except QuotaError:
            wanted = asked.request_class
            metrics.count("datwat_quota_refused_total", wanted)
            _log.warning("quota_exceeded", partner=admitted.issuer.id, request_class=wanted)
            raise
        metrics.count("datwat_evaluations_total", asked.request_class, by=len(asked.elements))
        return recorded

    def purge(self, now: datetime) -> None:
        """Delete answers and counts whose time is over; for a thread of its own."""
        with self._engine.begin() as connection:
            self._spent.purge(connection, now)
            quotas.purge_usage(connection, now)

    async def _fetch_turn(self, admitted: Admitted[EvaluateObject], now: datetime) -> bytes | None:
        if self._held is not None:
            with self._held.begin():
                return self._require_turn(self._held, admitted, now)
        return await asyncio.to_thread(self._fetch_turn_apart, admitted, now)

    def _fetch_turn_apart(self, admitted: Admitted[EvaluateObject], now: datetime) -> bytes | None:
        with self._reader.begin() as connection:
            return self._require_turn(connection, admitted, now)

    def _require_turn(
        self, connection: Connection, admitted: Admitted[EvaluateObject], now: datetime
    ) -> bytes | None:
        """Return the recorded answer, or None where this look-up may be evaluated now."""
        asked = admitted.object
        partner = admitted.issuer.partner
        if partner is None:  # the broker has no BSN to look up
            raise IssuerUnknownError
        found = self._spent.find(connection, partner.id, asked.rid, admitted.request_hash, now=now)
        if found is not None:
            return found.answer
        admitted.require_fresh(now)
        if asked.parts:
            raise PartsError
        n = len(asked.elements)
        require_right(partner, asked.request_class, n)
        limit = self._limits[asked.request_class]
        quotas.require_room(connection, partner.id, asked.request_class, n, limit=limit, now=now)
        return None

    def _build_made(self, admitted: Admitted[EvaluateObject], answer: bytes, now: datetime) -> Made:
        asked = admitted.object
        return Made(
            partner=admitted.issuer.id,
            rid=asked.rid,
            request_hash=admitted.request_hash,
            request_class=asked.request_class,
            n=len(asked.elements),
            limit=self._limits[asked.request_class],
            answer=answer,
            now=now,
        )

    def _evaluate(self, admitted: Admitted[EvaluateObject], work: _Work, now: datetime) -> bytes:
        asked = admitted.object
        made = blinding.evaluate(work.scalar, asked.elements)
        use = TicketUse(
            partner=admitted.issuer.id,
            ticket_class=asked.request_class,
            rid=asked.for_rid,
            n=len(asked.elements),
        )
        header = TicketHeader.build(
            use, key=work.ticket_key, epoch=work.epoch, iat=now, public=made.one_time_public
        )
        answer = EvaluateAnswer(
            v=1,
            rid=asked.rid,
            epoch=work.epoch,
            pk_t=made.one_time_public,
            elements=made.elements,
            proof_c=made.proof.challenge,
            proof_s=made.proof.response,
            ticket=seal_ticket(header, made.one_time_scalar, work.ticket_key),
        )
        return orjson.dumps(answer.model_dump(mode="json"))

    def _require_work(self, directory: Directory, known: Sequence[int], now: datetime) -> _Work:
        """Return with what to evaluate for who knows these epochs; raise NotListedError."""
        rotations = self._rotations
        version, scalars = rotations.version, rotations.secrets.scalars
        self._listed = directory.trust.key_holder.x25519
        exchange = self.exchange.now()
        work = (directory.digest, version, exchange.public.raw)
        if self._duty is None or self._duty[:3] != work:
            self._duty = (*work, derive_duty(self._id, rotations.secrets, directory, exchange))
        duty = self._duty[3]
        # One of them may be destroyed at this very moment, in another thread.
        shared = [epoch for epoch in duty.epochs if epoch in scalars]
        epoch = rotations.require_epoch(shared, known, now)
        return _Work(epoch, scalars[epoch], duty.ticket_key)
