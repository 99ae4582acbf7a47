"""What was typed into a form that is made from a model: rows, keys and moments. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from datwat.protocol.values import FormError, decode_moment
from datwat.web.dates import ZONE

SEPARATOR: Final = "-"
MOST_ROWS: Final = 200
_LONGEST_NUMBER: Final = 5
_DAY: Final = len("2026-01-01")
Options = tuple[tuple[str, str], ...]
Values = Mapping[str, tuple[str, ...]]


def add_row(values: Values, name: str) -> dict[str, tuple[str, ...]]:
    """Return what was typed with one more row in a list."""
    numbers = list_rows(values, name)
    if len(numbers) >= MOST_ROWS:
        return dict(values)
    fresh = max((int(number) for number in numbers), default=-1) + 1
    return {**values, name: (*numbers, str(fresh))}


def remove_row(values: Values, name: str, number: str) -> dict[str, tuple[str, ...]]:
    """Return what was typed without a row and what it held."""
    own = join_names(name, number) + SEPARATOR
    kept = {key: held for key, held in values.items() if not key.startswith(own)}
    return {**kept, name: tuple(one for one in list_rows(values, name) if one != number)}


def list_rows(values: Values, name: str) -> tuple[str, ...]:
    """Return the numbers of the rows of a list, each once."""
    stated = (
        number
        for number in values.get(name, ())
        if number.isdecimal() and len(number) <= _LONGEST_NUMBER
    )
    return tuple(dict.fromkeys(stated))[:MOST_ROWS]


def list_keys(values: Values, name: str) -> tuple[str, ...]:
    """Return the keys of a mapping for which something was typed."""
    own = name + SEPARATOR
    return tuple(key.removeprefix(own) for key in values if key.startswith(own) and values[key][0])


def find_product(name: str, values: Values) -> str:
    """Return the product that was chosen for the edge in which a field stands."""
    edge = name.partition(f"{SEPARATOR}fields{SEPARATOR}")[0]
    return read_value(values, join_names(edge, "product"))


def add_chosen(options: Options, chosen: Sequence[str]) -> Options:
    """Return the options, with whatever was chosen that is none of them: nothing typed is lost."""
    known = {value for value, _text in options}
    return (*options, *((value, value) for value in chosen if value and value not in known))


def read_moment(day: str, time: str) -> str:
    """Return a moment in UTC as a document has it; what is none stays as it was typed."""
    typed = f"{day} {time}".strip()
    if not typed:
        return ""
    try:
        local = datetime.fromisoformat(f"{day}T{time or '00:00'}").replace(tzinfo=ZONE)
    except ValueError:
        return typed
    return f"{local.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def spread_moment(text: str) -> tuple[str, str]:
    """Return day and time in the Netherlands of a moment in UTC; what is none stays as it is."""
    try:
        local = decode_moment(text).astimezone(ZONE)
    except FormError:
        return text[:_DAY], text[_DAY + 1 :]
    return f"{local:%Y-%m-%d}", f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def read_value(values: Values, name: str) -> str:
    """Return what was typed in a field, without the spaces around it."""
    return next(iter(values.get(name, ())), "").strip()


def join_names(prefix: str, name: str) -> str:
    """Return the name of a member's member."""
    return f"{prefix}{SEPARATOR}{name}" if prefix else name
