"""The table of the routes for systems that ask for decisions: a token, and decisions by it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from broker.api.authzen import EVALUATION_PATH, EVALUATIONS_PATH
from broker.api.authzen_models import (
    EvaluationAnswer,
    EvaluationRequest,
    EvaluationsAnswer,
    EvaluationsRequest,
)
from broker.api.token import TOKEN_PATH, TokenAnswer, TokenRequest
from datwat.party.openapi import Operation

_Endpoint = Callable[[Request], Awaitable[Response]]
_STATUSES = (401, 403, 429, 503)
OTHER_OPERATIONS = ("createToken", "evaluateAccess", "evaluateAccesses")


def list_other_operations(endpoints: Mapping[str, _Endpoint]) -> tuple[Operation, ...]:
    """Return the operations for others, with the endpoint of each id."""
    token, one, several = OTHER_OPERATIONS
    return (
        Operation(
            path=TOKEN_PATH,
            operation_id=token,
            summary="Get an access token with a signed assertion (private_key_jwt).",
            endpoint=endpoints[token],
            answer=TokenAnswer,
            request=TokenRequest,
            takes_form=True,
            tag="decisions",
            statuses=_STATUSES,
        ),
        Operation(
            path=EVALUATION_PATH,
            operation_id=one,
            summary="Ask for one decision (AuthZEN Authorization API 1.0).",
            endpoint=endpoints[one],
            answer=EvaluationAnswer,
            request=EvaluationRequest,
            tag="decisions",
            statuses=_STATUSES,
            takes_bearer=True,
        ),
        Operation(
            path=EVALUATIONS_PATH,
            operation_id=several,
            summary="Ask for several decisions at once (AuthZEN Authorization API 1.0).",
            endpoint=endpoints[several],
            answer=EvaluationsAnswer,
            request=EvaluationsRequest,
            tag="decisions",
            statuses=_STATUSES,
            takes_bearer=True,
        ),
    )
