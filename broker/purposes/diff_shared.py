"""What differs between two bundles in what all purposes share, and in what sources offer. Pure.

A field that a source newly offers is said to go nowhere until a purpose names it; what only people
read, or what only guards a draft, is not said to have an effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from broker.purposes.catalogue import Catalogue
from broker.purposes.diff_members import Change, Direction
from broker.purposes.models import Product, Purpose
from broker.purposes.naming import Namer, quote
from broker.purposes.phrases_diff import HOLDER, SHARED


def compare_offers(before: Namer, after: Namer) -> Iterator[Change]:
    """Yield each field that sources can give from now on, or no more."""
    old, new = before.catalogue, after.catalogue
    for name in sorted({*old.products, *new.products}):
        held, holds = _list_fields(old.products.get(name)), _list_fields(new.products.get(name))
        for field in holds:
            if field not in held:
                naming = after.join(p.id for p in new.list_newest() if _names(p, name, field))
                values = (_name_sources(after, name), field, after.product(name), naming)
                phrase = SHARED["offered_named" if naming else "offered"]
                place = f"products.{name}.{field}"
                yield Change(kind="words", place=place, text=after.say(phrase, *values))
        for field in held:
            if field not in holds:
                sources = _name_sources(before, name)
                text = after.say(SHARED["withheld"], sources, field, before.product(name))
                yield Change(kind="words", place=f"products.{name}.{field}", text=text)


def _names(purpose: Purpose, product: str, field: str) -> bool:
    return any(
        edge.product == product and any(item.field == field for item in edge.fields)
        for edge in purpose.edges
    )


def _list_fields(product: Product | None) -> list[str]:
    return [item.field for item in product.fields] if product else []


def _name_sources(namer: Namer, product: str) -> str:
    sources = [namer.function(one) for one in sorted(namer.catalogue.products[product].sources)]
    return namer.say(HOLDER, namer.join(sources, "or"))


# Of what all purposes share, what only people and gateways read, and what only guards a draft.
_WITHOUT_EFFECT = re.compile(r"^guards\.|\.(title\.(nl|en)|size_class)$")


def compare_shared(old: Catalogue, new: Catalogue, namer: Namer) -> Iterator[Change]:
    """Yield each value that differs in what all purposes share: terms, kinds, products, codes.

    Fields and products that came or went are `compare_offers`' to say.
    """
    before, after = _flatten(_dump_shared(old, new)), _flatten(_dump_shared(new, old))
    for place in sorted({*before, *after}):
        if before.get(place) == after.get(place):
            continue
        if place not in before:
            text = namer.say(SHARED["new"], place, after[place])
        elif place not in after:
            text = namer.say(SHARED["gone"], place, before[place])
        else:
            text = namer.say(SHARED["changed"], place, after[place], before[place])
        kind: Direction = "words" if _WITHOUT_EFFECT.search(place) else "other"
        yield Change(kind=kind, place=place, text=text)


def _dump_shared(catalogue: Catalogue, other: Catalogue) -> dict[str, Any]:
    """Return what all purposes share, of products only what both catalogues have."""
    members = {"covenant", "kinds", "codes", "guards"}
    products = {
        name: {
            **product.model_dump(mode="json", exclude={"fields"}),
            "fields": {
                item.field: item.model_dump(mode="json", exclude={"field"})
                for item in product.fields
                if item.field in _list_fields(other.products.get(name))
            },
        }
        for name, product in catalogue.products.items()
        if name in other.products
    }
    return {**catalogue.model_dump(mode="json", include=members), "products": products}


def _flatten(value: object, place: str = "") -> dict[str, str]:
    """Return every value by its dotted place; a list of names is one value, in one order."""
    if isinstance(value, Mapping) and value:
        flat: dict[str, str] = {}
        for name, one in value.items():
            flat |= _flatten(one, f"{place}.{name}" if place else str(name))
        return flat
    if isinstance(value, list | tuple):
        return {place: quote(", ".join(sorted(str(one) for one in value)))}
    return {place: quote("" if value is None else str(value))}
