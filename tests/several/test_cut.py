"""The network between two processes and their two servers breaks, under load, in every way.

Whole (`make test-long`): two hundred faults, drawn by chance. What must hold is `kept.py`'s, and of
every message that failed meanwhile: it was refused in words, within a bound, by a live process.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.conftest import open_database
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults.conftest import sync
from tests.faults.world import Seen, open_child
from tests.postgres import OwnServer, own_server
from tests.several.conftest import build_partners
from tests.several.kept import require_kept
from tests.several.load import CHILDREN, Load
from tests.several.proxy import Proxy
from tests.several.world import Asking, SeveralCovenant, is_alive

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.timeout(600),  # seven processes and two servers start
]

_WHOLE = 200
_BACK_SECONDS = 90.0
# What partners may be told meanwhile; "no_answer" is not among it.
_SAID = {
    *("database_away", "process_not_current", "log_unavailable", "ratchet_away", "log_busy"),
    *("policy_unavailable", "try_again"),  # on a busy machine
}


@dataclass(frozen=True)
class Between:
    """A covenant with a proxy before its database, and one before its ratchet's server."""

    covenant: SeveralCovenant
    database: Proxy
    ratchet: Proxy
    server: OwnServer
    ratchet_url: str
    children: list[Seen]


@pytest.fixture(scope="module")
def between(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_url: str,
    ratchet_server: OwnServer,
    own_system: OwnSystem,
) -> Iterator[Between]:
    del postgres_url  # absent where there are no server programs
    with (
        own_server() as server,
        Proxy(server.port) as database,
        Proxy(ratchet_server.port) as ratchet,
        open_database(ratchet_server.url) as ratchet_url,
        SeveralCovenant(
            tmp_path_factory.mktemp("between"),
            build_partners(own_system),
            database=database.through(server.url),
            ratchet=ratchet.through(ratchet_url),
            count=2,
        ) as covenant,
    ):
        covenant.database = server.url  # the test itself looks from behind the proxy
        sync(covenant)
        with Asking(covenant, "social-team") as team:
            children = [open_child(team, bsn) for bsn in BSNS[:CHILDREN]]
        yield Between(covenant, database, ratchet, server, ratchet_url, children)


Fault = Callable[[Between, Proxy, random.Random], Any]


def cut(between: Between, proxy: Proxy, rng: random.Random) -> None:
    """Again and again, so that new connections are cut too."""
    for _ in range(6):
        proxy.cut()
        time.sleep(rng.uniform(0.05, 0.6))


def delay(between: Between, proxy: Proxy, rng: random.Random) -> None:
    """By 50, 200 or 500 ms there and back."""
    proxy.delay(rng.choice((0.025, 0.1, 0.25)))
    time.sleep(3.0)
    proxy.delay(0.0)


def hang(between: Between, proxy: Proxy, rng: random.Random) -> None:
    """Longer than any statement of the broker's hot path is waited for."""
    proxy.hang()
    time.sleep(12.0)
    proxy.flow()


def refuse(between: Between, proxy: Proxy, rng: random.Random) -> None:
    proxy.refuse()
    proxy.cut()
    time.sleep(3.0)
    proxy.accept()


def throttle(between: Between, proxy: Proxy, rng: random.Random) -> None:
    proxy.throttle(20_000.0)
    time.sleep(3.0)
    proxy.throttle(None)


def take_all_places(between: Between, proxy: Proxy, rng: random.Random) -> None:
    """Let the server take in nobody else, and have everybody come anew."""
    taken: list[psycopg.Connection[Any]] = []
    url = between.server.url if proxy is between.database else between.ratchet_url
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        try:
            taken.append(psycopg.connect(url, autocommit=True))
        except psycopg.OperationalError:
            proxy.cut()
            time.sleep(0.2)
    for connection in taken:
        connection.close()


FAULTS: dict[str, Fault] = {
    fault.__name__: fault for fault in (cut, delay, hang, refuse, throttle, take_all_places)
}
_PLACES = ("database", "ratchet")
# In part: what each place can do worst in some seconds.
_IN_PART = (("database", "cut"), ("database", "hang"), ("ratchet", "cut"), ("ratchet", "refuse"))


@pytest.mark.long
def test_whatever_the_network_does(between: Between, whole: bool) -> None:
    rng = random.Random(7)  # noqa: S311 - a test's order, no secret
    faults = [(rng.choice(_PLACES), rng.choice(list(FAULTS))) for _ in range(_WHOLE)]
    covenant, done = between.covenant, Counter[str]()
    with Load(covenant, between.children, seed=1) as load:
        load.await_each(covenant.brokers, _BACK_SECONDS)
        for place, fault in faults if whole else _IN_PART:
            FAULTS[fault](between, getattr(between, place), rng)
            load.await_each(covenant.brokers, _BACK_SECONDS)
            done[f"{place} {fault}"] += 1
        assert all(map(is_alive, covenant.brokers))
    kept = require_kept(covenant, load.told)
    print(f"{dict(done)} {kept} {dict(load.told.tried_again)}")  # noqa: T201 - the count, with -s
    assert kept.orders > 0
    assert set(load.told.tried_again) <= _SAID, load.told.tried_again
