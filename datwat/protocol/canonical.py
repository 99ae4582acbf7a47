"""JSON with one spelling: bytes out that equal RFC 8785, bytes in that leave nothing to interpret.

What is hashed or signed is always stored bytes; this module makes them and reads them back. The
accepted values are null, booleans, integers below 2**53, text, arrays and objects with ASCII keys:
for these, sorted compact `json.dumps` equals RFC 8785 (tested against `rfc8785`). Everything that
two readers could understand differently (duplicate keys, floats, lone surrogates) is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

import orjson

from datwat.protocol.errors import ProtocolError

MAX_BYTES = 1_048_576
MAX_DEPTH = 32
_INTEGER_LIMIT = 2**53
_INTEGER_DIGITS = 17  # the longest accepted spelling: a sign and sixteen digits

# What could be a number that is refused, after canonical JSON's own marks; text may hold it too.
_UNUSUAL_NUMBER = re.compile(rb"[:,\[]-?[0-9]+(?:[.eE]|(?<=[0-9]{16}))")

_Path = tuple[Any, ...]


class CanonicalError(ProtocolError):
    """The JSON cannot be written, or cannot be read, in exactly one way."""

    code = "json_refused"
    default_detail = "The JSON is not of the accepted kind."


class TooLargeError(CanonicalError):
    """More bytes than the reader allows."""

    code = "json_too_large"
    default_detail = "The JSON is too large."


class NotUtf8Error(CanonicalError):
    """Not UTF-8, or with a byte order mark."""

    code = "json_not_utf8"
    default_detail = "The JSON must be UTF-8 without a byte order mark."


class MalformedJsonError(CanonicalError):
    """Not JSON at all."""

    code = "json_malformed"
    default_detail = "The text is not JSON."


class DuplicateKeyError(CanonicalError):
    """An object names a member twice; readers differ on which one counts."""

    code = "json_duplicate_key"
    default_detail = "An object names a member twice."


class FloatError(CanonicalError):
    """A number with a fraction or exponent, NaN or an infinity."""

    code = "json_float"
    default_detail = "Numbers must be whole: no fraction, exponent, NaN or Infinity."


class BigIntegerError(CanonicalError):
    """An integer that a reader with 64-bit floats would round."""

    code = "json_big_integer"
    default_detail = "Integers must lie below 2**53."


class LoneSurrogateError(CanonicalError):
    """Text with half of a surrogate pair, which no UTF-8 can hold."""

    code = "json_lone_surrogate"
    default_detail = "Text holds half of a surrogate pair."


class TooDeepError(CanonicalError):
    """Nested deeper than any message of ours."""

    code = "json_too_deep"
    default_detail = "The JSON is nested more than 32 levels deep."


class KeyRefusedError(CanonicalError):
    """A member name that is not ASCII text, so that sorting orders would differ."""

    code = "json_key"
    default_detail = "Member names must be ASCII text."


class KindRefusedError(CanonicalError):
    """A Python value that JSON has no form for."""

    code = "json_kind"
    default_detail = "Only null, booleans, integers, text, lists and objects have a form."


class NotCanonicalError(CanonicalError):
    """Valid JSON, but not in its one spelling."""

    code = "json_not_canonical"
    default_detail = "The JSON is not in its canonical form."


def _refuse_float(_text: str) -> NoReturn:
    raise FloatError


def _read_integer(text: str) -> int:
    if len(text) > _INTEGER_DIGITS or not -_INTEGER_LIMIT < (value := int(text)) < _INTEGER_LIMIT:
        raise BigIntegerError
    return value


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DuplicateKeyError
    return members


_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_float=_refuse_float,
    parse_int=_read_integer,
    parse_constant=_refuse_float,
)
# No circularity check: `_require_encodable` bounds the depth before this runs.
_ENCODER = json.JSONEncoder(
    ensure_ascii=False,
    check_circular=False,
    allow_nan=False,
    sort_keys=True,
    separators=(",", ":"),
)


def _place(path: _Path) -> str:
    parts: list[str] = []
    while path:
        path, step = path
        parts.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "$" + "".join(reversed(parts))


def _require_scalar(value: object, path: _Path) -> None:
    if isinstance(value, str) or value is None or value is True or value is False:
        return
    if type(value) is int:
        if not -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
            raise BigIntegerError(place=_place(path))
    elif isinstance(value, float):
        raise FloatError(place=_place(path))
    else:
        raise KindRefusedError(place=_place(path))


def _require_encodable(value: object, path: _Path, levels_left: int) -> None:
    """Walk `value` once; `path` is a linked list: a place costs nothing until it is needed."""
    steps: Iterable[tuple[Any, Any]]
    if isinstance(value, dict):
        for key in value:
            if not (isinstance(key, str) and key.isascii()):
                raise KeyRefusedError(place=_place(path))
        steps = value.items()
    elif isinstance(value, (list, tuple)):
        steps = enumerate(value)
    else:
        _require_scalar(value, path)
        return
    if not levels_left:
        raise TooDeepError(place=_place(path))
    for step, member in steps:
        if type(member) is not str:
            _require_encodable(member, (path, step), levels_left - 1)


def encode_canonical(value: object) -> bytes:
    """Return the one spelling of `value` as UTF-8 bytes (RFC 8785 for the accepted kinds).

    Raises CanonicalError, with the place, for floats, integers of 2**53 and beyond, keys that are
    not ASCII text, other kinds, nesting deeper than 32; and (without a place) lone surrogates.
    """
    _require_encodable(value, (), MAX_DEPTH)
    try:
        return _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise LoneSurrogateError from None


def _is_too_deep(value: dict[str, Any] | list[Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            member
            for parent in level
            for member in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(member, (dict, list))
        ]
        if not level:
            return False
    return True


def _find_canonical(data: bytes) -> dict[str, Any] | None:
    """Return the object that `data` spells canonically, or None where only the long way can tell.

    orjson reads and writes at a tenth of the cost, but is looser: it takes a key twice, floats,
    and integers of any size. What it read and wrote again as the very same bytes has no key twice;
    the rest is looked for in the text, so that whatever could be refused goes the long way.
    """
    is_plain = (
        data[:1] == b"{"
        and data.isascii()  # so are its keys, and sorting them has one order
        and data.count(b"[") + data.count(b"{") <= MAX_DEPTH
        and _UNUSUAL_NUMBER.search(data) is None
    )
    if not is_plain:
        return None
    try:
        value: dict[str, Any] = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == data else None


def decode_strict(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:  # noqa: ANN401 - JSON
    """Return the value of JSON in UTF-8, refusing whatever two readers could take differently.

    Raises CanonicalError: too large, not UTF-8 or with a BOM, malformed, duplicate key, float or
    NaN, big integer, lone surrogate, deeper than 32. No error repeats any of the input.
    """
    if len(data) > max_bytes:
        raise TooLargeError
    found = _find_canonical(data)
    return _decode_strict(data) if found is None else found


def _decode_strict(data: bytes) -> Any:  # noqa: ANN401 - JSON
    if data.startswith(b"\xef\xbb\xbf"):
        raise NotUtf8Error
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise NotUtf8Error from None
    except json.JSONDecodeError as error:
        raise MalformedJsonError(place=f"character {error.pos}") from None
    except RecursionError:
        raise TooDeepError from None
    # Few brackets cannot nest deeply, and only an escape can bring in a surrogate: skip the walks.
    brackets = text.count("[") + text.count("{")
    if brackets > MAX_DEPTH and isinstance(value, (dict, list)) and _is_too_deep(value):
        raise TooDeepError
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise LoneSurrogateError from None
    return value


def decode_canonical(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:  # noqa: ANN401 - JSON
    """Return the value of `data` if it is spelled the one way; raise CanonicalError if not."""
    if len(data) > max_bytes:
        raise TooLargeError
    found = _find_canonical(data)
    if found is not None:
        return found
    value = _decode_strict(data)
    try:
        again = encode_canonical(value)
    except KeyRefusedError:
        raise KeyRefusedError from None  # without the place: it could name what came from outside
    if again != data:
        raise NotCanonicalError
    return value
