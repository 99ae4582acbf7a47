"""The covenant that is measured: every party a process, set up by the commands that users type."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from bench.meter import Group, find_children
from bench.more import begin_profiled, run_more
from bench.portal import Portal, add_portal
from bench.postgres import Database, find_pid, open_filled, require_means
from bench.seed import fill
from broker.adapters.database import open_engine
from broker.settings import BrokerSettings
from datwat.party.running import Running, find_running
from datwat.party.settings import change_settings, load_settings
from demo.covenant import find_ports
from tests.parties import POLICIES, Covenant, PartnerSpec, run_command
from tests.postgres import OwnServer, own_server

REQUESTER = "social-team"
SOURCE = "debt-counselling"
INCOME = "income"
WMO = "municipality-wmo"
PORTAL = "portal"
_PARTNERS = (
    (REQUESTER, "care", "Wmo 2015 5.2.9;resident;register,inquire"),
    (INCOME, "income", "Participatiewet 65;resident;register"),
    (WMO, "care", "Wmo 2015 5.2.9;resident;register,inquire"),
    (PORTAL, "care", "Wabb 10;resident;self"),
)
_SOURCE_RIGHT = "Wgs 8;resident;register"
_QUOTA = 1_000_000
_RATE = 100_000
_TAIL = 2_000
# Often, so that every run of some length has its share of it.
_TAG_ROOT_SECONDS = 10
_DECLARATION = """\
v: 1
source: sql
url: "sqlite:///{database}"
clients:
  query: SELECT nr, bsn, naam, geboren, sinds FROM dossier
  number: nr
  bsn: bsn
  family_name: naam
  birth_date: {{read: geboren, type: date, format: "%Y%m%d"}}
  kind: {{value: debt_counselling}}
  contact: {{role: Front desk, phone: 020 000 0000}}
  since: {{read: sinds, type: date, format: "%Y%m%d"}}
products:
  schuldregeling:
    query: SELECT nr, bsn, fase, soort FROM dossier WHERE nr = :number
    number: nr
    bsn: bsn
    fields:
      regeling.status: {{read: fase, codes: {{AV: aanvraag, LP: lopend}}}}
      regeling.soort: {{read: soort, codes: {{SB: schuldbemiddeling}}}}
"""


@dataclass
class World:
    """The running parties and where they are."""

    covenant: Covenant
    profile: Path | None = None
    portal: Portal | None = None
    server: OwnServer | None = None
    brokers: int = 1

    def require_portal(self) -> Portal:
        """Return the residents' portal of a world that has one."""
        if self.portal is None:
            raise LookupError("this world was opened without a portal")
        return self.portal

    @property
    def pids(self) -> dict[str, int | Group]:
        """The processes now: an OPA that hung is replaced by its broker.

        Several brokers count as one, as do their OPAs. `database` is PostgreSQL with all its
        processes; SQLite is part of the broker.
        """
        brokers = tuple(running.pid for running in self.running_brokers)
        opas = find_children(brokers, "opa")
        more: dict[str, int | Group] = {}
        if self.portal is not None:
            more["portal"] = self.portal.pid
        if self.server is not None:
            more["database"] = Group((find_pid(self.server),), with_children=True)
        return {
            **more,
            "broker": brokers[0] if len(brokers) == 1 else Group(brokers),
            "opa": opas[0] if len(opas) == 1 else Group(tuple(opas)),
            "key holder": self.covenant.key_holder.running.pid,
            "gateway": self.covenant.partners[SOURCE].running.pid,
        }

    def restart_broker(self, change: Callable[[Path], None]) -> None:
        """Change something in the broker's home while it does not run; then start it again."""
        broker = self.covenant.broker
        broker.stop()
        change(broker.home)
        broker.restart()

    def measure_database(self) -> float:
        """Return the bytes of the broker's database, with all that is committed so far."""
        with self._reading() as connection:
            query = "SELECT pg_database_size(current_database())"
            if connection.dialect.name == "sqlite":
                query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            return float(connection.execute(text(query)).scalar_one())

    def measure_entries(self) -> float:
        """Return the mean bytes of an entry about a person, with its sealed contents."""
        sizes = "coalesce(length(sealed), 0) + coalesce(length(input_sealed), 0)"
        query = f"SELECT avg(length(entry) + {sizes}) FROM log_entries WHERE number IS NOT NULL"  # noqa: S608 - no value from outside
        with self._reading() as connection:
            return float(connection.execute(text(query)).scalar_one())

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        settings = load_settings(BrokerSettings, self.covenant.broker.home)
        engine = open_engine(settings.database)
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    @property
    def running_brokers(self) -> list[Running]:
        """Where each process of the broker is; raise LookupError where one does not run."""
        home = self.covenant.broker.home
        found = [find_running(home, number) for number in range(1, self.brokers + 1)]
        running = [one for one in found if one is not None]
        if len(running) != self.brokers:
            raise LookupError(f"{self.brokers - len(running)} processes of the broker do not run")
        return running

    @property
    def broker_ports(self) -> list[int]:
        """Where the processes of the broker listen."""
        return [running.ports["api"] for running in self.running_brokers]

    @property
    def broker_port(self) -> int:
        """Where the first of them listens."""
        return self.broker_ports[0]

    @property
    def key_holder_port(self) -> int:
        """Where the key holder listens."""
        return self.covenant.key_holder.running.ports["api"]


