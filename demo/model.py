"""A case as it stands in its file: people, events, and each resident's log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from datwat.party.errors import PartyError
from datwat.party.faults import describe_first_fault, format_steps
from datwat.party.files import describe_obstacle
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
    """One of the seven cases."""

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


class CaseFileError(PartyError):
    """A file of the demo's cases is missing or wrong; says which, and where."""

    code = "demo_case_file"
    default_detail = "A case file cannot be used."


def load_cases(folder: Path = CASES) -> tuple[Case, ...]:
    """Return every case of a folder by number; raise CaseFileError naming file and place."""
    if not folder.is_dir():
        raise CaseFileError(f"{folder} is no folder: name one with case files (case1.yaml, …).")
    paths = sorted(folder.glob("case*.yaml"))
    if not paths:
        raise CaseFileError(f"{folder} holds no case files (case1.yaml, …): name another folder.")
    return tuple(sorted(map(_load_case, paths), key=lambda case: case.number))


def load_partners(path: Path = CASES.parent / "partners.yaml") -> tuple[PartnerDeclared, ...]:
    """Return the partners of the demo's covenant."""
    return tuple(PartnerDeclared.model_validate(one) for one in _read(path))


def _load_case(path: Path) -> Case:
    try:
        return Case.model_validate(_read(path))
    except ValidationError as error:
        sentence, steps = describe_first_fault(error)
        place = format_steps(steps) or "the whole file"
        raise CaseFileError(f"{path}, {place}: {sentence}") from None


def _read(path: Path) -> Any:  # noqa: ANN401 - YAML
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CaseFileError(describe_obstacle(error, path)) from None
    except UnicodeDecodeError:
        raise CaseFileError(f"{path} is not UTF-8: save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        place = f"line {line}, column {column}"
        raise CaseFileError(f"{path}, {place}: {error.problem}.") from None
    except yaml.YAMLError:
        raise CaseFileError(f"{path} is not YAML: correct it.") from None
