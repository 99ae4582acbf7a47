"""The shapes of a model's members, from its JSON schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from broker.pages.model_values import join_names

Kind = Literal["line", "area", "choice", "moment", "number", "ticks", "group", "list", "map"]
# Shapes that hold others.
HOLDERS: Final = ("group", "list", "map")
_LONG_TEXT: Final = 500
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """A member's schema with its references followed; `model` is the name of an object's model."""

    schema: Schema
    model: str
    is_optional: bool

    @property
    def kind(self) -> Kind:
        """How it is typed."""
        held = self.schema
        if held.get("type") == "array":
            return "list" if "$ref" in held["items"] else "ticks"
        if held.get("type") == "object":
            return "group" if "properties" in held else "map"
        if held.get("type") == "integer":
            return "number"
        if "enum" in held or held.get("format") == "date-time":
            return "choice" if "enum" in held else "moment"
        return "area" if held.get("maxLength", 0) >= _LONG_TEXT else "line"


@dataclass(frozen=True)
class Spot:
    """Where a member is: its name in the form, and its path in the document."""

    name: str = ""
    place: str = ""

    def into(self, member: str) -> Spot:
        """Return where a member of this one is."""
        return Spot(join_names(self.name, member), join_steps(self.place, member))

    def row(self, number: str, at: int) -> Spot:
        """Return where a row is: by its number in the form, by its order in the document."""
        return Spot(join_names(self.name, number), join_steps(self.place, str(at)))


class Shapes:
    """The schema of a whole document, with its references."""

    def __init__(self, root: Schema) -> None:
        """Keep the schema."""
        self.root = root
        self.model = str(root["title"])

    def follow(self, schema: Schema, member: str) -> Shape:
        """Return the shape of a member of an object."""
        found = self.follow_reference(schema["properties"][member])
        is_optional = found.is_optional or member not in schema.get("required", ())
        return Shape(found.schema, found.model, is_optional)

    def follow_reference(self, schema: Schema) -> Shape:
        """Return what a schema refers to, or is itself; one that may be null is optional."""
        for choice in schema.get("anyOf", ()):
            if choice.get("type") != "null":
                found = self.follow_reference(choice)
                return Shape(found.schema, found.model, is_optional=True)
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            return Shape(self.root["$defs"][name], name, is_optional=False)
        return Shape(schema, "", is_optional=False)


def join_steps(place: str, member: str) -> str:
    """Return the path of a member of what stands at `place`."""
    return f"{place}.{member}" if place else member
