"""Starts a gateway that looks each half second whether witnesses vouch; the product takes 30.

For tests only: `python -m tests.log.quick_look connector serve --home …`.
"""

from __future__ import annotations

from connectors.gateway.coverage import Coverage
from datwat.cli import main
from tests.faults.quick_refresh import refresh_every_second

if __name__ == "__main__":
    refresh_every_second()
    Coverage.run.__defaults__ = (0.5,)
    main()
