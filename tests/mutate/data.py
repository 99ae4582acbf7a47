"""Mutants of the officers' files: each member that is weighed removed, weakened or changed.

They are made in the catalogue's models, so that a mutant that no longer loads (guard rails, a mode
without its consent rule) counts as noticed. Digests stay as they were: a change must be found by
what it does. Of purposes they are those that a draft is checked by (`broker/purposes/mutation.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from broker.purposes.catalogue import Catalogue, require_consistent
from broker.purposes.errors import PolicyFileError
from broker.purposes.mutation import Mutant, build_mutants


@dataclass(frozen=True, slots=True)
class DataMutant:
    """One change in the catalogue; `purpose` where only that purpose's cases can notice it."""

    mutant: Mutant
    purpose: str | None

    @property
    def place(self) -> str:
        return self.mutant.place


def build_data_mutants(catalogue: Catalogue) -> list[DataMutant]:
    """Return the mutants of purposes, products, kinds, common terms and codes."""
    raw = catalogue.model_dump(mode="json")
    mutants: list[DataMutant] = []
    for top in ("purposes", "products", "kinds", "covenant", "codes"):
        for name in raw[top]:
            purpose = name if top == "purposes" else None
            mutants.extend(DataMutant(one, purpose) for one in build_mutants(raw, (top, name)))
    return mutants


def find_data(raw: bytes, data: dict[str, Any], mutant: DataMutant) -> dict[str, Any] | None:
    """Return the data of the changed catalogue; None when it does not load.

    `raw` is the JSON of the catalogue as it is, `data` its data.
    """
    root = mutant.mutant.apply(json.loads(raw))
    try:
        changed = Catalogue.model_validate_json(json.dumps(root))
        require_consistent(changed)
        made = changed.to_data()
    except (ValidationError, PolicyFileError):
        return None
    for name, purpose in data["purposes"].items():
        for number, revision in enumerate(purpose["revisions"]):
            made["purposes"][name]["revisions"][number]["digest"] = revision["digest"]
    return made
