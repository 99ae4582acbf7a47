"""Taking up what the officers publish: tried, put in force whole, kept, and stated in the log.

Rules: what may not be put in force changes nothing, and `status` says so; the engine and what is
handed out change in the same moment; what was refused is not tried again until it or the trust list
is another, and what could not be tried is tried again, each time after a longer while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection

from broker.adapters.opa_external import ExternalOpa, OpaBehindError
from broker.adapters.opa_process import OpaRefusedError, OpaStartError
from broker.audit.log import Log
from broker.audit.records import Appendable, Job, Statement
from broker.here import PolicyHere
from broker.policy.engine import PolicyUnavailableError
from broker.policy.proving import require_proven
from broker.policy.publication import Publication, PublicationError
from broker.policy_folders import BUNDLE_RATCHET, Found
from broker.policy_start import Begun, rehearse
from broker.policy_state import PolicyState, Refused, build_state
from datwat.party.ratchet import Ratchet
from datwat.party.telemetry import get_logger, name_failure
from datwat.party.trust_keeper import TrustKeeper
from datwat.protocol.bundle import Bundle, derive_digest
from datwat.protocol.errors import DatwatError

LOOK_SECONDS = 30.0
_SOON_SECONDS = 2.0
_LONGEST_SECONDS = 600.0
_log = get_logger("policy")


class _Seen(NamedTuple):
    """What was looked at: the same again comes out the same."""

    digest: str
    document: bytes
    list_seq: int


class Following:
    """Follows the officers' folder; one object per process."""

    def __init__(
        self,
        begun: Begun,
        keeper: TrustKeeper,
        ratchet: Ratchet,
        log: Log,
        clock: Callable[[], datetime],
    ) -> None:
        """Go on from what the broker began with."""
        self.state: PolicyState = begun.state
        self.here: PolicyHere = begun.here
        self.offered: Bundle = begun.here.bundle  # to an OPA that loads what this broker offers
        self._waiting = begun.waiting
        self._engine = begun.engine
        self._folders = begun.folders
        self._keeper = keeper
        self._ratchet = ratchet
        self._log = log
        self._clock = clock
        self._looking = asyncio.Lock()
        self._refused: _Seen | None = None
        self._failed = 0
        self._not_before = 0.0
        self._not_tried_before = 0.0  # the same of the bundle of the start
        self._unkept: Found | None = None
        # What a composition of several processes sets: told of what was taken up; one of them
        # states the documents.
        self.on_taken_up: Callable[[], None] = _tell_nobody
        self.states_documents: Callable[[], bool] = _always

    @property
    def is_active(self) -> bool:
        """Whether OPA has had the bundle in force: before that nothing is permitted."""
        return self._waiting is None

    async def run(self) -> None:
        """Look for ever."""
        while True:
            is_waiting = not self.is_active or self.offered is not self.here.bundle
            await asyncio.sleep(_SOON_SECONDS if is_waiting else LOOK_SECONDS)
            try:
                await self._begin_waiting()
                await self.look()
            except Exception as error:  # noqa: BLE001 - a failed round is tried again
                _log.warning("policy_round_failed", exception=name_failure(error))

    async def _begin_waiting(self) -> None:
        """Put the bundle of the start in force once OPA has it and its cases came out."""
        waiting, engine = self._waiting, self._engine
        if waiting is None or not await engine.is_ready():
            return
        if isinstance(engine, ExternalOpa) and not engine.is_tried:
            if asyncio.get_running_loop().time() < self._not_tried_before:
                return
            try:
                await engine.prove(partial(require_proven, bundle=waiting.bundle))
            except DatwatError as error:
                self._refuse(error, None, None)
                self._not_tried_before = self._not_before
                return
        self._folders.advance(waiting.bundle)
        self._unkept, self._waiting = waiting, None

    async def take_up_shared(self) -> bool:
        """Look at once, as another process took a bundle up; return whether it is in force here."""
        await self.look()
        mark = await asyncio.to_thread(self._ratchet.value, BUNDLE_RATCHET)
        return mark is None or self.here.bundle.seq >= mark.number

    async def look(self) -> PolicyState:
        """Take up what lies in the officers' folder now, and return how things stand then.

        What may not be put in force is in `refused`, and nothing else has changed.
        """
        async with self._looking:
            publication: Publication | None = None
            seen: _Seen | None = None
            try:
                publication = await asyncio.to_thread(self._folders.read_published)
                list_seq = self._keeper.directory.trust.seq
                digest = await asyncio.to_thread(derive_digest, publication.archive)
                seen = _Seen(digest, publication.document, list_seq)
                if self._is_due(seen):
                    await self._take_up(publication)
                    self._forget()
            except DatwatError as error:
                self._refuse(error, publication, seen)
            await self._keep()
            await self.state_documents()
            return self.state

    def build_status(self, now: datetime) -> dict[str, Any]:
        """Return what `status` tells of the policy."""
        return self.state.to_status(now)

    async def state_documents(self) -> None:
        """State the trust list and the bundle in force in the log, each once (entry type 03)."""
        if not self.states_documents():
            return
        accepted, bundle = self._keeper.directory.accepted, self.here.bundle
        now = self._clock()
        digest = bytes.fromhex(bundle.digest)
        for name, number, about, document in (
            ("stated_trust_list", accepted.trust.seq, accepted.digest, accepted.document),
            ("stated_bundle", bundle.seq, digest, self.here.files.document),
        ):
            mark = self._ratchet.value(name)
            if mark is not None and mark.number >= number:
                continue
            statement = Statement(document, now)

            def work(_conn: Connection, statement: Statement = statement) -> Sequence[Appendable]:
                return [statement]

            await self._log.append(Job(work))
            self._ratchet.advance(name, number, about)

    def _is_due(self, seen: _Seen) -> bool:
        in_force = self.here
        if (seen.digest, seen.document) == (in_force.bundle.digest, in_force.files.document):
            if self.is_active:  # else what is said of it holds
                self._forget()
            return False
        is_same = seen == self._refused
        return not is_same or asyncio.get_running_loop().time() >= self._not_before

    async def _take_up(self, publication: Publication) -> None:
        """Put in force what lies ready; raises why it may not be."""
        directory = self._keeper.directory
        found = await asyncio.to_thread(self._folders.verify, publication, directory)
        bundle = found.bundle
        if bundle.digest == self.here.bundle.digest:  # signed by one more key
            self.here.take(bundle, found.document)
            return
        engine = self._engine
        # What no OPA has tried excuses no case of the next one.
        proven = self.here.bundle if self.is_active else None
        # Where that OPA has it already (another process offered it, or somebody gave it the
        # archive), all is denied until it is tried there and in force here: a rehearsal would only
        # make that longer.
        if (
            isinstance(engine, ExternalOpa)
            and self.offered.digest != bundle.digest
            and not await engine.has(bundle)
        ):
            await rehearse(bundle, proven)
        self.offered = bundle
        prove = partial(require_proven, bundle=bundle, proven=proven)
        await self._engine.activate(bundle, prove, partial(self._begin, found))
        self._folders.advance(bundle)
        self._unkept = found
        self.on_taken_up()

    def _begin(self, found: Found) -> None:
        """The moment in which the engine changes: what is handed out changes with it."""
        self.here.take(found.bundle, found.document)
        self.offered = found.bundle
        self.state = build_state(found.bundle, self._clock())
        self._waiting = None

    async def _keep(self) -> None:
        if self._unkept is None:
            return
        try:
            await asyncio.to_thread(self._folders.keep, self._unkept)
            self._unkept = None
        except PublicationError as error:
            _log.warning("policy_not_kept", code=error.code)

    def _forget(self) -> None:
        self._refused, self._failed, self._not_before = None, 0, 0.0
        self.offered = self.here.bundle
        if self.state.refused is not None:
            self.state = replace(self.state, refused=None)

    def _refuse(
        self, error: DatwatError, publication: Publication | None, seen: _Seen | None
    ) -> None:
        """Note why what lies ready is not in force, and when it is worth another try."""
        _log.warning("policy_refused", code=error.code)
        self._failed = self._failed + 1 if seen == self._refused else 1
        self._refused = seen
        now = asyncio.get_running_loop().time()
        self._not_before = now + _find_pause(error, self._failed)
        if not isinstance(error, OpaBehindError):
            self.offered = self.here.bundle
        self.state = replace(self.state, refused=Refused.of(error, publication, self._clock()))


def _tell_nobody() -> None:
    pass


def _always() -> bool:
    return True


def _find_pause(error: DatwatError, failed: int) -> float:
    """Return after how many seconds the same bytes are worth another try."""
    if isinstance(error, OpaBehindError):
        return 0.0
    if isinstance(error, OpaRefusedError) or not isinstance(
        error, OpaStartError | PolicyUnavailableError
    ):
        return float("inf")
    return float(min(LOOK_SECONDS * 2**failed, _LONGEST_SECONDS))
