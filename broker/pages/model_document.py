"""From what was typed to a document, and from a document to what would have been typed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from broker.pages.model_shapes import HOLDERS, Schema, Shape, Shapes, Spot
from broker.pages.model_values import (
    MOST_ROWS,
    SEPARATOR,
    Values,
    join_names,
    list_keys,
    list_rows,
    read_moment,
    read_value,
    spread_moment,
)

_LONGEST_NUMBER: Final = 9


class NotShownError(Exception):
    """A document that this form cannot show whole; `place` is where it differs from the model."""

    def __init__(self, place: str) -> None:
        """Keep the place."""
        self.place = place
        super().__init__(place)


def read_document(shapes: Shapes, values: Values) -> dict[str, Any]:
    """Return the document that was typed; what is empty is left out."""
    return _Reading(shapes, values).read_members(shapes.root, "")


def spread_document(shapes: Shapes, document: object) -> dict[str, tuple[str, ...]]:
    """Return the fields that show a document; raise NotShownError where a form cannot."""
    spreading = _Spreading(shapes)
    spreading.spread_members(shapes.root, Spot(), document)
    return spreading.values


@dataclass(frozen=True)
class _Reading:
    """From what was typed to a document."""

    shapes: Shapes
    values: Values

    def read_members(self, schema: Schema, prefix: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for member in schema["properties"]:
            shape = self.shapes.follow(schema, member)
            value = self.read(shape, join_names(prefix, member))
            is_needed = shape.kind in HOLDERS and not shape.is_optional
            if value not in ("", None) and (is_needed or value not in ({}, [])):
                found[member] = value
        return found

    def read(self, shape: Shape, name: str) -> Any:  # noqa: ANN401 - a document
        if shape.kind in HOLDERS:
            return self.read_holder(shape, name)
        typed = read_value(self.values, name)
        match shape.kind:
            case "ticks":
                return [value for value in self.values.get(name, ()) if value]
            case "moment":
                day, time = f"{name}{SEPARATOR}date", f"{name}{SEPARATOR}time"
                return read_moment(read_value(self.values, day), read_value(self.values, time))
            case "number" if _is_number(typed):
                return int(typed)
        return " ".join(typed.split("\n"))

    def read_holder(self, shape: Shape, name: str) -> Any:  # noqa: ANN401 - a document
        if shape.kind == "group":
            return self.read_members(shape.schema, name)
        if shape.kind == "map":
            keys = list_keys(self.values, name)
            return {key: read_value(self.values, join_names(name, key)) for key in keys}
        item = self.shapes.follow_reference(shape.schema["items"])
        numbers = list_rows(self.values, name)
        return [self.read_members(item.schema, join_names(name, number)) for number in numbers]


class _Spreading:
    """From a document to what would have been typed."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self.values: dict[str, tuple[str, ...]] = {}

    def spread_members(self, schema: Schema, at: Spot, document: object) -> None:
        if not isinstance(document, dict):
            raise NotShownError(at.place)
        for member, held in document.items():
            own = at.into(str(member))
            if member not in schema["properties"]:
                raise NotShownError(own.place)
            if held is not None:
                self._spread(self._shapes.follow(schema, member), own, held)

    def _spread(self, shape: Shape, at: Spot, held: object) -> None:
        match shape.kind:
            case "group":
                self.spread_members(shape.schema, at, held)
            case "list":
                self._spread_rows(shape, at, held)
            case "map":
                if not isinstance(held, dict):
                    raise NotShownError(at.place)
                for key, value in held.items():
                    own = at.into(str(key))
                    self.values[own.name] = (_text(value, own.place),)
            case "ticks":
                if not isinstance(held, list):
                    raise NotShownError(at.place)
                self.values[at.name] = tuple(_text(value, at.place) for value in held)
            case "moment":
                day, time = spread_moment(_text(held, at.place))
                self.values[f"{at.name}{SEPARATOR}date"] = (day,)
                self.values[f"{at.name}{SEPARATOR}time"] = (time,)
            case _:
                self.values[at.name] = (_text(held, at.place),)

    def _spread_rows(self, shape: Shape, at: Spot, held: object) -> None:
        if not isinstance(held, list) or len(held) > MOST_ROWS:
            raise NotShownError(at.place)
        item = self._shapes.follow_reference(shape.schema["items"])
        self.values[at.name] = tuple(str(number) for number in range(len(held)))
        for number, one in enumerate(held):
            self.spread_members(item.schema, at.row(str(number), number), one)


def _text(value: object, place: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise NotShownError(place)
    return str(value)


def _is_number(typed: str) -> bool:
    return typed.isascii() and typed.isdecimal() and len(typed) <= _LONGEST_NUMBER
