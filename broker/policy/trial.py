"""Trying a draft: what a trial weighs, the port to the engine that weighs it, and cases tried.

Rules enforced: nothing is tried on the engine that answers partners; what is tried is an archive of
its own, the bundle in force with the draft put in, so that a draft is seen by the same Rego as
everything else. A decision that does not come is a decision: denied (promise 2). Source: house
reference "policies", authoring, steps 4-6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from broker.policy.bundle import pack_archive, sign_archive
from broker.purposes.cases import Case, Failure, compare, summarise
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import BladeName, Purpose, derive_digest
from datwat.protocol.bundle import (
    CATALOGUE_PATH,
    MANIFEST_PATH,
    Bundle,
    derive_revision,
    open_bundle,
    read_archive,
)
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.keys import SigningKey
from datwat.protocol.messages import BLADES
from datwat.protocol.values import Slug, Value

HARNESS_PATH = "datwat/trial/harness.rego"
# What the trial's engine may be asked, as paths below `data`.
ENTRIES = (("datwat", "trial", "results"), ("datwat", "trial", "changed"))
_ENTRY_POINTS = ("register", "occasion", "ask", "introduce")
# One rule per entry point: `data.datwat[entry]` would be a rule that rests on itself.
_RESULTS = """
results[i] := decision if {{
	some i, item in input.items
	item.entry == "{entry}"
	decision := data.datwat.{entry}.decision with input as item.question
}}

changed[i] := decision if {{
	some i, item in input.items
	item.entry == "{entry}"
	decision := data.datwat.{entry}.decision
		with input as item.question
		with data.datwat.catalogue as patched
}}
"""
_HEAD = """package datwat.trial

import rego.v1

others := object.remove(data.datwat.catalogue.purposes, [input.purpose.id])

patched := object.union(
	object.remove(data.datwat.catalogue, ["purposes"]),
	{"purposes": object.union(others, {input.purpose.id: input.purpose})},
)
"""
_HARNESS = _HEAD + "".join(_RESULTS.format(entry=entry) for entry in _ENTRY_POINTS)


class TrialEngine(Protocol):
    """Weighs many questions at once, on an engine that answers nobody else."""

    async def weigh(
        self, questions: Sequence[Mapping[str, Any]], purpose: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any] | None]:
        """Return the decision on each question in order, None where none came.

        `purpose`: data of one purpose that stands in the place of its own, for these questions.
        """


class BladeResult(Value):
    """One blade of one case: the codes that must not be satisfied beside those that were not."""

    blade: BladeName
    expected: tuple[Slug, ...]
    found: tuple[Slug, ...]
    differs: bool


class MemberResult(Value):
    """One member of an expectation, found beside expected, as people read it."""

    member: str
    expected: str
    found: str


class CaseResult(Value):
    """One case as it came out. `members` holds what came out otherwise; none where it passed."""

    file: str
    name: str
    purpose: Slug | None
    passed: bool
    blades: tuple[BladeResult, ...]
    members: tuple[MemberResult, ...]


class CasesResult(Value):
    """The cases of a draft, tried. `digest`: that of the draft; `total` counts `cases`."""

    purpose: Slug | None
    digest: str | None
    total: int
    failed: int
    cases: tuple[CaseResult, ...]


def apply_draft(catalogue: Catalogue, draft: Purpose, now: datetime) -> Catalogue:
    """Return the catalogue with `draft` as the newest revision of its purpose, checked as a whole.

    A revision that begins when the draft does, or later, gives way: a trial is no publication.
    Raises PolicyFileError with the place.
    """
    for held in catalogue.purposes.get(draft.id, ()):
        if held.valid_from >= draft.valid_from:
            catalogue = catalogue.without_revision(draft.id, derive_digest(held))
    return catalogue.with_revision(draft, now=now)


def build_trial_archive(archive: bytes, catalogue: Mapping[str, Any]) -> bytes:
    """Return `archive` with other catalogue data and the harness that weighs many at once."""
    files = read_archive(archive)
    files[CATALOGUE_PATH] = encode_canonical(catalogue)
    files[HARNESS_PATH] = _HARNESS.encode()
    manifest = {"revision": derive_revision(files), "roots": ["datwat"], "rego_version": 1}
    files[MANIFEST_PATH] = encode_canonical(manifest)
    return pack_archive(files)


def open_trial_bundle(archive: bytes) -> Bundle:
    """Return the archive as a bundle, signed with a key that lives no longer than this call."""
    key = SigningKey.generate()
    document = sign_archive(archive, [key], seq=1).to_bytes()
    return open_bundle(archive, document, [key.public], 1)


async def try_cases(
    engine: TrialEngine, cases: Sequence[Case], codes: Mapping[str, BladeName]
) -> tuple[CaseResult, ...]:
    """Return how each case comes out; `codes` tells the blade of each code."""
    decisions = await engine.weigh([case.question for case in cases])
    return tuple(
        build_case_result(case, decision, codes)
        for case, decision in zip(cases, decisions, strict=True)
    )


def build_case_result(
    case: Case, decision: Mapping[str, Any] | None, codes: Mapping[str, BladeName]
) -> CaseResult:
    """Return one case beside its decision, blade by blade."""
    failures = find_failures(case, decision)
    found = summarise(decision)["unmet"] if decision is not None else []
    return CaseResult(
        file=case.file,
        name=case.name,
        purpose=case.purpose,
        passed=not failures,
        blades=tuple(_build_blade(blade, case.expect.unmet, found, codes) for blade in BLADES),
        members=tuple(
            MemberResult(member=one.member, expected=one.expected, found=one.actual)
            for one in failures
        ),
    )


def find_failures(case: Case, decision: Mapping[str, Any] | None) -> tuple[Failure, ...]:
    """Return what came out otherwise; a decision that did not come, or is none, is one thing."""
    if decision is not None:
        try:
            return compare(case, decision)
        except (KeyError, TypeError):
            pass
    name = f"{case.file}: {case.name}"
    return (Failure(case=name, member="decision", expected="a decision", actual="none"),)


def read_codes(catalogue: Catalogue) -> dict[str, BladeName]:
    """Return the blade of each code."""
    return {name: code.blade for name, code in catalogue.codes.items()}


def _build_blade(
    blade: BladeName,
    expected: Sequence[str],
    found: Sequence[str],
    codes: Mapping[str, BladeName],
) -> BladeResult:
    wanted = tuple(sorted(code for code in expected if codes.get(code) == blade))
    came = tuple(sorted(code for code in found if codes.get(code) == blade))
    return BladeResult(blade=blade, expected=wanted, found=came, differs=wanted != came)
