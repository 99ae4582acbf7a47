"""Starts a party that reads lists each second and goes over to a next key in seconds.

Run: `python -m demo.several.soon broker serve --home …`. For the demo with several brokers only,
which says so: the product waits up to an hour between two steps of a rotation, so that what is
still on its way under the old key arrives (docs/how-to/keys.md). The steps are the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any, Final

from datwat.party import own_keys_cli

SOON: Final = (sys.executable, "-m", "demo.several.soon")
SETTLED: Final = 6.0
# As long as the parties take to read their own next key, and a witness to vouch with it.
LISTED_FROM: Final = timedelta(seconds=6)
FINISH_AFTER: Final = timedelta(seconds=SETTLED + 4)
_SECOND: Final = timedelta(seconds=1)
_SHORT: Final = timedelta(seconds=5)
# Where each wait stands: module, constant (or function and parameter), and for how long now.
_CONSTANTS: Final[dict[str, tuple[tuple[str, str, object], ...]]] = {
    "broker": (
        ("broker.following", "LOOK_SECONDS", 1.0),
        ("broker.exchange.row_turning", "OVERLAP", _SHORT),
        ("broker.audit.key_keeping", "_SETTLED", _SHORT),
    ),
    "keyholder": (
        ("keyholder.rotation", "SPREAD", _SHORT),
        ("keyholder.rotating", "GRACE", _SHORT),
    ),
}
_REFRESHED: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "connector": (("connectors.policy", "PolicyKeeper"),),
    "portal": (("connectors.policy", "PolicyKeeper"),),
}


def hurry(party: str) -> None:
    """Shorten the waits of a party in this process."""
    for module, name, value in _CONSTANTS.get(party, ()):
        found = import_module(module)
        getattr(found, name)  # else a wait that was renamed would stay long, unnoticed
        setattr(found, name, value)
    kept: tuple[tuple[str, str], ...] = (("datwat.party.trust_keeper", "TrustKeeper"),)
    for module, name in kept + _REFRESHED.get(party, ()):
        keeper: Any = getattr(import_module(module), name)
        keeper.run.__defaults__ = (_SECOND,)
    now: Any = import_module("datwat.party.own_keys").KeyOfNow
    now.__init__.__kwdefaults__["settled"] = SETTLED


@contextmanager
def hurried_commands() -> Iterator[None]:
    """Have `keys status` and `keys finish` of this process go by the short waits."""
    names = ("SETTLED", "LISTED_FROM", "FINISH_AFTER")
    before = {name: getattr(own_keys_cli, name) for name in names}
    for name in names:
        setattr(own_keys_cli, name, globals()[name])
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(own_keys_cli, name, value)


def main() -> None:
    """Run a `datwat` command; its first word is the party."""
    hurry(sys.argv[1])
    run: Any = import_module("datwat.cli").main
    run()


if __name__ == "__main__":
    main()
