"""Their values made into ours: one pure function per kind, and a fault for whatever does not fit.

Rule: nothing is guessed. An unknown code, another type or a date in another form is a
`SourceError` that names the field, never the value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from connectors.sources.declaration import JSON_PATH, ClientRules, Constant, Rule
from connectors.sources.errors import FieldsDifferError, SourceError
from datwat.protocol.acts import Contact
from datwat.protocol.blinding import BsnError, normalise_bsn

MAX_TEXT = 60_000
MAX_ITEMS = 500
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_STEPS = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]+)\]")
_CENT = Decimal("0.01")
_BSN_SIZE = 9

# Reads one of the declared columns or paths of a record; raises KeyError where it is not there.
Reader = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Client:
    """A client of the partner's own system, one per involvement."""

    number: str
    bsn: str | None = field(repr=False)
    family_name: str = field(repr=False)
    birth_date: date = field(repr=False)
    kind: str
    contact: Contact = field(repr=False)
    since_at: datetime
    shielded: bool
    confidential: bool


@dataclass(frozen=True, slots=True)
class ClientFault:
    """A row that cannot be used: its place in the list, and the member that does not fit."""

    row: int
    number: str | None
    member: str
    code: str


@dataclass(frozen=True, slots=True)
class Record:
    """One person's record, in our words: exactly the paths that were asked for."""

    values: Mapping[str, Any] = field(repr=False)
    bsn: str | None = field(repr=False)


def convert(rule: Rule, raw: object, place: str) -> Any:  # noqa: ANN401 - JSON
    """Return our value for theirs; raise SourceError at `place`."""
    if raw is None:
        if rule.required:
            raise SourceError(place=place)
        return None
    if rule.codes is not None:
        return _translate(rule.codes, raw, place)
    if rule.bands is not None:
        number = _read_number(raw, place)
        for band in rule.bands:
            if band.below is None or number < band.below:
                return band.band
        raise SourceError(place=place)
    if rule.items is not None:
        return _read_list(rule.items, raw, place)
    return _CONVERTERS[rule.type](rule, raw, place)


