"""A case as it stands in its file: people, events, and each resident's log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from demo.events import AnyEvent
from demo.parts import Part, Someone, Worker

CASES = Path(__file__).parent / "cases"


class Line(Part):
    """One card of a resident's log; what is None is not looked at. `by` is a function."""

    event: str
    by: str
    permitted: bool
    pointers: tuple[str, ...] | None = None
    given: tuple[str, ...] | None = None
    withheld: tuple[str, ...] | None = None
    unmet: tuple[str, ...] = ()
    later: bool = False


class LogExpected(Part):
    """A whole log, oldest first, as seen by the person or by who represents them (`through`).

    `never` are words that must not occur anywhere in it, proofs included.
    """

    who: str
    through: str | None = None
    never: tuple[str, ...] = ()
    lines: tuple[Line, ...]


class Case(Part):
    """One of the six cases."""

    number: int
    title: str
    story: str
    lesson: str
    people: dict[str, Someone]
    professionals: dict[str, Worker]
    motivation: dict[str, str] = Field(default_factory=dict)
    events: tuple[AnyEvent, ...]
    logs: tuple[LogExpected, ...]


class PartnerDeclared(Part):
    """A partner of the covenant; `system` names the declaration of its own system."""

    function: str
    name: str
    domain: str
    contact: str
    profile: str
    rights: tuple[str, ...] = ()
    system: str | None = None


def load_cases(folder: Path = CASES) -> tuple[Case, ...]:
    """Return every case of a folder by number; raise ValidationError with the place of a fault."""
    cases = [Case.model_validate(_read(path)) for path in sorted(folder.glob("case*.yaml"))]
    return tuple(sorted(cases, key=lambda case: case.number))


def load_partners(path: Path = CASES.parent / "partners.yaml") -> tuple[PartnerDeclared, ...]:
    """Return the partners of the demo's covenant."""
    return tuple(PartnerDeclared.model_validate(one) for one in _read(path))


def _read(path: Path) -> Any:  # noqa: ANN401 - YAML
    return yaml.safe_load(path.read_text(encoding="utf-8"))
