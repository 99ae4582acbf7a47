"""Where officers read the guard rails: each with its law and its reasons, as the code has them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import broker.purposes.guards
from broker.purposes.phrases_guards import GUARDS, REASONS, REFUSALS

ROOT = Path(__file__).parents[2]


def test_the_reasons_of_each_guard_rail_are_those_of_the_code() -> None:
    tree = ast.parse(Path(broker.purposes.guards.__file__).read_text(encoding="utf-8"))
    calls = [
        node.args
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_breach"
    ]
    # A guard rail that the code chooses as it goes is None here.
    found = {
        (guard.value if isinstance(guard, ast.Constant) else None, reason.value)
        for guard, _place, reason in calls
        if isinstance(reason, ast.Constant)
    }
    assert len(found) == len({reason for _, reason in found}) > 10
    told = {(guard, reason) for guard, reasons in REFUSALS.items() for reason in reasons}
    for guard, reason in found:
        assert any(one == reason and guard in (None, name) for name, one in told), (guard, reason)
    for guard, reason in told:  # and no more than the code has
        assert (guard, reason) in found or (None, reason) in found, (guard, reason)
    assert set(REFUSALS) == set(GUARDS)
    assert {reason for _, reason in told} == set(REASONS)


def test_the_docs_hold_the_guard_rails() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "list_guards.py"), "--check"]
    done = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
