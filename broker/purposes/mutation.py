"""Mutants of what officers write: each member that is weighed removed, weakened or changed.

A condition whose absence no case notices is a condition that nobody has shown to hold. Mutants are
made in the JSON values of the models, so that one that no longer loads (guard rails, a mode without
its consent rule) counts as noticed. Digests stay as they were: a change must be found by what it
does, never by its fingerprint. Source: house reference "policies", authoring, step 5.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from broker.purposes.catalogue import Catalogue
from broker.purposes.consistency import require_purpose
from broker.purposes.errors import PolicyFileError
from broker.purposes.models import Purpose
from datwat.protocol.messages import RUNGS

Path = tuple[str | int, ...]
MutantKind = Literal["removed", "changed"]

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
_LONGEST_PLACE = 160


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. `path`: steps from the root; `before`, `after`: JSON values, None if absent."""

    path: Path
    kind: MutantKind
    before: Any
    after: Any

    @property
    def member(self) -> str:
        """Where the change was made, as `edges.0.fields.2`."""
        return ".".join(map(str, self.path))

    @property
    def place(self) -> str:
        """The change in one line."""
        if self.kind == "removed":
            return f"{self.member}: {self.before} removed"[:_LONGEST_PLACE]
        return f"{self.member}: {self.before} → {self.after}"

    def apply(self, raw: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a copy of the JSON values `raw` with this change made."""
        root = copy.deepcopy(raw)
        holder: Any = root
        for step in self.path[:-1]:
            holder = holder[step]
        if self.kind == "removed":
            del holder[self.path[-1]]
        else:
            holder[self.path[-1]] = self.after
        return root


def build_purpose_mutants(purpose: Purpose) -> list[Mutant]:
    """Return the mutants of one purpose, in the order of its members."""
    return list(build_mutants(purpose.model_dump(mode="json")))


def build_mutants(raw: Any, base: Path = ()) -> Iterator[Mutant]:  # noqa: ANN401 - JSON
    """Yield the mutants of what stands in `raw` at `base` and below, in order."""
    yield from _mutate(_at(raw, base), base)


def build_mutated(mutant: Mutant, purpose: Purpose, catalogue: Catalogue) -> Purpose | None:
    """Return the changed purpose; None where it does not load, or does not fit the catalogue."""
    try:
        changed = Purpose.model_validate_json(
            orjson.dumps(mutant.apply(purpose.model_dump(mode="json")))
        )
        require_purpose(changed, catalogue.products, catalogue.kinds, catalogue.covenant)
    except (ValidationError, PolicyFileError):
        return None
    return changed


def _at(raw: Any, path: Path) -> Any:  # noqa: ANN401 - JSON
    value: Any = raw
    for step in path:
        value = value[step]
    return value


def _mutate(value: Any, path: Path) -> Iterator[Mutant]:  # noqa: ANN401 - JSON
    if path and path[-1] in _NOT_WEIGHED:
        return
    if isinstance(value, dict):
        if path and path[-1] in _MAPS:
            yield from _removals(value, path)
        for key in value:
            yield from _mutate(value[key], (*path, key))
    elif isinstance(value, list):
        yield from _removals(value, path)
        for number, member in enumerate(value):
            if isinstance(member, (dict, list)):
                yield from _mutate(member, (*path, number))
    else:
        for other in _other_values(path, value):
            yield Mutant(path, "changed", value, other)


def _removals(value: Any, path: Path) -> Iterator[Mutant]:  # noqa: ANN401 - JSON
    for key in value if isinstance(value, dict) else range(len(value)):
        yield Mutant((*path, key), "removed", value[key], None)


def _is_text(path: Path, value: object) -> bool:
    """Return whether this is a text: what is weighed is that it is there.

    The article that lifts a label; the remedy of an act at the wrong entry point, whose refusal
    does not read the catalogue.
    """
    lifts = path[-2:-1] == ("grounds",) and isinstance(value, str)
    return lifts or path == ("codes", "act_fits", "remedy")


def _other_values(path: Path, value: object) -> list[Any]:
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
