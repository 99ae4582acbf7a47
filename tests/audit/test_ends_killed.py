"""Killed between any two statements: an end is whole or has not begun, and is told once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(300)
def test_killed_between_any_two_statements(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.audit.killed_ends", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout)
    assert result["wrong"] == [], found.stderr
    assert 20 < result["places"] < 399
