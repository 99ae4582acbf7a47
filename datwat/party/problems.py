"""How an error becomes an answer: problem details (RFC 9457), and never what was sent in.

Rule: one table gives every code its status and title; a test asserts that every subclass of
DatwatError has a row. Each party adds the rows of its own errors with `register_problems`. A detail
is one of our own sentences; of invalid input the place is told and what is wrong there, in our own
words (`faults.py`), since FastAPI's and Pydantic's messages repeat the input.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

import orjson
import psycopg
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from datwat.party.database_errors import find_away
from datwat.party.errors import PartyError
from datwat.party.faults import describe_fault
from datwat.party.problem_rows import ROWS
from datwat.party.telemetry import clean_value
from datwat.protocol.errors import DatwatError

MEDIA_TYPE = "application/problem+json"
# Where an error handler leaves the code, for the line that the request gets in the log.
CODE_KEY = "datwat.code"
_LONGEST_STEP = 40

ModelT = TypeVar("ModelT", bound=BaseModel)


class Row(NamedTuple):
    """What a code is in HTTP: the status, and a title that is the same every time."""

    status: int
    title: str


class Problem(BaseModel):
    """Problem details (RFC 9457), with the stable `code` and, for invalid input, the `place`."""

    type: str
    status: int
    title: str
    detail: str
    code: str
    place: str | None = None


class InputInvalidError(PartyError):
    """A body that does not fit its model; says where, what is wrong and what to do, no value."""

    code = "input_invalid"
    default_detail = "The input does not have the documented form: see openapi.json of this API."

    @classmethod
    def from_findings(cls, findings: Sequence[Mapping[str, Any]]) -> InputInvalidError:
        """Return the error for the first of Pydantic's findings."""
        if not findings:
            return cls()
        steps = list(findings[0].get("loc", ()))
        if findings[0].get("type") == "extra_forbidden":
            steps = steps[:-1]  # the last step is the unknown member's own name, from outside
        place = "".join(_format_step(step) for step in steps)
        return cls(describe_fault(findings[0]), place="$" + place)

    @classmethod
    def from_validation(cls, error: ValidationError) -> InputInvalidError:
        """Return the error for a failed validation."""
        found = error.errors(include_input=False, include_url=False)
        return cls.from_findings([dict(finding) for finding in found])


def read_members(model: type[ModelT], members: object) -> ModelT:
    """Return JSON values as their model; raise InputInvalidError where a member is wrong."""
    try:
        return model.model_validate_json(orjson.dumps(members))
    except ValidationError as error:
        raise InputInvalidError.from_validation(error) from None


class BodyTooLargeError(PartyError):
    """More bytes than this party reads."""

    code = "body_too_large"
    default_detail = "The body is larger than this party reads: send fewer rows at once."


class BodyTooSlowError(PartyError):
    """The body did not arrive in time."""

    code = "body_too_slow"
    default_detail = "The body did not arrive in time: send it again."


class MediaTypeError(PartyError):
    """The body is not declared as JSON."""

    code = "media_type"
    default_detail = "The body must be sent as application/json."


class NotAcceptableError(PartyError):
    """The caller accepts nothing that this party can send."""

    code = "not_acceptable"
    default_detail = "This party answers in application/json only."


class TooBusyError(PartyError):
    """As many requests are being answered as this party takes on at once."""

    code = "too_busy"
    default_detail = "Too many requests at once: try again in a moment."


class NotFoundError(PartyError):
    """No such route."""

    code = "not_found"
    default_detail = "There is nothing at this address."


class MethodNotAllowedError(PartyError):
    """The route takes another method."""

    code = "method_not_allowed"
    default_detail = "This address takes another method."


class RequestRefusedError(PartyError):
    """Any other refusal by the HTTP framework."""

    code = "request_refused"
    default_detail = "The request cannot be read."


class InternalError(PartyError):
    """A fault of our own, of which nothing is told."""

    code = "internal_error"
    default_detail = "Something went wrong at this party. Nothing was given out."


