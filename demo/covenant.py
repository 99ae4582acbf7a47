"""Builds a covenant in a folder with the commands that people type, and runs it.

Rule: nothing here does what a command does: keys, cards, trust list, bundle and rights come from
`datwat … init`, `trust`, `purpose`, `keyholder enable`, `connector token` and `connector sync`.
"""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.client.http import ConnectorClient
from datwat.cli import run as run_datwat
from datwat.party.errors import PartyError
from datwat.party.serve import require_running
from demo.model import Case, PartnerDeclared
from demo.processes import Processes
from demo.systems import postgres
from demo.systems.fill import fill_postgres, fill_sqlite

BROKER_ID = "00000099000000003000:broker"
KEY_HOLDER_ID = "00000099000000002000:key-holder"
PORTAL_ID = "00000099000000009000:portal"
APPLICATION = "demo"
LEVEL = "http://eidas.europa.eu/LoA/substantial"
_ROOT = Path(__file__).resolve().parents[1]
POLICIES = _ROOT / "policies"
_HOST = "127.0.0.1"
_INCOME_KEY = "income-service.json"
Progress = Callable[[str], None]


class CommandFailedError(PartyError):
    """A command with which the covenant is built did not succeed."""

    code = "demo_command_failed"
    default_detail = "A command of the set-up failed."


@dataclass
class Covenant:
    """Where everything lies, and the tokens of the partners' own software.

    `doors` are ports at which others reach a party instead of at its own (a proxy stands there).
    """

    folder: Path
    partners: dict[str, PartnerDeclared]
    ports: dict[str, int]
    doors: Mapping[str, int] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    clients: dict[str, ConnectorClient] = field(default_factory=dict, repr=False)

    def home(self, name: str) -> Path:
        """Return the home folder of a party."""
        return self.folder / name

    def url(self, name: str) -> str:
        """Return the address of a party's public listener, or of the identity provider."""
        return f"http://{_HOST}:{self.doors.get(name, self.ports[name])}"

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
    printed, wrong = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(wrong):
        code = run_datwat([*arguments, "--json"])
    if code != 0:
        said = " ".join((wrong.getvalue() or printed.getvalue()).split())
        raise CommandFailedError(f"`datwat {' '.join(arguments[:2])}` failed: {said[:500]}")
    answer: dict[str, Any] = json.loads(printed.getvalue())
    return answer


def prepare(
    folder: Path,
    partners: Sequence[PartnerDeclared],
    doors: Callable[[dict[str, int]], Mapping[str, int]] = lambda _: {},
) -> Covenant:
    """Return a covenant with a port for each party; nothing is made yet.

    `doors` may put something in front of parties, given their ports by name.
    """
    names = ["broker", "key-holder", "portal", "identity", "income-service"]
    names += [partner.function for partner in partners]
    ports = dict(zip(names, find_ports(len(names)), strict=True))
    by_function = {partner.function: partner for partner in partners}
    return Covenant(folder, by_function, ports, doors(ports))


def build(
    covenant: Covenant, cases: Sequence[Case], processes: Processes, progress: Progress
) -> None:
    """Make the covenant in its folder and start all of it; it is ready when this returns.

    Raises CommandFailedError, ChildFailedError.
    """
    progress("Making the covenant: keys, cards, purposes and rules")
    _start_identity(covenant, cases, processes)
    _init_parties(covenant)
    progress("Starting the partners' own systems")
    _start_systems(covenant, processes)
    progress("The covenant signs its list of who takes part")
    _sign(covenant)
    count = len(covenant.partners)
    progress(f"Starting key holder, broker with OPA, portal and {count} connectors")
    _start_parties(covenant, processes)
    progress("The key holder's staff let each partner in")
    _enable(covenant)
    for function, partner in covenant.partners.items():
        if partner.system is not None:
            progress(f"{partner.name} registers its clients from its own system")
            run_command("connector", "sync", "--home", str(covenant.home(function)))


def _init_parties(covenant: Covenant) -> None:
    run_command("trust", "new", "--folder", str(covenant.home("trust")))
    policy = ["--folder", str(covenant.home("policy"))]
    run_command("purpose", "keys", *policy)
    run_command("purpose", "sign", *policy, "--policies", str(POLICIES))
    _init(covenant, "keyholder", "key-holder", KEY_HOLDER_ID, "Sleutelbeheer Rijnstad")
    origin = ["--origin", "rijnstad.example/log/1", "--bundle", str(covenant.home("policy"))]
    _init(covenant, "broker", "broker", BROKER_ID, "Makelaar Rijnstad", *origin)
    secret = covenant.folder / "portal-at-identity.secret"
    secret.write_text(secrets.token_urlsafe(24), encoding="utf-8")
    secret.chmod(0o600)
    issuer = ["--issuer", covenant.url("identity"), "--client-id", "rijnstad-portal"]
    issuer += ["--client-secret-file", str(secret)]
    _init(covenant, "portal", "portal", PORTAL_ID, "Mijn gegevens Rijnstad", *issuer)
    for function, partner in covenant.partners.items():
        _init_partner(covenant, function, partner)


def _init(
    covenant: Covenant, command: str, name: str, party_id: str, title: str, *more: str
) -> None:
    run_command(
        *(command, "init", "--home", str(covenant.home(name)), "--id", party_id, "--name", title),
        *("--url", covenant.url(name), "--port", str(covenant.ports[name]), *more),
    )


def _init_partner(covenant: Covenant, function: str, partner: PartnerDeclared) -> None:
    more = ["--domain", partner.domain, "--contact", partner.contact, "--profile", partner.profile]
    for right in partner.rights:
        more += ["--bsn-right", right]
    if partner.system is not None:
        more += ["--declaration", str(_declaration(covenant, function))]
    _init(covenant, "connector", function, covenant.partner_id(function), partner.name, *more)


