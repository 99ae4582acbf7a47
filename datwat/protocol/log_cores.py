"""What the broker itself states in the core of an entry, where no partner acted. Pure.

Rule: a core is read by whoever is shown it, the auditor too, so it holds what the check needs and
names nobody: the term of what waits, and which contents ended. Contents are named by their places
in the roll that the notice itself is of, so that nobody learns of another quarter where they lie;
what the auditor's roll held, and was told since, by the index that its opening named.
Source: house reference "audit-log", Chains and Ends; docs/reference/protocol.md section 12.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, ValidationError

from datwat.protocol.canonical import CanonicalError, decode_strict, encode_canonical
from datwat.protocol.values import Moment, Quarter, Value

_Number = Annotated[int, Field(ge=0, lt=2**53)]
_One = Annotated[int, Field(ge=1, le=1)]  # a Literal would take `true` for it
V = TypeVar("V", bound=Value)
MOST_ENDED = 1_000
"""What one notice names at most: it fits the 64 KiB of a core."""


class Term(Value):
    """Until when something waits, how it opens (by itself, or a person decides), and said when."""

    at: Moment
    until_at: Moment
    opening: Literal["automatic", "by_person"]


class RenewedCore(Value):
    """The broker's half of the entry that moves a term."""

    v: Literal[1]
    type: Literal["renewed"]
    term: Term


class EndedPlaces(Value):
    """Places `first` to `last` of a roll: those of this quarter, of the notice's own chain."""

    quarter: Quarter
    first: _Number
    last: _Number


class EndedCore(Value):
    """Which contents ended: places of the notice's own chain, or entries of the auditor's roll."""

    v: _One
    type: Literal["ended"]
    places: tuple[EndedPlaces, ...] = Field(default=(), max_length=MOST_ENDED)
    entries: tuple[_Number, ...] = Field(default=(), max_length=MOST_ENDED)


class _Stating(Value):
    """The one member that is looked for in any core; its others are not of interest."""

    model_config = Value.model_config | ConfigDict(extra="ignore")

    type: Literal["act", "renewed"]
    term: Term


def find_term(core: bytes) -> Term | None:
    """Return the term that a declaration or a renewal states; None for any other core."""
    stated = find_stated(_Stating, core)
    return stated.term if stated is not None else None


def find_ended(core: bytes) -> EndedCore | None:
    """Return which contents ended, as a notice states; None for any other core."""
    return find_stated(EndedCore, core)


def find_stated(kind: type[V], core: bytes) -> V | None:
    """Return what a core states; None for any other, or one that has two readings.

    The page reads the same cores: what only one of the two takes for a notice would count for one
    reader and not for the other.
    """
    try:
        stated = kind.model_validate_json(core)
        decode_strict(core)
    except (ValidationError, CanonicalError):
        return None
    return stated


def build_renewed_core(term: Term) -> bytes:
    """Return the core of the entry that moves a term."""
    return _write(RenewedCore(v=1, type="renewed", term=term))


def build_ended_core(places: Iterable[tuple[str, int]]) -> bytes:
    """Return the core of a notice that names these places (quarter, number) of its own chain.

    Raises:
        ValidationError: more than `MOST_ENDED` that do not lie side by side.
    """
    ranges = tuple(_list_ranges(sorted(set(places))))
    return _write(EndedCore(v=1, type="ended", places=ranges))


def build_ended_entries_core(indexes: Iterable[int]) -> bytes:
    """Return the core of a notice that names these entries of the auditor's roll.

    Raises:
        ValidationError: more than `MOST_ENDED`.
    """
    return _write(EndedCore(v=1, type="ended", entries=tuple(sorted(set(indexes)))))


def _list_ranges(places: Sequence[tuple[str, int]]) -> Iterator[EndedPlaces]:
    """Yield what lies side by side as one."""
    first = 0
    for at, (one, other) in enumerate(pairwise(places), 1):
        if other != (one[0], one[1] + 1):
            yield EndedPlaces(quarter=one[0], first=places[first][1], last=one[1])
            first = at
    if places:
        quarter, last = places[-1]
        yield EndedPlaces(quarter=quarter, first=places[first][1], last=last)


def _write(core: Value) -> bytes:
    return encode_canonical(core.model_dump(mode="json"))
