from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.meter import find_child, measure, measure_sync, read_memory

SPIN = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ntime.sleep(60)"


def test_cpu_is_counted_and_waiting_is_not(tmp_path: Path) -> None:
    program = tmp_path / "spinner"  # a name that no other child of this process has
    program.symlink_to(sys.executable)
    with subprocess.Popen([program, "-c", SPIN], stdout=subprocess.PIPE) as process:
        with measure({"it": process.pid}) as usage:
            assert process.stdout is not None
            process.stdout.readline()
        with measure({"it": process.pid}) as idle:
            time.sleep(0.2)
        assert find_child(os.getpid(), program.name) == process.pid
        assert read_memory(process.pid) > 1
        process.kill()
    assert 0.2 < usage.cpu["it"] < 1
    assert usage.per("it", 100) == pytest.approx(usage.cpu["it"] * 10)
    assert idle.cpu["it"] < 0.1
    assert idle.seconds >= 0.2


def test_a_child_that_is_not_there() -> None:
    with pytest.raises(LookupError):
        find_child(os.getpid(), "no-such-program")


def test_a_sync_takes_time(tmp_path: Path) -> None:
    assert measure_sync(tmp_path) > 0
