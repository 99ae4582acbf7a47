"""Cases: given this question, expect this verdict, these codes, these fields; read and compared.

Officers write cases as YAML beside the purposes (policies/cases): a complete base question, what
the case changes in it, and what must come out. Nothing here knows an engine: who weighs the
question (OPA in `datwat purpose check` and in the tests) hands its decision to `compare`.

The cases travel in the signed bundle, so that whoever puts it in force can try it first
(`bundled_cases.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from broker.purposes.acts import ACTS
from broker.purposes.catalogue import Catalogue
from broker.purposes.errors import PolicyFileError
from broker.purposes.models import AboutWhom, derive_digest
from datwat.party.strict_yaml import read_model, read_yaml
from datwat.protocol.messages import Notice, Rung
from datwat.protocol.values import Moment, PlainText, Slug, Value

_BASES = "bases.yaml"


class Expectation(Value):
    """What must come out. Members that a case leaves out are not compared, but for `unmet`.

    `unmet`: every code that is not satisfied; `weighed`: every code and whom it is about; `caps`:
    each row that is not none, as `function/kind` to `plain/shielded`.
    """

    permit: bool
    unmet: tuple[Slug, ...] = ()
    stated_permit: bool | None = None
    rung: Rung | None = None
    open_rung: Rung | None = None
    fields: tuple[str, ...] | None = None
    withheld: dict[str, Slug] | None = None
    notice: Notice | None = None
    audience: str | None = None
    remedies: tuple[Slug, ...] | None = None
    obligations: tuple[Slug, ...] | None = None
    caps: dict[str, str] | None = None
    asked: tuple[str, ...] | None = None
    asked_domains: tuple[Slug, ...] | None = None
    cannot_see: tuple[Slug, ...] | None = None
    basis: tuple[str, ...] | None = None
    params: dict[Slug, dict[str, Any]] | None = None
    weighed: dict[Slug, AboutWhom] | None = None
    expires_days: int | None = None
    retention_days: int | None = None


class CaseText(Value):
    """One case as it is written."""

    name: PlainText = Field(min_length=1)
    base: Slug
    given: dict[str, Any] = Field(default_factory=dict)
    expect: Expectation


class CaseFile(Value):
    """The cases of one purpose (or of acts without one); `common` is changed in all their bases."""

    purpose: Slug | None
    common: dict[str, Any] = Field(default_factory=dict)
    cases: tuple[CaseText, ...] = Field(min_length=1)


class Case(Value):
    """One case, ready: the complete question as JSON values, and what must come out.

    `written_for` and `written_from`: digest and beginning of the revision for which it was written.
    """

    file: str
    name: str
    purpose: Slug | None
    written_for: str | None = None
    written_from: Moment | None = None
    question: dict[str, Any]
    expect: Expectation


class Failure(Value):
    """A case that came out otherwise: which member, what was expected, what came."""

    case: str
    member: str
    expected: str
    actual: str


def load_cases(policies_dir: Path, catalogue: Catalogue) -> tuple[Case, ...]:
    """Return every case of a policies folder; raise PolicyFileError with file and place."""
    folder = policies_dir / "cases"
    bases = load_bases(policies_dir)
    found: list[Case] = []
    for path in sorted(folder.glob("*.yaml")):
        if path.name != _BASES:
            found.extend(_load_file(path, bases, catalogue))
    return tuple(found)


def load_bases(policies_dir: Path) -> dict[str, dict[str, Any]]:
    """Return the complete questions on which cases build, by name; raise PolicyFileError."""
    path = policies_dir / "cases" / _BASES
    return _resolve_bases(read_yaml(path, PolicyFileError), path)


def _resolve_bases(raw: object, path: Path) -> dict[str, dict[str, Any]]:
    if not isinstance(raw, dict):
        raise PolicyFileError(f"{path}: must be a mapping of bases.")
    resolved: dict[str, dict[str, Any]] = {}
    for name, body in raw.items():
        own = dict(body)
        parent = own.pop("extends", None)
        if parent is not None and parent not in resolved:
            raise PolicyFileError(f"{path}, {name}: extends a base that is not above it.")
        resolved[name] = merge(resolved.get(parent, {}), own)
    return resolved


def _load_file(path: Path, bases: dict[str, dict[str, Any]], catalogue: Catalogue) -> list[Case]:
    text: CaseFile = read_model(path, CaseFile, PolicyFileError)
    purpose = catalogue.find_newest(text.purpose) if text.purpose else None
    if text.purpose and purpose is None:
        raise PolicyFileError(f"{path}: there is no such purpose.", place="purpose")
    named: dict[str, Any] = (
        {"purpose": purpose.id, "purpose_digest": derive_digest(purpose)} if purpose else {}
    )
    cases: list[Case] = []
    for case in text.cases:
        if case.base not in bases:
            raise PolicyFileError(f"{path}, {case.name}: there is no such base.", place="base")
        question = merge(merge(merge(bases[case.base], named), text.common), case.given)
        if question.get("act") not in ACTS:
            raise PolicyFileError(f"{path}, {case.name}: there is no such act.", place="act")
        cases.append(
            Case(
                file=path.stem,
                name=case.name,
                purpose=text.purpose,
                written_for=named.get("purpose_digest"),
                written_from=purpose.valid_from if purpose else None,
                question=question,
                expect=case.expect,
            )
        )
    return cases


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes`: objects member by member, all else replaced."""
    merged = dict(base)
    for key, change in changes.items():
        held = merged.get(key)
        if isinstance(held, Mapping) and isinstance(change, Mapping):
            merged[key] = merge(held, change)
        else:
            merged[key] = change
    return merged


