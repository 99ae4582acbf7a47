"""The cases of one purpose as an officer writes them, where no folder is at hand: read and written.

Rules enforced: the same form as a file of `policies/cases`, on the bases of the bundle in force;
each fault with its line and column. A case is written at moments of the era of the bases (that is
when the first revisions began); `bundled_cases.bind_cases` moves them to when a revision begins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from broker.purposes.acts import ACTS
from broker.purposes.cases import Case, CaseFile, merge
from broker.purposes.errors import PolicyFileError
from broker.purposes.models import Purpose, derive_digest
from datwat.party.faults import describe_fault
from datwat.party.strict_yaml import YamlPlace, find_place, read_yaml_text, write_yaml

Bases = Mapping[str, Mapping[str, Any]]


class _NoFitError(Exception):
    """A question that a base cannot become by changing members."""


def read_case_text(
    text: str, name: str, purpose: Purpose, bases: Bases, era: datetime
) -> tuple[Case, ...]:
    """Return the cases that a text says of `purpose`, written at moments of `era`.

    Raises PolicyFileError with line and column; `name` is what the reader knows the text by.
    """
    raw = read_yaml_text(text, name, PolicyFileError)
    try:
        file = CaseFile.model_validate_json(json.dumps(raw, allow_nan=False))
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)[0]
        raise _refuse(text, name, found["loc"], describe_fault(dict(found))) from None
    except (TypeError, ValueError):
        raise PolicyFileError(f"{name}: only text, numbers, lists and mappings.") from None
    if file.purpose != purpose.id:
        raise _refuse(text, name, ("purpose",), "These are cases of another purpose.")
    return _build_cases(file, purpose, bases, era, (text, name))


def derive_era(cases: Iterable[Case], purpose: Purpose) -> datetime:
    """Return at which moments cases of a purpose are written: those of its own, else of the first.

    Without any case it is when the purpose begins.
    """
    dated = [one for one in cases if one.written_from is not None]
    own = [one.written_from for one in dated if one.purpose == purpose.id]
    found = own or [one.written_from for one in dated]
    return min((one for one in found if one is not None), default=purpose.valid_from)


def write_case_text(cases: Sequence[Case], bases: Bases) -> str:
    """Return cases of one purpose as YAML: the nearest base of each, and what differs from it."""
    if not cases:
        return ""
    written = [_write_case(case, bases) for case in cases]
    return write_yaml({"purpose": cases[0].purpose, "cases": written})


def _build_cases(
    file: CaseFile, purpose: Purpose, bases: Bases, era: datetime, source: tuple[str, str]
) -> tuple[Case, ...]:
    digest = derive_digest(purpose)
    named = {"purpose": purpose.id, "purpose_digest": digest}
    found = []
    for number, case in enumerate(file.cases):
        if case.base not in bases:
            raise _refuse(*source, ("cases", number, "base"), "There is no such base.")
        question = merge(merge(merge(bases[case.base], named), file.common), case.given)
        if question.get("act") not in ACTS:
            raise _refuse(*source, ("cases", number), "There is no such act.")
        found.append(
            Case(
                file=purpose.id,
                name=case.name,
                purpose=purpose.id,
                written_for=digest,
                written_from=era,
                question=question,
                expect=case.expect,
            )
        )
    return tuple(found)


def _write_case(case: Case, bases: Bases) -> dict[str, Any]:
    named = {"purpose": case.purpose, "purpose_digest": case.written_for}
    fitting: list[tuple[int, str, dict[str, Any]]] = []
    for name, base in bases.items():
        try:
            given = _find_changes(merge(base, named) if case.purpose else base, case.question)
        except _NoFitError:
            continue
        fitting.append((len(json.dumps(given)), name, given))
    if not fitting:
        raise PolicyFileError(f"{case.file}, {case.name}: fits no base of the bundle in force.")
    _, base_name, given = min(fitting, key=lambda one: one[:2])
    written: dict[str, Any] = {"name": case.name, "base": base_name}
    if given:
        written["given"] = given
    written["expect"] = case.expect.model_dump(mode="json", exclude_unset=True)
    return written


def _find_changes(base: Mapping[str, Any], question: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes `question` of `base` by `merge`."""
    if base.keys() - question.keys():
        raise _NoFitError
    changes: dict[str, Any] = {}
    for key, value in question.items():
        if key in base and base[key] == value:
            continue
        held = base.get(key)
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            changes[key] = _find_changes(held, value)
        else:
            changes[key] = value
    return changes


def _refuse(text: str, name: str, steps: Sequence[int | str], sentence: str) -> PolicyFileError:
    place = find_place(text, steps) or YamlPlace(1, 1)
    return PolicyFileError(f"{name}, {place}: {sentence}", place=str(place))
