"""The launcher of OPA: dies with its parent, then becomes OPA.

Rule enforced: no OPA outlives its broker, even one that was killed with SIGKILL (architecture,
"Names and habits"). Run as a script, `opa_child.py PARENT_PID PROGRAM ARGUMENT...`, and not as a
function between fork and exec, which is not safe in a process with threads. Linux: prctl(2)
PR_SET_PDEATHSIG, which survives execve(2). Elsewhere the supervisor alone stops OPA.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Ask the kernel for SIGKILL at the parent's death, and become the program named."""
    parent, program = int(arguments[0]), arguments[1]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have died before the request: then nobody would ever send the signal.
        if os.getppid() != parent:
            sys.exit(1)
    os.execv(program, arguments[1:])  # noqa: S606 - a fixed argument list, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
