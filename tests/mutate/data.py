"""Mutants of the officers' files: each member that is weighed removed, weakened or changed.

They are made in the catalogue's models, so that a mutant that no longer loads (guard rails, a mode
without its consent rule) counts as noticed. Digests stay as they were: a change must be found by
what it does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from broker.purposes.catalogue import Catalogue, require_consistent
from broker.purposes.errors import PolicyFileError

RUNGS = ("none", "contact", "category", "dat", "wat")
_Path = tuple[str | int, ...]
# Texts for people, and what only readers of the catalogue use.
_NOT_WEIGHED = {"id", "title", "sentence", "owner", "articles", "legal_check", "why", "size_class"}
_OTHERS: dict[str, tuple[str, ...]] = {
    "objection": ("none", "suspend", "suspend_unless_danger"),
    "mode": ("duty", "may", "explicit_consent", "no_objection"),
    "consent_by": ("youth_disclosure", "youth_receiving", "avg"),
    "whose": ("youth", "resident"),
    "about": ("stated", "person"),
}
_MAPS = {
    "sees",
    "occasions",
    "grounds",
    "functions",
    "laws",
    "consent_givers",
    "youth_disclosure",
    "youth_receiving",
    "avg",
}


@dataclass(frozen=True, slots=True)
class DataMutant:
    """One change in the catalogue; `purpose` where only that purpose's cases can notice it."""

    place: str
    purpose: str | None
    path: _Path
    value: Any
    removed: bool


def build_data_mutants(catalogue: Catalogue) -> list[DataMutant]:
    """Return the mutants of purposes, products, kinds, common terms and codes."""
    raw = catalogue.model_dump(mode="json")
    mutants: list[DataMutant] = []
    for top in ("purposes", "products", "kinds", "covenant", "codes"):
        for name in raw[top]:
            purpose = name if top == "purposes" else None
            mutants.extend(_mutate(raw, (top, name), purpose))
    return mutants


def find_data(raw: bytes, data: dict[str, Any], mutant: DataMutant) -> dict[str, Any] | None:
    """Return the data of the changed catalogue; None when it does not load.

    `raw` is the JSON of the catalogue as it is, `data` its data.
    """
    root = json.loads(raw)
    holder: Any = root
    for step in mutant.path[:-1]:
        holder = holder[step]
    if mutant.removed:
        del holder[mutant.path[-1]]
    else:
        holder[mutant.path[-1]] = mutant.value
    try:
        changed = Catalogue.model_validate_json(json.dumps(root))
        require_consistent(changed)
        made = changed.to_data()
    except (ValidationError, PolicyFileError):
        return None
    for name, purpose in data["purposes"].items():
        made["purposes"][name]["digest"] = purpose["digest"]
    return made


def _at(raw: dict[str, Any], path: _Path) -> Any:  # noqa: ANN401 - JSON
    value: Any = raw
    for step in path:
        value = value[step]
    return value


def _mutate(raw: dict[str, Any], path: _Path, purpose: str | None) -> Iterator[DataMutant]:
    value = _at(raw, path)
    if path[-1] in _NOT_WEIGHED:
        return
    if isinstance(value, dict):
        if path[-1] in _MAPS:
            yield from _removals(raw, path, purpose)
        for key in value:
            yield from _mutate(raw, (*path, key), purpose)
    elif isinstance(value, list):
        yield from _removals(raw, path, purpose)
        for number, member in enumerate(value):
            if isinstance(member, (dict, list)):
                yield from _mutate(raw, (*path, number), purpose)
    else:
        for other in _other_values(path, value):
            place = f"{'.'.join(map(str, path))}: {value} → {other}"
            yield DataMutant(place, purpose, path, other, removed=False)


def _removals(raw: dict[str, Any], path: _Path, purpose: str | None) -> Iterator[DataMutant]:
    value = _at(raw, path)
    for key in value if isinstance(value, dict) else range(len(value)):
        inner = (*path, key)
        place = f"{'.'.join(map(str, inner))}: {value[key]} removed"
        yield DataMutant(place[:160], purpose, inner, None, removed=True)


def _is_text(path: _Path, value: object) -> bool:
    """Return whether this is a text: what is weighed is that it is there.

    The article that lifts a label; the remedy of an act at the wrong entry point, whose refusal
    does not read the catalogue.
    """
    lifts = path[-2:-1] == ("grounds",) and isinstance(value, str)
    return lifts or path == ("codes", "act_fits", "remedy")


def _other_values(path: _Path, value: object) -> list[Any]:
    name = str(path[-1])
    if _is_text(path, value):
        return []
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if name in _OTHERS or path[-2:-1] == ("laws",):
        return [other for other in _OTHERS.get(name, _OTHERS["whose"]) if other != value]
    if value in RUNGS:
        index = RUNGS.index(str(value))
        return [RUNGS[i] for i in (index - 1, index + 1) if 0 <= i < len(RUNGS)]
    return [f"{value}x" if isinstance(value, str) else "x"]
