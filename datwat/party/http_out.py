"""Signed messages out: one pooled client, everything that comes back bounded.

Rules: no redirects and no proxies from the environment (a message goes where the trust list says,
nowhere else), one time-out for the whole exchange, at most so many bytes read, and a typed error
for each way in which a peer can fail. An error names where the peer was looked for (scheme, host
and port: a path may name more), and repeats nothing of an answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from datwat.party.errors import PartyError
from datwat.party.problems import MEDIA_TYPE
from datwat.party.tracing import build_trace_headers
from datwat.protocol.canonical import CanonicalError, decode_strict

NO_HEADERS: Mapping[str, str] = {}
_JSON = "application/json"
_ANY = "*/*"
_OK = 200
_NO_CONTENT = 204
_ERRORS_FROM = 400
_LONGEST_CODE = 64
# The broker's own code: whoever hears it has done nothing wrong.
_RESTORED = "signed_before_restore"


class PeerError(PartyError):
    """Another party did not do what was asked."""

    code = "peer_failed"
    default_detail = "Another party did not give a usable answer."


class PeerUnreachableError(PeerError):
    """No connection, or it broke."""

    code = "peer_unreachable"
    default_detail = "Another party cannot be reached: check its address, or try again later."


class PeerBrokenError(PeerUnreachableError):
    """The connection was there and broke; told apart only inside a process."""


class PeerTooSlowError(PeerError):
    """No whole answer within the time."""

    code = "peer_too_slow"
    default_detail = "Another party did not answer in time: try again later."


class PeerAnswerInvalidError(PeerError):
    """Not JSON, too long, or a redirect."""

    code = "peer_answer_invalid"
    default_detail = "Another party gave an answer that cannot be used: check its address."


class PeerAnswerTooLongError(PeerAnswerInvalidError):
    """More bytes than are read; told apart from other unusable answers only inside a process."""


class PeerRefusedError(PeerError):
    """A problem, with the peer's own `peer_code` (or "unknown") and HTTP `status`.

    `answer` is the body where it is JSON and no problem, such as a gateway's `NeedProof`.
    """

    code = "peer_refused"
    default_detail = "Another party refused."

    def __init__(self, peer_code: str, status: int, answer: bytes = b"") -> None:
        self.peer_code = peer_code
        self.status = status
        self.answer = answer
        super().__init__(f"Another party refused: {peer_code}.")


class PeerRestoredError(PeerRefusedError):
    """The broker was restored, and takes what is signed from half a minute after it.

    Nothing was written down, and the same message is never taken: it is signed anew.
    """

    code = "peer_restored"
    default_detail = (
        "The broker was just restored from a backup: try again in half a minute. "
        "Nothing was written down."
    )

    def __init__(self, peer_code: str, status: int, answer: bytes = b"") -> None:
        super().__init__(peer_code, status, answer)
        self.detail = self.default_detail


class HttpOut:
    """A pooled client; make it inside the running loop, and close it there (`async with`)."""

    def __init__(self, *, connections_per_host: int = 32) -> None:
        self._session = _open_session(connections_per_host)
        self._afresh = _open_session(connections_per_host, force_close=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()
        await self._afresh.close()

    async def post_message(
        self,
        url: str,
        message: bytes,
        *,
        seconds: float,
        max_bytes: int,
        is_repeatable: bool = False,
    ) -> bytes:
        """Send JSON bytes and return the JSON bytes of the 200 answer, not yet parsed; none of 204.

        `seconds` covers the whole exchange. The trace of the request that is being answered goes
        along, so that one question is one chain at every party; what is only fetched has none.

        `is_repeatable`: the peer acts on these bytes once, however often they come. Where the
        connection breaks they are then sent once more, over a new one and within the same time:
        one that was kept open may be closed by the peer (or a proxy before it) at this moment.

        Raises:
            PeerUnreachableError, PeerTooSlowError, PeerAnswerInvalidError, PeerRefusedError.
        """
        until = time.monotonic() + seconds
        try:
            return await self._exchange("POST", url, message, seconds, max_bytes)
        except PeerBrokenError:
            left = until - time.monotonic()
            if not is_repeatable or left <= 0:
                raise
        return await self._exchange("POST", url, message, left, max_bytes, session=self._afresh)

    async def fetch(self, url: str, *, seconds: float, max_bytes: int) -> bytes:
        """Return the JSON bytes at `url`; bounds and errors as `post_message`."""
        return await self._exchange("GET", url, None, seconds, max_bytes)

    async def fetch_file(self, url: str, *, seconds: float, max_bytes: int) -> bytes:
        """Return the bytes at `url`, of whatever media type, such as a signed archive.

        Nothing of them may be believed for where they came from; bounds and errors as
        `post_message`.
        """
        return await self._exchange("GET", url, None, seconds, max_bytes, accept=_ANY)

    async def post_plain(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str,
        seconds: float,
        max_bytes: int,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> tuple[int, str, bytes]:
        """Send bytes of a protocol that is not ours; return status, media type and body as given.

        `headers` go along, such as the token of an own collector.

        Raises:
            PeerUnreachableError, PeerTooSlowError, PeerAnswerInvalidError: too long, or no HTTP.
        """
        named = {"Content-Type": content_type, "Accept": _ANY, **headers}
        limits = aiohttp.ClientTimeout(total=seconds)
        with _typed_errors(url):
            async with self._session.post(
                url, data=body, headers=named, timeout=limits, allow_redirects=False
            ) as response:
                answer = await _read_bounded(response, max_bytes)
                return response.status, response.content_type, answer

    async def _exchange(
        self,
        method: str,
        url: str,
        body: bytes | None,
        seconds: float,
        max_bytes: int,
        *,
        accept: str | None = None,
        session: aiohttp.ClientSession | None = None,
    ) -> bytes:
        headers = {"Content-Type": _JSON, **build_trace_headers()} if body is not None else {}
        if accept is not None:
            headers["Accept"] = accept
        limits = aiohttp.ClientTimeout(total=seconds)
        with _typed_errors(url):
            async with (session or self._session).request(
                method, url, data=body, headers=headers, timeout=limits, allow_redirects=False
            ) as response:
                answer = await _read_bounded(response, max_bytes)
                if response.status == _OK and accept == _ANY:
                    return answer
                return _require_answer(response.status, response.content_type, answer)


def _open_session(connections_per_host: int, *, force_close: bool = False) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, limit_per_host=connections_per_host, force_close=force_close
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,  # a small answer must not unfold into a large one
        skip_auto_headers=("User-Agent",),
        headers={"Accept": f"{_JSON}, {MEDIA_TYPE}", "Accept-Encoding": "identity"},
    )


@contextmanager
def _typed_errors(url: str) -> Iterator[None]:
    """Turn what can go wrong on the way into one of the errors of this module, with the address."""
    where = _find_origin(url)
    try:
        yield
    except TimeoutError:
        raise PeerTooSlowError(
            f"{where} did not answer in time: try again later, or check that it is well."
        ) from None
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
        is_broken = not isinstance(error, aiohttp.ClientConnectorError)
        raise (PeerBrokenError if is_broken else PeerUnreachableError)(
            f"{where} cannot be reached: check the address and that something is served there, "
            "or try again later."
        ) from None
    except PeerAnswerTooLongError:
        raise PeerAnswerTooLongError(
            f"{where} gave an answer that is too long: check that the address is the right one."
        ) from None
    except (aiohttp.ClientError, ValueError, PeerAnswerInvalidError):
        raise PeerAnswerInvalidError(
            f"{where} gave an answer that cannot be used: check that the address is the right one."
        ) from None


def _find_origin(url: str) -> str:
    """Return scheme, host and port of a URL: never a path, nor a password in it."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        where = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "Another party"
    return where if host and url.isprintable() else "Another party"


async def _read_bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    left = max_bytes
    async for part in response.content.iter_any():
        left -= len(part)
        if left < 0:
            raise PeerAnswerTooLongError
        parts.append(part)
    return b"".join(parts)


def _require_answer(status: int, media_type: str, answer: bytes) -> bytes:
    if status == _OK and media_type == _JSON:
        return answer
    if status == _NO_CONTENT and not answer:
        return b""
    if status >= _ERRORS_FROM:
        plain = answer if media_type == _JSON else b""
        code = _find_code(media_type, answer)
        kind = PeerRestoredError if code == _RESTORED else PeerRefusedError
        raise kind(code, status, plain)
    raise PeerAnswerInvalidError


def _find_code(media_type: str, answer: bytes) -> str:
    """Return the code of a peer's problem if it is a plain word, else "unknown"."""
    if media_type != MEDIA_TYPE:
        return "unknown"
    try:
        problem = decode_strict(answer)
    except CanonicalError:
        return "unknown"
    code = problem.get("code") if isinstance(problem, dict) else None
    plain = (
        isinstance(code, str)
        and code.isascii()
        and code.replace("_", "").isalpha()
        and code.islower()
        and len(code) <= _LONGEST_CODE
    )
    return str(code) if plain else "unknown"
