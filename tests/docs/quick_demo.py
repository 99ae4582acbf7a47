"""Starts `datwat` so that the parties of a demo read the trust list every second, not every minute.

For the test of the tutorial only: `python -m tests.docs.quick_demo demo --keep --case 1`.
"""

from __future__ import annotations

import sys

from datwat.cli import main
from demo import processes

if __name__ == "__main__":
    processes.DATWAT = (sys.executable, "-m", "tests.faults.quick_refresh")
    main()
