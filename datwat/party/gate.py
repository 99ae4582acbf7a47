"""The outer gate of every party's HTTP: one pure ASGI layer around all routes.

Rules: bodies are bounded in size, time and kind before any route sees them; only so many requests
run at once, none of which waits for its body or for somebody to take its answer; every
answer carries the headers of the API Design Rules; nothing that goes wrong shows more than a code.
Each request gets one log line: route template, status, code, duration.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datwat.party.bodies import Bodies, CallerGoneError, end_now
from datwat.party.measured import LEFT, Measured
from datwat.party.media import FORM, JSON, require_accept, require_kind
from datwat.party.problems import (
    CODE_KEY,
    MEDIA_TYPE,
    BodyTooLargeError,
    BodyTooSlowError,
    InternalError,
    TooBusyError,
    build_problem_bytes,
)
from datwat.party.telemetry import get_logger, name_failure
from datwat.party.tracing import build_answer_headers, read_trace, use_trace
from datwat.protocol.errors import DatwatError
from datwat.protocol.jws import MessageKeyError

API_PREFIX = "/v1/"
OPENAPI_PATH = "/v1/openapi.json"
# Where a standard of others has its routes: they take and give JSON too.
_JSON_PREFIXES = (API_PREFIX, "/access/v1/")
# Described by C2SP, in media types of its own.
_LOG_PREFIX = "/v1/log/"
# A table for whoever reads no JSON.
_TABLE_SUFFIX = "/csv"
# Answers that wait to be taken; where there are more, the one that waits longest makes way.
_MOST_UNTAKEN = 1_024
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
# A page may set its own policy or caching; what it leaves out is added.
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)

_log = get_logger("http")


@dataclass(frozen=True)
class Limits:
    """What a party takes on at once; `max_body_bytes` counts decoded HTTP bytes.

    `read_timeout` is for a whole body, `write_timeout` for one step of an answer.
    """

    max_body_bytes: int = 1_048_576
    read_timeout: timedelta = timedelta(seconds=10)
    max_requests: int = 256
    write_timeout: timedelta = timedelta(seconds=10)


@dataclass(frozen=True)
class Door:
    """What is behind a gate: the listener's name in figures, and its operations.

    `operations`: ids by method and path, whose fixed paths the log may name. `is_traced`: who may
    speak here is known by name, so that the trace of a message goes on; else each begins one.
    """

    listener: str = "api"
    operations: Mapping[tuple[str, str], str] = field(default_factory=dict)
    is_traced: bool = False


_NO_DOOR = Door()


class Gate:
    """Pure ASGI: a `BaseHTTPMiddleware` costs a third of a millisecond per request."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        version: str,
        limits: Limits,
        door: Door = _NO_DOOR,
        on_unknown_key: Callable[[], None] | None = None,
        build_refusal: Callable[[Scope, DatwatError], Response | None] | None = None,
        forms: frozenset[str] = frozenset(),
    ) -> None:
        """Wrap `app`, which answers at this door.

        `forms` are the paths that take a form (OAuth) where others take JSON. `on_unknown_key` is
        called after a refusal because a key is in no list that is held here. `build_refusal`
        returns the page for people in the place of a problem, where they ask.
        """
        self._app = app
        self._on_unknown_key = on_unknown_key
        self._build_refusal = build_refusal
        self._limits = limits
        self._paths = frozenset(path for _, path in door.operations)
        self._is_traced = door.is_traced
        self._forms = forms
        self._headers = (*_HEADERS, (b"api-version", version.encode("ascii")))
        self._running = 0
        self._measured = Measured(door.listener, door.operations, lambda: self._running)
        self._untaken = _Untaken(limits.write_timeout)
        self._bodies = Bodies(max_bytes=limits.max_body_bytes, timeout=limits.read_timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on one request, or answer it here with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        goes_on = self._is_traced and scope["method"] == "POST"
        trace, refused = read_trace(scope["headers"], goes_on=goes_on)
        headers = (*self._headers, *build_answer_headers(trace))
        is_public = scope["path"] == OPENAPI_PATH
        answer = _Answer(send, headers, self._untaken, is_public=is_public)
        with use_trace(trace):
            await self._answer(scope, receive, answer, refused)

    async def _answer(
        self, scope: Scope, receive: Receive, answer: _Answer, refused: DatwatError | None
    ) -> None:
        began = time.perf_counter()
        try:
            if refused is not None:
                raise refused  # noqa: TRY301 - refused like anything else that is read here
            body = await self._read_body(scope, receive)
            with self._place() as leave:
                answer.on_made = leave
                await self._app(scope, _replay(body, receive), answer.send)
        except CallerGoneError:
            self._measured.note(scope, LEFT, 0)
            return
        except DatwatError as error:
            await answer.send_problem(scope, error, self._find_page(scope, error))
        except Exception as error:  # noqa: BLE001 - the last line: whatever it was, tell nothing
            _log.error("fault", exception=name_failure(error))
            fault = InternalError()
            await answer.send_problem(scope, fault, self._find_page(scope, fault))
        if self._on_unknown_key is not None and scope.get(CODE_KEY) == MessageKeyError.code:
            self._on_unknown_key()
        seconds = time.perf_counter() - began
        self._measured.note(scope, answer.status, seconds)
        _log.info(
            "request",
            method=scope["method"] if scope["method"].isalpha() else "other",
            route=self._find_route(scope),
            status=answer.status,
            code=scope.get(CODE_KEY),
            ms=round(seconds * 1_000, 2),
        )

    def _find_page(self, scope: Scope, error: DatwatError) -> Response | None:
        if self._build_refusal is None:
            return None
        try:
            return self._build_refusal(scope, error)
        except Exception as fault:  # noqa: BLE001 - a problem is what is left then
            _log.error("fault", exception=name_failure(fault))
            return None

    def _find_route(self, scope: Scope) -> str:
        """Return the template of the route, never a path that the caller made up."""
        if scope["path"] in self._paths:
            return str(scope["path"])
        found = getattr(scope.get("route"), "path", None)
        return str(found or self._measured.find_template(scope["path"]))

    @contextmanager
    def _place(self) -> Iterator[Callable[[], None]]:
        """Take a place; what is yielded gives it back sooner."""
        if self._running >= self._limits.max_requests:
            raise TooBusyError
        self._running += 1
        held = [None]

        def leave() -> None:
            if held:
                held.pop()
                self._running -= 1

        try:
            yield leave
        finally:
            leave()

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        path = scope["path"]
        is_other = path.startswith(_LOG_PREFIX) or path.endswith(_TABLE_SUFFIX)
        if path.startswith(_JSON_PREFIXES) and not is_other:
            require_accept(headers.get(b"accept", b""))
            if scope["method"] in _WITH_BODY:
                kind = FORM if path in self._forms else JSON
                require_kind(
                    kind, headers.get(b"content-type", b""), headers.get(b"content-encoding")
                )
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared[:20]) > self._limits.max_body_bytes:
            raise BodyTooLargeError
        if declared == b"0" and b"transfer-encoding" not in headers:
            return b""
        return await self._bodies.read(receive)


