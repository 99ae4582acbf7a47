"""A covenant whose log is watched: a witness must vouch, two sources take orders, a portal asks.

The broker can be stopped, its home put back or changed by hand, and started again, as whoever runs
it could. The partners that only sign (team, portal) have a home and no process.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from connectors.client import requests as rq
from connectors.client.outgoing import Person
from datwat.cli import run as run_datwat
from datwat.party.admin import call_running
from datwat.party.settings import change_settings
from datwat.protocol.access_log import ProvedLog
from datwat.protocol.acts import Motivation, ProofRequest, Statement
from datwat.protocol.answers import ReleasePart
from datwat.protocol.card_data import read_all_told
from datwat.protocol.trust import Card
from datwat.protocol.values import encode_bytes
from demo.covenant import find_ports
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.databases import are_on_server, copy_database, writing
from tests.faults.world import (
    NOOR,
    REPLY,
    RIGHTS,
    WHY,
    Direct,
    FaultCovenant,
    LaunchedParty,
    build_member,
    inquire,
    opens,
)
from tests.parties import PartnerSpec, Party, run_command

SOURCES = ("youth-help", "debt-counselling")
SOON = {"DATWAT_TAG_ROOT_SECONDS": "0.3", "DATWAT_WITNESS_SECONDS": "0.3"}
WITNESS_ID = "00000099000000004000:witness"
_ZEROES = re.compile(r"zeroblob\((\w+(?:\(\w+\))?)\)")
_DEBT_RIGHT = "Wgs 8;resident;register,inquire"
_SELF_RIGHT = "Wabb 10;resident;self"
_PRODUCTS = {
    "youth-help": ("jeugdhulp", ["status", "contact"]),
    "debt-counselling": ("schuldregeling", ["regeling.status", "regeling.soort"]),
}
_MOTIVATION = Motivation(
    purpose=WHY, subsidiarity=WHY, proportionality=WHY, efficiency=WHY, transparency=WHY
)


class WatchedCovenant(FaultCovenant):
    """A covenant in which one witness must vouch for the log."""

    def __init__(self, folder: Path) -> None:
        self.kept = folder / "kept"
        specs = (
            PartnerSpec("social-team", "care", RIGHTS, has_gateway=False, number=1),
            PartnerSpec("youth-help", "youth", RIGHTS[:1], _build_youth(folder), number=2),
            PartnerSpec("debt-counselling", "debt", (_DEBT_RIGHT,), _build_debt(folder), number=3),
            PartnerSpec("portal", "care", (_SELF_RIGHT,), has_gateway=False, number=4),
        )
        super().__init__(folder / "covenant", specs, broker_environment=SOON)
        for name, party in self.partners.items():
            self.partners[name] = LaunchedParty.of(party, "tests.log.quick_look")
        self.witness = Party("witness", self.folder / "witness", WITNESS_ID)
        self._init_witness(find_ports(1)[0])
        self.running: tuple[Party, ...] = ()

    def _init_witness(self, port: int) -> None:
        home, url = self.witness.home, f"http://127.0.0.1:{port}"
        words = ("--id", WITNESS_ID, "--name", "witness.example/w1", "--url", url)
        run_command("witness", "init", "--home", str(home), *words, "--port", str(port))
        folder = ("--folder", str(self.trust))
        run_command("trust", "add", str(home / "card.json"), *folder)
        run_command("trust", "require-witnesses", "1", *folder)
        self.sign()
        self.pin = str(run_command("trust", "show", str(self.list_path))["hash"])
        pinned = {"trust_list": str(self.list_path), "trust_pin": self.pin}
        change_settings(home, pinned)
        log = Card.model_validate_json((self.broker.home / "card.json").read_bytes()).log
        assert log is not None
        self.origin, self.vkey = log.origin, log.vkeys[0]

    @property
    def gateways(self) -> tuple[Party, ...]:
        return tuple(self.partners[name] for name in SOURCES)

    @property
    def keys(self) -> tuple[str, ...]:
        """The options with which outsiders name the keys."""
        return ("--trust-list", str(self.list_path), "--pin", self.pin)

    @property
    def typed_keys(self) -> tuple[str, ...]:
        """As `keys`, without a witness whose word is needed."""
        return ("--key", self.vkey, "--origin", self.origin)

    @property
    def prefix(self) -> str:
        return f"{self.broker.url()}/v1/log"

    def start(self) -> None:
        started = (self.key_holder, self.broker, self.witness, *self.gateways)
        try:
            for party in started:
                party.begin()
            for party in started:
                party.await_ready()
            for name, party in self.partners.items():
                if name in SOURCES:
                    self.open_partner(party)
                else:
                    home = ("--home", str(self.key_holder.home))
                    run_command("keyholder", "enable", party.id, *home, "--first-load", "100000")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        super().close()
        self.witness.kill()

    def register_clients(self) -> None:
        """Have both sources register the same child and adult."""
        for name in SOURCES:
            with self.connect(name) as source:
                state = source.sync(rq.Sync(professional=NOOR))
            assert (state.state, state.failures) == ("finished", {}), state

    def broker_status(self) -> dict[str, Any]:
        return call_running(self.broker.home, "status")

    def witness_status(self) -> dict[str, Any]:
        return call_running(self.witness.home, "status")

    def gateway_status(self, source: str) -> dict[str, Any]:
        return call_running(self.partners[source].home, "status")

    def is_covered(self) -> bool:
        """Tell whether all that is in the log is counted by a root and vouched for."""
        found = self.broker_status()
        # The root's own entry is the last one: else another root is about to be stated.
        return bool(
            found["cosigned_size"] == found["log_size"] == (found["tag_root_size"] or 0) + 1
        )

    def keep(self, name: str, *parties: Party) -> None:
        """Copy the homes of parties that do not run."""
        for party in parties:
            saved = self.kept / name / party.home.name
            shutil.copytree(party.home, saved)
            if are_on_server():
                copy_database(party.home, saved)

    def put_back(self, name: str, *parties: Party, without: Sequence[str] = ()) -> None:
        """Put homes back as they were, all but the folders named."""
        for party in parties:
            saved = self.kept / name / party.home.name
            for folder in party.home.iterdir():
                if folder.name in without:
                    continue
                if folder.is_dir():
                    shutil.rmtree(folder)
                else:
                    folder.unlink()
            shutil.copytree(
                saved, party.home, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*without)
            )
            if are_on_server():
                copy_database(saved, party.home)

    def try_to_serve(self) -> str:
        """Start the broker, which must refuse, and return what it says."""
        before = len(self.broker.log.read_bytes())
        self.broker.begin()
        assert self.broker.process is not None
        assert self.broker.process.wait(timeout=60) == 1
        said = self.broker.log.read_bytes()[before:].decode()
        assert "Traceback" not in said
        return said


class Team(Direct):
    """The social team, that asks both sources about one child."""

    def __init__(self, covenant: WatchedCovenant, bsn: str = BSNS[0]) -> None:
        super().__init__(covenant, "social-team")
        self.bsn = bsn
        self.involved: dict[str, bytes] = {}

    def open(self) -> None:
        """Open an occasion about the child and see who is involved."""
        opened = self.ask(
            "open_occasion", [build_member(self.bsn)], Statement(professional=NOOR, opens=opens())
        )
        part: Any = opened.persons[0].part
        self.occasion, self.handle = part.occasion, part.handle
        found = inquire(self, self.occasion, self.handle)
        ids = {self.covenant.partners[name].id: name for name in SOURCES}
        pointers = found.persons[0].part.pointers
        self.involved = {ids[one.source]: one.involvement for one in pointers}

    def inquire(self) -> Any:  # noqa: ANN401 - an answer's part
        """Ask once more: one more entry."""
        return inquire(self, self.occasion, self.handle).persons[0].part

    def order(self, source: str) -> ReleasePart:
        """Ask a source for what it knows, and return what came of it."""
        product, fields = _PRODUCTS[source]
        statement = Statement(professional=NOOR, occasion=self.occasion, motivation=_MOTIVATION)
        person = Person(handle=self.handle, members={"involvement": self.involved[source]})
        answer = self.ask(
            "release",
            [person],
            statement,
            purpose=self.purpose(),
            source=self.covenant.partners[source].id,
            product=product,
            fields=fields,
            reply_key=encode_bytes(REPLY.public.raw),
        )
        part = answer.persons[0].part
        assert isinstance(part, ReleasePart)
        assert (part.failure is None) == (answer.envelope is not None)
        return part


class Resident(Direct):
    """The portal, on behalf of one resident."""

    def __init__(self, covenant: WatchedCovenant, bsn: str = BSNS[0]) -> None:
        super().__init__(covenant, "portal")
        opened = self.ask("open_session", [Person(bsn=bsn, members={"identity": "document"})])
        part: Any = opened.persons[0].part
        self.handle = part.handle

    def ask_bundle(self) -> tuple[int, dict[str, Any]]:
        """Ask for a bundle; return the status, and the bundle or the problem."""
        members = {"proof": ProofRequest(quarters=())}
        sent = self.build("access_log_proof", [Person(handle=self.handle, members=members)])
        response = self.send(sent)
        found: dict[str, Any] = response.json()
        return response.status_code, found.get("bundle", found)

    def download(self, path: Path) -> Path:
        status, bundle = self.ask_bundle()
        assert status == 200, bundle
        path.write_text(json.dumps(bundle), encoding="utf-8")
        return path


def ask_outside(*words: str) -> tuple[int, dict[str, Any], str]:
    """Run a command as an outsider; return its exit code, what it says, and its error's words."""
    printed, wrong = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(wrong):
        code = run_datwat([*words, "--json"])
    assert "Traceback" not in wrong.getvalue()
    if code:
        error = json.loads(wrong.getvalue())["error"]
        return code, error, str(error["detail"])
    return code, json.loads(printed.getvalue()), ""


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.1)


