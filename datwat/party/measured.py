"""Requests as figures: how many of each operation, how they ended, how long they took.

Rule: an operation is an id of the listener's own OpenAPI document, or one word for all that have
none: never a path, which the caller makes up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus

from prometheus_client import Counter, Histogram
from starlette.routing import compile_path
from starlette.types import Scope

from datwat.party import metrics
from datwat.party.metrics import Reading

LEFT = 0  # the status of an answer that nobody took
_LOG_PREFIX, _OFFICERS_PREFIX, _API_PREFIX = "/v1/log/", "/v1/officers/", "/v1/"
_WORDS = {"admin": "command", "metrics": "metrics"}
_places: dict[str, Callable[[], int]] = {}


class Measured:
    """Counts the requests of one listener."""

    def __init__(
        self,
        listener: str,
        operations: Mapping[tuple[str, str], str],
        count_open: Callable[[], int],
    ) -> None:
        """Keep the ids by method and path; `count_open` tells how many requests have a place."""
        metrics.allow_operations(operations.values())
        self._listener = listener
        self._operations = operations
        # FastAPI does not tell which route of ours with a member in its path was taken.
        self._templates = [
            (compile_path(path)[0], path)
            for path in {path for _, path in operations if "{" in path}
        ]
        self._counters: dict[tuple[str, str], Counter] = {}
        self._seconds: dict[str, Histogram] = {}
        _places[listener] = count_open

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request that ended with this HTTP status, or LEFT."""
        operation = self._operations.get((scope["method"], scope["path"]))
        if operation is None:
            operation = self._find_operation(scope)
        outcome = _find_outcome(status)
        counter = self._counters.get((operation, outcome))
        if counter is None:
            counter = metrics.find_counter(
                "datwat_requests_total", self._listener, operation, outcome
            )
            self._counters[operation, outcome] = counter
        counter.inc()
        if outcome not in ("answered", "failed"):
            return
        measured = self._seconds.get(operation)
        if measured is None:
            measured = metrics.find_histogram("datwat_request_seconds", self._listener, operation)
            self._seconds[operation] = measured
        measured.observe(seconds)

    def _find_operation(self, scope: Scope) -> str:
        """Return the id of a route with a member in its path, or the word for all of its kind."""
        if "endpoint" not in scope:  # nothing is there, or it was refused before
            return "other"
        found = self._operations.get((scope["method"], self.find_template(scope["path"])))
        if found is not None:
            return found
        path = scope["path"]
        if path.startswith(_LOG_PREFIX):
            return "log"
        other = "other" if path.startswith(_API_PREFIX) else "page"
        return _WORDS.get(self._listener, other)

    def find_template(self, path: str) -> str:
        """Return the template of an operation that an address fits, or "none"."""
        for pattern, template in self._templates:
            if pattern.match(path):
                return template
        return "none"


def name_operation(path: str, operation_id: str) -> str:
    """Return what an operation of a document is called in figures: officers' are taken together."""
    return "officers" if path.startswith(_OFFICERS_PREFIX) else operation_id


def read_places() -> Iterator[Reading]:
    """Yield how many requests have a place now, by listener."""
    for listener, count_open in _places.items():
        yield Reading("datwat_requests_open", count_open(), (listener,))


def _find_outcome(status: int) -> str:
    if status == LEFT:
        return "left"
    if status < HTTPStatus.BAD_REQUEST:
        return "answered"
    return "refused" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "failed"
