"""Starts `datwat` so that the parties of a demo look each second, or sooner.

They read the trust list every second, not every minute; gateways ask each half second, not each 30,
whether witnesses vouch. For tests of pages only: `python -m tests.docs.quick_demo demo --keep`.
"""

from __future__ import annotations

import sys

from datwat.cli import main
from demo import processes

if __name__ == "__main__":
    processes.DATWAT = (sys.executable, "-m", "tests.log.quick_look")
    main()