class _Untaken:
    """Answers on their way out: what is not taken in time, or is too much, is given up."""

    def __init__(self, timeout: timedelta) -> None:
        self._seconds = timeout.total_seconds()
        self._waiting: dict[asyncio.Timeout, None] = {}

    async def send(self, send: Send, messages: Sequence[Message]) -> None:
        """Send messages; raise CallerGoneError where they are not taken.

        An answer that was asked for before on the connection, and is not taken, holds them up.
        """
        try:
            async with asyncio.timeout(self._seconds) as deadline:
                self._waiting[deadline] = None
                try:
                    if len(self._waiting) > _MOST_UNTAKEN:
                        oldest = next(iter(self._waiting))
                        del self._waiting[oldest]
                        end_now(oldest)
                    for message in messages:
                        await send(message)
                finally:
                    self._waiting.pop(deadline, None)
        except TimeoutError:
            raise CallerGoneError from None


class _Answer:
    """The way back: adds headers to the start of the answer and remembers its status.

    `on_made` is called when the answer is whole and only has to be taken.
    """

    def __init__(
        self,
        send: Send,
        headers: tuple[tuple[bytes, bytes], ...],
        untaken: _Untaken,
        *,
        is_public: bool,
    ) -> None:
        self._send = send
        self._headers = headers
        self._untaken = untaken
        self._is_public = is_public
        self._start: Message | None = None
        self._is_begun = False
        self.status = 0
        self.on_made: Callable[[], None] | None = None

    async def send(self, message: Message) -> None:
        """Keep the start until there is a body: it too may have to wait until it is taken."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            held = {name for name, _ in headers}
            headers += [pair for pair in self._headers if pair[0] not in held]
            if self._is_public:
                headers.append((b"access-control-allow-origin", b"*"))
            self._start = {**message, "headers": headers}
            return
        if self.on_made is not None and not message.get("more_body", False):
            self.on_made()
        messages = [message] if self._start is None else [self._start, message]
        self._start, self._is_begun = None, True
        await self._untaken.send(self._send, messages)

    async def send_problem(self, scope: Scope, error: DatwatError, page: Response | None) -> None:
        """Answer with a problem or its page, unless an answer was begun: then it ends torn."""
        if self._is_begun:
            raise error
        scope[CODE_KEY] = error.code
        status, body = build_problem_bytes(error)
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        if page is not None:
            body, headers = bytes(page.body), list(page.raw_headers)
        # What was not read of the body would be taken for the next request.
        headers.append((b"connection", b"close"))
        if isinstance(error, TooBusyError | BodyTooSlowError):
            headers.append((b"retry-after", b"1"))
        with contextlib.suppress(CallerGoneError):
            await self.send({"type": "http.response.start", "status": status, "headers": headers})
            await self.send({"type": "http.response.body", "body": body})


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body at once, then what follows on the connection."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
