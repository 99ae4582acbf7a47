"""Faults of every kind, drawn by a seed, one after the other and as fast as they can come."""

from __future__ import annotations

import os
import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg

from datwat.party.running import find_running
from tests.parties import Party
from tests.postgres import OwnServer
from tests.several.conftest import Stormy
from tests.several.load import Load
from tests.several.messages import Messages
from tests.several.proxy import Proxy
from tests.several.world import BrokerProcess, is_alive
from tests.stopping import stop_process

# How often each kind is drawn, of some thousand: what costs a second or more is rare.
_WEIGHTS: Final = {
    "session_ended": 300,
    "ratchet_session_ended": 80,
    "statement_cancelled": 120,
    "request_cut": 110,
    "answer_not_read": 110,
    "malformed": 110,
    "replayed": 90,
    "id_used_again": 30,
    "connections_cut": 60,
    "connections_refused": 8,
    "network_slow": 10,
    "network_silent": 10,
    "process_stood": 30,
    "lock_held": 20,
    "lock_timed_out": 1,
    "server_stopped": 2,
    "ratchet_stopped": 1,
    "process_killed": 4,
}
_LOCKED: Final = ("log_head", "involvements", "shared_changes", "log_entries")
_OTHERS: Final = (
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
    " AND application_name = 'datwat' AND pid <> pg_backend_pid()"
)
_LOCK_TIMEOUT_SECONDS: Final = 5.0  # of datwat/party/postgres.py
SEED: Final = "TESTS_DATWAT_SEED"


def draw_seed() -> int:
    """Return the seed that the environment names, or a new one; who draws it prints it."""
    return int(os.environ.get(SEED) or secrets.randbelow(2**32))


class Mixing:
    """The one who breaks things, and counts by kind what was broken."""

    def __init__(self, stormy: Stormy, load: Load, seed: int) -> None:
        self.stormy, self.load = stormy, load
        self.counts: Counter[str] = Counter()
        self.rng = random.Random(seed)  # noqa: S311 - a test's order, no secret
        self._kinds = random.Random(f"{seed} kinds")  # noqa: S311 - and what is drawn is its own
        self._messages = Messages(load, random.Random(f"{seed} messages"))  # noqa: S311 - as above
        self.ended = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._messages.close()

    def run(self, count: int) -> None:
        """Break so many things; each counts once it was broken."""
        for name in _WEIGHTS:  # each kind at least once, also where they are few
            self._try(name)
        while sum(self.counts.values()) < count:
            self._try(*self._kinds.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values())))
            self.revive()
        self.await_all()

    def _try(self, name: str) -> None:
        self.load.require_well()
        kind: Callable[[], bool] = getattr(
            self._messages if hasattr(self._messages, name) else self, name
        )
        if kind():
            self.counts[name] += 1

    # What the servers do

    def session_ended(self) -> bool:
        return self._tell(self.stormy.pair.primary, "pg_terminate_backend", _OTHERS)

    def ratchet_session_ended(self) -> bool:
        return self._tell(self.stormy.ratchet, "pg_terminate_backend", _OTHERS)

    def statement_cancelled(self) -> bool:
        """As a statement's or a lock's time-out ends it: one that is at work just now."""
        at_work = _OTHERS + " AND state = 'active'"
        return any(
            self._tell(self.stormy.pair.primary, "pg_cancel_backend", at_work) for _ in range(20)
        )

    def _tell(self, server: OwnServer, function: str, which: str) -> bool:
        with self._connect(server) as conn:
            query = f"SELECT {function}(pid) FROM ({which} ORDER BY random() LIMIT 1) AS one"
            found = conn.execute(query.encode()).fetchone()
        return found is not None and bool(found[0])

    def _connect(self, server: OwnServer) -> psycopg.Connection[tuple[object, ...]]:
        name = "broker" if server is self.stormy.pair.primary else "postgres"
        url = server.url.removesuffix("postgres") + name
        return psycopg.connect(url, autocommit=True, application_name="test")

    def lock_held(self, seconds: float = 0.0) -> bool:
        """Hold a table that acts wait for."""
        table = self.rng.choice(_LOCKED)
        with (
            suppress(psycopg.errors.LockNotAvailable),
            self._connect(self.stormy.pair.primary) as conn,
            conn.transaction(),
        ):
            conn.execute("SET LOCAL lock_timeout = '3s'")
            conn.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            time.sleep(seconds or self.rng.uniform(0.05, 0.3))
            return True
        return False

    def lock_timed_out(self) -> bool:
        return self.lock_held(_LOCK_TIMEOUT_SECONDS + 0.5)

    def server_stopped(self) -> bool:
        self.stormy.pair.stop()
        self.stormy.pair.start()
        return True

    def ratchet_stopped(self) -> bool:
        self.stormy.ratchet.stop()
        self.stormy.ratchet.start()
        return True

    # What the network does

    def _draw_network(self) -> Proxy:
        return self.rng.choice([self.stormy.pair.network, self.stormy.ratchet_network])

    def connections_cut(self) -> bool:
        return self._draw_network().cut() > 0

    def connections_refused(self) -> bool:
        network = self._draw_network()
        network.refuse()
        network.cut()
        time.sleep(self.rng.uniform(0.05, 0.3))
        network.accept()
        return True

    def network_slow(self) -> bool:
        network = self._draw_network()
        network.delay(self.rng.uniform(0.01, 0.1))
        time.sleep(self.rng.uniform(0.1, 0.5))
        network.delay(0.0)
        return True

    def network_silent(self) -> bool:
        network = self._draw_network()
        network.hang()
        time.sleep(self.rng.uniform(0.05, 0.5))
        network.flow()
        return True

    # What becomes of processes

    def process_stood(self) -> bool:
        """Stop any process of the covenant for a while, or the OPA of one."""
        party = self.rng.choice(self.stormy.covenant.parties)
        process = party.process
        if process is None or process.poll() is not None:
            return False
        pids = [process.pid, *_list_children(process.pid)]
        pid = self.rng.choice(pids)
        with suppress(ProcessLookupError, FileNotFoundError):
            try:
                stop_process(pid)
                time.sleep(self.rng.uniform(0.05, 0.4))
            finally:  # also where it did not stop in time
                os.kill(pid, signal.SIGCONT)
            return True
        return False

    def process_killed(self) -> bool:
        """Kill a process of the broker or a source; it comes back while other things break."""
        if not all(map(is_up, self.stormy.covenant.brokers)):
            return False
        source = self.stormy.covenant.partners["youth-help"]
        victim: Party = self.rng.choice([*self.stormy.covenant.brokers, source])
        victim.kill()
        victim.begin()
        return True

    def revive(self) -> int:
        """Start again who ended by itself, as a supervisor does; return how many there were."""
        dead = [one for one in self.stormy.covenant.brokers if not is_alive(one)]
        for broker in dead:
            broker.begin()
        self.ended += len(dead)
        return len(dead)

    def await_all(self) -> None:
        """Wait until every process of the broker is up, at the end."""
        for _ in range(5):
            self.revive()
            with suppress(AssertionError):
                for broker in self.stormy.covenant.brokers:
                    broker.await_ready()
                return
        self.revive()
        for broker in self.stormy.covenant.brokers:
            broker.await_ready()


def is_up(broker: BrokerProcess) -> bool:
    """Whether a process runs and says so of itself."""
    return is_alive(broker) and find_running(broker.home, broker.number) is not None


def _list_children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in found.split()]
