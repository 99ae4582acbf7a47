"""What anybody may read of how the exchange is used: figures of a month, and the register.

Rules: nobody needs to be known; what is given has a tag of its own, so that whoever has it gets no
body; only so many requests read at once, and no partner waits for them. Figures are those of a
month that was counted once (`transparency/months.py`), and so the same for everybody and for ever;
the register is that of what is in force. Source: AVG 5(2), 30; API Design Rules; RFC 9110 sections
8.8.3 and 13.1.2.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from broker.api.places import Places
from broker.api.public_table import (
    PublicCell,
    PublicIndicators,
    PublicTable,
    Title,
    list_public_operations,
)
from broker.transparency.figures import Month
from broker.transparency.indicators import Indicators, build_public_csv
from broker.transparency.oversight_words import say_code
from broker.transparency.processing_register import Register
from datwat.party.errors import PartyError
from datwat.party.openapi import Operation

_AT_ONCE: Final = 4
_NOT_MODIFIED: Final = 304
_JSON, _CSV = "application/json", "text/csv; charset=utf-8"
_A_DAY: Final = "public, max-age=86400"
_BRIEFLY: Final = "public, max-age=60"


class ActivityUnknownError(PartyError):
    """No processing activity of what is in force has this id."""

    code = "activity_unknown"
    default_detail = "What is in force has no such processing activity: see the whole register."


class PublicOversight(Protocol):
    """What the routes read."""

    async def fetch_indicators(self, month: Month) -> Indicators:
        """Return the public tables of a month that is over; raise MonthUncountedError."""
        ...

    def read_register(self) -> Register:
        """Return the register of processing activities of what is in force now."""
        ...


@dataclass(frozen=True, slots=True)
class _Page:
    """Bytes that are given out, and what tells them from others."""

    body: bytes
    tag: str
    kind: str
    caching: str


class PublicFigures:
    """The endpoints; one object per process."""

    def __init__(self, oversight: PublicOversight, clock: Callable[[], datetime]) -> None:
        """Keep what is read."""
        self._oversight = oversight
        self._clock = clock
        self._places = Places(_AT_ONCE)
        self._register: tuple[int, dict[str, _Page]] = (0, {})

    def build_operations(self) -> tuple[Operation, ...]:
        """Return the routes, for GET and HEAD."""
        endpoints = {
            "getIndicatorsCsv": self._answer(self._read_csv),
            "getIndicators": self._answer(self._read_tables),
            "listProcessingActivities": self._answer(self._read_register),
            "getProcessingActivity": self._answer(self._read_activity),
        }
        return list_public_operations(endpoints.__getitem__)

    def _answer(
        self, read: Callable[[Request], Awaitable[_Page]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            async with self._places.take():
                page = await read(request)
            headers = {"ETag": page.tag, "Cache-Control": page.caching}
            headers["Access-Control-Allow-Origin"] = "*"
            if _is_held(request.headers.get("if-none-match", ""), page.tag):
                return Response(status_code=_NOT_MODIFIED, headers=headers)
            return Response(page.body, headers=headers, media_type=page.kind)

        return answer

    async def _read_tables(self, request: Request) -> _Page:
        found = await self._fetch(request)
        members = build_public(found).model_dump(mode="json")
        return _build_page(orjson.dumps(members), caching=_A_DAY)

    async def _read_csv(self, request: Request) -> _Page:
        found = await self._fetch(request)
        text = build_public_csv(found, say_code)
        return _build_page(text.encode(), kind=_CSV, caching=_A_DAY)

    async def _fetch(self, request: Request) -> Indicators:
        month = Month.parse(request.path_params["month"], self._clock())
        return await self._oversight.fetch_indicators(month)

    async def _read_register(self, _request: Request) -> _Page:
        return (await self._read_pages())[""]

    async def _read_activity(self, request: Request) -> _Page:
        try:
            wanted = str(UUID(request.path_params["activity"]))
        except ValueError:
            raise ActivityUnknownError from None
        page = (await self._read_pages()).get(wanted)
        if page is None:
            raise ActivityUnknownError
        return page

    async def _read_pages(self) -> dict[str, _Page]:
        """Return the register (under "") and each activity (by id), made once a minute at most."""
        minute = int(self._clock().timestamp()) // 60
        if self._register[0] != minute:
            pages = await asyncio.to_thread(_build_pages, self._oversight.read_register)
            self._register = (minute, pages)
        return self._register[1]


def build_public(found: Indicators) -> PublicIndicators:
    """Return the public tables of a month as they are given out, with words in both languages."""
    tables = tuple(
        PublicTable(
            table=table.code,
            title=_say((f"table_{table.code}",)),
            cells=tuple(
                PublicCell(codes=cell.codes, title=_say(cell.codes), count=cell.count)
                for cell in table.cells
            ),
        )
        for table in found.tables
    )
    return PublicIndicators(v=1, month=str(found.month), tables=tables)


def _say(codes: tuple[str, ...]) -> Title:
    nl, en = (" + ".join(say_code(code, language) for code in codes) for language in ("nl", "en"))
    return Title(nl=nl, en=en)


def _is_held(given: str, tag: str) -> bool:
    """Tell whether a caller has these bytes, as its `If-None-Match` says."""
    tags = {one.strip().removeprefix("W/") for one in given.split(",")}
    return tag in tags or "*" in tags


def _build_page(body: bytes, *, kind: str = _JSON, caching: str = _BRIEFLY) -> _Page:
    return _Page(body, f'"{hashlib.sha256(body).hexdigest()}"', kind, caching)


def _build_pages(read: Callable[[], Register]) -> dict[str, _Page]:
    register = read()
    pages = {str(one["id"]): _build_page(orjson.dumps(one)) for one in register.activities}
    return {"": _build_page(orjson.dumps(register.to_json())), **pages}
