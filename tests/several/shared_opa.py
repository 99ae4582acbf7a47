"""A covenant whose broker's processes all ask one OPA that somebody else runs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from broker.adapters import opa_child
from broker.adapters.opa_process import build_authz_policy, find_opa
from broker.policy.engine import parse_revision
from datwat.party.settings import change_settings, write_secret
from demo.covenant import find_ports
from tests.connectors.client.own_system import OwnSystem
from tests.parties import BROKER_ID, run_command
from tests.several.conftest import build_partners
from tests.several.world import BrokerProcess, SeveralCovenant, await_true

_TOKEN = "of-this-opa"
_START_SECONDS = 60.0
# What the product does each half minute, the first process does each second, and the others hardly
# ever: they hear from it, and never see by chance what it has not offered yet.
_LOOKING = (
    "from broker import following; following.LOOK_SECONDS = {seconds};"
    " following._LONGEST_SECONDS = 60.0; from datwat.cli import main; main()"
)


class AskingProcess(BrokerProcess):
    """A process that hears of a new policy at once from the first one, which looks for it."""

    @property
    def how(self) -> list[str]:
        return ["-c", _LOOKING.format(seconds=1.0 if self.number == 1 else 600.0)]


@dataclass
class SharedOpa:
    """OPA as an operator runs it: by what `opa-config` prints, and asked by one token only."""

    folder: Path
    config: dict[str, Any]
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    @property
    def listens(self) -> bool:
        """Whether it answers anything, with a bundle or without."""
        with suppress(httpx.HTTPError):
            return self._ask().status_code == HTTPStatus.OK
        return False

    @property
    def revision(self) -> str | None:
        """The revision by which it decides now; None while it has no bundle, or is away."""
        with suppress(httpx.HTTPError):
            return parse_revision(self._ask().content)
        return None

    def start(self) -> None:
        """Start it without a bundle."""
        (self.folder / "opa.json").write_text(json.dumps(self.config), encoding="utf-8")
        (self.folder / "authz.rego").write_text(build_authz_policy(_TOKEN), encoding="utf-8")
        arguments = [
            *("run", "--server", f"--addr=127.0.0.1:{self.port}", "--config-file=opa.json"),
            *("--authentication=token", "--authorization=basic", "--log-level=error"),
            *("--disable-telemetry", "authz.rego"),
        ]
        # By the launcher: it dies with the test run.
        launcher = [sys.executable, "-I", "-S", str(opa_child.__file__), str(os.getpid())]
        with (self.folder / "opa.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*launcher, str(asyncio.run(find_opa())), *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _ask(self) -> httpx.Response:
        path = "/v1/data/datwat/ask/decision?provenance=true"
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        body: dict[str, Any] = {"input": {}}
        return httpx.post(self.url + path, json=body, headers=headers, timeout=5, trust_env=False)


class SharedCovenant(SeveralCovenant):
    """A covenant whose broker's processes ask one OPA."""

    def __init__(
        self, folder: Path, system: OwnSystem, *, database: str, ratchet: str, count: int
    ) -> None:
        partners = build_partners(system)
        super().__init__(folder, partners, database=database, ratchet=ratchet, count=count)
        home = self.broker.home
        # One that hangs is given up in time.
        environment = {**self.broker.environment, "DATWAT_OPA_DEADLINE_MS": "2500"}
        self.brokers = [
            AskingProcess("broker", home, BROKER_ID, environment, number=number)
            for number in range(1, count + 1)
        ]
        self.broker = self.brokers[0]
        served, asked = find_ports(2)
        made = run_command("broker", "opa-config", "--home", str(home), "--port", str(served))
        config = made["opa"]
        polling = {"min_delay_seconds": 1, "max_delay_seconds": 1}
        config["bundles"]["datwat"]["polling"] = polling
        self.opa = SharedOpa(folder, config, asked)
        write_secret(home, "opa.token", _TOKEN.encode())
        change_settings(home, {"opa_url": self.opa.url})

    def start(self) -> None:
        """Start OPA first; it gets its bundle once the first process serves it."""
        self.opa.start()
        super().start()
        await_true(self.are_well, _START_SECONDS, "not well")

    def close(self) -> None:
        super().close()
        self.opa.kill()

    def are_well(self) -> bool:
        """Whether each process says of itself that it is."""
        return {read_health(broker) for broker in self.brokers} == {"ok"}


def read_health(broker: BrokerProcess) -> str:
    answer = httpx.get(broker.url() + "/v1/health", trust_env=False, timeout=20)
    return str(answer.json()["status"])


def count_opas(broker: BrokerProcess) -> int:
    """Return how many OPAs a process started that have not ended."""
    count = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            before, _, after = stat.read_text("ascii").rpartition(")")
            state, parent = after.split()[:2]
            count += int(parent) == broker.running.pid and state != "Z" and "(opa" in before
    return count
