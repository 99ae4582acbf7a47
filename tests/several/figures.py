"""What a count came to, for whoever runs it: printed, and as a line of `build/faults.jsonl`."""

from __future__ import annotations

import json

import pytest

from tests.faults.world import ROOT


def tell(capsys: pytest.CaptureFixture[str], **figures: object) -> None:
    """Print the figures, and keep them: what a worker of several prints is not shown."""
    line = json.dumps(figures)
    with capsys.disabled():
        print(f"\n{line}")  # noqa: T201 - for a person
    path = ROOT / "build" / "faults.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as kept:
        kept.write(line + "\n")
