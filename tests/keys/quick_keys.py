"""Starts a party that reads lists and bundles each second and goes over to a next key in three.

For tests only: `python -m tests.keys.quick_keys broker serve --home …`. The product takes a minute,
and two and a half.
"""

from __future__ import annotations

from datetime import timedelta

import broker.following
from connectors.policy import PolicyKeeper
from datwat.cli import main
from datwat.party.own_keys import KeyOfNow
from tests.faults.quick_refresh import refresh_every_second

SETTLED = 3.0


def hurry() -> None:
    refresh_every_second()
    broker.following.LOOK_SECONDS = 1.0
    PolicyKeeper.run.__defaults__ = (timedelta(seconds=1),)
    defaults = KeyOfNow.__init__.__kwdefaults__
    assert defaults is not None
    defaults["settled"] = SETTLED


if __name__ == "__main__":
    hurry()
    main()
