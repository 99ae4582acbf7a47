"""Every member of a purpose changed in turn, and members added, in whatever way still loads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from broker.purposes.catalogue import Catalogue
from broker.purposes.models import (
    ConsentRule,
    Domain,
    Edge,
    Label,
    LegalCheck,
    OccasionKind,
    Purpose,
    PurposeRequester,
)
from datwat.protocol.messages import RUNGS, LegalBasis

Path = tuple[str | int, ...]
# What the engine does not weigh: texts, and the law that readers want to see.
UNWEIGHED = ("title", "sentence", "owner", "articles", "legal_check")
_CHOICES: dict[str, tuple[str, ...]] = {
    "domain": get_args(Domain),
    "legal_check": get_args(LegalCheck),
    "inquire": get_args(PurposeRequester.model_fields["inquire"].annotation),
    "mode": get_args(Edge.model_fields["mode"].annotation),
    "consent_by": get_args(ConsentRule),
    "objection": get_args(Purpose.model_fields["objection"].annotation),
}
assert get_args(LegalBasis.model_fields["mode"].annotation) == _CHOICES["mode"]


@dataclass(frozen=True)
class Changed:
    """A purpose with one member changed, removed or added; `path` leads to that member."""

    path: Path
    purpose: Purpose

    @property
    def place(self) -> str:
        return ".".join(map(str, self.path))

    @property
    def is_weighed(self) -> bool:
        return self.path[0] not in UNWEIGHED and "why" not in self.path


def change_each(purpose: Purpose, catalogue: Catalogue) -> Iterator[Changed]:
    """Yield the purpose with each member changed in turn; what no longer loads is left out."""
    for path, value in list_changes(purpose, catalogue):
        changed = apply_change(purpose, path, value)
        if changed is not None:
            yield Changed(path, changed)


def list_changes(purpose: Purpose, catalogue: Catalogue) -> list[tuple[Path, Any]]:
    """Return where something can be changed, removed or added, and to what."""
    raw = purpose.model_dump(mode="json")
    return [*_replace_each(raw, ()), *_add_each(raw, catalogue)]


def apply_change(purpose: Purpose, path: Path, value: object) -> Purpose | None:
    """Return the purpose with one change made; None where it no longer loads."""
    changed = purpose.model_dump(mode="json")
    holder: Any = changed
    for step in path[:-1]:
        holder = holder[step]
    if value is _REMOVED:
        del holder[path[-1]]
    elif isinstance(holder, list) and path[-1] == len(holder):
        holder.append(value)
    else:
        holder[path[-1]] = value
    if path[-1] == "mode" and path[0] == "edges":
        _fit_consent(holder)
    try:
        return Purpose.model_validate_json(json.dumps(changed))
    except ValidationError:
        return None


_REMOVED = object()


def _fit_consent(edge: dict[str, Any]) -> None:
    asks = edge["mode"] in {"explicit_consent", "no_objection"}
    edge["consent_by"] = (edge["consent_by"] or "avg") if asks else None


def _replace_each(value: object, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for name, one in value.items():
            if path and path[-1] in {"sees", "occasions", "grounds"}:
                yield ((*path, name), _REMOVED)
            yield from _replace_each(one, (*path, name))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield ((*path, index), _REMOVED)
            yield from _replace_each(one, (*path, index))
    else:
        yield from ((path, other) for other in _list_others(value, path))


def _list_others(value: object, path: Path) -> list[Any]:
    name = str(path[-1])
    if name in _CHOICES:
        return [other for other in (*_CHOICES[name], None) if other != value]
    if name in {"valid_from", "valid_until"}:
        moments = ["2026-01-01T00:00:01Z", "2026-03-02T09:00:01Z", "9999-12-31T23:59:59Z", None]
        return [other for other in moments if other != value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if value in RUNGS and path[0] in {"sees", "occasions"}:
        return [rung for rung in RUNGS if rung != value]
    return [f"{value}x"]


def _add_each(raw: dict[str, Any], catalogue: Catalogue) -> Iterator[tuple[Path, Any]]:
    """Yield one more of everything that a purpose has more than one of."""
    askers = {one["function"] for one in raw["requesters"]}
    other = next(name for name in sorted(catalogue.covenant.functions) if name not in askers)
    yield ("requesters", len(raw["requesters"])), {"function": other, "inquire": "contact"}
    for member, names in (("occasions", get_args(OccasionKind)), ("sees", catalogue.kinds)):
        yield from (((member, name), "contact") for name in names if name not in raw[member])
    if "enforcement" not in raw["not_for"]:
        yield ("not_for", 0), "enforcement"
    for number, edge in enumerate(raw["edges"]):
        yield from _add_to_edge(("edges", number), edge, catalogue)
    edge = {"mode": "may", "giver_article": "Wgs 1", "taker_article": "Wgs 2"}
    yield ("edges", len(raw["edges"])), edge | find_other_edge(raw, catalogue)


_WORDS = {"nl": "Omdat.", "en": "Because."}


def find_other_edge(raw: dict[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """An edge to the first requester that the purpose does not have: who gives, and one field."""
    asker = raw["requesters"][0]["function"]
    held = [(edge["source"], edge["product"]) for edge in raw["edges"]]
    product, source = next(
        (product, source)
        for product in catalogue.products.values()
        for source in product.sources
        if (source, product.id) not in held
    )
    fields = [{"field": product.fields[0].field, "why": _WORDS}]
    return {"source": source, "requester": asker, "product": product.id, "fields": fields}


def _add_to_edge(
    path: Path, edge: dict[str, Any], catalogue: Catalogue
) -> Iterator[tuple[Path, Any]]:
    named = {one["field"] for one in edge["fields"]}
    place = (*path, "fields", len(edge["fields"]))
    product = catalogue.products.get(edge["product"])  # none where its name was changed before
    for item in product.fields if product else ():
        if item.field not in named:
            yield place, {"field": item.field, "why": _WORDS}
    for label in get_args(Label):
        if label not in edge["grounds"]:
            yield (*path, "grounds", label), "Jeugdwet 1"