@contextlib.contextmanager
def open_world(  # noqa: PLR0913 - one parameter per option of the bench
    folder: Path,
    cache: Path,
    bsns: tuple[str, ...],
    *,
    pointers: int,
    policies: Path = POLICIES,
    profile: Path | None = None,
    seed: Callable[[Path], None] | None = None,
    with_portal: bool = False,
    database: Database = "sqlite",
    brokers: int = 1,
) -> Iterator[World]:
    """Yield the covenant, running, with so many pointers; `profile` is where a profile goes.

    `seed` gets the broker's home before it runs, to put more into it. `with_portal`: everybody in
    `bsns` can log in at the residents' portal. `database` is the broker's, of which `brokers`
    processes run.

    Raises MeansMissingError, before anything is made, where this machine has no such database.
    """
    require_means(database, brokers)
    declaration = _build_own_system(folder, bsns)
    specs = [
        PartnerSpec(function, domain, (right,), number=number)
        for number, (function, domain, right) in enumerate(_PARTNERS, start=1)
    ]
    specs.append(PartnerSpec(SOURCE, "debt", (_SOURCE_RIGHT,), declaration, number=9))
    covenant = Covenant(folder, specs, policies=policies)
    portal = add_portal(covenant, bsns) if with_portal else None
    rates = {"rate_per_second": _RATE, "rate_burst": _RATE}
    change_settings(covenant.broker.home, {**rates, "tag_root_seconds": _TAG_ROOT_SECONDS})
    quotas = dict.fromkeys(("quota_register", "quota_inquire", "quota_self"), _QUOTA)
    change_settings(covenant.key_holder.home, quotas)
    world = World(covenant, profile, portal, brokers=brokers)
    home = covenant.broker.home
    with contextlib.ExitStack() as stack:
        if database == "postgresql":
            world.server = stack.enter_context(open_filled(home, cache, pointers))
        else:
            fill(home, cache, pointers)
        if brokers > 1:
            change_settings(home, {"ratchet_url": stack.enter_context(own_server()).url})
        if seed is not None:
            seed(home)
        with _running(world), run_more(covenant.broker, brokers):
            yield world


@contextlib.contextmanager
def _running(world: World) -> Iterator[None]:
    """Run all parties for the block; say what they said where it fails."""
    covenant = world.covenant
    try:
        _start(world)
        yield
    except BaseException:
        for party in covenant.parties:
            if party.log.exists():
                said = party.log.read_text(encoding="utf-8", errors="replace")
                print(f"--- {party.home.name}:\n{said[-_TAIL:]}", file=sys.stderr)
        raise
    finally:
        if world.portal is not None:
            world.portal.close()
        covenant.close()


def _start(world: World) -> None:
    covenant = world.covenant
    source = covenant.partners[SOURCE]
    running = (covenant.key_holder, covenant.broker, source)
    for party in running:
        if party is covenant.broker and world.profile is not None:
            begin_profiled(party, world.profile)
        else:
            party.begin()
    for party in running:
        party.await_ready()
    home = str(covenant.key_holder.home)
    for partner in covenant.partners.values():
        run_command("keyholder", "enable", partner.id, "--home", home, "--first-load", str(_QUOTA))
    if world.portal is not None:
        world.portal.begin()


@contextlib.contextmanager
def open_hello() -> Iterator[tuple[int, int]]:
    """Yield port and process of the plain FastAPI that everything is compared with."""
    (port,) = find_ports(1)
    process = subprocess.Popen([sys.executable, "-m", "bench.hello", str(port)])
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=10)


def _build_own_system(folder: Path, bsns: tuple[str, ...]) -> Path:
    """Write the source's own database, and its declaration; return where that is."""
    folder.mkdir(parents=True)
    database, declaration = folder / "dossiers.db", folder / "source.yaml"
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "CREATE TABLE dossier (nr TEXT PRIMARY KEY, bsn TEXT, naam TEXT, geboren TEXT,"
            " sinds TEXT, fase TEXT, soort TEXT)"
        )
        connection.executemany(
            "INSERT INTO dossier VALUES (?, ?, ?, '19800203', '20260105', 'LP', 'SB')",
            [(f"D-{place}", bsn, f"Jansen{place}") for place, bsn in enumerate(bsns)],
        )
    declaration.write_text(_DECLARATION.format(database=database), encoding="utf-8")
    return declaration
