"""One message and the OPA that weighs it: the same revision from its first person to its last.

Rule enforced: no message is weighed by two revisions. A message of hundreds of persons is weighed
in parts, between which a new bundle can take over; the OPA of the old one then stays for as long as
a message still needs it, and where that cannot be, the message is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from broker.policy.engine import PolicyChangedError


class Holdable(Protocol):
    """An OPA that messages are weighed by; it is not ended while one of them has taken it."""

    revision: str

    @property
    def is_running(self) -> bool:
        """Whether it can still be asked."""

    def take(self) -> None:
        """Keep it running for one message more."""

    def give_back(self) -> None:
        """Say that a message is done with it."""


class Held:
    """The revision that a message began with, and the OPA that has it."""

    def __init__(self) -> None:
        self._revision: str | None = None
        self._holder: Holdable | None = None

    def bind(self, revision: str) -> None:
        """Keep to `revision`; raise PolicyChangedError where it was another one before."""
        if self._revision not in (None, revision):
            raise PolicyChangedError
        self._revision = revision

    def find(self) -> Holdable | None:
        """Return the OPA by which this message is weighed, while it runs."""
        return self._holder if self._holder is not None and self._holder.is_running else None

    def take(self, holder: Holdable) -> None:
        """Keep an OPA at hand; raise PolicyChangedError where it has another revision."""
        self.bind(holder.revision)
        self.release()
        holder.take()
        self._holder = holder

    def release(self) -> None:
        """Let go of it. Idempotent."""
        if self._holder is not None:
            self._holder.give_back()
            self._holder = None


# Of the task that answers the message: whatever weighs on its behalf finds it here.
_HELD: ContextVar[Held | None] = ContextVar("held", default=None)


@contextmanager
def hold() -> Iterator[Held]:
    """Weigh all that this task evaluates inside by one revision."""
    held = Held()
    token = _HELD.set(held)
    try:
        yield held
    finally:
        _HELD.reset(token)
        held.release()


def find_held() -> Held | None:
    """Return the message that this task is answering, if it said so."""
    return _HELD.get()
