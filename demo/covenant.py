"""The covenant of the demo: where everything lies, and how commands are run on it."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.client.http import ConnectorClient
from datwat.cli import run as run_datwat
from datwat.party.errors import PartyError
from datwat.party.running import require_running
from demo.events import Look
from demo.model import Case, PartnerDeclared

BROKER_ID = "00000099000000003000:broker"
KEY_HOLDER_ID = "00000099000000002000:key-holder"
PORTAL_ID = "00000099000000009000:portal"
WITNESS_ID = "00000099000000004000:witness"
APPLICATION = "demo"
# Whose staff have pages in the demo.
WITH_PAGES = ("social-team", "school", "school-attendance", "veilig-thuis", "youth-help")
LEVEL = "http://eidas.europa.eu/LoA/substantial"
ROOT = Path(__file__).resolve().parents[1]
POLICIES = ROOT / "policies"
ONE_COMMAND = threading.RLock()
_HOST = "127.0.0.1"
# Below those that Linux gives to whatever connects: there a free one may be taken any moment.
_LOWEST_PORT, _PORTS = 20_000, 12_000


class CommandFailedError(PartyError):
    """A command with which the covenant is built did not succeed."""

    code = "demo_command_failed"
    default_detail = "A command of the set-up failed."


@dataclass
class Covenant:
    """Where everything lies, and the tokens of the partners' own software.

    `doors` are ports at which others reach a party instead of at its own (a proxy stands there).
    `brokers` is how many processes the broker is; each listens one port higher than the one before.
    """

    folder: Path
    partners: dict[str, PartnerDeclared]
    ports: dict[str, int]
    doors: Mapping[str, int] = field(default_factory=dict)
    brokers: int = 1
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    clients: dict[str, ConnectorClient] = field(default_factory=dict, repr=False)

    def home(self, name: str) -> Path:
        """Return the home folder of a party."""
        return self.folder / name

    def url(self, name: str) -> str:
        """Return the address of a party's public listener, or of the identity provider."""
        return f"http://{_HOST}:{self.doors.get(name, self.ports[name])}"

    def pages_url(self, function: str) -> str:
        """Return the address of the pages of a partner's own staff."""
        return self.url(f"{function}-pages")

    def local_url(self, function: str) -> str:
        """Return the address of a connector's local API."""
        return f"http://{_HOST}:{require_running(self.home(function)).ports['local']}"

    def partner_id(self, function: str) -> str:
        """Return a partner's id; of the portal too."""
        if function == "portal":
            return PORTAL_ID
        place = list(self.partners).index(function)
        return f"{99 * 10**12 + 10_000 + place:020d}:{function}"

    def connect(self, function: str) -> ConnectorClient:
        """Return the client with which a partner's own software speaks to its connector."""
        if function not in self.clients:
            self.clients[function] = ConnectorClient(
                self.local_url(function), self.tokens[function]
            )
        return self.clients[function]

    def run(self, *arguments: str) -> dict[str, Any]:
        """Run a `datwat` command in this process and return what it prints for programs."""
        return run_command(*arguments)

    def close(self) -> None:
        """Close the connections."""
        for client in self.clients.values():
            client.close()


def run_command(*arguments: str) -> dict[str, Any]:
    """Run a `datwat` command and return its JSON; raise CommandFailedError, which says why."""
    answer: dict[str, Any] = json.loads(carry_out(*arguments, "--json"))
    return answer


def carry_out(*arguments: str) -> str:
    """Run a `datwat` command and return what it prints; raise CommandFailedError."""
    printed, wrong = io.StringIO(), io.StringIO()
    # What is printed is caught for the whole process, so that two threads take turns.
    with (
        ONE_COMMAND,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(wrong),
    ):
        code = run_datwat(arguments)
    if code != 0:
        said = " ".join((wrong.getvalue() or printed.getvalue()).split())
        raise CommandFailedError(f"`datwat {' '.join(arguments[:2])}` failed: {said[:500]}")
    return printed.getvalue()


