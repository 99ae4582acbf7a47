"""The portal's JSON routes beside log and wishes: who is involved, what was said, whom to name.

Rule: those of `api.py`; each answer is what the desk checked, in the models of the protocol.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from connectors.portal.desk import ResidentDesk
from connectors.portal.resident import Who
from datwat.party.http_in import build_json_response
from datwat.party.openapi import Operation
from datwat.protocol.own_affairs import KnownOrganisation, OwnInvolvements, OwnWishes
from datwat.protocol.values import Value

_STATUSES = (401, 403, 404, 502, 504)


class AskPerson(Value):
    """Of whom: who logged in, or whom they represent."""

    person: Who = "self"


class Organisations(Value):
    """Who takes part, by name: whom a question or a block can name."""

    organisations: tuple[KnownOrganisation, ...] = Field(max_length=2_000)


class OwnApi:
    """Answers these routes; who asks, and about whom, is found by the portal's API."""

    def __init__(
        self,
        desk: ResidentDesk,
        find_handle: Callable[[Request], Awaitable[bytes]],
        require_session: Callable[[Request], object],
    ) -> None:
        """Keep the desk; `find_handle` reads an `AskPerson` of this session's own page."""
        self._desk = desk
        self._find_handle = find_handle
        self._require_session = require_session

    def build_operations(self) -> tuple[Operation, ...]:
        """Return the JSON API."""
        return (
            Operation(
                path="/v1/me/involvements",
                operation_id="readOwnInvolvements",
                summary="Read who is involved now, and who was.",
                endpoint=self.involvements,
                answer=OwnInvolvements,
                request=AskPerson,
                statuses=_STATUSES,
            ),
            Operation(
                path="/v1/me/wishes/list",
                operation_id="readOwnWishes",
                summary="Read what was said: consents, objections, questions, blocks, shield.",
                endpoint=self.wishes,
                answer=OwnWishes,
                request=AskPerson,
                statuses=_STATUSES,
            ),
            Operation(
                path="/v1/organisations",
                operation_id="listOrganisations",
                summary="List the organisations that a question or a block can name.",
                endpoint=self.organisations,
                answer=Organisations,
                method="GET",
                statuses=(401,),
            ),
        )

    async def involvements(self, request: Request) -> Response:
        """Answer who is involved."""
        return build_json_response(
            await self._desk.fetch_involvements(await self._find_handle(request))
        )

    async def wishes(self, request: Request) -> Response:
        """Answer what was said."""
        return build_json_response(await self._desk.fetch_wishes(await self._find_handle(request)))

    async def organisations(self, request: Request) -> Response:
        """Answer who takes part."""
        self._require_session(request)
        return build_json_response(Organisations(organisations=self._desk.list_organisations()))
