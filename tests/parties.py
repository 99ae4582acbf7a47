"""A whole covenant as real processes: key holder, broker, and a connector per partner.

Everything is made by the commands that a user types (init, trust, purpose, serve, enable, token),
in a temporary folder; each process is its own and dies with the test run. Start one per session
and use partners of your own in it: starting takes a few seconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from connectors.client.http import ConnectorClient
from datwat.cli import run as run_datwat
from datwat.party.running import Running, find_running, wait_until_ready
from datwat.party.settings import change_settings
from demo.covenant import find_ports

START = "from datwat.cli import main; main()"
POLICIES = Path(__file__).resolve().parents[1] / "policies"
KEY_HOLDER_ID = "00000099000000002000:key-holder"
BROKER_ID = "00000099000000003000:broker"
LOG_ORIGIN = "log.example/log/1"
APPLICATION = "test-application"
_DATWAT = (sys.executable, "-c", START)
_START_SECONDS = 90.0
_STOP_SECONDS = 20.0


@dataclass(frozen=True)
class PartnerSpec:
    """A partner to be: `function` is the part of its id after the colon, `rights` as `--bsn-right`.

    `declaration` is the path of its source declaration, `has_gateway` whether it takes orders.
    """

    function: str
    domain: str
    rights: tuple[str, ...] = ()
    declaration: Path | None = None
    enforcement: bool = False
    has_gateway: bool = True
    number: int = 1

    @property
    def id(self) -> str:
        return f"{99 * 10**12 + 10_000 + self.number:020d}:{self.function}"


@dataclass
class Party:
    """A home folder and the process that serves from it."""

    command: str
    home: Path
    id: str
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    token: str = ""

    @property
    def log(self) -> Path:
        return self.home.parent / f"{self.home.name}.log"

    @property
    def running(self) -> Running:
        found = find_running(self.home)
        assert found is not None, f"{self.home.name} does not run: {self.log.read_text()[-2_000:]}"
        return found

    def url(self, listener: str = "api") -> str:
        return f"http://127.0.0.1:{self.running.ports[listener]}"

    def begin(self) -> None:
        """Start the process; `await_ready` waits for it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*_DATWAT, self.command, "serve", "--home", str(self.home), "--with-parent"],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )

    def await_ready(self) -> None:
        process = self.process
        assert process is not None
        try:
            wait_until_ready(
                self.home, seconds=_START_SECONDS, is_alive=lambda: process.poll() is None
            )
        except Exception as error:
            said = self.log.read_text(errors="replace")[-3_000:]
            message = f"{self.command} in {self.home.name} did not start:\n{said}"
            raise AssertionError(message) from error

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=_STOP_SECONDS)

    def restart(self) -> None:
        self.begin()
        self.await_ready()

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=_STOP_SECONDS)


def run_command(*arguments: str) -> dict[str, Any]:
    """Run a `datwat` command in this process and return what it prints for programs."""
    printed, wrong = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(wrong):
        code = run_datwat([*arguments, "--json"])
    assert code == 0, f"{' '.join(arguments[:2])}: {wrong.getvalue()}{printed.getvalue()}"
    answer: dict[str, Any] = json.loads(printed.getvalue())
    return answer


