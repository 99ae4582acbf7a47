"""A witness as a process of its own, a log that it follows, and requests to it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from datwat.cli import run as run_datwat
from datwat.party.admin import call_running
from datwat.party.running import wait_until_ready
from datwat.party.settings import change_settings
from datwat.protocol.checkpoint import verify_cosignatures
from datwat.protocol.cosigning import AddCheckpoint, read_cosignature_lines
from datwat.protocol.documents import SignedDocument
from datwat.protocol.notes import Note, parse_note
from datwat.protocol.trust import Card, LogEntry, Witness
from tests.databases import writing
from tests.party.covenant import TestCovenant, write
from tests.witness.log_maker import ENTRIES, LogMaker, Server

WITNESS_ID = "00000099000000004000:witness"
NAME = "witness.example/w1"
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from importlib.metadata import EntryPoint
from datwat.cli import COMMAND_GROUP, run
entry = EntryPoint(name="witness", value="witness.cli:app", group=COMMAND_GROUP)
sys.exit(run(sys.argv[1:], [entry]))
"""


class World:
    """A home folder, a list, the process that serves from it, and the log behind a server."""

    def __init__(
        self, folder: Path, maker: LogMaker, server: Server, database_url: str = ""
    ) -> None:
        self.home = folder / "witness"
        self.maker = maker
        self.shown = folder / "log"
        self.server = server
        self.errors = folder / "stderr"
        self.list_path = folder / "list.json"
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(trust_env=False, timeout=30)
        self.url = ""
        words = ["--id", WITNESS_ID, "--name", NAME, "--url", "http://127.0.0.1:1"]
        code = run_datwat(["witness", "init", "--home", str(self.home), *words, "--json"], ENTRIES)
        assert code == 0
        card = Card.model_validate_json((self.home / "card.json").read_bytes())
        assert card.witness is not None
        self.witness: Witness = card.witness
        self.covenant = TestCovenant()
        self.sign_list(maker)
        document = SignedDocument.from_bytes(self.list_path.read_bytes())
        pin = hashlib.sha256(document.payload).hexdigest()
        settings = {"trust_list": str(self.list_path), "trust_pin": pin}
        change_settings(self.home, {**settings, "database_url": database_url})

    def sign_list(self, maker: LogMaker, *, seq: int = 1, **changes: object) -> None:
        trust = self.covenant.build(seq=seq)
        broker = trust.broker.model_copy(update={"url": self.server.url})
        update = {
            "broker": broker,
            "log": LogEntry(origin=maker.origin, vkeys=(maker.signer.vkey,)),
            "witnesses": (self.witness,),
            "witness_threshold": 1,
            **changes,
        }
        write(self.list_path, self.covenant.sign(trust.model_copy(update=update)))

    def start(self, **environment: str) -> World:
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *self._words("serve"), "--with-parent"],
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stderr=errors,
                stdout=errors,
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

    def _words(self, *words: str) -> list[str]:
        return ["witness", words[0], "--home", str(self.home), *words[1:]]

    def command(self, *words: str) -> tuple[int, dict[str, Any], str]:
        as_json = [] if words[0] == "serve" else ["--json"]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *self._words(*words), *as_json],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    def status(self) -> dict[str, Any]:
        return call_running(self.home, "status")

    def clear_alarm(self, number: int) -> dict[str, Any]:
        return call_running(self.home, "clear_alarm", number=number, by="A. Smit")

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement on the witness's own database; return its rows, if it has any."""
        with writing(self.home) as connection:
            done = connection.execute(text(statement))
            return [tuple(row) for row in done] if done.returns_rows else []

    def show(self, maker: LogMaker | None = None) -> None:
        """Show a log as its broker would, at `/v1/log`."""
        (maker or self.maker).show(self.shown / "v1" / "log")

    def post(self, request: AddCheckpoint | bytes) -> httpx.Response:
        body = request.serialise() if isinstance(request, AddCheckpoint) else request
        return self.client.post(f"{self.url}/add-checkpoint", content=body)

    def ask(self, old: int, size: int | None = None) -> httpx.Response:
        return self.post(self.maker.request(old, size))

    def grow(self, *, by: int, old: int | None = None) -> httpx.Response:
        """Add entries with a root over them, show the log, and ask for its checkpoint."""
        before = self.maker.size if old is None else old
        self.maker.add_persons(by).add_root()
        self.show()
        return self.ask(before)

    def require_cosigned(self, response: httpx.Response, request: AddCheckpoint) -> int:
        """Check that a response is this witness's cosignature of now; return its timestamp."""
        assert response.status_code == 200, response.text
        lines = read_cosignature_lines(request.checkpoint, response.content, [self.witness.vkey])
        assert "".join(line.text for line in lines).encode() == response.content
        note = Note(text=parse_note(request.checkpoint).text, signatures=lines)
        (word,) = verify_cosignatures(note, [self.witness.vkey])
        assert abs(word.timestamp - time.time()) < 5
        return word.timestamp
