"""Mutants of the catalogue: each member that Rego reads removed, weakened or changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

RUNGS = ("none", "contact", "category", "dat", "wat")
_Path = tuple[str | int, ...]
# Texts for people; `digest` stays as it is, so that a change is found by what it does.
_TEXTS = {
    "id", "title", "sentence", "owner", "articles", "legal_check", "digest", "why",
}  # fmt: skip
_OTHERS: dict[str, tuple[str, ...]] = {
    "objection": ("none", "suspend", "suspend_unless_danger"),
    "mode": ("duty", "may", "explicit_consent", "no_objection"),
    "consent_by": ("youth_disclosure", "youth_receiving", "avg"),
    "whose": ("youth", "resident"),
    "about": ("stated", "person"),
}


@dataclass(frozen=True, slots=True)
class DataMutant:
    """One change in the catalogue; `purpose` where only that purpose's cases can notice it."""

    place: str
    purpose: str | None
    path: _Path
    value: Any
    removed: bool


def build_data_mutants(catalogue: dict[str, Any]) -> list[DataMutant]:
    """Return the mutants of purposes, products, kinds and common terms."""
    mutants: list[DataMutant] = []
    for purpose in catalogue["purposes"]:
        mutants.extend(_mutate(catalogue, ("purposes", purpose), purpose))
    for product in catalogue["products"]:
        for member in ("sources", "most_fields", "labels"):
            mutants.extend(_mutate(catalogue, ("products", product, member), None))
    for kind in catalogue["kinds"]:
        mutants.extend(_mutate(catalogue, ("kinds", kind), None))
    mutants.extend(_mutate(catalogue, ("covenant",), None))
    for act in catalogue["acts"]:
        mutants.extend(_removals(catalogue, ("acts", act, "codes"), None))
    return mutants


def apply(catalogue: dict[str, Any], mutant: DataMutant) -> dict[str, Any]:
    """Return the catalogue with the change of `mutant`."""
    changed = copy.deepcopy(catalogue)
    holder: Any = changed
    for step in mutant.path[:-1]:
        holder = holder[step]
    if mutant.removed:
        del holder[mutant.path[-1]]
    else:
        holder[mutant.path[-1]] = mutant.value
    return changed


def _at(catalogue: dict[str, Any], path: _Path) -> Any:  # noqa: ANN401 - JSON
    value: Any = catalogue
    for step in path:
        value = value[step]
    return value


def _place(catalogue: dict[str, Any], path: _Path, what: str) -> str:
    value = _at(catalogue, path)
    shown = value.get("field", value.get("function", "")) if isinstance(value, dict) else value
    return f"{'.'.join(map(str, path))} ({shown}): {what}"


def _mutate(catalogue: dict[str, Any], path: _Path, purpose: str | None) -> Iterator[DataMutant]:
    value = _at(catalogue, path)
    if path[-1] in _TEXTS:
        return
    if isinstance(value, dict):
        if _is_map(path):
            yield from _removals(catalogue, path, purpose)
        for key in value:
            yield from _mutate(catalogue, (*path, key), purpose)
    elif isinstance(value, list):
        yield from _removals(catalogue, path, purpose)
        for number in range(len(value)):
            if isinstance(value[number], (dict, list)):
                yield from _mutate(catalogue, (*path, number), purpose)
    else:
        for other in _other_values(path, value):
            place = _place(catalogue, path, f"→ {other}")
            yield DataMutant(place, purpose, path, other, removed=False)


def _is_map(path: _Path) -> bool:
    """Return whether the members are entries that can be missing, not the fixed form."""
    return path[-1] in {
        "sees", "occasions", "grounds", "labels", "functions", "laws", "consent_givers",
        "youth_disclosure", "youth_receiving", "avg", "codes",
    }  # fmt: skip


def _removals(catalogue: dict[str, Any], path: _Path, purpose: str | None) -> Iterator[DataMutant]:
    value = _at(catalogue, path)
    for key in value if isinstance(value, dict) else range(len(value)):
        inner = (*path, key)
        yield DataMutant(_place(catalogue, inner, "removed"), purpose, inner, None, removed=True)


def _other_values(path: _Path, value: object) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if value in RUNGS:
        index = RUNGS.index(value)
        return [RUNGS[i] for i in (index - 1, index + 1) if 0 <= i < len(RUNGS)]
    name = str(path[-1])
    if name in _OTHERS:
        return [other for other in _OTHERS[name] if other != value]
    if path[-2:-1] == ("laws",):
        return [other for other in _OTHERS["whose"] if other != value]
    return [f"{value}x" if isinstance(value, str) else "x"]
