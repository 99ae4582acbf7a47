"""The covenant that is measured: every party a process, set up by the commands that users type."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.meter import find_child
from bench.portal import Portal, add_portal
from bench.seed import fill
from datwat.party.settings import change_settings
from demo.covenant import find_ports
from tests.parties import POLICIES, Covenant, PartnerSpec, Party, run_command

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

    def require_portal(self) -> Portal:
        """Return the residents' portal of a world that has one."""
        if self.portal is None:
            raise LookupError("this world was opened without a portal")
        return self.portal

    @property
    def pids(self) -> dict[str, int]:
        """The processes now: an OPA that hung is replaced by its broker."""
        broker = self.covenant.broker.running.pid
        portal = {"portal": self.portal.pid} if self.portal is not None else {}
        return {
            **portal,
            "broker": broker,
            "opa": find_child(broker, "opa"),
            "key holder": self.covenant.key_holder.running.pid,
            "gateway": self.covenant.partners[SOURCE].running.pid,
        }

    def restart_broker(self, change: Callable[[Path], None]) -> None:
        """Change something in the broker's home while it does not run; then start it again."""
        broker = self.covenant.broker
        broker.stop()
        change(broker.home)
        broker.restart()

    @property
    def broker_port(self) -> int:
        """Where the broker listens."""
        return self.covenant.broker.running.ports["api"]

    @property
    def key_holder_port(self) -> int:
        """Where the key holder listens."""
        return self.covenant.key_holder.running.ports["api"]


@contextlib.contextmanager
def open_world(
    folder: Path,
    cache: Path,
    bsns: tuple[str, ...],
    *,
    pointers: int,
    policies: Path = POLICIES,
    profile: Path | None = None,
    seed: Callable[[Path], None] | None = None,
    with_portal: bool = False,
) -> Iterator[World]:
    """Yield the covenant, running, with so many pointers; `profile` is where a profile goes.

    `seed` gets the broker's home before it runs, to put more into it. `with_portal`: everybody in
    `bsns` can log in at the residents' portal.
    """
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
    fill(covenant.broker.home, cache, pointers)
    if seed is not None:
        seed(covenant.broker.home)
    world = World(covenant, profile, portal)
    try:
        _start(world)
        yield world
    except BaseException:
        for party in covenant.parties:
            if party.log.exists():
                said = party.log.read_text(encoding="utf-8", errors="replace")
                print(f"--- {party.home.name}:\n{said[-_TAIL:]}", file=sys.stderr)
        raise
    finally:
        if portal is not None:
            portal.close()
        covenant.close()


def _start(world: World) -> None:
    covenant = world.covenant
    source = covenant.partners[SOURCE]
    running = (covenant.key_holder, covenant.broker, source)
    for party in running:
        if party is covenant.broker and world.profile is not None:
            _begin_profiled(party, world.profile)
        else:
            party.begin()
    for party in running:
        party.await_ready()
    home = str(covenant.key_holder.home)
    for partner in covenant.partners.values():
        run_command("keyholder", "enable", partner.id, "--home", home, "--first-load", str(_QUOTA))
    if world.portal is not None:
        world.portal.begin()


def _begin_profiled(party: Party, out: Path) -> None:
    with party.log.open("ab") as log:
        party.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "bench.profiled", str(out)),
                *(party.command, "serve", "--home", str(party.home), "--with-parent"),
            ],
            stdout=log,
            stderr=log,
        )


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
