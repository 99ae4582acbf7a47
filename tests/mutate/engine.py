"""An OPA of its own that weighs all cases in one query, with a mutant put in."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

_HARNESS = """package harness

results[i] := decision if {
    some i in input.only
    case := data.cases[i]
    question := case.question
    decision := data.datwat[case.entry_point].decision with input as question
}
"""


class DoesNotCompileError(Exception):
    """The mutant is no Rego: nothing to notice."""


class Engine:
    """One OPA process on a free loopback port, with modules, catalogue and cases loaded."""

    def __init__(self, opa: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        address = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [
                opa,
                "run",
                "--server",
                "--addr",
                address,
                "--log-level",
                "error",
                "--disable-telemetry",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()
        modules = {
            path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(folder.rglob("*.rego"))
            if not path.name.endswith("_test.rego")
        }
        self._load_all(modules)
        self.modules = modules

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)

    def _wait(self) -> None:
        for _ in range(100):
            try:
                self._send("GET", "/health")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("OPA did not start")

    def _send(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body.encode() if body is not None else None)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _load_all(self, modules: dict[str, str]) -> None:
        """Put the modules in; one that needs another waits for it."""
        waiting = dict(modules)
        while waiting:
            put = [name for name in waiting if self._put_module(name, waiting[name])]
            if not put:
                raise RuntimeError(f"OPA takes none of {sorted(waiting)}")
            for name in put:
                del waiting[name]
        if not self._put_module("harness.rego", _HARNESS):
            raise RuntimeError("OPA does not take the harness")

    def _put_module(self, name: str, source: str) -> bool:
        path = "/v1/policies/" + name.replace("/", "_")
        return self._send("PUT", path, source)[0] == http.HTTPStatus.OK

    def put_data(self, path: str, value: object) -> None:
        """Put a document in; raise when OPA refuses it."""
        status, body = self._send("PUT", f"/v1/data/{path}", json.dumps(value))
        if status >= http.HTTPStatus.BAD_REQUEST:
            raise RuntimeError(body.decode())

    def put_module(self, name: str, source: str) -> None:
        """Put a mutated module in; raise DoesNotCompileError when it is no Rego."""
        if not self._put_module(name, source):
            raise DoesNotCompileError(name)

    def restore(self, name: str) -> None:
        """Put the module back as it was."""
        self.put_module(name, self.modules[name])

    def weigh(self, only: Iterable[int]) -> dict[int, Any]:
        """Return the decisions of some cases: an undefined one is missing, an error gives none."""
        status, body = self._send(
            "POST", "/v1/data/harness/results", json.dumps({"input": {"only": list(only)}})
        )
        if status != http.HTTPStatus.OK:
            return {}
        result = json.loads(body).get("result", {})
        return {int(index): decision for index, decision in result.items()}
