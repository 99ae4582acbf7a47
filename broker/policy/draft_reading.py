"""A draft's two texts (a purpose and its cases, in YAML) read, and held against what is in force.

Rules enforced: strict YAML; no member that the models do not know, and none that would switch a
guard rail off; everything that `datwat purpose check` holds a folder against; no text with a
citizen service number. Each fault is told with its line and column. Pure but for the clock given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from broker.purposes.bundled_cases import read_bases
from broker.purposes.bundled_cases import read_cases as read_bundled_cases
from broker.purposes.case_texts import derive_era, read_case_text
from broker.purposes.cases import Case
from broker.purposes.catalogue import Catalogue
from broker.purposes.drafts import DraftRow
from broker.purposes.errors import PolicyFileError
from broker.purposes.guards import Breach, GuardRailError, find_breaches, require_no_switch
from broker.purposes.life import require_new_revision
from broker.purposes.life_errors import DraftInvalidError, Fault, NumberFoundError
from broker.purposes.models import Purpose, derive_digest
from datwat.party.faults import describe_fault, format_steps
from datwat.party.strict_yaml import YamlPlace, find_place, find_places, read_yaml_text
from datwat.protocol.bundle import Bundle
from datwat.protocol.free_text import has_number
from datwat.protocol.texts import Texts
from datwat.protocol.values import SLUG_PATTERN

MOST_FAULTS = 50
_NAME = "The draft"
_CASES = "The cases"


class _YamlError(DraftInvalidError):
    """Carries what the reader of YAML says."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What drafts are held against: the bundle in force and what it says."""

    bundle: Bundle = field(repr=False)
    catalogue: Catalogue = field(repr=False)
    texts: Texts = field(repr=False)

    @classmethod
    def of(cls, bundle: Bundle) -> Ground:
        """Return the ground of a bundle; raise BundleError where it holds no catalogue."""
        return cls(bundle, Catalogue.from_bundle(bundle), Texts(bundle.texts))


@dataclass(frozen=True, slots=True)
class DraftRead:
    """A draft that may be proposed: the purpose, its cases, and the catalogue with it.

    `cases` is None where the draft says none of its own: those in force then count on.
    """

    purpose: Purpose
    cases: tuple[Case, ...] | None
    catalogue: Catalogue = field(repr=False)


def read_draft(text: str, cases: str, ground: Ground, now: datetime) -> DraftRead:
    """Return a draft that may become the newest revision of its purpose.

    Raises DraftInvalidError (with every fault found at once), NumberFoundError,
    NothingChangedError, EffectiveDateError.
    """
    require_no_number_read(text, cases)
    purpose = read_purpose(text)
    require_new_revision(purpose, ground.catalogue, now)
    catalogue = require_fitting(purpose, text, ground, now)
    return DraftRead(purpose, read_cases(cases, purpose, ground), catalogue)


def require_no_number(*texts: str) -> None:
    """Raise NumberFoundError where a text seems to hold a citizen service number (promise 1)."""
    if any(has_number(text) for text in texts):
        raise NumberFoundError


def require_no_number_read(*sources: str) -> None:
    """Raise NumberFoundError where YAML holds such a number, as it stands or as it is read.

    An escape or a folded line shows only once it is read. What is no YAML yet is held as it stands.
    """
    require_no_number(*sources)
    for source in sources:
        try:
            require_no_number(*_list_texts(read_yaml_text(source, "", _YamlError)))
        except _YamlError:
            continue


def _list_texts(read: object) -> Iterator[str]:
    match read:
        case str():
            yield read
        case list():
            for one in read:
                yield from _list_texts(one)
        case dict():
            for name, one in read.items():
                yield from (*_list_texts(name), *_list_texts(one))


def read_purpose(text: str) -> Purpose:
    """Return the purpose that a text says; raise DraftInvalidError with all its faults."""
    raw = read_source(text, _NAME)
    if not isinstance(raw, Mapping):
        raise DraftInvalidError(
            faults=(Fault("A purpose is a list of members such as `id:` and `title:`."),)
        )
    try:
        require_no_switch(raw)
    except GuardRailError as error:
        raise _refuse_breaches(error.breaches, text) from None
    try:
        return Purpose.model_validate_json(json.dumps(raw, allow_nan=False))
    except ValidationError as error:
        raise DraftInvalidError(faults=_list_faults(error, text)) from None
    except (TypeError, ValueError):
        sentence = "Only text, numbers, lists and members may stand here."
        raise DraftInvalidError(faults=(Fault(sentence),)) from None


