"""A key holder as a process of its own, with a real trust list, and partners that sign to it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner

from datwat.party.running import wait_until_ready
from datwat.party.settings import change_settings
from datwat.protocol import blinding
from datwat.protocol.canonical import decode_strict
from datwat.protocol.documents import SignedDocument
from datwat.protocol.messages import EvaluateAnswer
from datwat.protocol.signing import SignedMessage
from datwat.protocol.trust import Card
from datwat.protocol.values import encode_bytes
from keyholder.cli import app
from tests.party.covenant import KEY_HOLDER_ID, Member, TestCovenant, write

BSN = "999990019"
OTHER_BSN = "999993653"
START = "from datwat.cli import main; main()"
_SERVE = (sys.executable, "-c", START, "keyholder", "serve")


def run(*arguments: str) -> dict[str, Any]:
    """Run a command of the key holder and return what it prints for programs."""
    result = CliRunner().invoke(app, [*arguments, "--json"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = decode_strict(result.stdout.encode())
    return answer


class World:
    """A home folder, a list, and the process that serves from it."""

    def __init__(
        self, folder: Path, members: tuple[Member, ...], valid_until: datetime | None = None
    ) -> None:
        self.home = folder / "key-holder"
        self.members = members
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "log"
        url = "http://127.0.0.1:8081"
        run("init", "--home", str(self.home), "--id", KEY_HOLDER_ID, "--name", "KH", "--url", url)
        card = Card.model_validate_json((self.home / "card.json").read_bytes())
        self.covenant = TestCovenant(members=members, key_holder=card.key_holder)
        document = self.covenant.sign(self.covenant.build(valid_until=valid_until))
        digest = hashlib.sha256(SignedDocument.from_bytes(document).payload).hexdigest()
        path = write(folder / "list.json", document)
        change_settings(self.home, {"trust_list": str(path), "trust_pin": digest})
        self.client = httpx.Client(trust_env=False, timeout=30)

    def start(self, **environment: str) -> World:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*_SERVE, "--home", str(self.home), "--with-parent"],
                env={**os.environ, **environment},
                stderr=log,
                stdout=log,
            )
        process = self.process
        running = wait_until_ready(self.home, seconds=30, is_alive=lambda: process.poll() is None)
        self.url = f"http://127.0.0.1:{running.ports['api']}"
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=20)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=20)
        self.client.close()

    def enable(self, member: Member, first_load: int = 0) -> None:
        run("enable", member.id, "--home", str(self.home), "--first-load", str(first_load))

    def post(
        self, body: bytes | SignedMessage, *, path: str = "/v1/evaluations", **headers: str
    ) -> httpx.Response:
        raw = body.to_bytes() if isinstance(body, SignedMessage) else body
        sent = {"Content-Type": "application/json", **headers}
        return self.client.post(self.url + path, content=raw, headers=sent)

    @property
    def secret(self) -> bytes:
        return bytes.fromhex((self.home / "secrets" / "scalar-1").read_text())


def look_up(
    member: Member, n: int = 1, request_class: str = "inquire", **changes: object
) -> tuple[SignedMessage, list[bytes], list[bytes]]:
    """Return a signed look-up of `n` blinded points, with their blinds."""
    pairs = [blinding.blind(BSN if index % 2 else OTHER_BSN) for index in range(n)]
    elements = [encode_bytes(element) for _, element in pairs]
    message = member.sign(
        {
            "type": "evaluate",
            "aud": KEY_HOLDER_ID,
            "request_class": request_class,
            "for_rid": encode_bytes(os.urandom(16)),
            "elements": elements,
            **changes,
        }
    )
    return message, [blind for blind, _ in pairs], [element for _, element in pairs]


def read(response: httpx.Response) -> EvaluateAnswer:
    assert response.status_code == 200, response.text
    return EvaluateAnswer.model_validate_json(response.content)


def problem(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json", response.text
    found: dict[str, Any] = decode_strict(response.content)
    assert found["status"] == response.status_code
    return found
