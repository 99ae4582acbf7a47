"""How a process of the broker goes along with the others that serve from the same database.

Rules: what another process changed (suspensions, trust list, policy, what is published) counts here
within a second: a number in the database is read every half second, and whoever cannot read it, or
has not taken up within a second what it says, answers nobody until it can; nor does one whose
schema a newer version changed. One process keeps house;
when its session ends another one does. A broker on SQLite is one process, and keeps house itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, Protocol

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
_WAIT_SECONDS: Final = 2.0
_COUNT_SECONDS: Final = 2.0
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


class Polled(NamedTuple):
    """How often each thing changed, by its name, and whether this process keeps house."""

    numbers: Mapping[str, int]
    keeps_house: bool


class Holders(Protocol):
    """Which processes run."""

    @property
    def processes(self) -> tuple[int, ...]:
        """Their numbers."""

    @property
    def housekeeper(self) -> int | None:
        """The number of the one that keeps house."""


class Session(Protocol):
    """Where processes meet; a call may wait for the database."""

    def poll(self) -> Polled:
        """Return what changed how often, and keep house if nobody does; raise where it cannot.

        OutdatedError: the schema is not this version's any more.
        """

    def announce(self, name: str) -> None:
        """Say that each process must read something anew."""

    def list_holders(self) -> Holders:
        """Return which processes run."""

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
        self.processes: tuple[int, ...] = (process,)
        self.housekeeper: int | None = process
        self._session = session
        self._keeping, self._lost = asyncio.Event(), asyncio.Event()
        self._handlers: dict[str, Handler] = {}
        self._seen: dict[str, int] = {}
        self._taking: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._again: dict[str, float] = {}
        self._polled_at = time.monotonic()
        self._polled = asyncio.Event()
        self._is_outdated = False
        self._counted_at = 0.0
        self._thread = ThreadPoolExecutor(1, "sharing")
        self._each_poll: list[Callable[[], object]] = []
        self._announcing: set[asyncio.Future[None]] = set()
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
        if self._is_outdated:  # one process on a server too: a command may have migrated it
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
        """Say that the other processes must take something up; a lost word costs a round."""
        session = self._session
        if session is None or not self.is_shared:
            return
        loop = asyncio.get_running_loop()
        telling = loop.run_in_executor(None, session.announce, name)
        self._announcing.add(telling)
        telling.add_done_callback(self._announced)

    async def require_current(self) -> None:
        """Wait a little until this process is current; raise NotCurrentError, OutdatedError."""
        if self.is_current:
            return
        if self._is_outdated:
            raise OutdatedError
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
            try:
                polled = await loop.run_in_executor(self._thread, self._poll, session)
                self._is_outdated = False
                self._take(polled, began)
                await self._count(session)
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing is known now
                if self._keeping.is_set():
                    _log.warning("housekeeping_lost", exception=name_failure(error))
                self._note_house(keeps=False)
                self._is_outdated = isinstance(error, OutdatedError)
            await asyncio.sleep(max(0.05, began + POLL_SECONDS - time.monotonic()))

    async def keep_house(self, *works: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run these for ever, but only while this process keeps house."""
        while True:
            await self._keeping.wait()
            if self._session is not None:
                _log.info("housekeeping_begun", number=self.process)
            tasks = [asyncio.ensure_future(work()) for work in works]
            try:
                await self._lost.wait()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def build_status(self) -> dict[str, Any]:
        """Return what `status` says: which process this is, which run, and which keeps house."""
        keeper = None if self.housekeeper == self.process else self.housekeeper
        return {
            "process": self.process,
            "processes": list(self.processes),
            "housekeeper": self.process if self.keeps_house else keeper,
        }

    def close(self) -> None:
        """Leave the others: another one keeps house at once."""
        for _, task in self._taking.values():
            task.cancel()
        self._thread.shutdown(wait=True)
        if self._session is not None:
            self._session.close()

    def _poll(self, session: Session) -> Polled:
        for look in self._each_poll:
            look()
        return session.poll()

    def _take(self, polled: Polled, began: float) -> None:
        self._note_house(keeps=polled.keeps_house)
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

    async def _count(self, session: Session) -> None:
        now = time.monotonic()
        if now - self._counted_at < _COUNT_SECONDS and self.housekeeper is not None:
            return
        try:
            found = await asyncio.to_thread(session.list_holders)
        except Exception:  # noqa: BLE001 - it is for a person and for rates: the last count will do
            return
        self.processes, self.housekeeper = found.processes, found.housekeeper
        self._counted_at = now

    def _announced(self, telling: asyncio.Future[None]) -> None:
        self._announcing.discard(telling)
        error = None if telling.cancelled() else telling.exception()
        if error is not None:
            _log.warning("change_not_announced", exception=name_failure(error))
