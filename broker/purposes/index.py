"""A purpose spelt out for Rego to look up: its edges and requesters by key, and what it shows.

Rule enforced: expansion only. Per kind of involvement the least of its own cap and the purpose's,
and none that is never for the purpose's domain; per rung, the rows that a grant of that rung would
show. Which rung is granted, if any, is weighed in Rego and nowhere else. AVG 5(1)(c).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.purposes.models import Covenant, Kind, Purpose
from datwat.protocol.messages import RUNGS, Rung

# A shielded address shows the category and the central number only.
SHIELDED: Rung = "category"
# Read by people, beside the purpose itself: with hundreds of purposes it would fill OPA's memory.
_NOT_WEIGHED = {"fields": {"__all__": {"why"}}}


def build_index(purpose: Purpose, kinds: Mapping[str, Kind], covenant: Covenant) -> dict[str, Any]:
    """Return what Rego looks up of a purpose, as plain JSON values, in one order."""
    visible = derive_visible(purpose, kinds)
    shown = [(function, kind) for kind in visible for function in kinds[kind].functions]
    functions = sorted({function for function, _ in shown})
    return {
        "edges": _edges_by_key(purpose),
        "requesters": {item.function: item.model_dump(mode="json") for item in purpose.requesters},
        "visible": visible,
        "caps": {
            granted: [
                _row(function, kind, _lesser(visible[kind], granted)) for function, kind in shown
            ]
            for granted in RUNGS
        },
        "scope": {
            "functions": functions,
            "domains": sorted({str(covenant.functions[name].domain) for name in functions}),
            "cannot_see": sorted(kinds.keys() - visible),
        },
    }


def derive_visible(purpose: Purpose, kinds: Mapping[str, Kind]) -> dict[str, Rung]:
    """Return the highest rung of each kind that the purpose may ever see, by kind in order."""
    rungs = {
        kind: _lesser(kinds[kind].cap, cap)
        for kind, cap in sorted(purpose.sees.items())
        if purpose.domain not in kinds[kind].never_for
    }
    return {kind: rung for kind, rung in rungs.items() if rung != "none"}


def _row(function: str, kind: str, plain: Rung) -> dict[str, str]:
    shielded = _lesser(plain, SHIELDED)
    return {"function": function, "kind": kind, "plain": plain, "shielded": shielded}


def _lesser(one: Rung, other: Rung) -> Rung:
    return min(one, other, key=RUNGS.index)


def _edges_by_key(purpose: Purpose) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the edges by source, requester and product: each key has one at most."""
    edges: dict[str, dict[str, dict[str, Any]]] = {}
    for edge in purpose.edges:
        requesters = edges.setdefault(edge.source, {})
        requesters.setdefault(edge.requester, {})[edge.product] = edge.model_dump(
            mode="json", exclude=_NOT_WEIGHED
        )
    return edges
