"""A case that would notice: questions near those that officers wrote, and what came out of one.

The questions are the passing cases of the purpose and the bases they stand on, each with one or two
of its facts changed along the members of the purpose; the first on which the purpose and its mutant
are decided otherwise is written as a case, ready to be pasted. What it expects is what the purpose
as it is decides: whoever pastes it says that this is what was meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import yaml

from broker.purposes.cases import merge, summarise
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Edge, Purpose
from datwat.protocol.messages import RUNGS
from datwat.protocol.values import Value, decode_moment, encode_moment

MOST_CANDIDATES = 900
_MOST_SEEDS = 24
_ORGANISATION = "00000099000000001000"
_ALWAYS = ("permit", "unmet", "rung")
_LINE = 100
# Filled in by whoever loads a case.
_FILLED = ("purpose", "purpose_digest")
# A member that a case cannot state is no help to it.
_NOT_EXPECTED = {"weighed"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One question that might tell a purpose from its mutant; fewer changes are easier to read."""

    question: Mapping[str, Any] = field(repr=False)
    changes: int


class ProposedCase(Value):
    """A case that would notice. `yaml`: one item of the list `cases`, as it is pasted."""

    name: str
    base: str
    yaml: str


def build_candidates(
    purpose: Purpose, catalogue: Catalogue, seeds: Sequence[Mapping[str, Any]]
) -> list[Candidate]:
    """Return the questions to try, those with the fewest changes first, at most 900.

    `seeds`: complete questions for this purpose, the best first.
    """
    some = list(seeds[:_MOST_SEEDS])
    plain = [Candidate(seed, 0) for seed in some]
    one = [
        Candidate(merge(seed, change), 1)
        for change in _build_changes(purpose, catalogue)
        for seed in _choose_seeds(some, change)
    ]
    two = [
        Candidate(merge(merge(seed, release), change), 2)
        for release in _build_releases(purpose, catalogue)
        for seed in _choose_seeds(some, release)[:1]
        for change in _build_facts(purpose, seed)
    ]
    return [*plain, *one, *two][:MOST_CANDIDATES]


def _choose_seeds(seeds: Sequence[Mapping[str, Any]], change: Mapping[str, Any]) -> list[Any]:
    """Return at most three seeds in which the change can be made: one per act."""
    found: dict[str, Mapping[str, Any]] = {}
    for seed in seeds:
        fits = all(isinstance(seed.get(key), Mapping) for key in change if key in _OBJECTS)
        wants = change.get("act", seed["act"]) == seed["act"]
        if fits and wants:
            found.setdefault(seed["act"], seed)
    return list(found.values())[:3]


_OBJECTS = ("occasion", "ask", "requester", "conversation", "member")


