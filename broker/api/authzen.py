"""Decisions for others: the AuthZEN Authorization API 1.0 over the broker's own question.

Rules: one adapter and no verdict of its own: what is asked becomes the `Evaluation` that a signed
question becomes, OPA weighs it, and what it says is told; about a known person it lives through the
six steps of every question, without one it is written into the sealed log of decisions; it is told
only when it was written down. It gives nothing but a decision: data needs an order, and an order
needs a signature. Sources: AuthZEN Authorization API 1.0; docs/decisions/0020.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from broker.api.authzen_models import EvaluationRequest, EvaluationsRequest
from broker.api.authzen_question import (
    Asked,
    build_asked,
    build_person,
    build_stated,
    require_no_number,
)
from broker.api.authzen_telling import (
    Told,
    build_answer,
    build_error,
    is_over,
    tell_decision,
    tell_part,
)
from broker.api.token import Caller, TokenDesk, TokenMissingError
from broker.audit.records import Appendable, Job
from broker.exchange.access import DecisionLog, LoggedDecision
from broker.exchange.admission import RateLimiter
from broker.exchange.life import Life
from broker.exchange.processing import build_decision_processing
from broker.exchange.rooms import Rooms
from broker.exchange.turns import Turns
from broker.exchange.weighing import build_weighed_question
from datwat.party.errors import PartyError
from datwat.party.problems import (
    CODE_KEY,
    InputInvalidError,
    build_problem_response,
    require_row,
)
from datwat.party.tracing import Trace, parse_traceparent, require_trace, use_trace
from datwat.protocol.answers import ActPart, InquiryPart, ReleasePart
from datwat.protocol.bundle import Bundle
from datwat.protocol.canonical import decode_strict
from datwat.protocol.errors import DatwatError
from datwat.protocol.messages import Answer
from datwat.protocol.texts import Texts
from datwat.protocol.values import encode_bytes

EVALUATION_PATH = "/access/v1/evaluation"
EVALUATIONS_PATH = "/access/v1/evaluations"
METADATA_PATH = "/.well-known/authzen-configuration"
_REQUEST_ID = "x-request-id"
_ID_FORM = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_SHARED = ("subject", "action", "resource", "context")
_Json = dict[str, Any]
_ModelT = TypeVar("_ModelT", bound=BaseModel)


class RequestIdError(PartyError):
    """An `X-Request-ID` that cannot be given back."""

    code = "request_id_invalid"
    default_detail = (
        "X-Request-ID must be up to 128 letters, digits and ._:/+=- : send another, or none."
    )


@dataclass(frozen=True, slots=True)
class AuthzenDesk:
    """What answers questions for decisions; `broker` is this party's id, `url` its address."""

    broker: str
    url: str
    rooms: Rooms
    life: Life
    tokens: TokenDesk = field(repr=False)
    limiter: RateLimiter
    turns: Turns
    decisions: DecisionLog
    read_bundle: Callable[[], Bundle]

    async def answer_one(self, request: Request) -> Response:
        """Answer `POST /access/v1/evaluation`."""

        async def answer(caller: Caller, body: bytes) -> _Json:
            members = _read(body)
            return await self._answer(caller, _read_request(members, ""), body)

        return await self._respond(request, answer)

    async def answer_all(self, request: Request) -> Response:
        """Answer `POST /access/v1/evaluations`; without several questions it is the one."""

        async def answer(caller: Caller, body: bytes) -> _Json:
            members = _read(body)
            row = _validate(EvaluationsRequest, members, "")
            if not row.evaluations:
                members = {name: members[name] for name in _SHARED if name in members}
                return await self._answer(caller, _read_request(members, ""), body)
            questions = _spread(members)
            semantic = row.options.evaluations_semantic
            return {"evaluations": await self._answer_row(caller, questions, body, semantic)}

        return await self._respond(request, answer)

    async def answer_metadata(self, _request: Request) -> Response:
        """Answer `GET /.well-known/authzen-configuration`."""
        return _build_json(
            {
                "policy_decision_point": self.url,
                "access_evaluation_endpoint": self.url + EVALUATION_PATH,
                "access_evaluations_endpoint": self.url + EVALUATIONS_PATH,
            }
        )

    async def _respond(
        self, request: Request, answer: Callable[[Caller, bytes], Awaitable[_Json]]
    ) -> Response:
        """Answer, or refuse, with the caller's own id of the request."""
        try:
            given = _read_request_id(request)
        except RequestIdError as error:
            request.scope[CODE_KEY] = error.code
            return build_problem_response(error)
        try:
            caller = self.tokens.require_caller(request)
            async with self.turns.take(caller.partner.id):
                response = _build_json(await answer(caller, await request.body()))
        except DatwatError as error:
            request.scope[CODE_KEY] = error.code
            response = build_problem_response(error)
            if isinstance(error, TokenMissingError):
                response.headers["WWW-Authenticate"] = "Bearer"
        if given is not None:
            response.headers["X-Request-ID"] = given
        return response

    async def _answer_row(
        self,
        caller: Caller,
        questions: Sequence[EvaluationRequest],
        body: bytes,
        semantic: str,
    ) -> list[_Json]:
        """Answer questions in their order, until the semantic says that it is enough.

        One that cannot be weighed is a denial that says why.
        """
        answers: list[_Json] = []
        with self.rooms.engine.hold() as held:
            for question in questions:
                try:
                    answer = await self._answer(caller, question, body)
                except DatwatError as error:
                    answer = build_error(error, require_row(error).status)
                else:
                    held.bind(answer["context"]["policies"])  # one row, one revision
                answers.append(answer)
                if is_over(answers, semantic):
                    break
        return answers

    async def _answer(self, caller: Caller, request: EvaluationRequest, body: bytes) -> _Json:
        now = self.rooms.clock()
        self.limiter.take(caller.partner.id, now)
        bundle = self.read_bundle()
        asked = build_asked(
            request,
            partner=caller.partner,
            broker=self.broker,
            catalogue=bundle.view,
            now=now,
        )
        with use_trace(_choose_trace(request)):
            if request.context.person is not None:
                told = await self._weigh_person(asked, now)
                return build_answer(told, Texts(bundle.texts))
            return await self._weigh_stated(caller, asked, body, now)

    async def _weigh_person(self, asked: Asked, now: datetime) -> Told:
        """Weigh by the registers: through the life of every question."""
        question = build_weighed_question(
            asked.message, asked.partner, asked.request.context.statement, build_person(asked), now
        )
        raw = await self.life.answer(question, _is_fresh)
        (person,) = Answer.model_validate_json(raw).answers
        part = _read_part(person.part)
        revision = str(orjson.loads(person.core)["revision"])
        return tell_part(part, decision_id=encode_bytes(asked.message.rid), revision=revision)

    async def _weigh_stated(
        self, caller: Caller, asked: Asked, body: bytes, now: datetime
    ) -> _Json:
        """Weigh by what is stated; the decision is told when it is written down."""
        evaluation = build_stated(asked, self.rooms.trust.directory, now)
        decisions = await self.rooms.engine.evaluate([evaluation])
        decision, trace = decisions[0], require_trace()
        told = tell_decision(
            decision,
            decision_id=encode_bytes(asked.message.rid),
            revision=decisions.revision,
        )
        answer = build_answer(told, Texts(self.read_bundle().texts))
        logged = LoggedDecision(
            request_hash=hashlib.sha256(body).digest(),
            client_id=caller.client_id,
            evaluation=evaluation,
            decision=decision,
            revision=decisions.revision,
            told={"decision": answer["decision"], "id": told.id},
            at=now,
            until_at=now + timedelta(days=decision.retention_days),
            trace_id=trace.trace_id,
        )
        span = build_decision_processing(trace, asked.request.resource.id, caller.partner.id)
        tell = self.rooms.processing.prepare([span] if self.rooms.processing.is_on else ())

        def work(conn: Connection) -> Sequence[Appendable]:
            self.decisions.write(conn, [logged])
            tell(conn)
            return []

        await self.rooms.log.append(Job(work))
        return answer


