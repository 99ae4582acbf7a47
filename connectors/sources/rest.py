"""A partner's own web service: one address per client, bounded in time and size.

Rules: no redirects and no proxies, two seconds for the whole, at most 1 MiB; the local number goes
into a path of the partner's *own* system only. Nothing of an answer is repeated in an error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from connectors.sources.declaration import RestDeclaration
from connectors.sources.errors import (
    DeclarationError,
    FieldsDifferError,
    NoRecordError,
    SourceError,
    SourceTooSlowError,
    SourceUnreachableError,
)
from connectors.sources.records import choose_record
from connectors.sources.settings import MAX_ANSWER_BYTES, SECONDS, ReadSecret
from connectors.sources.timing import Deadline
from connectors.sources.values import (
    Client,
    ClientFault,
    Reader,
    Record,
    decode_json,
    find_in_json,
    read_client,
    read_row,
)
from datwat.party.tracing import build_trace_headers

_OK = 200
_NOT_FOUND = 404
_SERVER_FAULT = 500
_MAX_PAGES = 10_000
_MAX_PATH = 500


class RestSource:
    """One web service; safe from several threads."""

    def __init__(self, declaration: RestDeclaration, read_secret: ReadSecret) -> None:
        """Make the client; raise DeclarationError for a secret that holds no headers."""
        self.declaration = declaration
        headers: Mapping[str, str] = {}
        if declaration.headers_secret is not None:
            headers = _read_headers(read_secret(declaration.headers_secret))
        self._client = httpx.Client(
            base_url=declaration.base_url.rstrip("/"),
            headers={**headers, "Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=SECONDS,
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def iter_clients(self) -> Iterator[Client | ClientFault]:
        """Yield every client, page by page, or what is wrong with it; raise SourceError."""
        rules = self.declaration.clients
        path: str | None = rules.path if rules else None
        number = 0
        for _ in range(_MAX_PAGES):
            if rules is None or path is None:
                return
            page = self._get(path)
            for item in _require_list(_find(page, rules.items, "items")):
                number += 1
                yield read_row(_reader(item), rules, number)
            path = _find_next(page, rules.next)
        raise SourceError(place="next")

    def find_client(self, number: str) -> Client | None:
        """Return the client with this number; raise SourceError."""
        rules = self.declaration.clients
        if rules is None:
            raise NoRecordError
        try:
            found = self._get(_fill(rules.one, number))
        except NoRecordError:
            return None
        client = read_client(_reader(found), rules)
        return client if client.number == number else None

    def fetch_record(self, product: str, number: str, paths: Collection[str]) -> Record:
        """Return exactly `paths` of a product of one client. Blocks; raise SourceError."""
        rules = self.declaration.products[product]
        client = self.find_client(number)
        if client is None:
            raise NoRecordError
        found = self._get(_fill(rules.path, number))
        records = [found]
        if rules.records is not None:
            records = _require_list(_find(found, rules.records, "records"))
        readers = [_reader(record) for record in records]
        return choose_record(readers, rules, paths, number=number, bsn=client.bsn)

    def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        deadline = Deadline(SECONDS)
        content = bytearray()
        try:
            with self._client.stream("GET", path, headers=build_trace_headers()) as response:
                _require_status(response.status_code)
                for part in response.iter_raw():
                    content += part
                    if len(content) > MAX_ANSWER_BYTES:
                        raise SourceError
                    deadline.require()
        except httpx.TimeoutException:
            raise SourceTooSlowError from None
        except httpx.DecodingError:
            raise SourceError from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise SourceUnreachableError from None
        return decode_json(bytes(content))


def _require_status(status: int) -> None:
    if status == _NOT_FOUND:
        raise NoRecordError
    if status >= _SERVER_FAULT:
        raise SourceUnreachableError
    if status != _OK:
        raise SourceError


def _read_headers(secret: bytes) -> dict[str, str]:
    try:
        headers = decode_json(secret)
    except SourceError:
        headers = None
    if not isinstance(headers, dict) or not all(isinstance(v, str) for v in headers.values()):
        raise DeclarationError("The secret with the headers is not a JSON object of texts.")
    return headers


def _fill(path: str, number: str) -> str:
    """Return the path for one client: the number can neither leave its place nor climb."""
    if number in (".", ".."):
        raise NoRecordError
    return path.replace("{number}", quote(number, safe=""))


def _find(value: object, path: str, place: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return find_in_json(value, path)
    except KeyError:
        raise FieldsDifferError(place=place) from None


def _find_next(page: object, path: str | None) -> str | None:
    """Return the path of the next page: one of this service only."""
    if path is None:
        return None
    try:
        found = find_in_json(page, path)
    except KeyError:
        return None
    if found is None:
        return None
    if not isinstance(found, str) or not found.startswith("/") or len(found) > _MAX_PATH:
        raise SourceError(place="next")
    if found.startswith("//"):
        raise SourceError(place="next")
    return found


def _require_list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise SourceError
    return value


def _reader(value: object) -> Reader:
    return lambda path: find_in_json(value, path)