def find_authors(drafts: Iterable[DraftRow], purpose_id: str, digest: str) -> frozenset[str]:
    """Return who wrote the drafts that would make the revision of this digest."""
    found = set()
    for row in drafts:
        if row.words.purpose == purpose_id:
            with suppress(DraftInvalidError):
                if derive_digest(read_purpose(row.words.text)) == digest:
                    found.add(row.words.author)
    return frozenset(found)


def find_id(text: str) -> str | None:
    """Return the id that an unfinished draft says, if it can be read already."""
    try:
        raw = read_yaml_text(text, "", _YamlError)
    except _YamlError:
        return None
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) and re.match(SLUG_PATTERN, found) else None


def read_source(text: str, name: str) -> Any:  # noqa: ANN401 - YAML
    """Return what a YAML text says; raise DraftInvalidError with line and column."""
    try:
        return read_yaml_text(text, name, _YamlError)
    except _YamlError as error:
        place = _read_place(error.place)
        said = error.detail.rpartition(": " if place else "\0")
        sentence = said[2] if place else error.detail
        fault = Fault(sentence, "", *(place or (None, None)))
        raise DraftInvalidError(error.detail, place=error.place, faults=(fault,)) from None


def require_fitting(purpose: Purpose, text: str, ground: Ground, now: datetime) -> Catalogue:
    """Return the catalogue with this revision; raise where it does not fit, or breaks a guard rail.

    Raises DraftInvalidError.
    """
    breaches = find_breaches(purpose, ground.catalogue)
    if breaches:
        raise _refuse_breaches(breaches, text)
    try:
        return ground.catalogue.with_revision(purpose, now=now)
    except PolicyFileError as error:
        member = (error.place or "").rpartition(", ")[2]
        found = find_place(text, _read_steps(member)) or YamlPlace(1, 1)
        sentence = error.detail.rpartition(f"{member}: ")[2] if member else error.detail
        fault = Fault(sentence, member, *found)
        raise DraftInvalidError(faults=(fault,)) from None


def read_cases(text: str, purpose: Purpose, ground: Ground) -> tuple[Case, ...] | None:
    """Return the cases that a draft says of its own purpose; None for an empty text.

    Raises DraftInvalidError with the place.
    """
    if not text.strip():
        return None
    era = derive_era(read_bundled_cases(ground.bundle.cases), purpose)
    try:
        return read_case_text(text, _CASES, purpose, read_bases(ground.bundle.cases), era)
    except PolicyFileError as error:
        fault = Fault(error.detail, "", *(_read_place(error.place) or (None, None)))
        raise DraftInvalidError(error.detail, place=error.place, faults=(fault,)) from None


def _refuse_breaches(breaches: Iterable[Breach], text: str) -> DraftInvalidError:
    """Return the error that says which guard rails a draft would break, where, and why not."""
    held = tuple(breaches)
    places = find_places(text, [_read_steps(one.place) for one in held])
    return DraftInvalidError(
        faults=tuple(
            Fault(one.reason.en, one.place, *(place or YamlPlace(1, 1)), guard=one.guard)
            for one, place in zip(held, places, strict=True)
        )
    )


def _list_faults(error: ValidationError, text: str) -> tuple[Fault, ...]:
    """Return every fault of a validation, each with its place in the text."""
    held = error.errors(include_input=False, include_url=False)[:MOST_FAULTS]
    faults = []
    for found, place in zip(held, find_places(text, [one["loc"] for one in held]), strict=True):
        steps = found["loc"]
        # The last step of an unknown member is a name from outside: the line says which.
        told = steps[:-1] if found["type"] == "extra_forbidden" else steps
        sentence = describe_fault(dict(found))
        faults.append(Fault(sentence, format_steps(told), *(place or YamlPlace(1, 1))))
    return tuple(faults)


def _read_steps(member: str) -> tuple[int | str, ...]:
    steps = member.split(".") if member else []
    return tuple(int(step) if step.isdecimal() else step for step in steps)


def _read_place(place: str | None) -> YamlPlace | None:
    """Return `line 3, column 7` as numbers."""
    numbers = [int(word) for word in (place or "").replace(",", "").split() if word.isdecimal()]
    return YamlPlace(*numbers) if len(numbers) == 2 else None  # noqa: PLR2004 - line and column
