"""Starts a party that reads its trust list every second, where the product takes a minute.

For tests only: `python -m tests.faults.quick_refresh broker serve --home …`.
"""

from __future__ import annotations

from datetime import timedelta

from datwat.cli import main
from datwat.party.trust_keeper import TrustKeeper


def refresh_every_second() -> None:
    TrustKeeper.run.__defaults__ = (timedelta(seconds=1),)


if __name__ == "__main__":
    refresh_every_second()
    main()