def _is_fresh() -> None:
    """Whoever asks is there: a token and a connection, and no message that may have waited."""


def _choose_trace(request: EvaluationRequest) -> Trace:
    """Return the trace of the header; one of the body counts where the header had none."""
    trace, text = require_trace(), request.context.traceparent
    found = parse_traceparent(text) if text and trace.parent_span_id is None else None
    return replace(found, transaction_id=trace.transaction_id) if found else trace


def _read(body: bytes) -> _Json:
    members = decode_strict(body)
    if not isinstance(members, dict):
        raise InputInvalidError
    require_no_number(members)
    return members


def _spread(members: _Json) -> list[EvaluationRequest]:
    """Return each question with what is said once for all; what it says itself wins."""
    shared = {name: members[name] for name in _SHARED if name in members}
    return [
        _read_request({**shared, **item}, f".evaluations[{number}]")
        for number, item in enumerate(members["evaluations"])
    ]


def _read_request(members: _Json, place: str) -> EvaluationRequest:
    return _validate(EvaluationRequest, members, place)


def _validate(kind: type[_ModelT], members: _Json, place: str) -> _ModelT:
    try:
        return kind.model_validate_json(orjson.dumps(members))
    except ValidationError as error:
        found = InputInvalidError.from_validation(error)
        where = f"${place}{(found.place or '$')[1:]}"
        raise InputInvalidError(found.detail, place=where) from None


def _read_part(raw: bytes) -> ActPart | InquiryPart | ReleasePart:
    kinds: dict[str, type[ActPart | InquiryPart | ReleasePart]] = {
        "act": ActPart,
        "inquiry": InquiryPart,
        "release": ReleasePart,
    }
    return kinds[orjson.loads(raw)["type"]].model_validate_json(raw)


def _read_request_id(request: Request) -> str | None:
    values = request.headers.getlist(_REQUEST_ID)
    if not values:
        return None
    if len(values) != 1 or not _ID_FORM.fullmatch(values[0]):
        raise RequestIdError
    return values[0]


def _build_json(members: _Json) -> Response:
    return Response(orjson.dumps(members), media_type="application/json")