def restart_all(*parties: Party) -> None:
    """Start parties at once and wait until each of them listens."""
    for party in parties:
        party.begin()
    for party in parties:
        party.await_ready()


def change_database(party: Party, statement: str) -> None:
    """Change the database of a party that does not run, by SQLite's words; it must change."""
    if are_on_server():
        statement = statement.replace("AS BLOB", "AS bytea")
        statement = _ZEROES.sub(r"decode(repeat('00', \1), 'hex')", statement)
    with writing(party.home) as connection:
        assert connection.execute(text(statement)).rowcount > 0, statement


def _build_youth(folder: Path) -> Path:
    system = OwnSystem(_make(folder / "youth"))
    for place in range(3):
        system.add(f"K-{place}", BSNS[place], f"Jansen{place}", "04-05-2012")
    return system.declaration


def _build_debt(folder: Path) -> Path:
    """Make the same system for debt counselling, whose product has two other fields."""
    system = OwnSystem(_make(folder / "debt"))
    text = system.declaration.read_text(encoding="utf-8")
    for old, new in (
        ("JH: youth_help", "JH: debt_counselling"),
        ("jeugdhulp:", "schuldregeling:"),
        ("status: {", "regeling.status: {"),
        ("contact: werker\n", "regeling.soort: werker\n"),
    ):
        assert old in text
        text = new.join(text.rsplit(old, 1))
    system.declaration.write_text(text, encoding="utf-8")
    system.add("D-0", BSNS[0], "Jansen0", "04-05-2012")
    return system.declaration


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def read_events(page: str | bytes) -> list[str]:
    """Return what each card of the broker's page tells of, newest first."""
    cards = ProvedLog.model_validate_json(page).cards
    return [read_all_told(card.proofs)[0].told["event"] for card in cards]
