"""Killed between any two statements: an end is whole or has not begun, and is told once.

`make test` takes some of the places, `make test-long` every one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_SOME = {"sqlite": 40, "postgresql": 12}


def _kill_everywhere(folder: Path, server: str, places: int) -> dict[str, object]:
    """Return what was found; `places` 0 means all."""
    found = subprocess.run(
        [sys.executable, "-m", "tests.audit.killed_ends", str(folder), server, str(places)],
        check=False,
        capture_output=True,
        text=True,
        timeout=1_800 if not places else 280,
    )
    assert found.returncode == 0, found.stderr
    result: dict[str, object] = json.loads(found.stdout)
    assert result["wrong"] == [], found.stderr
    return result


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_killed_between_any_two_statements(
    kind: str, tmp_path: Path, whole: bool, request: pytest.FixtureRequest
) -> None:
    server = "" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    places = _kill_everywhere(tmp_path, server, 0 if whole else _SOME[kind])["places"]
    assert isinstance(places, int)
    assert 60 < places < 600