def prepare(
    folder: Path,
    partners: Sequence[PartnerDeclared],
    doors: Callable[[dict[str, int]], Mapping[str, int]] = lambda _: {},
    *,
    brokers: int = 1,
) -> Covenant:
    """Return a covenant with a port for each party; nothing is made yet.

    `doors` may put something in front of parties, given their ports by name. Before several
    processes of the broker stands a proxy, at a port of its own.
    """
    names = ["broker", "key-holder", "witness", "portal", "identity", "income-service"]
    names += ["staff-identity", *(f"{name}-pages" for name in ("broker", *WITH_PAGES))]
    names += [partner.function for partner in partners]
    ports = dict(zip(names, find_ports(len(names)), strict=True))
    by_function = {partner.function: partner for partner in partners}
    if brokers == 1:
        return Covenant(folder, by_function, ports, doors(ports))
    before = {"broker": ports["broker"]}
    ports["broker"] = _find_row(brokers)
    return Covenant(folder, by_function, ports, {**doors(ports), **before}, brokers)


def build_users(cases: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """Return the claims of every login: each person, and who represents whom in a case.

    A login name is `case1-father`; for who represents somebody `case1-father-for-child`.
    """
    users: dict[str, dict[str, Any]] = {}
    for case in cases:
        for key, person in case.people.items():
            users[build_login(case, key)] = {"acr": LEVEL, "bsn": person.bsn}
        for who, through in find_represented(case):
            claims = {"represents": {"bsn": case.people[who].bsn}}
            users[build_login(case, who, through)] = users[build_login(case, through)] | claims
    return users


def build_staff(cases: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """Return the claims of every professional: their function at each partner where they work.

    A login name is the professional's own id in the cases: `noor`.
    """
    staff: dict[str, dict[str, Any]] = {}
    for case in cases:
        for key, worker in case.professionals.items():
            claims = staff.setdefault(key, {"acr": LEVEL})
            claims[build_role_claim(worker.partner)] = worker.role
    return staff


def find_staff(cases: Sequence[Case], function: str) -> list[str]:
    """Return the login names of who works at a partner."""
    claim = build_role_claim(function)
    return [name for name, claims in build_staff(cases).items() if claim in claims]


def build_role_claim(function: str) -> str:
    """Return the claim with somebody's function at a partner: who has none there, stays out."""
    return f"{function}/role"


def find_represented(case: Case) -> list[tuple[str, str]]:
    """Return whose log is read through whom in a case; nobody else represents anybody."""
    looked = [(one.who, one.through) for one in case.events if isinstance(one, Look)]
    read = [(one.who, one.through) for one in case.logs]
    return sorted({(who, through) for who, through in [*looked, *read] if through is not None})


def build_login(case: Case, who: str, through: str | None = None) -> str:
    """Return the login name with which `who`'s log is read."""
    if through is None:
        return f"case{case.number}-{who}"
    return f"case{case.number}-{through}-for-{who}"


def is_listening(port: int) -> bool:
    """Return whether something takes connections on a port of this machine."""
    with contextlib.suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
        return True
    return False


def find_ports(count: int) -> list[int]:
    """Return ports that stay this process's own to its end, for whoever listens there meanwhile.

    Of those that no outgoing connection is given. Each is held by a socket that is bound and does
    not listen: another process that looks for a port cannot have it, while a party that listens
    with SO_REUSEADDR, as every server here does, can, also when it is started again.
    """
    found: list[int] = []
    while len(found) < count:
        port = _LOWEST_PORT + secrets.randbelow(_PORTS)
        if _hold(port):
            found.append(port)
    return found


def _find_row(count: int) -> int:
    """Return the first of `count` ports in a row, held as `find_ports` holds them."""
    while True:
        first = _LOWEST_PORT + secrets.randbelow(_PORTS - count)
        if all(_hold(first + more) for more in range(count)):
            return first


def _hold(port: int) -> bool:
    """Keep a port for this process and what it starts; return whether nobody else has it."""
    holder = socket.socket()
    try:
        holder.bind((_HOST, port))
    except OSError:
        holder.close()
        return False
    # After the bind, which would else succeed beside another holder's.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.detach()  # open until this process ends
    return True
