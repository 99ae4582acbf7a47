"""A whole covenant whose parties may be asked anything: none of it belongs to anybody.

Key holder, broker, witness, portal, and two connectors of which one has a source, as processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.covenant import PORTAL_ID, WITNESS_ID, find_ports
from tests.connectors.client.own_system import OwnSystem
from tests.parties import Covenant, PartnerSpec, Party, run_command

RIGHTS = ("Jeugdwet 7.2.1;youth;register,inquire", "Wmo 2015 5.2.9;resident;register,inquire")
BSNS = ("999990019", "999993653")


class EveryParty(Covenant):
    """A covenant with a witness and a portal beside the others."""

    def __init__(self, folder: Path, system: OwnSystem) -> None:
        witness_port, portal_port = find_ports(2)
        self.witness = Party("witness", folder / "witness", WITNESS_ID)
        self.portal = Party("portal", folder / "portal", PORTAL_ID)
        run_command(
            *("witness", "init", "--home", str(self.witness.home), "--id", WITNESS_ID),
            *("--name", "witness.example/w1", "--url", f"http://127.0.0.1:{witness_port}"),
            *("--port", str(witness_port)),
        )
        run_command(
            *("portal", "init", "--home", str(self.portal.home), "--id", PORTAL_ID),
            *("--name", "Portal", "--url", f"http://127.0.0.1:{portal_port}"),
            *("--port", str(portal_port), "--issuer", "http://127.0.0.1:9"),
            *("--client-id", "portal"),
        )
        partners = (
            PartnerSpec("social-team", "care", RIGHTS, number=1),
            PartnerSpec("youth-help", "youth", RIGHTS[:1], system.declaration, number=2),
        )
        super().__init__(folder, partners, broker_environment={"DATWAT_RATE_PER_SECOND": "10000"})

    @property
    def parties(self) -> tuple[Party, ...]:
        """Everybody, the broker before the witness that follows it."""
        return (*super().parties, self.witness, self.portal)


@contextmanager
def open_world(folder: Path) -> Iterator[EveryParty]:
    """Start everybody, and end them."""
    (folder / "own").mkdir()
    system = OwnSystem(folder / "own")
    for place, bsn in enumerate(BSNS):
        system.add(f"K-{place}", bsn, f"Jansen{place}", "04-05-2012")
    with EveryParty(folder, system) as made:
        yield made
