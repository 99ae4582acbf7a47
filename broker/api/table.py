"""The table of the broker's routes: what each takes, and how the OpenAPI document names it.

Rule: a route takes only the acts that belong to it. Source: protocol.md section 3.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from broker.api.officers_table import list_officer_operations
from broker.api.other_table import OTHER_OPERATIONS, list_other_operations
from broker.api.public_table import list_public_operations
from broker.exchange.errors import ActNotAllowedError
from datwat.party.openapi import ApiInfo, Operation
from datwat.protocol.access_log import AccessLogProof, ProvedLog
from datwat.protocol.documents import SignedDocument
from datwat.protocol.messages import (
    ActObject,
    Answer,
    ContactRequestObject,
    FiguresObject,
    InquiryObject,
    IntroduceObject,
    MessageObject,
    ReleaseObject,
)
from datwat.protocol.own_affairs import OwnInvolvements, OwnWishes
from datwat.protocol.own_figures import OwnFigures

INFO = ApiInfo(
    title="datwat broker",
    description="Who is involved, and what is known: weighed, written down, and shown.",
)
Endpoint = Callable[[Request], Awaitable[Response]]


class Health(BaseModel):
    """That the process answers, and how far witnesses vouch for its log.

    `cosignatures` under the newest checkpoint that enough witnesses vouched for, which is
    `checkpoint_seconds_ago` old; 0 and null before the first. The policy bundle `policy_seq` is in
    force (since when, operators are told by `status`); `waiting` until an OPA that others run has
    it.
    """

    status: Literal["ok", "waiting"]
    cosignatures: int
    checkpoint_seconds_ago: int | None
    policy_seq: int


@dataclass(frozen=True, slots=True)
class Route:
    """One route for acts: its path, its words, the objects and types that belong to it."""

    path: str
    operation_id: str
    summary: str
    kind: type[MessageObject]
    types: tuple[str, ...]
    tag: str


ROUTES = (
    Route(
        "/v1/inquiries",
        "createInquiry",
        "Ask who is involved with the persons of an occasion.",
        InquiryObject,
        ("inquire",),
        "questions",
    ),
    Route(
        "/v1/releases",
        "createRelease",
        "Ask one source for fields of one product about one person.",
        ReleaseObject,
        ("release",),
        "questions",
    ),
    Route(
        "/v1/registrations",
        "createRegistration",
        "Say that the partner is involved with persons.",
        ActObject,
        ("register",),
        "involvements",
    ),
    Route(
        "/v1/endings",
        "createEnding",
        "Say that involvements are over.",
        ActObject,
        ("end",),
        "involvements",
    ),
    Route(
        "/v1/occasions",
        "createOccasion",
        "Open an occasion with its household.",
        ActObject,
        ("open_occasion",),
        "occasions",
    ),
    Route(
        "/v1/occasion-acts",
        "createOccasionAct",
        "Hand over or close an occasion, record a conversation, declare a special situation.",
        ActObject,
        ("hand_over", "close_occasion", "record_conversation", "declare_special_situation"),
        "occasions",
    ),
    Route(
        "/v1/records",
        "createRecord",
        "Record consent, objection or authority, or report a wrong person.",
        ActObject,
        ("record_consent", "record_objection", "record_authority", "report_wrong_person"),
        "records",
    ),
    Route(
        "/v1/introductions",
        "createIntroduction",
        "Introduce persons to one other partner.",
        IntroduceObject,
        ("introduce",),
        "contact",
    ),
    Route(
        "/v1/contact-requests",
        "createContactRequest",
        "Ask one source to get in touch; the request is relayed and reveals nothing.",
        ContactRequestObject,
        ("request_contact",),
        "contact",
    ),
    Route(
        "/v1/contact-answers",
        "createContactAnswer",
        "Say that a contact request was seen or answered.",
        ActObject,
        ("answer_contact",),
        "contact",
    ),
    Route(
        "/v1/sessions",
        "createSession",
        "Open or end a resident's session at the portal.",
        ActObject,
        ("open_session", "end_session"),
        "portal",
    ),
    Route(
        "/v1/wishes",
        "createWish",
        "Record what a resident wishes: consent, objection, block, shield, question, erasure.",
        ActObject,
        ("wish",),
        "portal",
    ),
)


_DOCUMENTS: tuple[tuple[str, str, str, type[BaseModel] | None, str | None], ...] = (
    ("/v1/bundle", "getBundle", "The policy bundle in force.", None, "application/gzip"),
    (
        "/v1/bundle/signature",
        "getBundleSignature",
        "The policy keys' signatures over the bundle.",
        SignedDocument,
        None,
    ),
    ("/v1/health", "getHealth", "Tell that the process answers.", Health, None),
)


_OWN: tuple[tuple[str, str, str, type[BaseModel]], ...] = (
    (
        "/v1/own-involvements",
        "readOwnInvolvements",
        "Read who is involved with the resident, and who was.",
        OwnInvolvements,
    ),
    (
        "/v1/own-wishes",
        "readOwnWishes",
        "Read what the resident said: consents, objections, questions, blocks, shield.",
        OwnWishes,
    ),
)


def list_operations(find: Callable[[str], Endpoint]) -> tuple[Operation, ...]:
    """Return every operation, with the endpoint that `find` gives for its id."""
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
        for route in ROUTES
    )
    access_log = Operation(
        path="/v1/access-log",
        operation_id="readAccessLog",
        summary="Read a page of the resident's own log, with proofs.",
        endpoint=find("readAccessLog"),
        answer=ProvedLog,
        message=(ActObject,),
        tag="portal",
    )
    access_log_proof = Operation(
        path="/v1/access-log/proof",
        operation_id="readAccessLogProof",
        summary="Read the bundle that proves that nothing is missing from the resident's own log.",
        endpoint=find("readAccessLogProof"),
        answer=AccessLogProof,
        message=(ActObject,),
        tag="portal",
        statuses=(403, 409, 429, 503),
    )
    own = tuple(
        Operation(
            path=path,
            operation_id=name,
            summary=summary,
            endpoint=find(name),
            answer=answer,
            message=(ActObject,),
            tag="portal",
        )
        for path, name, summary, answer in _OWN
    )
    figures = Operation(
        path="/v1/own-figures",
        operation_id="readOwnFigures",
        summary="Read the figures of the partner's own use of a month.",
        endpoint=find("readOwnFigures"),
        answer=OwnFigures,
        message=(FiguresObject,),
        tag="account",
        statuses=(403, 404, 409, 429),
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
    return (*acts, access_log, access_log_proof, *own, figures, *documents)


async def _answer_nothing(_request: Request) -> Response:
    raise ActNotAllowedError


def describe_operations() -> tuple[Operation, ...]:
    """Return every operation as the OpenAPI document needs it, answering nothing."""
    nothing = dict.fromkeys(OTHER_OPERATIONS, _answer_nothing)
    return (
        *list_operations(lambda _name: _answer_nothing),
        *list_other_operations(nothing),
        *list_officer_operations(lambda _route: _answer_nothing),
        *list_public_operations(lambda _name: _answer_nothing),
    )
