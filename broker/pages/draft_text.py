"""A draft between its two faces: fields of a form, and YAML. Pure.

Rule: both say the same; what the form cannot show whole is shown as YAML, with the place, and
nothing that was typed is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from broker.pages.model_document import NotShownError, read_document, spread_document
from broker.pages.model_form import Node
from broker.pages.model_shapes import Shapes
from broker.pages.model_values import Options, Values
from broker.purposes.models import Purpose
from datwat.party.strict_yaml import read_yaml_text, write_yaml
from datwat.protocol.errors import DatwatError

SHAPES: Final = Shapes(Purpose.model_json_schema())
VIEW: Final = "view"
TEXT: Final = "text"
_NOT_YAML: Final = "the text"


class _UnreadableError(DatwatError):
    """The text is not YAML."""

    code = "draft_invalid"


@dataclass(frozen=True)
class Face:
    """A draft as the editor shows it; `unshown` is the place that the form cannot show."""

    values: dict[str, tuple[str, ...]]
    is_yaml: bool
    unshown: str = ""


def build_face(text: str, *, as_yaml: bool = False) -> Face:
    """Return a text as the form shows it, or as YAML where that was asked or must be."""
    plain: dict[str, tuple[str, ...]] = {VIEW: ("yaml",), TEXT: (text,)}
    if as_yaml:
        return Face(plain, is_yaml=True)
    try:
        document = read_yaml_text(text, "draft", _UnreadableError)
    except _UnreadableError:
        return Face(plain, is_yaml=True, unshown=_NOT_YAML)
    try:
        return Face({VIEW: ("form",), **spread_document(SHAPES, document or {})}, is_yaml=False)
    except NotShownError as error:
        return Face(plain, is_yaml=True, unshown=error.place or _NOT_YAML)


def read_text(values: Values) -> str:
    """Return the YAML of what was typed, in whichever face."""
    if next(iter(values.get(VIEW, ())), "form") == "yaml":
        return next(iter(values.get(TEXT, ())), "")
    return write_yaml(read_document(SHAPES, values))


def find_labels(nodes: Iterable[Node], member: str) -> tuple[str, ...]:
    """Return the words on the way to the field in which a member stands, outermost first."""
    for node in nodes:
        if member == node.place or member.startswith(f"{node.place}."):
            inner = (*node.nodes, *(one for row in node.rows for one in row.nodes))
            return (node.label, *find_labels(inner, member))
    return ()


def find_options(nodes: Iterable[Node], member: str) -> Options:
    """Return what may be chosen in the field in which a member stands, or nothing."""
    for node in nodes:
        if member == node.place or member.startswith(f"{node.place}."):
            inner = (*node.nodes, *(one for row in node.rows for one in row.nodes))
            return find_options(inner, member) or node.options
    return ()


def find_name(nodes: Iterable[Node], member: str) -> str:
    """Return the name of the field in which a member stands, or of the narrowest around it."""
    found = ""
    for node in nodes:
        if member == node.place or member.startswith(f"{node.place}."):
            inner = (*node.nodes, *(one for row in node.rows for one in row.nodes))
            found = find_name(inner, member) or node.name
    return found
