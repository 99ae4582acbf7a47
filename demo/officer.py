"""What the broker's officers do in a case: see what waits, and open it.

Rule: by the commands that an officer types, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from datwat.party import clock
from datwat.protocol.values import decode_moment
from demo.covenant import Covenant
from demo.events import OpenSituation, Term
from demo.steps import Step

_LATE_SECONDS = 1.2


class Officer:
    """Somebody with the commands of the broker's home; `until_at` is the term that was declared."""

    def __init__(self, covenant: Covenant) -> None:
        """Keep where the broker is."""
        self._covenant = covenant
        self.until_at: datetime | None = None

    def await_term(self, event: Term) -> Step:
        """Wait for the end of the term; then it must be overdue, and nothing more."""
        if self.until_at is None:
            return Step(event, differences=("no special situation has a term",))
        before = self._list_situations()
        left = (self.until_at - clock.now()).total_seconds() + _LATE_SECONDS
        time.sleep(max(0.0, left))
        after = self._list_situations()
        states = [one["state"] for one in before], [one["state"] for one in after]
        facts = (f"`datwat special list`: {', '.join(states[0])}, then {', '.join(states[1])}.",)
        differences = []
        if left > _LATE_SECONDS and states[0] != ["declared"]:
            differences.append(f"before its term it is {states[0]}, must be declared")
        if states[1] != ["overdue"]:
            differences.append(f"after its term it is {states[1]}, must be overdue")
        return Step(event, facts=facts, differences=tuple(differences))

    def open_situation(self, event: OpenSituation) -> Step:
        """Open what waits, in the name of whoever decided."""
        home = ["--home", str(self._covenant.home("broker"))]
        (waiting,) = self._list_situations()
        answer = self._covenant.run(
            *("special", "open", waiting["number"], "--by", event.by, "--role", event.role, *home)
        )
        left = self._list_situations()
        differences = () if not left else ("it is still listed as waiting",)
        facts = (f"`datwat special open`: {answer['opened']} entries opened.",)
        return Step(event, facts=facts, differences=differences)

    def _list_situations(self) -> Sequence[dict[str, Any]]:
        home = ["--home", str(self._covenant.home("broker"))]
        found: list[dict[str, Any]] = self._covenant.run("special", "list", *home)[
            "special_situations"
        ]
        return sorted(found, key=lambda one: decode_moment(one["until_at"]))