def _build_changes(purpose: Purpose, catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Yield single changes: who asks, for what, on which occasion, up to which rung."""
    yield from _build_releases(purpose, catalogue)
    for function in sorted(catalogue.covenant.functions):
        yield _ask_as(function)
    for rung in RUNGS:
        yield {"ask": {"rung": rung}}
    for kind in catalogue.covenant.occasions:
        yield {"occasion": {"kind": kind}}
    yield {"requester": {"enforcement": True}}
    yield {"now": encode_moment(purpose.valid_from - timedelta(seconds=1))}
    if purpose.valid_until is not None:
        yield {"now": encode_moment(purpose.valid_until)}


def _ask_as(function: str) -> dict[str, Any]:
    party = f"{_ORGANISATION}:{function}"
    return {"requester": {"id": party, "function": function}, "occasion": {"holder": party}}


def _build_releases(purpose: Purpose, catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Yield, per edge, questions that between them ask for every field of its product."""
    for edge in purpose.edges:
        product = catalogue.products[edge.product]
        fields = [item.field for item in product.fields]
        most = product.most_fields
        for start in range(0, len(fields), most):
            yield merge(
                _ask_as(edge.requester),
                _release(edge, fields[start : start + most], purpose, catalogue),
            )


def _release(
    edge: Edge, fields: Sequence[str], purpose: Purpose, catalogue: Catalogue
) -> dict[str, Any]:
    source = f"{_ORGANISATION}:{edge.source}"
    kinds = [
        kind
        for kind, rung in purpose.sees.items()
        if rung == "wat" and edge.source in catalogue.kinds[kind].functions
    ]
    involvement = {"source": source, "function": edge.source}
    if kinds:
        involvement["kind"] = kinds[0]
    asked = {
        "rung": "wat",
        "source": source,
        "source_function": edge.source,
        "product": edge.product,
        "fields": list(fields),
        "involvement": involvement,
    }
    return {"act": "release", "ask": asked}


def _build_facts(purpose: Purpose, seed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield changes of what the person said, and of the occasion, for a second change."""
    now = decode_moment(str(seed["now"]))
    earlier = encode_moment(now - timedelta(days=10))
    later = encode_moment(now + timedelta(days=5))
    objection = [{"purpose": purpose.id, "made_at": earlier, "state": "open"}]
    yield {"objections": objection}
    yield {"objections": objection, "occasion": {"kind": "crisis", "inform_by": later}}
    for occasion in purpose.occasions:
        yield {"occasion": {"kind": occasion, "inform_by": later}}
    for reaction in ("agrees", "objects", "not_told"):
        yield {"conversation": {"reaction": reaction}}
    for given_by in ("self", "representative", "both"):
        for kind in ("explicit", "no_objection"):
            for age in ("0-11", "12-15", "16-17", "18+"):
                consent = _build_consent(purpose, kind, given_by, earlier, later)
                yield {"consents": [consent], "member": {"age_band": age}}
    yield {"consents": []}


def _build_consent(
    purpose: Purpose, kind: str, given_by: str, given_at: str, until_at: str
) -> dict[str, Any]:
    return {
        "kind": kind,
        "purpose": purpose.id,
        "product": None,
        "fields": [],
        "source": None,
        "requester": None,
        "given_by": given_by,
        "written": True,
        "given_at": given_at,
        "until_at": until_at,
        "withdrawn_at": None,
    }


def is_told_apart(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Return whether a case could tell these two decisions apart."""
    if one is None:
        return False  # nothing that a case could expect
    return other is None or _list_differences(one, other) != []


def build_proposal(
    name: str,
    candidate: Candidate,
    decisions: tuple[Mapping[str, Any], Mapping[str, Any] | None],
    bases: Mapping[str, Mapping[str, Any]],
    own: Sequence[Mapping[str, Any]],
) -> ProposedCase:
    """Return the candidate as a case. `decisions`: by the purpose as it is, and by its mutant.

    `own`: questions of the cases of this purpose. What any of them changes in the base is written
    out, for their file may change it in all its cases.
    """
    base, given = derive_given(candidate.question, bases, own)
    case = {
        "name": name,
        "base": base,
        **({"given": given} if given else {}),
        "expect": _build_expectation(*decisions),
    }
    text = yaml.safe_dump(
        [case], sort_keys=False, allow_unicode=True, width=_LINE, default_flow_style=None
    )
    return ProposedCase(name=name, base=base, yaml=text)


def _build_expectation(
    decision: Mapping[str, Any], other: Mapping[str, Any] | None
) -> dict[str, Any]:
    came = summarise(decision)
    members = [*_ALWAYS, *(_list_differences(decision, other) if other is not None else ())]
    expect = {name: came[name] for name in dict.fromkeys(members)}
    if other is not None and "params" in expect:
        changed = summarise(other)["params"]
        params = expect["params"]
        expect["params"] = {code: has for code, has in params.items() if changed.get(code) != has}
    return expect


def _list_differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    came, changed = summarise(one), summarise(other)
    return [name for name in came if name not in _NOT_EXPECTED and came[name] != changed[name]]


def derive_given(
    question: Mapping[str, Any],
    bases: Mapping[str, Mapping[str, Any]],
    own: Sequence[Mapping[str, Any]],
) -> tuple[str, dict[str, Any]]:
    """Return the base nearest to a question, and what must be given on top of it.

    The purpose and its digest are filled in by whoever loads the case.
    """
    stated = {key: has for key, has in question.items() if key not in _FILLED}
    named = sorted(bases) or [""]
    best = min(named, key=lambda name: len(_list_leaves(bases.get(name, {}), stated)))
    base = bases.get(best, {})
    touched = {path for one in own for path in _list_leaves(base, one)}
    given: dict[str, Any] = {}
    for path in sorted({*_list_leaves(base, stated), *touched}):
        _copy_leaf(stated, given, path)
    return best, given


def _list_leaves(base: Mapping[str, Any], question: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return where a question differs from a base; an object ends where the base has none."""
    paths: list[tuple[str, ...]] = []
    for key, value in question.items():
        if key in base and base[key] == value:
            continue
        held = base.get(key)
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            paths.extend((key, *inner) for inner in _list_leaves(held, value))
        else:
            paths.append((key,))
    return paths


def _copy_leaf(source: Mapping[str, Any], target: dict[str, Any], path: tuple[str, ...]) -> None:
    """Copy what stands at `path`; where the source has no such object, what it has instead."""
    value: Any = source
    for number, step in enumerate(path):
        if step not in value:
            return
        value = value[step]
        if number == len(path) - 1 or not isinstance(value, Mapping):
            target[step] = value
            return
        inner = target.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        target = inner