def _declaration(covenant: Covenant, function: str) -> Path:
    return covenant.folder / "declarations" / f"{function}.yaml"


def _start_identity(covenant: Covenant, cases: Sequence[Case], processes: Processes) -> None:
    users = covenant.folder / "users.json"
    users.write_text(json.dumps(build_users(cases)), encoding="utf-8")
    users.chmod(0o600)
    command = [sys.executable, "-m", "demo.identity", str(covenant.ports["identity"]), str(users)]
    processes.start("identity", command, environment={"PYTHONPATH": str(_ROOT)})


def build_users(cases: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """Return the claims of every login: each person, and each who represents another one.

    A login name is `case1-father`; for who represents somebody `case1-father-for-child`.
    """
    users: dict[str, dict[str, Any]] = {}
    for case in cases:
        for key, person in case.people.items():
            own = {"acr": LEVEL, "bsn": person.bsn}
            users[build_login(case, key)] = own
            for other, represented in case.people.items():
                claims = {**own, "represents": {"bsn": represented.bsn}}
                if other != key:
                    users[build_login(case, other, key)] = claims
    return users


def build_login(case: Case, who: str, through: str | None = None) -> str:
    """Return the login name with which `who`'s log is read."""
    if through is None:
        return f"case{case.number}-{who}"
    return f"case{case.number}-{through}-for-{who}"


def _start_systems(covenant: Covenant, processes: Processes) -> None:
    systems = covenant.folder / "systems"
    systems.mkdir(mode=0o700)
    (covenant.folder / "declarations").mkdir()
    urls = {
        "youth-help": fill_sqlite("youth_help", systems / "youth-help.sqlite"),
        "social-team": fill_sqlite("social_team", systems / "social-team.sqlite"),
        "debt-counselling": _start_debts(covenant, processes),
        "income": _start_income(covenant, processes),
    }
    for function, url in urls.items():
        source = _ROOT / "demo" / "declarations" / f"{function}.yaml"
        text = source.read_text(encoding="utf-8").replace("{{url}}", url)
        _declaration(covenant, function).write_text(text, encoding="utf-8")


def _start_debts(covenant: Covenant, processes: Processes) -> str:
    """Return the URL of debt counselling's database: PostgreSQL where the machine has it."""
    programs = postgres.find_programs()
    if programs is None:
        return fill_sqlite("debts", covenant.folder / "systems" / "debts.sqlite")
    # Outside the private folder: the server's own user must reach it.
    folder = covenant.folder.parent / f"{covenant.folder.name}-pg"
    postgres.create_cluster(programs, folder)
    child = processes.start(
        "debts-postgresql",
        postgres.build_command(programs, folder),
        death_signal=signal.SIGQUIT,
        **postgres.build_user(),
    )
    processes.await_ready(child, lambda: postgres.is_ready(folder))
    return fill_postgres("debts", folder)


def _start_income(covenant: Covenant, processes: Processes) -> str:
    """Start the income department's service; its key is a secret of the connector's home."""
    key = covenant.home("income") / "secrets" / _INCOME_KEY
    key.write_text(json.dumps({"X-Api-Sleutel": secrets.token_urlsafe(24)}), encoding="utf-8")
    key.chmod(0o600)
    port = covenant.ports["income-service"]
    command = [sys.executable, "-m", "demo.systems.income_service", str(port), str(key)]
    child = processes.start("income-service", command, environment={"PYTHONPATH": str(_ROOT)})
    processes.await_ready(child, lambda: is_listening(port))
    return covenant.url("income-service")


def _sign(covenant: Covenant) -> None:
    parties = ["key-holder", "broker", "portal", *covenant.partners]
    trust = ["--folder", str(covenant.home("trust"))]
    cards = [str(covenant.home(name) / "card.json") for name in ("policy", *parties)]
    run_command("trust", "add", *cards, *trust)
    signed = run_command("trust", "sign", *trust)
    for name in parties:
        home = ["--home", str(covenant.home(name))]
        run_command("trust", "pin", signed["hash"], "--list", signed["list"], *home)


def _start_parties(covenant: Covenant, processes: Processes) -> None:
    commands = {"key-holder": "keyholder", "broker": "broker", "portal": "portal"}
    commands |= dict.fromkeys(covenant.partners, "connector")
    children = {
        name: processes.start_party(command, covenant.home(name))
        for name, command in commands.items()
    }
    for name, child in children.items():
        processes.await_party(child, covenant.home(name))
    identity = next(child for child in processes.children if child.name == "identity")
    processes.await_ready(identity, lambda: is_listening(covenant.ports["identity"]))


def _enable(covenant: Covenant) -> None:
    key_holder = ["--home", str(covenant.home("key-holder"))]
    for name in ("portal", *covenant.partners):
        run_command("keyholder", "enable", covenant.partner_id(name), *key_holder)
    for function in covenant.partners:
        home = ["--home", str(covenant.home(function))]
        made = run_command("connector", "token", APPLICATION, *home)
        covenant.tokens[function] = made["token"]
        secret = covenant.home(function) / "secrets" / f"{APPLICATION}.token"
        secret.write_text(made["token"], encoding="utf-8")
        secret.chmod(0o600)


def is_listening(port: int) -> bool:
    """Return whether something takes connections on a port of this machine."""
    with contextlib.suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
        return True
    return False


def find_ports(count: int) -> list[int]:
    """Return ports that were free just now; all were held at once, so they differ."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server((_HOST, 0))) for _ in range(count)]
        return [sock.getsockname()[1] for sock in held]
