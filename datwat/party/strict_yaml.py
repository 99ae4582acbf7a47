"""YAML that people write for a party, read in one way only.

The safe loader without surprises: a key named twice and an alias are refused (an alias lets a small
file unfold into a large one); dates stay text, `01` and `1.5` stay text (a code, not a number), and
only `true` and `false` are booleans. Errors name file and place, and repeat no more than a key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import TypeAdapter, ValidationError

from datwat.party.faults import describe_first_fault, format_steps
from datwat.party.files import describe_obstacle
from datwat.protocol.errors import DatwatError

MAX_BYTES = 262_144
_SCALARS = (
    ("tag:yaml.org,2002:bool", r"^(true|false)$", "tf"),
    ("tag:yaml.org,2002:int", r"^(0|-?[1-9][0-9]{0,14})$", "-0123456789"),
    ("tag:yaml.org,2002:null", r"^(~|null|)$", "~n\0"),
)
# PyYAML's own words can repeat what stands there.
_ALIAS = "an alias is not accepted: write it out"
_TWICE = "a key stands there twice: take one out"
_OTHER = "this is not YAML: check quotes, colons and indentation, here and in the line before"
_CONTROL = "a sign stands there that no text may hold: take it out"


class _StrictLoader(yaml.SafeLoader):
    """The safe loader with its own scalars, no key twice and no alias."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own form

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node; raise on an alias."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, _ALIAS, mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Return the mapping; raise on a key that stands there twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                problem = _TWICE
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in _SCALARS:
    _StrictLoader.add_implicit_resolver(
        _tag, re.compile(_pattern), [letter if letter != "\0" else "" for letter in _first]
    )


class _PlainDumper(yaml.SafeDumper):
    """The safe dumper, which writes everything out: an alias would be refused."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Never write an alias."""
        return True


class YamlPlace(NamedTuple):
    """Where something stands in a text: line and column, both from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        """Return the place as people read it."""
        return f"line {self.line}, column {self.column}"


def read_yaml(path: Path, refused: type[DatwatError]) -> Any:  # noqa: ANN401 - YAML
    """Return what the file says; raise `refused` with file, line and column where it is not YAML.

    Not strict YAML, that is: as the module says.
    """
    name = _name(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise refused(describe_obstacle(error, Path(name))) from None
    if len(data) > MAX_BYTES:
        raise refused(f"{name}: is larger than {MAX_BYTES} bytes.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise refused(f"{name}: is not UTF-8.") from None
    return read_yaml_text(text, name, refused)


def read_yaml_text(text: str, name: str, refused: type[DatwatError]) -> Any:  # noqa: ANN401 - YAML
    """Return what a text says; `name` is what its reader knows it by. Raises as `read_yaml`."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise refused(f"{name}: is larger than {MAX_BYTES} bytes.")
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - made stricter
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = YamlPlace(mark.line + 1, mark.column + 1) if mark else YamlPlace(1, 1)
        problem = error.problem if error.problem in (_ALIAS, _TWICE) else _OTHER
        raise refused(f"{name}, {place}: {problem}.", place=str(place)) from None
    except yaml.reader.ReaderError as error:
        read = text[: error.position]
        place = YamlPlace(read.count("\n") + 1, len(read) - read.rfind("\n"))
        raise refused(f"{name}, {place}: {_CONTROL}.", place=str(place)) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise refused(f"{name}: is not YAML.") from None


def write_yaml(value: Any) -> str:  # noqa: ANN401 - JSON values
    """Return JSON values as YAML that `read_yaml_text` reads back as the same; members in order."""
    written: str = yaml.dump(
        value, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100
    )
    return written


def find_place(text: str, steps: Sequence[int | str]) -> YamlPlace | None:
    """Return where the value at `steps` (Pydantic's) stands in a YAML text that could be read.

    A member that is not there gives the place of what should hold it; None where there is no YAML.
    """
    return find_places(text, (steps,))[0]


def find_places(text: str, paths: Sequence[Sequence[int | str]]) -> list[YamlPlace | None]:
    """Return the same for each of `paths`; the text is read once, which takes longest."""
    try:
        root = yaml.compose(text, Loader=_StrictLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        root = None
    return [None if root is None else _find_place(root, steps) for steps in paths]


def _find_place(node: yaml.Node, steps: Sequence[int | str]) -> YamlPlace:
    mark = node.start_mark
    for step in steps:
        found = _find_step(node, step)
        if found is None:
            break
        mark, node = found
    return YamlPlace(mark.line + 1, mark.column + 1)


def _find_step(node: yaml.Node, step: int | str) -> tuple[yaml.Mark, yaml.Node] | None:
    """Return where a member stands (a mapping's: its key), and its value."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark, node.value[step]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark, value
    return None


def validate_yaml(raw: Any, kind: Any, path: Path, refused: type[DatwatError]) -> Any:  # noqa: ANN401 - the caller names the type
    """Return `raw`, which came from `path`, as `kind`, strictly; raise `refused` with the place."""
    name = _name(path)
    try:
        text = json.dumps(raw, allow_nan=False)
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        sentence, steps = describe_first_fault(error)
        place = format_steps(steps) or "the whole file"
        raise refused(f"{name}, {place}: {sentence}", place=place) from None
    except (TypeError, ValueError):
        raise refused(f"{name}: only text, numbers, lists and mappings.") from None


def read_model(path: Path, kind: Any, refused: type[DatwatError]) -> Any:  # noqa: ANN401 - as above
    """Return the file as `kind`, strictly; raise `refused` naming file and place."""
    return validate_yaml(read_yaml(path, refused), kind, path, refused)


def _name(path: Path) -> str:
    """Return folder and file, and nothing of where on this machine they lie."""
    return f"{path.parent.name}/{path.name}"
