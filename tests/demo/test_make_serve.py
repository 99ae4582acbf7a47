"""`make serve` ends with Ctrl-C as it should: no error line after the demo's own last words."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Ends as the demo does: by itself, with 0.
DEMO = """#!/bin/sh
trap 'echo stopping; exit 0' INT
echo running
while :; do sleep 0.1; done
"""


def test_ctrl_c_is_no_error_of_make(tmp_path: Path) -> None:
    for stamp in ("python", "libsodium", "opa"):
        (tmp_path / stamp).touch()
    demo = tmp_path / "datwat"
    demo.write_text(DEMO)
    demo.chmod(0o700)
    terminal, inside = pty.openpty()
    make = ["make", "serve", f"VENV={tmp_path}", f"STAMPS={tmp_path}"]
    process = subprocess.Popen(
        make, cwd=ROOT, stdin=inside, stdout=inside, stderr=inside, start_new_session=True
    )
    os.close(inside)
    said = b""
    try:
        while b"running" not in said:
            said += os.read(terminal, 1_000)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to make, and to what it runs
        process.wait(timeout=10)
        said += os.read(terminal, 10_000)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
        os.close(terminal)
    assert b"stopping" in said
    assert b"***" not in said
    assert b"rror" not in said
