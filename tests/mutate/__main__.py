"""`python -m tests.mutate [--only TEXT]`: which mutant of the policies goes unnoticed?

Each mutant is weighed on the cases (those of its own purpose or act, many in one query); a Rego
mutant that no case notices is put before the Rego tests. Exit 1 when one goes unnoticed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from broker.policy.decision import entry_point_of
from broker.purposes.cases import Case, compare, load_cases
from broker.purposes.catalogue import Catalogue, load_catalogue
from tests.mutate.data import DataMutant, build_data_mutants, find_data
from tests.mutate.engine import DoesNotCompileError, Engine
from tests.mutate.rego import RegoMutant, build_rego_mutants

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policies"
WORKERS = 2
CHUNK = 60
Mutant = RegoMutant | DataMutant


class Checker:
    """Weighs mutants one after the other on one engine."""

    def __init__(self, engine: Engine, catalogue: Catalogue, cases: Sequence[Case]) -> None:
        self.engine = engine
        self.raw = catalogue.model_dump_json().encode()
        self.data = catalogue.to_data()
        self.cases = cases
        engine.put_data(
            "cases",
            [
                {"entry_point": entry_point_of(case.question["act"]), "question": case.question}
                for case in cases
            ],
        )
        engine.put_data("datwat/catalogue", self.data)

    def notices(self, mutant: Mutant) -> bool:
        """Return whether a case (or a Rego test) comes out otherwise under the mutant."""
        if isinstance(mutant, DataMutant):
            return self._notices_data(mutant)
        try:
            self.engine.put_module(mutant.path, mutant.source)
        except DoesNotCompileError:
            return True
        try:
            if self.some_case_fails(range(len(self.cases))):
                return True
        finally:
            self.engine.restore(mutant.path)
        return _some_rego_test_fails(mutant)

    def _notices_data(self, mutant: DataMutant) -> bool:
        changed = find_data(self.raw, self.data, mutant)
        if changed is None:
            return True
        parts = [part for part in changed if changed[part] != self.data[part]]
        if not parts:
            return False
        for part in parts:
            self.engine.put_data(f"datwat/catalogue/{part}", changed[part])
        try:
            return self.some_case_fails(self._that_may_notice(mutant))
        finally:
            for part in parts:
                self.engine.put_data(f"datwat/catalogue/{part}", self.data[part])

    def _that_may_notice(self, mutant: DataMutant) -> list[int]:
        """Return the cases of the mutant's purpose; all of them where it belongs to none."""
        return [
            i
            for i, case in enumerate(self.cases)
            if mutant.purpose is None or case.purpose == mutant.purpose
        ]

    def some_case_fails(self, indexes: Sequence[int]) -> bool:
        """Weigh the cases in chunks; stop at the first chunk in which one comes out otherwise."""
        for start in range(0, len(indexes), CHUNK):
            chunk = indexes[start : start + CHUNK]
            decisions = self.engine.weigh(chunk)
            if any(comes_out_otherwise(self.cases[i], decisions.get(i)) for i in chunk):
                return True
        return False


def comes_out_otherwise(case: Case, decision: Any) -> bool:  # noqa: ANN401 - JSON
    """Return whether a case is decided otherwise, not at all, or in no decision's shape."""
    try:
        return decision is None or bool(compare(case, decision))
    except (KeyError, TypeError):
        return True


def _some_rego_test_fails(mutant: RegoMutant) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "datwat"
        shutil.copytree(POLICIES / "datwat", copy)
        (copy / mutant.path).write_text(mutant.source, encoding="utf-8")
        done = subprocess.run(
            [find_opa(), "test", str(copy)], capture_output=True, timeout=60, check=False
        )
        return done.returncode != 0


def find_opa() -> str:
    """Return the OPA of the project, or the one on the PATH."""
    own = ROOT / ".tools" / "opa"
    return str(own) if own.exists() else shutil.which("opa") or "opa"


def check(mutants: Sequence[Mutant], catalogue: Catalogue, cases: Sequence[Case]) -> list[str]:
    """Return the mutants that nothing notices; exit where the cases fail without any mutant."""
    with Engine(find_opa(), POLICIES / "datwat") as engine:
        checker = Checker(engine, catalogue, cases)
        if checker.some_case_fails(range(len(cases))):
            raise SystemExit(
                "error: the cases fail before anything is mutated: datwat purpose check"
            )
        return [mutant.place for mutant in mutants if not checker.notices(mutant)]


def main() -> int:
    """Run the check and print what goes unnoticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutate", description=__doc__)
    parser.add_argument("--only", default="", help="only mutants whose place holds this text")
    wanted = parser.parse_args().only
    started = time.monotonic()
    catalogue = load_catalogue(POLICIES)
    # The broadest cases first: they notice most.
    cases = sorted(
        load_cases(POLICIES, catalogue),
        key=lambda case: case.expect.caps is None and case.expect.weighed is None,
    )
    every: list[Mutant] = [
        *build_rego_mutants(find_opa(), POLICIES / "datwat"),
        *build_data_mutants(catalogue),
    ]
    mutants = [mutant for mutant in every if wanted in mutant.place]
    with ThreadPoolExecutor(WORKERS) as pool:
        parts = [mutants[i::WORKERS] for i in range(WORKERS)]
        runs = [pool.submit(check, part, catalogue, cases) for part in parts]
        unnoticed = sorted(place for run in runs for place in run.result())
    for place in unnoticed:
        sys.stdout.write(f"unnoticed: {place}\n")
    sys.stdout.write(
        f"{len(mutants)} mutants, {len(cases)} cases, {len(unnoticed)} unnoticed, "
        f"{time.monotonic() - started:.0f} s\n"
    )
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
