"""What one form sent and has no answer to: sent again, it goes out as the same bytes.

Rules: an act whose answer was lost may stand in the log; only the same message tells, within the
broker's window for it, and counts once. One that the broker never saw in time is signed anew. A
form that was changed in between sends nothing before it is known what became of the first. All of
it is in memory and goes with the session; a BSN that was typed is not held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from connectors.client.outgoing import Sent
from connectors.errors import PendingChangedError
from datwat.protocol.freshness import RESUME_AGE

Values = Mapping[str, tuple[str, ...]]
# Whoever sends it again needs some of the window for the way.
_WINDOW: Final = RESUME_AGE - timedelta(minutes=1)
_NOT_HELD: Final = frozenset({"bsn"})
_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class _Waiting:
    sent: Sent = field(repr=False)
    since: datetime
    values: Values = field(repr=False)


@dataclass
class Attempt:
    """One form that is being sent; `first` is what it said when its message went out, once asked.

    Messages are told apart by act and client numbers: a form may send one act after another.
    """

    values: Values = field(repr=False)
    first: Values | None = field(default=None, repr=False)
    _waiting: dict[tuple[str, tuple[str, ...]], _Waiting] = field(default_factory=dict, repr=False)

    @property
    def is_waiting(self) -> bool:
        """Whether something of this form was sent and has no answer yet."""
        return bool(self._waiting)

    def find(self, act: str, numbers: Sequence[str], now: datetime) -> Sent | None:
        """Return the message that went out before; raise PendingChangedError if it said other."""
        waiting = self._waiting.get((act, tuple(numbers)))
        if waiting is None or now >= waiting.since + _WINDOW:
            return None
        if waiting.values != self.values:
            self.first = waiting.values
            raise PendingChangedError
        return waiting.sent

    def keep(self, sent: Sent, numbers: Sequence[str], now: datetime) -> None:
        """Keep a message that is about to go out."""
        self._waiting[sent.act, tuple(numbers)] = _Waiting(sent, now, self.values)

    def drop(self, act: str, numbers: Sequence[str]) -> None:
        """Let go of a message of which it is known what became of it."""
        self._waiting.pop((act, tuple(numbers)), None)


_CURRENT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


def find_attempt() -> Attempt | None:
    """Return the form that is being sent here and now; None where a program sends."""
    return _CURRENT.get()


class Attempts:
    """The forms of one session of which something may wait, by their id."""

    def __init__(self) -> None:
        """Start with none."""
        self._held: dict[str, Attempt] = {}

    @contextmanager
    def sending(self, form_id: str, values: Values) -> Iterator[Attempt]:
        """Take what is sent inside the block as the form's: the same again where it waits."""
        said = {name: held for name, held in values.items() if name not in _NOT_HELD}
        while form_id not in self._held and len(self._held) >= _MOST:
            del self._held[next(iter(self._held))]
        attempt = self._held.setdefault(form_id, Attempt(said))
        attempt.values, attempt.first = said, None
        token = _CURRENT.set(attempt)
        try:
            yield attempt
        finally:
            _CURRENT.reset(token)
            if not attempt.is_waiting and self._held.get(form_id) is attempt:
                del self._held[form_id]

    def is_waiting(self, form_id: str) -> bool:
        """Return whether something of a form was sent and has no answer yet."""
        held = self._held.get(form_id)
        return held is not None and held.is_waiting

    def clear(self) -> None:
        """Forget them all."""
        self._held.clear()
