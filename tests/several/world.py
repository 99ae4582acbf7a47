"""A covenant whose broker is several processes on one PostgreSQL database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from connectors.client.outgoing import ROUTES, Sent
from datwat.party.admin import call_running
from datwat.party.database import open_engine
from datwat.party.running import Running, find_running, wait_until_ready
from datwat.party.settings import change_settings
from demo.covenant import find_ports
from tests.faults.world import PURPOSE, ROOT, Direct, FaultCovenant
from tests.parties import BROKER_ID, LOG_ORIGIN, START, PartnerSpec, Party, run_command

_START_SECONDS = 90.0
_TIED = ("--with-parent",)
_WITNESS_ID = "00000099000000004000:witness"


@dataclass
class BrokerProcess(Party):
    """One of several processes of the broker."""

    number: int = 1

    @property
    def log(self) -> Path:
        return self.home.parent / f"broker-{self.number}.log"

    @property
    def running(self) -> Running:
        found = find_running(self.home, self.number)
        assert found is not None, f"{self.number} does not run: {self.log.read_text()[-2_000:]}"
        return found

    @property
    def how(self) -> list[str]:
        """What Python runs: only the first one reads the trust list by itself every second."""
        return ["-m", "tests.faults.quick_refresh"] if self.number == 1 else ["-c", START]

    @property
    def variables(self) -> dict[str, str]:
        """What it finds in its environment, beside what the tests have there."""
        return self.environment

    def begin(self) -> None:
        command = [sys.executable, *self.how, "broker", "serve"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--home", str(self.home), "--process", str(self.number), *_TIED],
                cwd=ROOT,
                env={**os.environ, **self.variables},
                stdout=log,
                stderr=log,
            )

    def await_ready(self) -> None:
        process = self.process
        assert process is not None
        try:
            wait_until_ready(
                self.home,
                seconds=_START_SECONDS,
                is_alive=lambda: process.poll() is None,
                process=self.number,
            )
        except Exception as error:
            said = self.log.read_text(errors="replace")[-3_000:]
            raise AssertionError(f"broker {self.number} did not start:\n{said}") from error

    def call(self, command: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        return call_running(self.home, command, process=self.number, **members)

    @property
    def status(self) -> dict[str, Any]:
        return self.call("status")


class SeveralCovenant(FaultCovenant):
    """All parties; the broker as so many processes, on a database and beside a ratchet server."""

    others: list[BrokerProcess]

    def __init__(
        self,
        folder: Path,
        partners: Sequence[PartnerSpec],
        *,
        database: str,
        ratchet: str,
        count: int,
    ) -> None:
        self.database = database
        self.others = []  # while the homes are made
        super().__init__(folder, partners)
        change_settings(self.broker.home, {"ratchet_url": ratchet, "tag_root_seconds": 2})
        environment = {"DATWAT_OPA_DEADLINE_MS": "10000", "DATWAT_RATE_PER_SECOND": "5000"}
        environment["DATWAT_RATE_BURST"] = "50000"
        self.brokers = [
            BrokerProcess("broker", self.broker.home, BROKER_ID, environment, number=number)
            for number in range(1, count + 1)
        ]
        self.broker = self.brokers[0]

    @property
    def parties(self) -> tuple[Party, ...]:
        return (self.key_holder, self.broker, *self.others, *self.partners.values())

    def start(self) -> None:
        """Start one process, and the others when the first one has tried the policy for all."""
        super().start()
        self.others = self.brokers[1:]
        try:
            for broker in self.others:
                broker.begin()
            for broker in self.others:
                broker.await_ready()
        except BaseException:
            self.close()
            raise

    @property
    def log_size(self) -> int:
        return int(self.read("SELECT size FROM log_head")[0][0])

    @property
    def housekeeper(self) -> BrokerProcess | None:
        """The process that keeps house, by what each says of itself."""
        found = [one for one in self.brokers if is_alive(one) and keeps_house(one)]
        assert len(found) < 2
        return found[0] if found else None

    def read(self, query: str) -> list[tuple[Any, ...]]:
        engine = open_engine(self.database)  # of two servers the one that takes changes
        with engine.connect() as conn:
            rows = [tuple(row) for row in conn.execute(text(query))]
        engine.dispose()
        return rows

    def change(self, statement: str) -> None:
        engine = open_engine(self.database)
        with engine.begin() as conn:
            conn.execute(text(statement))
        engine.dispose()

    def _init_broker(self, port: int) -> None:
        url = f"http://127.0.0.1:{port}"
        run_command(
            *("broker", "init", "--home", str(self.broker.home), "--database-url", self.database),
            *("--id", BROKER_ID, "--name", "Broker", "--url", url, "--port", str(port)),
            *("--origin", LOG_ORIGIN, "--bundle", str(self.policy)),
        )


class WitnessedCovenant(SeveralCovenant):
    """One whose log a witness follows and vouches for; nobody waits for its word."""

    def __init__(self, folder: Path, *args: Any, **more: Any) -> None:  # noqa: ANN401 - those of SeveralCovenant
        self.witness = Party("witness", folder / "witness", _WITNESS_ID)
        self._has_witness = False  # while the homes are made
        super().__init__(folder, *args, **more)
        for broker in self.brokers:
            broker.environment["DATWAT_WITNESS_SECONDS"] = "1"
        (port,) = find_ports(1)
        run_command(
            *("witness", "init", "--home", str(self.witness.home), "--id", _WITNESS_ID),
            *("--name", "witness.example/w1", "--url", f"http://127.0.0.1:{port}"),
            *("--port", str(port)),
        )
        self._has_witness = True
        self.sign()

    @property
    def parties(self) -> tuple[Party, ...]:
        more = (self.witness,) if self._has_witness else ()
        return (*super().parties, *more)


def is_alive(broker: BrokerProcess) -> bool:
    return broker.process is not None and broker.process.poll() is None


def keeps_house(broker: BrokerProcess) -> bool:
    found = broker.status
    return bool(found["housekeeper"] == broker.number)


class Asking(Direct):
    """A partner that sends each message to the process it is told."""

    @lru_cache  # noqa: B019 - it lives as long as its test
    def purpose(self, name: str = PURPOSE) -> dict[str, str]:
        """Read the bundle once: it takes longer than to be answered."""
        return super().purpose(name)

    def send_to(self, broker: BrokerProcess, sent: Sent) -> httpx.Response:
        """Send, and again where the process is not current: the same bytes, as a client does."""
        until = time.monotonic() + 20.0
        while True:
            answer = self.post(broker, ROUTES[sent.act], sent.wire)
            if answer.status_code != 503 or time.monotonic() > until:
                return answer
            time.sleep(0.1)


def await_true(look: Callable[[], bool], seconds: float, what: str) -> float:
    """Look until it is so; return how many seconds that took."""
    began = time.monotonic()
    while not look():
        assert time.monotonic() < began + seconds, what
        time.sleep(0.02)
    return time.monotonic() - began


def require_contiguous(covenant: SeveralCovenant) -> int:
    """Assert that places in the tree and numbers in each chain have no gap; return the size."""
    # In one statement: tag roots are written at any moment.
    ((size, *found),) = covenant.read(
        "SELECT (SELECT size FROM log_head), count(*), min(idx), max(idx) FROM log_entries"
    )
    assert found == [size, 0, size - 1]
    # The chain of the auditor counts for all persons together.
    gaps = covenant.read(
        "SELECT chain, quarter, count(*), max(number) FROM (SELECT CASE audience WHEN 'delayed'"
        " THEN audience ELSE encode(subject_id, 'hex') || audience END AS chain, quarter, number"
        " FROM log_entries WHERE number IS NOT NULL) AS each GROUP BY chain, quarter"
        " HAVING count(*) <> max(number) + 1 OR min(number) <> 0"
        " OR count(DISTINCT number) <> count(*)"
    )
    assert gaps == []
    return int(size)
