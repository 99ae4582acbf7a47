"""What must fit between the officers' files before a catalogue is built.

Rules enforced: nothing points to what is not there; no purpose opens more than a kind or an
occasion allows; *wat* stands where there is an edge and nowhere else; an edge has a ground for
exactly the labels of its fields; the guard rails (guards.yaml) are as the privacy officer says.
AVG 5(1)(b)-(c), 9, 10.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from broker.purposes.errors import PolicyFileError
from broker.purposes.models import Covenant, Edge, Guards, Kind, Product, Purpose
from datwat.protocol.messages import RUNGS, Rung


def require_purpose(
    purpose: Purpose,
    products: Mapping[str, Product],
    kinds: Mapping[str, Kind],
    covenant: Covenant,
) -> None:
    """Raise PolicyFileError unless the purpose fits products, kinds and common terms."""
    place = f"purposes/{purpose.id}.yaml"
    askers = [requester.function for requester in purpose.requesters]
    require_known(f"{place}, requesters", askers, covenant.functions)
    require_known(f"{place}, sees", purpose.sees, kinds)
    for kind, rung in purpose.sees.items():
        if purpose.domain in kinds[kind].never_for:
            refuse(f"{place}, sees", f"{kind} is never for this domain")
        _require_within(f"{place}, sees.{kind}", rung, kinds[kind].cap)
    require_known(f"{place}, occasions", purpose.occasions, covenant.occasions)
    for occasion, rung in purpose.occasions.items():
        _require_within(f"{place}, occasions.{occasion}", rung, covenant.occasions[occasion].cap)
        if rung == "wat" and not purpose.edges:
            refuse(f"{place}, occasions.{occasion}", "wat without any edge")
    if not purpose.sees and any(asker.inquire != "none" for asker in purpose.requesters):
        refuse(f"{place}, requesters", "may inquire where nothing is seen")
    if not purpose.occasions and purpose.objection != "none":
        refuse(f"{place}, objection", "holds up what rests on no occasion")
    for number, edge in enumerate(purpose.edges):
        require_known(f"{place}, edges.{number}", (edge.requester,), askers)
        _require_edge(f"{place}, edges.{number}", edge, products)
    _require_wat_is_an_edge(place, purpose, kinds)


def _require_edge(place: str, edge: Edge, products: Mapping[str, Product]) -> None:
    require_known(place, (edge.product,), products)
    product = products[edge.product]
    require_known(place, (edge.source,), product.sources)
    labels = {item.field: item.labels for item in product.fields}
    require_known(place, [item.field for item in edge.fields], labels)
    guarded = {label for item in edge.fields for label in labels[item.field]}
    if guarded != set(edge.grounds):
        refuse(f"{place}, grounds", "are not exactly those of the labels of the fields")


def _require_wat_is_an_edge(place: str, purpose: Purpose, kinds: Mapping[str, Kind]) -> None:
    sources = {edge.source for edge in purpose.edges}
    released = {kind for kind, rung in purpose.sees.items() if rung == "wat"}
    for kind in released:
        if not sources & set(kinds[kind].functions):
            refuse(f"{place}, sees.{kind}", "wat without an edge")
    for source in sources:
        if not any(source in kinds[kind].functions for kind in released):
            refuse(f"{place}, edges", f"{source} has no kind that is seen at wat")


def require_guards(
    guards: Guards, products: Mapping[str, Product], kinds: Mapping[str, Kind], covenant: Covenant
) -> None:
    """Raise PolicyFileError unless kinds, occasions and labels are as the guard rails say."""
    require_known("guards.yaml, labels", guards.labels, products)
    caps = {kind: rung for rung, names in guards.caps.items() for kind in names}
    if caps != {name: kind.cap for name, kind in kinds.items() if kind.cap != "wat"}:
        refuse("kinds.yaml, cap", "differs from guards.yaml")
    never = {(domain, kind) for domain, names in guards.never_for.items() for kind in names}
    if never != {(domain, name) for name, kind in kinds.items() for domain in kind.never_for}:
        refuse("kinds.yaml, never_for", "differs from guards.yaml")
    terms = covenant.occasions
    if guards.occasions != {name: one.cap for name, one in terms.items() if one.cap != "wat"}:
        refuse("covenant.yaml, occasions", "differs from guards.yaml")
    for name, product in products.items():
        labels = guards.labels.get(name, {})
        said = {(field, label) for label, fields in labels.items() for field in fields}
        if said != {(item.field, label) for item in product.fields for label in item.labels}:
            refuse(f"products/{name}.yaml, labels", "differ from guards.yaml")


def require_known(place: str, names: Iterable[str], known: Container[str]) -> None:
    """Raise PolicyFileError for a name that is not known."""
    for name in names:
        if name not in known:
            refuse(place, f"{name} is not known")


def refuse(place: str, what: str) -> None:
    """Raise PolicyFileError with place and reason."""
    raise PolicyFileError(f"{place}: {what}.", place=place)


def _require_within(place: str, rung: Rung, cap: Rung) -> None:
    if RUNGS.index(rung) > RUNGS.index(cap):
        refuse(place, f"{rung} is more than {cap}, the cap for everybody")
