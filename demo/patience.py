"""What a person does where a party has no time just now: tries again, a few times."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from connectors.client.http import ConnectorProblem
from demo.resident import PortalFailedError

# Nothing was written, or the same bytes were sent for as long as a connector has patience.
_TRY_AGAIN: Final = (
    *("policy_unavailable", "too_busy"),
    *("database_away", "log_unavailable", "process_not_current", "peer_unreachable"),
    *("ratchet_away", "rotation_waits"),
)
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
ActT = TypeVar("ActT")


def try_patiently(act: Callable[[], ActT]) -> ActT:
    """Do something that a busy party may refuse; raise what it says at last, or what else it is."""
    for pause in _PAUSES:
        try:
            return act()
        except (ConnectorProblem, PortalFailedError) as error:
            if not any(code in f"{error.code} {error.detail}" for code in _TRY_AGAIN):
                raise
            time.sleep(pause)
    return act()