class Covenant:
    """All parties of one covenant; use it as a context manager."""

    def __init__(
        self,
        folder: Path,
        partners: Sequence[PartnerSpec],
        *,
        policies: Path = POLICIES,
        broker_environment: dict[str, str] | None = None,
    ) -> None:
        """Make every home folder, the cards and the signed list; nothing runs yet."""
        self.folder = folder
        self.trust = folder / "trust"
        self.policy = folder / "policy"
        ports = find_ports(2 + 2 * len(partners))
        self.key_holder = Party("keyholder", folder / "key-holder", KEY_HOLDER_ID)
        self.broker = Party(
            "broker",
            folder / "broker",
            BROKER_ID,
            environment={"DATWAT_OPA_DEADLINE_MS": "5000", **(broker_environment or {})},
        )
        self.partners: dict[str, Party] = {}
        run_command("trust", "new", "--folder", str(self.trust), "--keys", "2", "--threshold", "2")
        run_command("purpose", "keys", "--folder", str(self.policy))
        run_command("purpose", "sign", "--folder", str(self.policy), "--policies", str(policies))
        self._init_key_holder(ports[0])
        self._init_broker(ports[1])
        for spec, port, local_port in zip(partners, ports[2::2], ports[3::2], strict=True):
            self._init_partner(spec, port, local_port)
        self.sign()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def parties(self) -> tuple[Party, ...]:
        return (self.key_holder, self.broker, *self.partners.values())

    @property
    def list_path(self) -> Path:
        return self.trust / "trust-list.json"

    def sign(self) -> None:
        """Take up every card, sign the list, and pin it at each party that holds none."""
        cards = [str(self.policy / "card.json")]
        cards += [str(party.home / "card.json") for party in self.parties]
        run_command("trust", "add", *cards, "--folder", str(self.trust))
        signed = run_command("trust", "sign", "--folder", str(self.trust))
        for party in self.parties:
            change_settings(
                party.home, {"trust_list": str(self.list_path), "trust_pin": signed["hash"]}
            )

    def start(self) -> None:
        """Start every process at once, then open each partner and give it a token."""
        try:
            for party in self.parties:
                party.begin()
            for party in self.parties:
                party.await_ready()
            for party in self.partners.values():
                self.open_partner(party)
        except BaseException:
            self.close()
            raise

    def open_partner(self, party: Party) -> None:
        """Open a partner at the key holder, and make a token for its software."""
        home = ["--home", str(self.key_holder.home)]
        run_command("keyholder", "enable", party.id, *home, "--first-load", "100000")
        made = run_command("connector", "token", APPLICATION, "--home", str(party.home))
        party.token = made["token"]

    def connect(self, function: str) -> ConnectorClient:
        """Return a client of a partner's local API; close it."""
        party = self.partners[function]
        return ConnectorClient(party.url("local"), party.token)

    def close(self) -> None:
        """End every process, gently first."""
        for party in self.parties:
            if party.process is not None and party.process.poll() is None:
                party.process.terminate()
        for party in self.parties:
            if party.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    party.process.wait(timeout=_STOP_SECONDS)
            party.kill()

    def _init_key_holder(self, port: int) -> None:
        url = f"http://127.0.0.1:{port}"
        run_command(
            *("keyholder", "init", "--home", str(self.key_holder.home)),
            *("--id", KEY_HOLDER_ID, "--name", "Key holder", "--url", url, "--port", str(port)),
        )

    def _init_broker(self, port: int) -> None:
        url = f"http://127.0.0.1:{port}"
        run_command(
            *("broker", "init", "--home", str(self.broker.home)),
            *("--id", BROKER_ID, "--name", "Broker", "--url", url, "--port", str(port)),
            *("--origin", LOG_ORIGIN, "--bundle", str(self.policy)),
        )

    def _init_partner(self, spec: PartnerSpec, port: int, local_port: int) -> None:
        home = self.folder / spec.function
        party = Party("connector", home, spec.id)
        arguments = ["--home", str(home), "--id", spec.id, "--name", spec.function.title()]
        arguments += ["--domain", spec.domain, "--port", str(port), "--contact", "020 000 0000"]
        arguments += ["--local-port", str(local_port)]
        arguments += ["--url", f"http://127.0.0.1:{port}"] if spec.has_gateway else []
        for right in spec.rights:
            arguments += ["--bsn-right", right]
        if spec.declaration is not None:
            arguments += ["--declaration", str(spec.declaration)]
        arguments += ["--enforcement"] if spec.enforcement else []
        run_command("connector", "init", *arguments)
        self.partners[spec.function] = party
