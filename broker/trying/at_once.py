"""How many trials run at once: each is a process with an OPA of its own, and a core for a while.

Rules: so many of all kinds together (cases, mutation check, replay, the cases of a proposal), so
that the broker goes on answering partners; fewer of one officer, so that nobody waits for one who
tries everything at once. What is over is refused at once and not piled up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from broker.trying.trial_spawn import TrialBusyError

MOST_AT_ONCE = 4
MOST_EACH = 2


class TrialsFullError(TrialBusyError):
    """As many trials run as the broker takes on at once."""

    default_detail = (
        f"{MOST_AT_ONCE} trials run already, which is as many as this broker takes on at once: try "
        "again when one of them is done."
    )


class OwnTrialsError(TrialBusyError):
    """As many trials of one officer run as one has at once."""

    default_detail = (
        f"{MOST_EACH} trials of yours run already: wait for one of them, or stop your replay."
    )


class AtOnce:
    """Counts what runs; one object per process, which all kinds of trials share."""

    def __init__(self, most: int = MOST_AT_ONCE, most_each: int = MOST_EACH) -> None:
        """Nothing runs yet."""
        self._most = most
        self._most_each = most_each
        self._held: Counter[str] = Counter()

    @property
    def running(self) -> int:
        """How many run now."""
        return self._held.total()

    @contextmanager
    def hold(self, by: str | None) -> Iterator[None]:
        """Hold a place for a trial; `by` is who tries, None where nobody did.

        Raises TrialsFullError, OwnTrialsError.
        """
        if by is not None and self._held[by] >= self._most_each:
            raise OwnTrialsError
        if self._held.total() >= self._most:
            raise TrialsFullError
        name = by or ""
        self._held[name] += 1
        try:
            yield
        finally:
            self._held[name] -= 1
            self._held += Counter()  # drops who holds none
