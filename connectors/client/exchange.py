"""One partner's party towards key holder and broker: look up, sign, send, verify.

Rules: addresses, keys and log come from the trust list and from nowhere else; what was sent is
sent again byte for byte within ten minutes, never built anew; nothing of an answer is given on
before all of it holds. A refusal is an answer; what raises is a failure of form, proof or reach.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final, ParamSpec, TypeVar

from connectors.client.lookup import Blinded, build_blinded, read_lookup
from connectors.client.outgoing import (
    ROUTES,
    Draft,
    Lookup,
    Sent,
    build_envelope_members,
    build_sent,
    draw_rid,
    find_class,
)
from connectors.client.own_text import require_no_number
from connectors.client.verification import MAX_ANSWER_BYTES, VerifiedAnswer, verify_answer
from connectors.errors import LogForkError
from datwat.party import clock
from datwat.party.http_out import (
    HttpOut,
    PeerRefusedError,
    PeerTooSlowError,
    PeerUnreachableError,
)
from datwat.party.ratchet import Ratchet, RatchetAlarmError
from datwat.party.telemetry import get_logger
from datwat.party.trust_list import Directory
from datwat.protocol.checkpoint import Checkpoint
from datwat.protocol.freshness import RESUME_AGE
from datwat.protocol.keys import Signer
from datwat.protocol.signing import build_message
from datwat.protocol.values import encode_bytes

PATIENCE: Final = timedelta(seconds=20)
_LOOKUP_SECONDS: Final = 10.0
_BROKER_SECONDS: Final = 10.0
_BATCH_SECONDS: Final = 120.0
_BATCH: Final = 32
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
# What a peer refuses for a moment only: the same bytes are taken up then, or answered as before.
_PASSES: Final = frozenset(
    {
        *("too_busy", "rotation_waits", "database_away", "ratchet_away", "log_unavailable"),
        # Of one process of several: where a proxy divides, the next one may answer.
        *("process_not_current", "process_outdated"),
    }
)
_RATCHET_PREFIX: Final = "client_log:"
_ROOTS_KEPT: Final = 1_024

P = ParamSpec("P")
R = TypeVar("R")
_log = get_logger("exchange")


class LogMemory:
    """What the log stated to this party: one root for one size, the newest durably.

    Answers may arrive out of order, so a smaller log is no alarm; another root for a known size is.
    """

    def __init__(self, ratchet: Ratchet) -> None:
        self._ratchet = ratchet
        self._roots: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def accept(self, checkpoint: Checkpoint) -> None:
        """Remember a checkpoint that was verified; raise LogForkError if it contradicts another."""
        known = self._roots.setdefault((checkpoint.origin, checkpoint.size), checkpoint.root)
        if known != checkpoint.root or not self._advance(checkpoint):
            _log.error("log_fork", size=checkpoint.size)
            raise LogForkError
        while len(self._roots) > _ROOTS_KEPT:
            self._roots.popitem(last=False)

    def _advance(self, checkpoint: Checkpoint) -> bool:
        # A log's next generation has another origin, and begins anew.
        name = _RATCHET_PREFIX + hashlib.sha256(checkpoint.origin.encode()).hexdigest()[:16]
        newest = self._ratchet.value(name)
        if newest is not None and checkpoint.size < newest.number:
            return True
        try:
            self._ratchet.advance(name, checkpoint.size, checkpoint.root)
        except RatchetAlarmError:
            return False
        return True


class Exchange:
    """A partner's (or the portal's) side of every message; safe for many at once in one loop."""

    def __init__(
        self,
        *,
        party_id: str,
        key: Signer,
        directory: Callable[[], Directory],
        http: HttpOut,
        memory: LogMemory,
        patience: timedelta = PATIENCE,
    ) -> None:
        """Keep what is needed; `directory` gives the trust list as it is held now.

        `patience` is for how long the same bytes are sent again where there is no answer.
        """
        self.party_id = party_id
        self._key = key
        self._directory = directory
        self._http = http
        self._memory = memory
        self._patience = patience

    def waiting_at_most(self, patience: timedelta) -> Exchange:
        """Return the same party's side, which sends the same bytes again for so long."""
        return Exchange(
            party_id=self.party_id,
            key=self._key,
            directory=self._directory,
            http=self._http,
            memory=self._memory,
            patience=patience,
        )

    @property
    def directory(self) -> Directory:
        """The trust list as it is held now."""
        return self._directory()

    async def act(self, draft: Draft) -> VerifiedAnswer:
        """Do one act from look-up to verified answer; see `prepare`, `deliver` and `verify`."""
        sent = await self.prepare(draft)
        return await self.verify(await self.deliver(sent), sent)

    async def prepare(self, draft: Draft) -> Sent:
        """Look up those who have no handle yet, and sign the message; nothing reached the broker.

        Raises BsnError, NumberInTextError, LookupRefusedError, ProofError, PeerError,
        TrustListExpiredError.
        """
        require_no_number(draft)
        rid = draw_rid()
        self.directory.require_in_force(clock.now())
        bsns = [person.bsn for person in draft.persons if person.bsn is not None]
        lookup = None
        if bsns:
            blinded = await _compute(len(bsns), build_blinded, draft.act, rid, bsns)
            lookup = await self._look_up(blinded)
        broker = self.directory.trust.broker.id
        envelope = build_envelope_members(draft.act, self.party_id, broker, clock.now(), rid)
        return build_sent(draft, lookup, envelope=envelope, rid=rid, key=self._key)

    async def deliver(self, sent: Sent, *, max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
        """Return the broker's answer, not yet verified; the same bytes again until patience ends.

        Raises PeerRefusedError for a problem (nothing was written down), else PeerError.
        """
        url = self.directory.trust.broker.url.rstrip("/") + ROUTES[sent.act]
        seconds = _BATCH_SECONDS if len(sent.person_hashes) > _BATCH else _BROKER_SECONDS
        return await self._post(url, sent.wire, seconds, max_bytes)

    async def verify(self, raw: bytes, sent: Sent) -> VerifiedAnswer:
        """Return the answer to `sent` if all of it holds, and remember what the log stated.

        Raises AnswerRefusedError, NoteError, ReceiptError, ReceiptOutsideError, LogForkError.
        """
        persons = len(sent.person_hashes)
        verified = await _compute(persons, verify_answer, raw, sent, self.directory.trust.log)
        if verified.checkpoint is not None:
            self._memory.accept(verified.checkpoint)
        return verified

    async def _look_up(self, blinded: Blinded) -> Lookup:
        holder = self.directory.trust.key_holder
        rid = draw_rid()
        members = {
            **build_envelope_members("evaluate", self.party_id, holder.id, clock.now(), rid),
            "has_statement": False,
            "has_ticket": False,
            "request_class": find_class(blinded.act),
            "for_rid": encode_bytes(blinded.for_rid),
            "elements": [encode_bytes(element) for element in blinded.elements],
        }
        if len(holder.epochs) > 1:  # a rotation: the key holder answers under one that we know
            members["epochs"] = [epoch.epoch for epoch in holder.epochs]
        wire = build_message(members, (), self._key).to_bytes()
        url = holder.url.rstrip("/") + "/v1/evaluations"
        raw = await self._post(url, wire, _LOOKUP_SECONDS)
        read = partial(read_lookup, rid=rid, partner=self.party_id, epochs=holder.epochs)
        return await _compute(len(blinded.elements), read, raw, blinded)

    async def _post(
        self, url: str, wire: bytes, seconds: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        """Send the same bytes until there is an answer, or until patience (≤ ten minutes) ends."""
        ends = time.monotonic() + min(self._patience, RESUME_AGE).total_seconds()
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._http.post_message(
                    url, wire, seconds=seconds, max_bytes=max_bytes
                )
            except (PeerUnreachableError, PeerTooSlowError) as error:
                failure: Exception = error
            except PeerRefusedError as error:
                if error.peer_code not in _PASSES:
                    raise
                failure = error
            if time.monotonic() + pause > ends:
                raise failure
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


async def _compute(persons: int, work: Callable[P, R], *args: P.args, **more: P.kwargs) -> R:
    """Do arithmetic for many persons in a thread: the gateway beside it must go on answering."""
    if persons <= _BATCH:
        return work(*args, **more)
    return await asyncio.to_thread(work, *args, **more)
