"""A form made from a model: its members in the order of the JSON schema, and back again. Pure.

Names: a member of a member has both names with `-` between (`edges-0-fields-1-why-nl`); a list's
own name holds the numbers of its rows, so that taking a row out renumbers nothing. What is left
empty is left out of the document. A moment is typed as date and time in the Netherlands and stands
in the document as UTC. Nothing is judged here: whatever was typed stands in the document, and the
model says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from broker.pages.model_shapes import Kind, Schema, Shape, Shapes, Spot
from broker.pages.model_values import (
    Options,
    Values,
    add_chosen,
    find_product,
    list_keys,
    list_rows,
)


class Words(Protocol):
    """What members and their values are called."""

    def label(self, model: str, member: str) -> tuple[str, str]:
        """Return what a member of a model is called, and a hint or nothing."""
        ...

    def options(self, model: str, member: str, product: str) -> Options | None:
        """Return what may be chosen for a member, or None where it is typed."""
        ...

    def keys(self, model: str, member: str) -> Options:
        """Return the keys of a member that is a mapping."""
        ...


@dataclass(frozen=True)
class Row:
    """One row of a list: its number in the form, and what it holds."""

    number: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Node:
    """One part of the form; `place` is the member's path in the document, with dots between."""

    kind: Kind
    name: str
    place: str
    label: str
    hint: str = ""
    is_optional: bool = False
    options: Options = ()
    nodes: tuple[Node, ...] = ()
    rows: tuple[Row, ...] = ()


def build_nodes(shapes: Shapes, values: Values, words: Words) -> tuple[Node, ...]:
    """Return what to show for what was typed."""
    return _Building(shapes, values, words).list_members(shapes.root, shapes.model, Spot())


@dataclass(frozen=True)
class _Building:
    """From what was typed to what is shown."""

    shapes: Shapes
    values: Values
    words: Words

    def list_members(self, schema: Schema, model: str, at: Spot) -> tuple[Node, ...]:
        return tuple(
            self.build(self.shapes.follow(schema, member), model, member, at.into(member))
            for member in schema["properties"]
        )

    def build(self, shape: Shape, model: str, member: str, at: Spot) -> Node:
        kind, (label, hint) = shape.kind, self.words.label(model, member)
        nodes: tuple[Node, ...] = ()
        rows: tuple[Row, ...] = ()
        options: Options = ()
        if kind == "group":
            nodes = self.list_members(shape.schema, shape.model, at)
        elif kind == "list":
            rows = self.list_rows(shape, at)
        elif kind == "map":
            nodes = tuple(self.list_keys(model, member, at))
        else:
            product = find_product(at.name, self.values)
            found = self.words.options(model, member, product)
            options = self.keep_chosen(found, at) if found is not None else ()
            kind = "choice" if found is not None and kind == "line" else kind
        return Node(kind, at.name, at.place, label, hint, shape.is_optional, options, nodes, rows)

    def list_rows(self, shape: Shape, at: Spot) -> tuple[Row, ...]:
        item = self.shapes.follow_reference(shape.schema["items"])
        return tuple(
            Row(number, self.list_members(item.schema, item.model, at.row(number, index)))
            for index, number in enumerate(list_rows(self.values, at.name))
        )

    def list_keys(self, model: str, member: str, at: Spot) -> Iterator[Node]:
        options = self.words.options(model, member, "")
        typed = list_keys(self.values, at.name)
        for key, label in add_chosen(self.words.keys(model, member), typed):
            own = at.into(key)
            yield Node(
                "line" if options is None else "choice",
                own.name,
                own.place,
                label,
                is_optional=True,
                options=self.keep_chosen(options, own) if options is not None else (),
            )

    def keep_chosen(self, options: Options, at: Spot) -> Options:
        return add_chosen(options, self.values.get(at.name, ()))
