from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.meter import (
    Group,
    count_files,
    find_children,
    find_cpu,
    list_descendants,
    measure,
    measure_sync,
    read_cpu,
    read_memory,
)

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
        assert find_children([os.getpid()], program.name) == [process.pid]
        assert read_memory(process.pid) > 1
        process.kill()
    assert 0.2 < usage.cpu["it"] < 1
    assert usage.per("it", 100) == pytest.approx(usage.cpu["it"] * 10)
    assert idle.cpu["it"] < 0.1
    assert idle.seconds >= 0.2


def test_a_child_that_is_not_there() -> None:
    with pytest.raises(LookupError):
        find_children([os.getpid()], "no-such-program")


def test_a_sync_takes_time(tmp_path: Path) -> None:
    assert measure_sync(tmp_path) > 0


FAMILY = r"""
import subprocess, sys, time
spin = "import time\nwhile time.process_time() < 0.3: pass"
subprocess.run([sys.executable, "-c", spin])
child = subprocess.Popen([sys.executable, "-c", spin + "\nprint(flush=True)\ntime.sleep(60)"])
child.wait()
"""


def test_children_count_with_their_parent_while_they_live_and_afterwards() -> None:
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # one child ended, the other one has done its work
        (child,) = list_descendants([process.pid])
        alone, family = Group((process.pid,)), Group((process.pid,), with_children=True)
        assert read_cpu(family) > 0.55
        assert read_cpu(alone) == pytest.approx(read_cpu(process.pid))
        assert read_cpu(alone) < read_cpu(family) - 0.5
        assert read_cpu(Group((process.pid, child))) > read_cpu(child) >= 0.25
        assert count_files(process.pid) >= 3
        os.kill(child, 9)
        process.wait(timeout=10)
    assert math.isnan(find_cpu(family))
