"""The routes of protocol.md section 3, the hot ones first.

Rules: a route takes only the acts that belong to it; whatever goes wrong is a problem with a code
and never repeats what was sent; an answer that was recorded goes out as it is. Plain Starlette
routes: FastAPI's own cost three times as much (performance.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from broker.audit.proofs import Proofs
from broker.exchange.admission import RateLimiter, read_question
from broker.exchange.errors import ActNotAllowedError
from broker.exchange.life import Fresh, Life
from broker.exchange.portal import PortalDesk
from broker.exchange.question import Question
from broker.exchange.rooms import Rooms
from broker.purposes.wording import Texts
from broker.transparency.access_log import AccessLogReader
from datwat.party.http_in import build_json_response, read_message
from datwat.party.openapi import ApiInfo, Operation
from datwat.protocol.access_log import AccessLog, Sentence
from datwat.protocol.documents import SignedDocument
from datwat.protocol.messages import (
    ActObject,
    Answer,
    ContactRequestObject,
    InquiryObject,
    IntroduceObject,
    MessageObject,
    ReleaseObject,
)

INFO = ApiInfo(
    title="datwat broker",
    description="Who is involved, and what is known: weighed, written down, and shown.",
)
Wake = Callable[[], None]
# What another partner is told of: the outbox need not wait for its next round.
_RELAYED = frozenset({"request_contact", "end", "report_wrong_person"})
_Endpoint = Callable[[Request], Awaitable[Response]]


class Health(BaseModel):
    """That the process answers, and whether policies are weighed and the log is written."""

    status: Literal["ok"]


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """The bundle in force, as gateways fetch it, and its words."""

    archive: bytes
    document: bytes
    texts: Texts
    titles: dict[str, Sentence]


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes work with."""

    party: str
    rooms: Rooms
    life: Life
    portal: PortalDesk
    reader: AccessLogReader
    limiter: RateLimiter
    proofs: Proofs
    read_policy: Callable[[], PolicyFiles]
    wake_outbox: Wake


@dataclass(frozen=True, slots=True)
class _Route:
    """One route for acts: its path, its words, the objects and types that belong to it."""

    path: str
    operation_id: str
    summary: str
    kind: type[MessageObject]
    types: tuple[str, ...]
    tag: str


_ROUTES = (
    _Route(
        "/v1/inquiries",
        "createInquiry",
        "Ask who is involved with the persons of an occasion.",
        InquiryObject,
        ("inquire",),
        "questions",
    ),
    _Route(
        "/v1/releases",
        "createRelease",
        "Ask one source for fields of one product about one person.",
        ReleaseObject,
        ("release",),
        "questions",
    ),
    _Route(
        "/v1/registrations",
        "createRegistration",
        "Say that the partner is involved with persons.",
        ActObject,
        ("register",),
        "involvements",
    ),
    _Route(
        "/v1/endings",
        "createEnding",
        "Say that involvements are over.",
        ActObject,
        ("end",),
        "involvements",
    ),
    _Route(
        "/v1/occasions",
        "createOccasion",
        "Open an occasion with its household.",
        ActObject,
        ("open_occasion",),
        "occasions",
    ),
    _Route(
        "/v1/occasion-acts",
        "createOccasionAct",
        "Hand over or close an occasion, record a conversation, declare a special situation.",
        ActObject,
        ("hand_over", "close_occasion", "record_conversation", "declare_special_situation"),
        "occasions",
    ),
    _Route(
        "/v1/records",
        "createRecord",
        "Record consent, objection or authority, or report a wrong person.",
        ActObject,
        ("record_consent", "record_objection", "record_authority", "report_wrong_person"),
        "records",
    ),
    _Route(
        "/v1/introductions",
        "createIntroduction",
        "Introduce persons to one other partner.",
        IntroduceObject,
        ("introduce",),
        "contact",
    ),
    _Route(
        "/v1/contact-requests",
        "createContactRequest",
        "Ask one source to get in touch; the request is relayed and reveals nothing.",
        ContactRequestObject,
        ("request_contact",),
        "contact",
    ),
    _Route(
        "/v1/contact-answers",
        "createContactAnswer",
        "Say that a contact request was seen or answered.",
        ActObject,
        ("answer_contact",),
        "contact",
    ),
    _Route(
        "/v1/sessions",
        "createSession",
        "Open or end a resident's session at the portal.",
        ActObject,
        ("open_session", "end_session"),
        "portal",
    ),
    _Route(
        "/v1/wishes",
        "createWish",
        "Record what a resident wishes: consent, its withdrawal, an objection.",
        ActObject,
        ("wish",),
        "portal",
    ),
)


