"""A broker as a process of its own, asked over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.client.outgoing import ROUTES, Sent
from connectors.client.verification import VerifiedAnswer, verify_answer
from datwat.party.running import wait_until_ready
from datwat.protocol.canonical import decode_strict
from tests.exchange.world import World

_START = "from datwat.cli import main; main()"


@dataclass
class Served:
    """The world of a served broker, and a client to it."""

    world: World
    url: str
    client: httpx.Client
    process: subprocess.Popen[bytes]
    log: Path

    def post(self, sent: Sent | bytes, path: str = "", **headers: str) -> httpx.Response:
        wire = sent if isinstance(sent, bytes) else sent.wire
        route = path if isinstance(sent, bytes) or path else ROUTES[sent.act]
        return self.client.post(
            self.url + route,
            content=wire,
            headers={"Content-Type": "application/json", **headers},
        )

    def ask(self, function: str, act: str, *arguments: Any, **extra: Any) -> VerifiedAnswer:  # noqa: ANN401
        sent = self.world.build(function, act, *arguments, **extra)
        response = self.post(sent)
        assert response.status_code == 200, response.text
        assert self.world.card.log is not None
        return verify_answer(response.content, sent, self.world.card.log)


def problem(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json", response.text
    found: dict[str, Any] = decode_strict(response.content)
    assert found["status"] == response.status_code
    return found


def start(world: World, log: Path) -> Served:
    with log.open("ab") as file:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _START,
                "broker",
                "serve",
                "--home",
                str(world.home),
                "--with-parent",
            ],
            stdout=file,
            stderr=file,
            env={**os.environ},
        )
    running = wait_until_ready(world.home, seconds=100, is_alive=lambda: process.poll() is None)
    url = f"http://127.0.0.1:{running.ports['api']}"
    return Served(world, url, httpx.Client(trust_env=False, timeout=30), process, log)


def stop(served: Served) -> None:
    served.client.close()
    if served.process.poll() is None:
        served.process.terminate()
        served.process.wait(timeout=20)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    found = start(World(folder), folder / "log")
    yield found
    stop(found)