_TABLE = {code: Row(*row) for code, row in ROWS.items()}


def register_problems(rows: Mapping[str, tuple[int, str]]) -> None:
    """Add a party's own codes; raise ValueError where a code already has another row."""
    for code, (status, title) in rows.items():
        row = Row(status, title)
        if _TABLE.setdefault(code, row) != row:
            msg = f"the code {code} already has another row"
            raise ValueError(msg)


def has_row(code: str) -> bool:
    """Tell whether a code has its own row: for the test that none is missing."""
    return code in _TABLE


def list_rows() -> dict[str, Row]:
    """Return every code with its row, as far as the parties have registered theirs."""
    return dict(sorted(_TABLE.items()))


def require_row(error: DatwatError) -> Row:
    """Return the row of the error's code, or that of the nearest base class that has one."""
    for kind in type(error).__mro__:
        row = _TABLE.get(getattr(kind, "code", ""))
        if row is not None:
            return row
    return _TABLE[InternalError.code]


def build_problem(error: DatwatError) -> Problem:
    """Return the problem details of an error; a fault of our own (5xx) tells no details.

    Which peer failed, and how, is told: 502 and 504 are findings, not faults of ours.
    """
    row = require_row(error)
    ours = row.status == HTTPStatus.INTERNAL_SERVER_ERROR
    return Problem(
        type=f"urn:datwat:problem:{error.code}",
        status=row.status,
        title=row.title,
        detail=InternalError.default_detail if ours else error.detail,
        code=error.code,
        place=None if ours else error.place,
    )


def build_problem_bytes(error: DatwatError) -> tuple[int, bytes]:
    """Return status and body of an error's answer."""
    problem = build_problem(error)
    return problem.status, orjson.dumps(problem.model_dump(exclude_none=True))


def build_problem_response(error: DatwatError) -> Response:
    """Return the HTTP answer for an error; one that invites a retry says when."""
    status, body = build_problem_bytes(error)
    retry = status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.REQUEST_TIMEOUT)
    return Response(body, status, {"Retry-After": "1"} if retry else None, MEDIA_TYPE)


def add_problem_handlers(app: Starlette) -> None:
    """Answer the errors of `app` with problem details; what is unknown is left to the gate."""

    async def on_datwat(request: Request, error: Exception) -> Response:
        assert isinstance(error, DatwatError)  # noqa: S101 - registered for this class only
        request.scope[CODE_KEY] = error.code
        return build_problem_response(error)

    async def on_input(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
        return await on_datwat(request, InputInvalidError.from_findings(error.errors()))

    async def on_database(request: Request, error: Exception) -> Response:
        away = find_away(error)
        if away is None:  # a defect of our own: the gate notes it, and tells nothing
            raise error
        return await on_datwat(request, away)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - as above
        response = await on_datwat(
            request, HTTP_ERRORS.get(error.status_code, RequestRefusedError)()
        )
        if error.headers and "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response

    app.add_exception_handler(DatwatError, on_datwat)
    app.add_exception_handler(RequestValidationError, on_input)
    app.add_exception_handler(HTTPException, on_http)
    # What the driver raises of a statement that it ran itself does not go through SQLAlchemy.
    for kind in (SQLAlchemyError, psycopg.Error, sqlite3.Error):
        app.add_exception_handler(kind, on_database)


# What stands for an error of the framework itself; of any other status RequestRefusedError.
HTTP_ERRORS: dict[int, type[PartyError]] = {
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.METHOD_NOT_ALLOWED: MethodNotAllowedError,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: BodyTooLargeError,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: MediaTypeError,
    HTTPStatus.NOT_ACCEPTABLE: NotAcceptableError,
    HTTPStatus.INTERNAL_SERVER_ERROR: InternalError,
}


def _format_step(step: object) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    # A member name can come from outside too (in an open map): only plain lower-case names are
    # told.
    text = str(step)
    plain = text.replace("_", "").isalpha() and text.isascii() and len(text) <= _LONGEST_STEP
    return f".{text}" if plain and clean_value(text) == text else ".*"
