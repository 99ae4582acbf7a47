"""YAML that people write for a party, read in one way only.

The safe loader without surprises: a key named twice and an alias are refused (an alias lets a small
file unfold into a large one); dates stay text, `01` and `1.5` stay text (a code, not a number), and
only `true` and `false` are booleans. Errors name file and place, and repeat no more than a key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

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


def read_yaml(path: Path, refused: type[DatwatError]) -> Any:  # noqa: ANN401 - YAML
    """Return what the file says; raise `refused` with file and line where it is not strict YAML."""
    name = _name(path)
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise refused(f"{name}: is larger than {MAX_BYTES} bytes.")
        return yaml.load(data.decode("utf-8"), Loader=_StrictLoader)  # noqa: S506 - made stricter
    except OSError as error:
        raise refused(describe_obstacle(error, Path(name))) from None
    except UnicodeDecodeError:
        raise refused(f"{name}: is not UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = error.problem if error.problem in (_ALIAS, _TWICE) else _OTHER
        raise refused(f"{name}, line {line}: {problem}.", place=f"line {line}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise refused(f"{name}: is not YAML.") from None


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
