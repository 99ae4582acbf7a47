"""Logging: one JSON line per event, and nothing in it that says something of a person.

Rules: an event and its members stand in `event_rows.py`; what does not is not written, and that is
said. Of what is, whatever looks like a BSN, a reference, a pseudonym, a key or a message is
withheld, whoever logged it (AVG 25; BIO2 8.15: nothing that helps to break security). Exceptions
are logged by class name, and libraries by where they spoke: their text could repeat what came in.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, BinaryIO, Self, cast

import orjson
import structlog

from datwat.party import metrics
from datwat.party.event_rows import EVENTS, UNLISTED
from datwat.party.tracing import find_trace
from datwat.protocol.errors import DatwatError

WITHHELD = "[withheld]"
_LONGEST = 200
# A run of eight or nine digits may be a BSN; the twenty of an OIN are not.
_BSN_LIKE = re.compile(r"(?<![0-9])[0-9]{8,9}(?![0-9])")
# 22 characters is the shortest base64url of sixteen bytes; lower-case words are no secret.
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9_+/=-]{22,}")
_WORDS = re.compile(r"[a-z][a-z/_-]*")

_LOUD = frozenset({"warning", "error", "critical"})
_COUNTED = "datwat_events_total"
_OWN = frozenset({"broker", "connectors", "datwat", "keyholder", "witness"})
_HIDDEN = "__tracebackhide__"  # by pytest's custom
_DRIVERS = frozenset({"psycopg", "sqlite3"})
_CODE = re.compile(r"[A-Za-z0-9_]{1,40}")

Event = MutableMapping[str, Any]


def clean_value(value: object) -> object:
    """Return `value` if it may stand in a log line, else WITHHELD; total."""
    match value:
        case None | bool() | float():
            return value
        case FailureName():
            return value
        case int():
            return WITHHELD if _BSN_LIKE.fullmatch(str(abs(value))) else value
        case str():
            return WITHHELD if _is_suspicious(value) else value
    return WITHHELD


class _Stderr:
    """The standard error of the moment: a command that ran in a test had another one."""

    def write(self, data: bytes) -> int:
        return sys.stderr.buffer.write(data)

    def flush(self) -> None:
        sys.stderr.buffer.flush()


def configure_logging(level: str = "info", stream: BinaryIO | None = None) -> None:
    """Send structlog's and the standard library's lines to `stream` (default stderr) as JSON."""
    target = stream or cast("BinaryIO", _Stderr())
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _clean_event,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(file=target),
        cache_logger_on_first_use=True,
    )
    handler = _JsonHandler(target)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.INFO))
    # Libraries log what they handle; only their warnings are of use here.
    for name in ("uvicorn", "alembic", "asyncio", "aiohttp", "httpx", "httpcore", "sqlalchemy"):
        logging.getLogger(name).setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of a module; bind nothing about a person to it."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(room=name)
    return logger


class FailureName(str):
    """The class of an error: a name of the source, and so nobody's data however long it is.

    `place` has the members `place` and `line` of our own source where it came up, if anywhere.
    """

    __slots__ = ("place",)
    place: Mapping[str, str | int]

    def __new__(cls, name: str, place: Mapping[str, str | int]) -> Self:
        """Name it."""
        named = super().__new__(cls, name)
        named.place = place
        return named


def name_failure(error: BaseException) -> FailureName:
    """Return the class of an error, with the code of its database driver where that gave one.

    Such as `OperationalError sqlite_busy` or `OperationalError 57p01`: names, never texts.
    """
    name, code = type(error).__name__, _find_code(error)
    return FailureName(f"{name} {code.lower()}" if code else name, _find_place(error))


def code_failure(error: BaseException) -> str:
    """Return the code of an error of ours, which says what to do, or else `name_failure`."""
    return error.code if isinstance(error, DatwatError) else name_failure(error)


def _find_code(error: BaseException) -> str | None:
    # By the name of the library: to import them would cost each command a second.
    cause = getattr(error, "orig", error) if _find_root(error) == "sqlalchemy" else error
    if _find_root(cause) not in _DRIVERS:
        return None
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _find_root(error: object) -> str:
    return type(error).__module__.partition(".")[0]


def _find_place(error: BaseException) -> dict[str, str | int]:
    """Return the innermost frame of ours, but of those modules that only run what others ask."""
    found: dict[str, str | int] = {}
    for frame, line in traceback.walk_tb(error.__traceback__):
        names = frame.f_globals
        module = str(names.get("__name__", ""))
        if module.partition(".")[0] in _OWN and not names.get(_HIDDEN, False):
            inside = "/__init__" if "__path__" in names else ""
            found = {"place": f"{module.replace('.', '/')}{inside}.py", "line": line}
    return found


class _JsonHandler(logging.Handler):
    """Writes records of the standard library in the same form, their arguments left out."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write where a library spoke: neither what it said nor a traceback."""
        error = record.exc_info[1] if record.exc_info else None
        level = record.levelname.lower()
        if level in _LOUD:
            metrics.count(_COUNTED, "library", level)
        line = {
            "event": "library",
            "level": level,
            "room": "library",
            "library": clean_value(record.name),
            "place": clean_value(record.filename),
            "line": record.lineno,
            **({"exception": name_failure(error)} if error else {}),
        }
        self._stream.write(orjson.dumps(line) + b"\n")
        self._stream.flush()


def _is_suspicious(text: str) -> bool:
    if len(text) > _LONGEST or not text.isprintable() or _BSN_LIKE.search(text):
        return True
    return any(not _WORDS.fullmatch(run) for run in _TOKEN_LIKE.findall(text))


def _clean_event(_logger: object, _name: str, event: Event) -> Event:
    moment, name, level = event.pop("timestamp", None), event.pop("event"), event.pop("level")
    row = EVENTS.get(name) if isinstance(name, str) else None
    cleaned: Event = {"event": name if row is not None else UNLISTED, "level": level}
    cleaned["room"] = event.pop("room", None)
    members = row.members if row is not None else ()
    for member, value in event.items():
        if member in members:
            cleaned[member] = clean_value(value)
        else:
            cleaned[UNLISTED] = True
    if "place" in members and isinstance(failure := event.get("exception"), FailureName):
        cleaned.update(failure.place)
    if level in _LOUD:
        metrics.count(_COUNTED, cleaned["event"], level)
    trace = find_trace()
    if trace is not None:
        # Hexadecimal of one exact form, so no other text gets in here (`tracing.py`).
        cleaned.update(trace_id=trace.trace_id, span_id=trace.span_id)
        if trace.transaction_id is not None:
            cleaned["transaction_id"] = trace.transaction_id
    cleaned["at"] = moment
    return cleaned


def _dumps(event: Event, **_options: object) -> bytes:
    return orjson.dumps(event)
