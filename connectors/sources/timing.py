"""A moment by which something must be done, on a clock that nobody sets."""

from __future__ import annotations

import time

from connectors.sources.errors import SourceTooSlowError


class Deadline:
    """So many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def require(self) -> None:
        """Raise SourceTooSlowError when the time is over."""
        if time.monotonic() > self._until:
            raise SourceTooSlowError
