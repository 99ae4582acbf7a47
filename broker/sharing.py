"""How a process of the broker goes along with the others that serve from the same database.

Rules: what another process changed (suspensions, trust list, policy, what is published) counts here
within a second: a number in the database is read every half second, and whoever cannot read it, or
has not taken up within a second what it says, answers nobody until it can; nor does one whose
schema a newer version changed. What changed here is told until the database has it. One process
keeps house; when its session ends another one does. A broker on SQLite is one process, and keeps
house itself. All of it goes by the process's own session, from a thread of its own: neither a pool
nor threads that others use up can make it late.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

from datwat.party.background import run_on
from datwat.party.database_errors import DatabaseNotDurableError
from datwat.party.errors import PartyError
from datwat.party.telemetry import get_logger, name_failure

MOST_PROCESSES: Final = 64
POLL_SECONDS: Final = 0.5
CURRENT_SECONDS: Final = 1.0
# What each process holds for itself, and reads anew when another one changed it.
SUSPENSIONS: Final = "suspensions"
TRUST_LIST: Final = "trust_list"
POLICY: Final = "policy"
PUBLISHED: Final = "published"
OUTBOX: Final = "outbox"
# What nobody may be answered without: the rest is late for those who read it, and no more.
_BINDING: Final = frozenset({SUSPENSIONS, TRUST_LIST, POLICY})
# Who was killed had no time to tell of these; suspensions are told in their own transaction.
_TOLD_AT_START: Final = frozenset({TRUST_LIST, POLICY})
_WAIT_SECONDS: Final = 2.0
_LEAST_SECONDS: Final = 0.05
_log = get_logger("sharing")

Handler = Callable[[], Awaitable[bool]]
"""Takes up what changed; False: it could not yet, and is to be tried again."""


class ProcessRunsError(PartyError):
    """A process with this number serves from this database already."""

    code = "process_runs"
    default_detail = "A process of this broker runs already on this database."


class ProcessAloneError(PartyError):
    """This broker can have one process only."""

    code = "process_alone"
    default_detail = (
        "Several processes of a broker need a PostgreSQL database and a ratchet on another "
        "PostgreSQL server: set database_url and ratchet_url, or serve without --process."
    )


class HousekeeperElsewhereError(PartyError):
    """Another process keeps house."""

    code = "housekeeper_elsewhere"
    default_detail = "Another process of this broker keeps house: ask that one."


class NotCurrentError(PartyError):
    """This process does not know what changed in the last second."""

    code = "process_not_current"
    default_detail = (
        "This process cannot read what others of this broker changed: nothing is answered until it "
        "can. Try again in a moment."
    )


class OutdatedError(PartyError):
    """A newer version of the software changed the schema under this process."""

    code = "process_outdated"
    default_detail = (
        "A newer version of this broker has taken over: this process answers nothing any more. "
        "Restart it with the new version."
    )


class Holders(NamedTuple):
    """The numbers of the processes that run, and of the one that keeps house."""

    processes: tuple[int, ...]
    housekeeper: int | None


class Polled(NamedTuple):
    """How often each thing changed, by its name, whether this process keeps house, and who runs."""

    numbers: Mapping[str, int]
    keeps_house: bool
    holders: Holders


class Session(Protocol):
    """Where processes meet; a call may wait for the database."""

    def poll(self, told: Collection[str] = ()) -> Polled:
        """Say that each process must read `told` anew, keep house if nobody does, and look.

        Raises where it cannot; then some of `told` may not have been said. OutdatedError: the
        schema is not this version's any more. DatabaseNotDurableError: the server was set so that
        it may lose what it took.
        """

    def close(self) -> None:
        """Let go of all."""


class Sharing:
    """One object per process; all but the session's own calls are of the event loop."""

    def __init__(self, process: int, session: Session | None, *, is_shared: bool = False) -> None:
        """Go on from a session that is open; None: there are no other processes.

        `is_shared`: there may be others that answer too.
        """
        self.process = process
        self.is_shared = is_shared and session is not None
        self.holders = Holders((process,), process)
        self._session = session
        self._keeping, self._lost = asyncio.Event(), asyncio.Event()
        self._handlers: dict[str, Handler] = {}
        self._seen: dict[str, int] = {}
        self._taking: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._again: dict[str, float] = {}
        self._polled_at = time.monotonic()
        self._polled = asyncio.Event()
        self._refusal: PartyError | None = None  # what no other try will mend
        self._untold = set(_TOLD_AT_START) if self.is_shared else set[str]()
        self._woken = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "sharing")
        self._each_poll: list[Callable[[], object]] = []
        if session is None:
            self._note_house(keeps=True)
        else:
            polled = session.poll()
            self._seen = dict(polled.numbers)
            self._take(polled, self._polled_at)

    @property
    def keeps_house(self) -> bool:
        """Whether this process is the one that does what only one may do."""
        return self._keeping.is_set()

    @property
    def is_current(self) -> bool:
        """Whether all that others changed before the last second counts here."""
        if self._refusal is not None:  # one process on a server too: a command may have migrated it
            return False
        if not self.is_shared:
            return True
        now = time.monotonic()
        late = any(
            name in _BINDING and now - since > CURRENT_SECONDS
            for name, (since, _) in self._taking.items()
        )
        return not late and now - self._polled_at <= CURRENT_SECONDS

    def require_house(self) -> None:
        """Raise HousekeeperElsewhereError where another process keeps house."""
        if not self.keeps_house:
            raise HousekeeperElsewhereError

    def on(self, name: str, handler: Handler) -> None:
        """Have a handler take up what others change under a name; for the start."""
        self._handlers[name] = handler

    def at_each_poll(self, look: Callable[[], object]) -> None:
        """Have something short looked at each half second, in a thread; it fails as a poll does."""
        self._each_poll.append(look)

    def announce(self, name: str) -> None:
        """Have the other processes told at once to take something up, or as soon as it can be."""
        if self.is_shared:
            self._untold.add(name)
            self._woken.set()

    async def require_current(self) -> None:
        """Wait a little until this process is current.

        Raises NotCurrentError, OutdatedError, DatabaseNotDurableError.
        """
        if self.is_current:
            return
        if self._refusal is not None:
            raise type(self._refusal)
        until = time.monotonic() + _WAIT_SECONDS
        while not self.is_current:
            self._polled.clear()
            try:
                await asyncio.wait_for(self._polled.wait(), until - time.monotonic())
            except TimeoutError:
                raise NotCurrentError from None

    async def run(self) -> None:
        """Look for ever what others changed."""
        session = self._session
        if session is None:
            return
        loop = asyncio.get_running_loop()
        while True:
            began = time.monotonic()
            self._woken.clear()
            # What is announced meanwhile may be of after: it is told once more.
            told, self._untold = self._untold, set()
            try:
                polled = await loop.run_in_executor(self._thread, self._poll, session, told)
                self._refusal = None
                self._take(polled, began)
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing is known now
                if self._keeping.is_set():
                    _log.warning("housekeeping_lost", exception=name_failure(error))
                self._note_house(keeps=False)
                self._refusal = _find_refusal(error)
                self._untold |= told
            await asyncio.sleep(_LEAST_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    self._woken.wait(), max(0.0, began + POLL_SECONDS - time.monotonic())
                )

    async def keep_house(self, *works: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run these on for ever, but only while this process keeps house."""
        while True:
            await self._keeping.wait()
            if self._session is not None:
                _log.info("housekeeping_begun", number=self.process)
            tasks = [asyncio.ensure_future(run_on(work)) for work in works]
            try:
                await self._lost.wait()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def build_status(self) -> dict[str, Any]:
        """Return what `status` says: which process this is, which run, and which keeps house."""
        keeper = None if self.holders.housekeeper == self.process else self.holders.housekeeper
        return {
            "process": self.process,
            "processes": list(self.holders.processes),
            "housekeeper": self.process if self.keeps_house else keeper,
        }

    def close(self) -> None:
        """Leave the others: another one keeps house at once."""
        for _, task in self._taking.values():
            task.cancel()
        self._thread.shutdown(wait=True)
        if self._session is not None:
            self._session.close()

    def _poll(self, session: Session, told: Collection[str]) -> Polled:
        for look in self._each_poll:
            look()
        return session.poll(told)

    def _take(self, polled: Polled, began: float) -> None:
        self._note_house(keeps=polled.keeps_house)
        self.holders = polled.holders
        for name in self._handlers:
            number = polled.numbers.get(name, 0)
            if self._seen.get(name, 0) != number:
                self._seen[name] = number
                # It was changed after the last look began, however long this one took.
                self._note_changed(name, since=self._polled_at)
        self._polled_at = began
        self._polled.set()

    def _note_house(self, *, keeps: bool) -> None:
        now, before = (self._keeping, self._lost) if keeps else (self._lost, self._keeping)
        before.clear()
        now.set()

    def _note_changed(self, name: str, since: float) -> None:
        if name in self._taking:  # what is being taken up may be of before
            self._again.setdefault(name, since)
        else:
            self._taking[name] = (since, asyncio.ensure_future(self._take_up(name)))

    async def _take_up(self, name: str) -> None:
        while not await self._try_taking(name):  # noqa: ASYNC110 - nobody tells when it can be
            await asyncio.sleep(POLL_SECONDS)
        again = self._again.pop(name, None)
        if again is None:
            del self._taking[name]
        else:
            self._taking[name] = (again, asyncio.ensure_future(self._take_up(name)))
        self._polled.set()

    async def _try_taking(self, name: str) -> bool:
        try:
            return await self._handlers[name]()
        except Exception as error:  # noqa: BLE001 - it is tried again, and nobody is answered
            _log.warning("change_not_taken_up", step=name, exception=name_failure(error))
            return False


def _find_refusal(error: Exception) -> PartyError | None:
    """Return what no other try of this process will mend."""
    return error if isinstance(error, OutdatedError | DatabaseNotDurableError) else None
