"""The cases of a bundle: how they travel in it, and how they are put to the revision that is next.

Rule enforced: a case is put to the bundle as it is, at moments at which the newest revision of its
purpose is in force. A case is written at moments that fit the revision of that day; put to a later
one, all its moments move along by as much as the beginning moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from broker.purposes.cases import Case, Expectation
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Purpose, derive_digest
from datwat.protocol.bundle import BundleError
from datwat.protocol.values import FormError, Slug, Value, decode_moment, encode_moment


class _Cases(Value):
    """The document in a bundle; `bases` are for who writes the next case."""

    v: Literal[1]
    bases: dict[Slug, dict[str, Any]]
    cases: tuple[Case, ...]


def build_cases_data(
    cases: Iterable[Case], bases: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Return cases as a bundle holds them, as JSON values; nothing that a case left out is said."""
    return {
        "v": 1,
        "bases": dict(bases or {}),
        "cases": [case.model_dump(mode="json", exclude_unset=True) for case in cases],
    }


def read_bases(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the complete questions on which cases build, by name; raise BundleError."""
    return _read(data).bases


def read_cases(data: Mapping[str, Any]) -> tuple[Case, ...]:
    """Return the cases of a bundle (`Bundle.cases`); raise BundleError for anything else."""
    return _read(data).cases


def _read(data: Mapping[str, Any]) -> _Cases:
    try:
        return _Cases.model_validate_json(orjson.dumps(data))
    except (ValidationError, TypeError):
        raise BundleError from None


def bind_cases(cases: Iterable[Case], catalogue: Catalogue) -> tuple[Case, ...]:
    """Return the cases as they are put to the newest revision of each purpose.

    A case of a purpose that is not there any more is left out: nothing can be asked for it.
    """
    bound = []
    for case in cases:
        purpose = catalogue.find_newest(case.purpose) if case.purpose else None
        if purpose is not None:
            bound.append(_bind(case, purpose))
        elif case.purpose is None:
            bound.append(case)
    return tuple(bound)


def _bind(case: Case, purpose: Purpose) -> Case:
    by = purpose.valid_from - (case.written_from or purpose.valid_from)
    digest = derive_digest(purpose)
    if not by and digest == case.written_for:
        return case
    question = shift_moments(case.question, by)
    # A case may cite another revision, one that never was, or none: that is what it is about.
    if case.written_for is not None and question.get("purpose_digest") == case.written_for:
        question["purpose_digest"] = digest
    expect = shift_moments(case.expect.model_dump(mode="json", exclude_unset=True), by)
    return case.model_copy(
        update={
            "question": question,
            "expect": Expectation.model_validate_json(orjson.dumps(expect)),
            "written_for": digest,
            "written_from": purpose.valid_from,
        }
    )


def shift_moments(value: Any, by: timedelta) -> Any:  # noqa: ANN401 - JSON
    """Return JSON values with every moment in them moved."""
    if isinstance(value, Mapping):
        return {name: shift_moments(member, by) for name, member in value.items()}
    if isinstance(value, str):
        return _shift(value, by)
    if isinstance(value, Sequence):
        return [shift_moments(member, by) for member in value]
    return value


def _shift(text: str, by: timedelta) -> str:
    try:
        return encode_moment(decode_moment(text) + by)
    except (FormError, OverflowError):
        return text  # no moment; a case may also ask what comes of one that is none
