"""Sets a covenant up with the commands that people type, and starts all of it.

Rule: nothing here does what a command does: keys, cards, trust list, bundle and rights come from
`datwat … init`, `trust`, `purpose`, `keyholder enable`, `connector token` and `connector sync`.
"""

from __future__ import annotations

import json
import secrets
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from datwat.party.settings import change_settings
from demo.covenant import (
    APPLICATION,
    BROKER_ID,
    KEY_HOLDER_ID,
    POLICIES,
    PORTAL_ID,
    ROOT,
    WITH_PAGES,
    WITNESS_ID,
    Covenant,
    build_role_claim,
    build_staff,
    build_users,
    is_listening,
    run_command,
)
from demo.model import Case, PartnerDeclared
from demo.officers import ROLES_CLAIM, appoint, build_officers
from demo.processes import Processes
from demo.several.brokers import start_balancer, start_other_brokers, use_servers
from demo.several.servers import Servers
from demo.systems import postgres
from demo.systems.fill import fill_postgres, fill_sqlite

_USERS = {"identity": "users.json", "staff-identity": "staff.json"}
_INCOME_KEY = "income-service.json"
Progress = Callable[[str], None]


def build(
    covenant: Covenant,
    cases: Sequence[Case],
    processes: Processes,
    progress: Progress,
    servers: Servers | None = None,
) -> None:
    """Make the covenant in its folder and start all of it; it is ready when this returns.

    `servers` hold what a broker of several processes needs. Raises CommandFailedError,
    ChildFailedError.
    """
    if servers is not None:
        progress("Starting PostgreSQL: a server, its standby, and one for the broker's ratchet")
        servers.start()
    progress("Making the covenant: keys, cards, purposes and rules")
    _start_identity(covenant, "identity", build_users(cases), processes)
    staff = build_staff(cases) | build_officers()
    _start_identity(covenant, "staff-identity", staff, processes)
    _init_parties(covenant, servers)
    progress("Starting the partners' own systems")
    _start_systems(covenant, processes)
    progress("The covenant signs its list of who takes part")
    _sign(covenant)
    count = len(covenant.partners)
    progress(f"Starting key holder, broker with OPA, witness, portal and {count} connectors")
    _start_parties(covenant, processes)
    progress("The broker's administrator gives seven officers their roles")
    appoint(covenant)
    progress("The key holder's staff let each partner in")
    _enable(covenant)
    for function, partner in covenant.partners.items():
        if partner.system is not None:
            progress(f"{partner.name} registers its clients from its own system")
            home = ["--home", str(covenant.home(function))]
            run_command("connector", "check", *home)
            run_command("connector", "sync", *home)


def _init_parties(covenant: Covenant, servers: Servers | None) -> None:
    two = ["--policy-threshold", "2"]
    run_command("trust", "new", "--folder", str(covenant.home("trust")), *two)
    policy = ["--folder", str(covenant.home("policy"))]
    run_command("purpose", "keys", *policy, "--keys", "2")
    run_command("purpose", "sign", *policy, "--policies", str(POLICIES))
    _init(covenant, "keyholder", "key-holder", KEY_HOLDER_ID, "Sleutelbeheer Rijnstad")
    origin = ["--origin", "rijnstad.example/log/1", "--bundle", str(covenant.home("policy"))]
    pages = [*_build_pages(covenant, "broker"), "--staff-roles-claim", ROLES_CLAIM]
    where = ["--database-url", servers.owner_url] if servers else []
    _init(covenant, "broker", "broker", BROKER_ID, "Makelaar Rijnstad", *origin, *pages, *where)
    if servers is not None:
        use_servers(covenant.home("broker"), servers)
    # As somebody who watches would rather not wait: the log is counted and vouched for sooner.
    change_settings(covenant.home("broker"), {"tag_root_seconds": 5, "witness_seconds": 2})
    _init(covenant, "witness", "witness", WITNESS_ID, "witness.rijnstad.example/w1")
    secret = _draw_client_secret(covenant, "portal")
    issuer = ["--issuer", covenant.url("identity"), "--client-id", "rijnstad-portal"]
    issuer += ["--client-secret-file", str(secret)]
    _init(covenant, "portal", "portal", PORTAL_ID, "Gemeente Rijnstad", *issuer)
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
    if function in WITH_PAGES:
        more += _build_pages(covenant, function)
        more += ["--staff-role-claim", build_role_claim(function)]
    _init(covenant, "connector", function, covenant.partner_id(function), partner.name, *more)