async def _answer_nothing(_request: Request) -> Response:
    raise ActNotAllowedError


def describe_operations() -> tuple[Operation, ...]:
    """Return every operation as the OpenAPI document needs it, answering nothing."""
    return _list_operations(lambda _name: _answer_nothing)


def build_operations(api: Api) -> tuple[Operation, ...]:
    """Return every operation of the broker, with its endpoint."""
    endpoints: dict[str, _Endpoint] = {
        route.operation_id: partial(_answer_act, api, route) for route in _ROUTES
    }
    endpoints["readAccessLog"] = partial(_answer_access_log, api)
    endpoints |= _build_documents(api)
    return _list_operations(endpoints.__getitem__)


def _list_operations(find: Callable[[str], _Endpoint]) -> tuple[Operation, ...]:
    acts = tuple(
        Operation(
            path=route.path,
            operation_id=route.operation_id,
            summary=route.summary,
            endpoint=find(route.operation_id),
            answer=Answer,
            message=(route.kind,),
            tag=route.tag,
        )
        for route in _ROUTES
    )
    access_log = Operation(
        path="/v1/access-log",
        operation_id="readAccessLog",
        summary="Read a page of the resident's own log, with proofs.",
        endpoint=find("readAccessLog"),
        answer=AccessLog,
        message=(ActObject,),
        tag="portal",
    )
    documents = tuple(
        Operation(
            path=path,
            operation_id=name,
            summary=summary,
            endpoint=find(name),
            answer=answer,
            media_type=media_type,
            method="GET",
            tag="documents",
            statuses=(),
        )
        for path, name, summary, answer, media_type in _DOCUMENTS
    )
    return (*acts, access_log, *documents)


_DOCUMENTS: tuple[tuple[str, str, str, type[BaseModel] | None, str | None], ...] = (
    ("/v1/bundle", "getBundle", "The policy bundle in force.", None, "application/gzip"),
    (
        "/v1/bundle/signature",
        "getBundleSignature",
        "The policy keys' signatures over the bundle.",
        SignedDocument,
        None,
    ),
    (
        "/v1/log/checkpoint",
        "getCheckpoint",
        "The newest signed checkpoint of the log.",
        None,
        "text/plain",
    ),
    ("/v1/health", "getHealth", "Tell that the process answers.", Health, None),
)


def _build_documents(api: Api) -> dict[str, _Endpoint]:
    async def bundle(_request: Request) -> Response:
        return Response(api.read_policy().archive, media_type="application/gzip")

    async def signature(_request: Request) -> Response:
        return build_json_response(api.read_policy().document)

    async def checkpoint(_request: Request) -> Response:
        return Response(api.proofs.read_head().note, media_type="text/plain")

    async def health(_request: Request) -> Response:
        return build_json_response(Health(status="ok"))

    return {
        "getBundle": bundle,
        "getBundleSignature": signature,
        "getCheckpoint": checkpoint,
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
    api.limiter.take(admitted.issuer.id, now)
    return read_question(admitted, now), partial(admitted.require_fresh, now)


async def _answer_act(api: Api, route: _Route, request: Request) -> Response:
    question, fresh = await _admit(api, request, route.kind, route.types)
    if question.object.type == "end_session":
        return build_json_response(await api.portal.end_sessions(question, fresh))
    answer = await api.life.answer(question, fresh)
    if question.object.type in _RELAYED:
        api.wake_outbox()
    return build_json_response(answer)


async def _answer_access_log(api: Api, request: Request) -> Response:
    question, fresh = await _admit(api, request, ActObject, ("access_log",))
    view = await api.portal.open_view(question, fresh)
    policy = api.read_policy()
    with api.rooms.reading() as conn:
        page = api.reader.read_page(
            conn,
            view.subject_id,
            with_own=not view.is_represented,
            limit=view.page.limit,
            cursor=view.page.before,
            rid=question.object.rid,
            texts=policy.texts,
            titles=policy.titles,
        )
    return build_json_response(page)
