"""The demo's covenant for the tests: one per test process, with recording doors in it.

The doors stand in front of the broker, the key holder and the gateway of youth help. Shared by
tests/demo and tests/promises: all of them are in one xdist group.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from demo.cli import open_folder
from demo.covenant import prepare
from demo.model import Case, load_cases, load_partners
from demo.player import play_case
from demo.processes import Processes
from demo.setting_up import build
from demo.steps import LogStep, Step
from tests.demo.recorder import Recorder

PROMISES_CASE = Path(__file__).parents[1] / "promises"
TEMPORARY = "temporary"
DOORS = ("broker", "key-holder", "youth-help")


class World:
    """The running covenant, what passed its doors, and the cases played on it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.recorders: dict[str, Recorder] = {}
        self.played: dict[int, tuple[list[str], list[Step | LogStep]]] = {}
        self.cases = {case.number: case for case in load_cases()}
        self.promises = load_cases(PROMISES_CASE)[0]
        try:
            self.folder = self._stack.enter_context(open_folder())
            self._keep_temporary_files()
            self.processes = self._stack.enter_context(Processes(self.folder))
            self.covenant = prepare(self.folder, load_partners(), self._open_doors)
            self._stack.callback(self.covenant.close)
            everybody = [*self.cases.values(), self.promises]
            build(self.covenant, everybody, self.processes, lambda _: None)
        except BaseException:
            self.close()
            raise

    def play(self, case: Case) -> tuple[list[str], list[Step | LogStep]]:
        """Play a case, once: its occasions have numbers of their own."""
        if case.number not in self.played:
            steps: list[Step | LogStep] = []
            self.played[case.number] = (play_case(self.covenant, case, steps.append), steps)
        return self.played[case.number]

    def command(self, *arguments: str) -> dict[str, Any]:
        return self.covenant.run(*arguments)

    def close(self) -> None:
        self._stack.close()
        for recorder in self.recorders.values():
            recorder.close()
        self.recorders = {}

    def _keep_temporary_files(self) -> None:
        """Have every process write its temporary files where they can be searched."""
        temporary = self.folder / TEMPORARY
        temporary.mkdir(mode=0o700)
        patch = pytest.MonkeyPatch()
        patch.setenv("TMPDIR", str(temporary))
        self._stack.callback(patch.undo)

    def _open_doors(self, ports: dict[str, int]) -> Mapping[str, int]:
        self.recorders = {name: Recorder(name, ports[name]) for name in DOORS}
        return {name: recorder.port for name, recorder in self.recorders.items()}


_running: list[World] = []


def acquire() -> World:
    """Return the world of this test process, started by whoever asks first."""
    if not _running:
        _running.append(World())
    return _running[0]


def release() -> None:
    """End it; safe to call twice."""
    while _running:
        _running.pop().close()