def _build_pages(covenant: Covenant, function: str) -> list[str]:
    """Return the options that give a party's own staff their pages."""
    secret = _draw_client_secret(covenant, function)
    return [
        *("--pages-url", covenant.pages_url(function)),
        *("--pages-port", str(covenant.ports[f"{function}-pages"])),
        *("--staff-issuer", covenant.url("staff-identity")),
        *("--staff-client-id", f"rijnstad-{function}"),
        *("--staff-client-secret-file", str(secret)),
    ]


def _draw_client_secret(covenant: Covenant, name: str) -> Path:
    """Return the file with what a party shows to its identity provider."""
    secret = covenant.folder / f"{name}-at-identity.secret"
    secret.write_text(secrets.token_urlsafe(24), encoding="utf-8")
    secret.chmod(0o600)
    return secret


def _declaration(covenant: Covenant, function: str) -> Path:
    return covenant.folder / "declarations" / f"{function}.yaml"


def _start_identity(
    covenant: Covenant, name: str, users: Mapping[str, Mapping[str, Any]], processes: Processes
) -> None:
    """Start an identity provider: one for residents, another for the partners' staff."""
    file = covenant.folder / _USERS[name]
    file.write_text(json.dumps(users), encoding="utf-8")
    file.chmod(0o600)
    command = [sys.executable, "-m", "demo.identity", str(covenant.ports[name]), str(file)]
    processes.start(name, command, environment={"PYTHONPATH": str(ROOT)})


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
        source = ROOT / "demo" / "declarations" / f"{function}.yaml"
        text = source.read_text(encoding="utf-8").replace("{{url}}", url)
        _declaration(covenant, function).write_text(text, encoding="utf-8")


def _start_debts(covenant: Covenant, processes: Processes) -> str:
    """Return the URL of debt counselling's database: PostgreSQL where the machine has it."""
    programs = postgres.find_programs()
    # Outside the private folder: the server's own user must reach it.
    folder = covenant.folder.parent / f"{covenant.folder.name}-pg"
    if programs is None or not postgres.fits(folder):
        return fill_sqlite("debts", covenant.folder / "systems" / "debts.sqlite")
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
    child = processes.start("income-service", command, environment={"PYTHONPATH": str(ROOT)})
    processes.await_ready(child, lambda: is_listening(port))
    return covenant.url("income-service")


def _sign(covenant: Covenant) -> None:
    parties = ["key-holder", "broker", "witness", "portal", *covenant.partners]
    trust = ["--folder", str(covenant.home("trust"))]
    cards = [str(covenant.home(name) / "card.json") for name in ("policy", *parties)]
    run_command("trust", "add", *cards, *trust)
    run_command("trust", "require-witnesses", "1", *trust)
    signed = run_command("trust", "sign", *trust)
    for name in parties:
        home = ["--home", str(covenant.home(name))]
        run_command("trust", "pin", signed["hash"], "--list", signed["list"], *home)


def _start_parties(covenant: Covenant, processes: Processes) -> None:
    commands = {"key-holder": "keyholder", "broker": "broker", "witness": "witness"}
    commands["portal"] = "portal"
    commands |= dict.fromkeys(covenant.partners, "connector")
    if covenant.brokers > 1:
        start_balancer(covenant, processes)
    children = {
        name: processes.start_party(command, covenant.home(name))
        for name, command in commands.items()
    }
    for name, child in children.items():
        processes.await_party(child, covenant.home(name))
    start_other_brokers(covenant, processes)
    # Without a checkpoint that the witness vouches for no source takes an order.
    processes.await_ready(children["witness"], lambda: _is_vouched_for(covenant))
    for name in ("identity", "staff-identity"):
        identity = next(child for child in processes.children if child.name == name)
        processes.await_ready(identity, partial(is_listening, covenant.ports[name]))


def _is_vouched_for(covenant: Covenant) -> bool:
    status = run_command("witness", "status", "--home", str(covenant.home("witness")))
    return int(status["vouched_size"]) > 0


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
