"""Killed between any two statements of a rotation: everybody is found, and it goes on.

`make test` takes some of the places, `make test-long` every one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_SOME = {"sqlite": 14, "postgresql": 5}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_killed_between_any_two_statements(
    kind: str, tmp_path: Path, whole: bool, request: pytest.FixtureRequest
) -> None:
    server = "" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    places = 0 if whole else _SOME[kind]
    found = subprocess.run(
        [sys.executable, "-m", "tests.keys.killed_turning", str(tmp_path), server, str(places)],
        check=False,
        capture_output=True,
        text=True,
        timeout=1_800 if not places else 280,
    )
    assert found.returncode == 0, found.stderr
    result = json.loads(found.stdout.splitlines()[-1])  # events of the steps stand before it
    assert result["wrong"] == [], found.stderr
    assert 60 < result["places"] < 1_500
