"""What answers at the routes of `table.py`.

Rules: whatever goes wrong is a problem with a code and never repeats what was sent; an answer that
was recorded goes out as it is. Plain Starlette routes: FastAPI's own cost three times as much
(performance.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from broker.api.table import ROUTES, Endpoint, Health, Route, list_operations
from broker.audit.proofs import Proofs
from broker.exchange.admission import RateLimiter, read_question
from broker.exchange.errors import ActNotAllowedError, RateLimitedError, SignedBeforeRestoreError
from broker.exchange.life import Fresh, Life
from broker.exchange.overload import Overload
from broker.exchange.portal import PortalDesk
from broker.exchange.question import Question
from broker.exchange.rooms import Rooms
from broker.exchange.spending import spend_message
from broker.exchange.turns import Turns
from broker.transparency.access_log import AccessLogReader
from broker.transparency.figures import Month, PartnerUse, build_own_figures
from broker.transparency.own_affairs import Eyes, OwnAffairs
from broker.transparency.proof_bundle import ProofBundles
from datwat.party.http_in import build_json_response, read_message
from datwat.party.openapi import Operation
from datwat.protocol.access_log import AccessLogProof
from datwat.protocol.messages import ActObject, FiguresObject, MessageObject

Wake = Callable[[], None]
FetchUse = Callable[[str, Month], Awaitable[PartnerUse]]
# What another partner is told of: the outbox need not wait for its next round.
_RELAYED = frozenset({"request_contact", "end", "report_wrong_person"})


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """The bundle in force, as gateways and the portal fetch it."""

    archive: bytes
    document: bytes


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes work with."""

    party: str
    rooms: Rooms
    life: Life
    portal: PortalDesk
    reader: AccessLogReader
    proof_bundles: ProofBundles
    own: OwnAffairs
    limiter: RateLimiter
    proofs: Proofs
    read_policy: Callable[[], PolicyFiles]
    read_health: Callable[[], Health]
    wake_outbox: Wake
    turns: Turns
    overload: Overload
    fetch_use: FetchUse
    restored_at: int = 0


def build_operations(api: Api) -> tuple[Operation, ...]:
    """Return every operation of the broker, with its endpoint."""
    endpoints: dict[str, Endpoint] = {
        route.operation_id: partial(_answer_act, api, route) for route in ROUTES
    }
    endpoints["readAccessLog"] = partial(_answer_access_log, api)
    endpoints["readAccessLogProof"] = partial(_answer_access_log_proof, api)
    endpoints["readOwnInvolvements"] = partial(_answer_own_involvements, api)
    endpoints["readOwnWishes"] = partial(_answer_own_wishes, api)
    endpoints["readOwnFigures"] = partial(_answer_own_figures, api)
    endpoints |= _build_documents(api)
    return list_operations(endpoints.__getitem__)


def _build_documents(api: Api) -> dict[str, Endpoint]:
    async def bundle(_request: Request) -> Response:
        return Response(api.read_policy().archive, media_type="application/gzip")

    async def signature(_request: Request) -> Response:
        return build_json_response(api.read_policy().document)

    async def health(_request: Request) -> Response:
        found = api.read_health()
        return build_json_response(found, 200 if found.status == "ok" else 503)

    return {
        "getBundle": bundle,
        "getBundleSignature": signature,
        "getHealth": health,
    }


async def _admit(
    api: Api, request: Request, kind: type[MessageObject], types: tuple[str, ...]
) -> tuple[Question, Fresh]:
    """Step 1: read, verify, count, and say how to tell whether it is fresh."""
    now = api.rooms.clock()
    admitted = read_message(
        await request.body(), api.rooms.trust.directory, kind, aud=api.party, now=now
    )
    if admitted.object.type not in types:
        raise ActNotAllowedError
    if admitted.object.iat.timestamp() <= api.restored_at:
        raise SignedBeforeRestoreError
    try:
        api.limiter.take(admitted.issuer.id, now)
    except RateLimitedError:
        await api.overload.refuse(admitted.issuer.id, now)
        raise
    return read_question(admitted, now), partial(admitted.require_fresh, now)


async def _answer_act(api: Api, route: Route, request: Request) -> Response:
    question, fresh = await _admit(api, request, route.kind, route.types)
    if question.object.type == "end_session":
        return build_json_response(await api.portal.end_sessions(question, fresh))
    answer = await _answer_in_turn(api, question, fresh)
    if question.object.type in _RELAYED:
        api.wake_outbox()
    return build_json_response(answer)


async def _answer_in_turn(api: Api, question: Question, fresh: Fresh) -> bytes:
    try:
        if question.object.type == "release":  # waits for its source, so it has turns of its own
            return await api.life.answer(question, fresh)
        async with api.turns.take(question.partner.id):
            return await api.life.answer(question, fresh)
    except RateLimitedError:
        await api.overload.refuse(question.partner.id, api.rooms.clock())
        raise


async def _answer_access_log(api: Api, request: Request) -> Response:
    question, fresh = await _admit(api, request, ActObject, ("access_log",))
    view = await api.portal.open_view(question, fresh)
    with api.rooms.reading() as conn:
        page = api.reader.read_page(
            conn,
            view.subject_id,
            with_own=not view.is_represented,
            asked=view.page,
            rid=question.object.rid,
        )
    return build_json_response(page)


async def _answer_access_log_proof(api: Api, request: Request) -> Response:
    question, fresh = await _admit(api, request, ActObject, ("access_log_proof",))
    view = await api.portal.open_view(question, fresh)
    bundle = await api.proof_bundles.fetch(
        view.subject_id,
        "representative" if view.is_represented else "self",
        view.quarters,
        question.now,
    )
    answer = AccessLogProof.model_construct(v=1, rid=question.object.rid, bundle=bundle)
    body = await asyncio.to_thread(answer.model_dump_json)
    return build_json_response(body.encode())


async def _answer_own_involvements(api: Api, request: Request) -> Response:
    question, fresh = await _admit(api, request, ActObject, ("own_involvements",))
    eyes = await _open_eyes(api, question, fresh)
    return build_json_response(await api.own.fetch_involvements(eyes, api.rooms.trust.directory))


async def _answer_own_wishes(api: Api, request: Request) -> Response:
    question, fresh = await _admit(api, request, ActObject, ("own_wishes",))
    eyes = await _open_eyes(api, question, fresh)
    return build_json_response(await api.own.fetch_wishes(eyes, api.rooms.trust.directory))


async def _open_eyes(api: Api, question: Question, fresh: Fresh) -> Eyes:
    view = await api.portal.open_view(question, fresh)
    return Eyes(view.subject_id, view.is_represented, question.object.rid, question.now)


async def _answer_own_figures(api: Api, request: Request) -> Response:
    question, fresh = await _admit(api, request, FiguresObject, ("own_figures",))
    assert isinstance(question.object, FiguresObject)  # noqa: S101 - it was read as one
    asked, iat = question.object.month, question.object.iat
    month = Month.before(iat) if asked is None else Month.parse(asked, question.now)
    await spend_message(api.rooms, question, fresh)
    # Whose figures: the one whose signature holds, and nobody else's can be named.
    found = await api.fetch_use(question.partner.id, month)
    return build_json_response(build_own_figures(found, question.object.rid))
