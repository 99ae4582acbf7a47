"""Mutants of Rego: each expression of each rule body taken out, each blade made always true."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLADES = ("purpose", "subsidiarity", "proportionality", "efficiency", "transparency")


@dataclass(frozen=True, slots=True)
class RegoMutant:
    """One module with one condition less."""

    path: str
    place: str
    source: str


def build_rego_mutants(opa: str, folder: Path) -> list[RegoMutant]:
    """Return the mutants of every module in `folder` that is no test."""
    mutants: list[RegoMutant] = []
    for path in sorted(folder.rglob("*.rego")):
        if not path.name.endswith("_test.rego"):
            source = path.read_text(encoding="utf-8")
            name = path.relative_to(folder).as_posix()
            mutants.extend(_without_conditions(opa, path, name, source))
            if path.stem in BLADES:
                always = re.sub(r"(?m)^(default \w+) := false$", r"\1 := true", source)
                mutants.append(RegoMutant(name, f"{name}: blade always true", always))
    return mutants


def _without_conditions(opa: str, path: Path, name: str, source: str) -> Iterator[RegoMutant]:
    command = [opa, "parse", "--format", "json", "--json-include", "locations", str(path)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    lines = source.split("\n")
    seen: set[tuple[int, int]] = set()
    for expression in _expressions(json.loads(done.stdout)["rules"]):
        where = expression["location"]
        text = base64.b64decode(where["text"]).decode("utf-8")
        at = (where["row"], where["col"])
        if at in seen or text == "true":
            continue
        seen.add(at)
        offset = sum(len(line) + 1 for line in lines[: at[0] - 1])
        column = len(lines[at[0] - 1].encode()[: at[1] - 1].decode())
        start = offset + column
        if source[start : start + len(text)] != text:
            raise ValueError(f"{name}:{at[0]}: the parser's text is not what stands there")
        mutated = f"{source[:start]}true{source[start + len(text) :]}"
        first_line = text.split("\n", maxsplit=1)[0]
        yield RegoMutant(name, f"{name}:{at[0]}: {first_line}", mutated)


def _expressions(node: object) -> Iterator[dict[str, Any]]:
    """Yield every expression of every body, those in comprehensions and in `every` too."""
    if isinstance(node, list):
        for item in node:
            yield from _expressions(item)
    elif isinstance(node, dict):
        if "index" in node and "terms" in node and "location" in node and not _is_true(node):
            yield node
        for member in node.values():
            yield from _expressions(member)


def _is_true(expression: dict[str, Any]) -> bool:
    """Return whether this is the body that the parser gives to a rule without one."""
    terms = expression["terms"]
    return isinstance(terms, dict) and terms.get("type") == "boolean"
