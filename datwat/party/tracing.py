"""Traces: which request of which chain this is, kept from connector to broker to source and back.

Rules: W3C Trace Context (level 1) of a message from a known party comes in and goes out with its
trace id unchanged; where none comes, or a bad one, or from whoever, a fresh one begins. FSC's
transaction id goes along as it came, and a bad one is refused: whoever logs under it could not be
found again. Neither is ever in a signed message, so neither proves anything. `tracestate` is free
text of somebody else: it ends here. Sources: W3C Trace Context 1.0 sections 3.2 and 4; Logboek
Dataverwerkingen; FSC Core (`Fsc-Transaction-Id`).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from datwat.party.errors import PartyError

TRACE_HEADER = "traceparent"
TRANSACTION_HEADER = "Fsc-Transaction-Id"
_TRACE_NAME = TRACE_HEADER.encode()
_TRANSACTION_NAME = TRANSACTION_HEADER.lower().encode()
# A later version may add members after a dash; what it begins with stays the same.
_TRACEPARENT = re.compile(
    rb"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})"
    rb"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_FIRST_VERSION, _NO_VERSION = b"00", b"ff"
_LONGEST = 256
# RFC 9562: version 7, variant 10.
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SAMPLED = "01"
_LONGEST_NUMBER = 9
# So many digits in a row, as ASCII, are no sixteen random bytes either (once in 10^10).
_WRITTEN_NUMBER = re.compile(rb"[0-9]{8}")


class TransactionIdError(PartyError):
    """A transaction id that is none: nothing is done under it."""

    code = "transaction_id_invalid"
    default_detail = (
        "The header Fsc-Transaction-Id must be one UUID of version 7: send the one of your outway, "
        "or leave the header out."
    )


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a request stands in its chain; ids are lower-case hexadecimal text.

    `span_id` is this party's own; `parent_span_id` that of the caller, None where the chain begins
    here; `began_ms` counts milliseconds since 1970.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    flags: str = _SAMPLED
    transaction_id: str | None = None
    began_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    @property
    def traceparent(self) -> str:
        """The header by which another party hears of it."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


_current: ContextVar[Trace | None] = ContextVar("datwat_trace", default=None)


def draw_span_id() -> str:
    """Return eight random bytes."""
    return os.urandom(8).hex()


def begin_trace() -> Trace:
    """Return a chain that begins here."""
    return Trace(os.urandom(16).hex(), draw_span_id())


def read_trace(
    headers: Iterable[tuple[bytes, bytes]], *, goes_on: bool = True
) -> tuple[Trace, TransactionIdError | None]:
    """Return the trace of a request from its ASGI headers, and why it is to be refused, if it is.

    Total: a bad `traceparent`, or several, begins a fresh trace; so does any unless it `goes_on`.
    """
    parents: list[bytes] = []
    transactions: list[bytes] = []
    for name, value in headers:
        if name == _TRACE_NAME:
            parents.append(value)
        elif name == _TRANSACTION_NAME:
            transactions.append(value)
    trace = _read_parent(parents) if goes_on else begin_trace()
    if not transactions:
        return trace, None
    try:
        return replace(trace, transaction_id=_require_transaction(transactions)), None
    except TransactionIdError as error:
        return trace, error


def parse_traceparent(text: str) -> Trace | None:
    """Return the trace that one `traceparent` continues, or None where it is none."""
    found = _TRACEPARENT.fullmatch(text.encode("ascii", "replace")[:_LONGEST])
    if found is None or found["version"] == _NO_VERSION:
        return None
    if found["version"] == _FIRST_VERSION and found["more"] is not None:
        return None
    trace_id, span_id = found["trace"].decode(), found["span"].decode()
    if any(not one.strip("0") or _is_number(one) for one in (trace_id, span_id)):
        return None
    return Trace(trace_id, draw_span_id(), span_id, found["flags"].decode())


def find_trace() -> Trace | None:
    """Return the trace of the request that is being answered; None outside one."""
    return _current.get()


def require_trace() -> Trace:
    """Return the trace of the request that is being answered, or a fresh one outside one."""
    return _current.get() or begin_trace()


@contextmanager
def use_trace(trace: Trace) -> Iterator[Trace]:
    """Let everything inside belong to `trace`, tasks and threads of asyncio that begin here too."""
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def build_trace_headers() -> dict[str, str]:
    """Return the headers for a call to another party or to an own system."""
    trace = require_trace()
    headers = {TRACE_HEADER: trace.traceparent}
    if trace.transaction_id is not None:
        headers[TRANSACTION_HEADER] = trace.transaction_id
    return headers


def build_answer_headers(trace: Trace) -> tuple[tuple[bytes, bytes], ...]:
    """Return what goes back with the answer: the transaction id that came."""
    if trace.transaction_id is None:
        return ()
    return ((_TRANSACTION_NAME, trace.transaction_id.encode()),)


def _read_parent(values: list[bytes]) -> Trace:
    found = parse_traceparent(values[0].decode("latin-1")) if len(values) == 1 else None
    return found or begin_trace()


def _require_transaction(values: list[bytes]) -> str:
    text = values[0].decode("latin-1").lower()
    if len(values) != 1 or not _UUID7.fullmatch(text) or _is_number(text[-12:]):
        raise TransactionIdError
    return text


def _is_number(text: str) -> bool:
    """Tell whether hexadecimal text is a number behind zeros, or one in ASCII: nobody draws those.

    It may be somebody's number, which must not get into a log by a header.
    """
    left = text.lstrip("0")
    if left.isdigit() and len(left) <= _LONGEST_NUMBER:
        return True
    return _WRITTEN_NUMBER.search(bytes.fromhex(text)) is not None
