"""What is wrong with an input, in one sentence of ours that says what to do about it.

Rule: the sentence is made of what our own models say (kinds, limits, allowed values, patterns),
never of what was sent. A validator's own words are told only where they are a FormError, which is
ours; the words of any other library could repeat the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from datwat.protocol.values import (
    HEX_ID_PATTERN,
    KEY_NAME_PATTERN,
    MONTH_PATTERN,
    PARTY_ID_PATTERN,
    PLAIN_TEXT_PATTERN,
    QUARTER_PATTERN,
    SHORT_TEXT_PATTERN,
    SLUG_PATTERN,
    STAFF_ID_PATTERN,
    URL_PATTERN,
    FormError,
)

UNTOLD = (
    "This does not have the documented form: look it up in the reference (of an API: openapi.json)."
)

_DATE = "A date is needed here, as text such as 2026-01-31."
_FLAG = "true or false is needed here, without quotes."
_NUMBER = "A whole number is needed here, without quotes."
_OBJECT = "An object is needed here: members between braces."
_LIST = "A list is needed here, also for one item: put it between square brackets."
_SENTENCES = {
    "missing": "This member is missing: add it.",
    "extra_forbidden": "A member here is unknown: take it out, or correct its name.",
    "string_type": "Text is needed here, between quotes.",
    "bytes_type": "Text in base64url is needed here.",
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_parsing_size": "The number is too large: write a smaller one.",
    "int_from_float": _NUMBER,
    "float_type": "A number is needed here, without quotes.",
    "float_parsing": "A number is needed here, without quotes.",
    "finite_number": "A finite number is needed here.",
    "bool_type": _FLAG,
    "bool_parsing": _FLAG,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "none_required": "Nothing may stand here: write null, or leave the member out.",
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "timezone_naive": "The moment has no time zone: write it in UTC, as 2026-01-31T12:00:00Z.",
    "json_invalid": "This is not JSON: correct it.",
    "json_type": "This is not JSON: correct it.",
    "string_unicode": "The text is not UTF-8: send it as UTF-8.",
}
_LIMITS = {
    "string_too_short": "The text is too short: at least {min_length} characters are needed.",
    "string_too_long": "The text is too long: at most {max_length} characters are accepted.",
    "too_short": "There are too few items: at least {min_length} are needed.",
    "too_long": "There are too many items: at most {max_length} are accepted.",
    "greater_than": "The number must be more than {gt}.",
    "greater_than_equal": "The number must be {ge} or more.",
    "less_than": "The number must be less than {lt}.",
    "less_than_equal": "The number must be {le} or less.",
    "multiple_of": "The number must be a multiple of {multiple_of}.",
    "literal_error": "Choose one of these values: {expected}.",
    "enum": "Choose one of these values: {expected}.",
    "union_tag_invalid": "The member {discriminator} must be one of: {expected_tags}.",
    "union_tag_not_found": "The member {discriminator} is missing: it says which form this has.",
}


_PATTERNS = {
    PARTY_ID_PATTERN: "Write a partner's id: an OIN of 20 digits, a colon and a function, such as "
    "00000099000000001000:youth-help.",
    SLUG_PATTERN: "Write a name in lower case: a letter first, then letters, digits and "
    "underscores, 64 characters at most.",
    STAFF_ID_PATTERN: "Write the id of a member of staff in lower case: letters, digits, and "
    "`.`, `_`, `@` or `-`, 64 characters at most.",
    URL_PATTERN: "Write an address that begins with http:// or https://, without ?, # or @, at "
    "most 240 characters after that.",
    HEX_ID_PATTERN: "Write the whole id, as the list shows it: 32 signs, digits and letters from a "
    "to f.",
    KEY_NAME_PATTERN: "Write the name of a key: without spaces or +, 250 characters at most.",
    QUARTER_PATTERN: "Write a quarter as its year, Q and its number from 1 to 4, such as 2026Q4.",
    MONTH_PATTERN: "Write a month as its year and number, such as 2026-10.",
    PLAIN_TEXT_PATTERN: "Write text on one line, without control characters.",
    SHORT_TEXT_PATTERN: "Write text on one line that is not empty, without control characters.",
}


def describe_fault(finding: Mapping[str, Any]) -> str:
    """Return the sentence for one of Pydantic's findings; total, and never the value."""
    kind, context = str(finding.get("type", "")), finding.get("ctx") or {}
    if kind == "value_error":
        error = context.get("error")
        return str(error) if isinstance(error, FormError) else UNTOLD
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern", ""))
        return _PATTERNS.get(pattern, f"Write it in the documented form: the pattern `{pattern}`.")
    if kind in _LIMITS:
        try:
            return _LIMITS[kind].format(**{name: _quote(one) for name, one in context.items()})
        except KeyError:
            return UNTOLD
    return _SENTENCES.get(kind, UNTOLD)


def describe_first_fault(error: ValidationError) -> tuple[str, tuple[int | str, ...]]:
    """Return the sentence and the place (Pydantic's steps) of the first fault."""
    first = error.errors(include_input=False, include_url=False)[0]
    return describe_fault(first), first["loc"]


def format_steps(steps: tuple[int | str, ...]) -> str:
    """Return a place in something that its reader wrote, such as `rows.0.name`; "" for all."""
    return ".".join(str(step) for step in steps)


def _quote(value: object) -> str:
    """Return a limit or a list of allowed values as people write it: without Python's quotes."""
    return str(value).replace("'", "")