def compare(case: Case, decision: BaseModel | Mapping[str, Any]) -> tuple[Failure, ...]:
    """Return the differences between one case and its decision (a model or its JSON values)."""
    values: Mapping[str, Any] = (
        decision.model_dump(mode="json") if isinstance(decision, BaseModel) else decision
    )
    actual = summarise(values)
    expected = {"unmet": [], **case.expect.model_dump(mode="json", exclude_unset=True)}
    for member in ("unmet", "remedies", "obligations"):
        if member in expected:
            expected[member] = sorted(expected[member])
    return tuple(
        Failure(
            case=f"{case.file}: {case.name}",
            member=member,
            expected=repr(wanted),
            actual=repr(actual[member]),
        )
        for member, wanted in expected.items()
        if not _fits(member, wanted, actual[member])
    )


def _fits(member: str, wanted: Any, actual: Any) -> bool:  # noqa: ANN401 - JSON
    if member == "params":
        return all(actual.get(code) == params for code, params in wanted.items())
    return bool(wanted == actual)


def summarise(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return a decision in the terms of an expectation."""
    findings, scope = decision["findings"], decision["scope"]
    basis = decision["legal_basis"]
    plain = ("permit", "stated_permit", "rung", "open_rung", "notice", "audience")
    return {
        **{member: decision[member] for member in plain},
        "expires_days": decision["expires_days"],
        "retention_days": decision["retention_days"],
        "unmet": sorted(item["code"] for item in findings if not item["satisfied"]),
        "weighed": {item["code"]: item["about"] for item in findings},
        "params": {item["code"]: item["params"] for item in findings},
        "fields": list(decision["fields"]),
        "withheld": {item["field"]: item["code"] for item in decision["withheld"]},
        "remedies": sorted(decision["remedies"]),
        "obligations": sorted(item["code"] for item in decision["obligations"]),
        "caps": {
            f"{row['function']}/{row['kind']}": f"{row['plain']}/{row['shielded']}"
            for row in decision["caps"]
            if row["plain"] != "none"
        },
        "asked": list(scope["functions"]),
        "asked_domains": list(scope["domains"]),
        "cannot_see": list(scope["cannot_see"]),
        "basis": [basis["giver_article"], basis["taker_article"], basis["mode"]] if basis else [],
    }
