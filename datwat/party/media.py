"""What kind of body a party takes and gives: JSON, or a form where a standard of others has one.

Rule: a body is taken by what it is declared to be, before any of it is read. Source: API Design
Rules ("Wrong content type: 415 or 406").
"""

from __future__ import annotations

from datwat.party.problems import MEDIA_TYPE, MediaTypeError, NotAcceptableError

JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"
_ACCEPTED = (b"*/*", b"application/*", JSON, MEDIA_TYPE.encode())


def require_accept(accept: bytes) -> None:
    """Refuse a caller that takes no JSON; weights are not weighed, q=0 is not looked for."""
    if not accept:
        return
    kinds = (kind.split(b";")[0].strip().lower() for kind in accept.split(b","))
    if not any(kind in _ACCEPTED for kind in kinds):
        raise NotAcceptableError


def require_kind(wanted: bytes, content_type: bytes, content_encoding: bytes | None) -> None:
    """Refuse a body that is not declared as `wanted`, JSON or FORM, plain and in UTF-8."""
    kind, _, parameters = content_type.partition(b";")
    plain = parameters.strip().lower() in (b"", b"charset=utf-8", b'charset="utf-8"')
    if kind.strip().lower() == wanted and plain and not content_encoding:
        return
    if wanted == FORM:
        raise MediaTypeError("The body must be sent as application/x-www-form-urlencoded.")
    raise MediaTypeError