def find_in_json(value: object, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return what lies at a path such as $.a.b[0]; raise KeyError where nothing does."""
    if not JSON_PATH.fullmatch(path):
        raise KeyError(path)
    for name, index in _STEPS.findall(path):
        if name and isinstance(value, Mapping):
            value = value[name]
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            raise KeyError(path)
    return value


def read_member(read: Reader, rule: Rule, place: str) -> Any:  # noqa: ANN401 - JSON
    """Return our value of one declared member; raise FieldsDifferError where it is not there."""
    try:
        raw = read(rule.read)
    except KeyError:
        raise FieldsDifferError(place=place) from None
    return convert(rule, raw, place)


def read_number(read: Reader, rule: Rule) -> str:
    """Return the local client number of a record, as text."""
    try:
        raw = read(rule.read)
    except KeyError:
        raise FieldsDifferError(place="number") from None
    text = str(raw) if isinstance(raw, int | str) and not isinstance(raw, bool) else ""
    if not text or len(text) > 200 or _CONTROLS.search(text):  # noqa: PLR2004 - ShortText
        raise SourceError(place="number")
    return text


def read_bsn(read: Reader, rule: Rule | None) -> str | None:
    """Return the nine digits of a record's BSN, or None where there is none."""
    if rule is None:
        return None
    try:
        raw = read(rule.read)
    except KeyError:
        raise FieldsDifferError(place="bsn") from None
    if raw is None or raw == "":
        return None
    try:
        return normalise_bsn(str(raw).zfill(_BSN_SIZE) if isinstance(raw, int) else str(raw))
    except BsnError:
        raise SourceError(place="bsn") from None


def read_client(read: Reader, rules: ClientRules) -> Client:
    """Return the client in one row; raise SourceError with the member's name as its place."""

    def member(name: str, rule: Rule | Constant) -> Any:  # noqa: ANN401 - JSON
        if isinstance(rule, Constant):
            return rule.value
        value = read_member(read, rule, name)
        if value is None:
            raise SourceError(place=name)
        return value

    name_rule = rules.contact.name
    return Client(
        number=read_number(read, rules.number),
        bsn=read_bsn(read, rules.bsn),
        family_name=_require_text(member("family_name", rules.family_name), "family_name"),
        birth_date=_require_date(member("birth_date", rules.birth_date), "birth_date"),
        kind=_require_text(member("kind", rules.kind), "kind"),
        contact=rules.contact.build(
            read_member(read, name_rule, "contact.name") if name_rule else None
        ),
        since_at=datetime.combine(
            _require_date(member("since", rules.since), "since"), time(), UTC
        ),
        shielded=_require_flag(member("shielded", rules.shielded), "shielded"),
        confidential=_require_flag(member("confidential", rules.confidential), "confidential"),
    )


def read_row(read: Reader, rules: ClientRules, number: int) -> Client | ClientFault:
    """Return the client in a row, or its fault."""
    try:
        return read_client(read, rules)
    except SourceError as error:
        try:
            own = str(read(rules.number.read))[:200]
        except KeyError:
            own = None
        return ClientFault(number, own, error.place or "row", error.code)


def _require_text(value: object, place: str) -> str:
    short = isinstance(value, str) and 0 < len(value) <= 200 and "\n" not in value  # noqa: PLR2004 - ShortText
    if not short or not isinstance(value, str):
        raise SourceError(place=place)
    return value


def _require_date(value: object, place: str) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise SourceError(place=place) from None


def _require_flag(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise SourceError(place=place)
    return value


def _translate(codes: Mapping[str, Any], raw: object, place: str) -> Any:  # noqa: ANN401 - JSON
    key = str(raw).lower() if isinstance(raw, bool) else str(raw).strip()
    if key not in codes:
        raise SourceError(place=place)
    return codes[key]


def _read_number(raw: object, place: str) -> Decimal:
    fits = isinstance(raw, int | Decimal) or (isinstance(raw, float) and math.isfinite(raw))
    if not fits or isinstance(raw, bool):
        raise SourceError(place=place)
    number = Decimal(str(raw))
    if not number.is_finite() or abs(number) >= 10**15:
        raise SourceError(place=place)
    return number


def _read_list(items: Mapping[str, Rule], raw: object, place: str) -> list[dict[str, Any]]:
    if isinstance(raw, str):
        raw = decode_json(raw, place)
    if not isinstance(raw, list) or len(raw) > MAX_ITEMS:
        raise SourceError(place=place)
    return [_read_item(items, item, place) for item in raw]


def _read_item(items: Mapping[str, Rule], item: object, place: str) -> dict[str, Any]:
    def read(path: str) -> Any:  # noqa: ANN401 - JSON
        return find_in_json(item, path)

    return {name: read_member(read, rule, place) for name, rule in items.items()}


def decode_json(text: str | bytes, place: str | None = None) -> Any:  # noqa: ANN401 - JSON
    """Return what strict JSON says, numbers with a point as Decimal; raise SourceError."""

    def no_twin(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError
        return members

    def no_constant(_name: str) -> None:
        raise ValueError

    try:
        return json.loads(
            text, parse_float=Decimal, parse_constant=no_constant, object_pairs_hook=no_twin
        )
    except (ValueError, RecursionError):
        raise SourceError(place=place) from None


def _to_text(rule: Rule, raw: object, place: str) -> str:
    del rule
    if not isinstance(raw, str) or len(raw) > MAX_TEXT or _CONTROLS.search(raw):
        raise SourceError(place=place)
    return raw


def _to_integer(rule: Rule, raw: object, place: str) -> int:
    del rule
    number = _read_number(raw, place)
    if isinstance(raw, float) or number != int(number):
        raise SourceError(place=place)
    return int(number)


def _to_amount(rule: Rule, raw: object, place: str) -> str:
    del rule
    return str(_read_number(raw, place).quantize(_CENT))


def _to_boolean(rule: Rule, raw: object, place: str) -> bool:
    del rule
    if raw not in (True, False, 0, 1) or not isinstance(raw, int):
        raise SourceError(place=place)
    return bool(raw)


def _to_date(rule: Rule, raw: object, place: str) -> str:
    try:
        if isinstance(raw, datetime):
            return raw.date().isoformat()
        if isinstance(raw, date):
            return raw.isoformat()
        if isinstance(raw, str) and rule.format is not None:
            return datetime.strptime(raw.strip(), rule.format).date().isoformat()  # noqa: DTZ007 - a date
        if isinstance(raw, str):
            return date.fromisoformat(raw.strip()).isoformat()
    except ValueError:
        pass
    raise SourceError(place=place)


_CONVERTERS: dict[str, Callable[[Rule, Any, str], Any]] = {
    "text": _to_text,
    "integer": _to_integer,
    "amount": _to_amount,
    "boolean": _to_boolean,
    "date": _to_date,
}
