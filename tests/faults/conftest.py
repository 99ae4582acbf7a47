"""Two covenants of processes: one is sent nonsense and acts, the other one is broken and killed.

The tests of one covenant are one xdist group, so that it starts once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.client import requests as rq
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults.world import NOOR, PURPOSE, RIGHTS, Direct, FaultCovenant
from tests.parties import POLICIES, PartnerSpec

LATER = "coordinate_later"


def write_policies(folder: Path) -> Path:
    """Copy the policies and add a purpose that is not in force yet."""
    shutil.copytree(POLICIES, folder)
    text = (folder / "purposes" / f"{PURPOSE}.yaml").read_text(encoding="utf-8")
    text = text.replace(f"id: {PURPOSE}", f"id: {LATER}")
    text = text.replace('valid_from: "2026-01-01', 'valid_from: "2099-01-01')
    (folder / "purposes" / f"{LATER}.yaml").write_text(text, encoding="utf-8")
    return folder


def build_system(folder: Path, places: range) -> OwnSystem:
    system = OwnSystem(folder)
    for place in places:
        system.add(f"K-{place}", BSNS[place], f"Jansen{place}", "04-05-2012")
    return system


@pytest.fixture(scope="session")
def asked_system(tmp_path_factory: pytest.TempPathFactory) -> OwnSystem:
    return build_system(tmp_path_factory.mktemp("asked-own"), range(12))


@pytest.fixture(scope="session")
def asked(
    tmp_path_factory: pytest.TempPathFactory, asked_system: OwnSystem
) -> Iterator[FaultCovenant]:
    """Return a covenant that is asked, wrongly and rightly."""
    folder = tmp_path_factory.mktemp("asked")
    partners = (
        PartnerSpec("social-team", "care", RIGHTS, number=1),
        PartnerSpec("youth-help", "youth", RIGHTS[:1], asked_system.declaration, number=2),
        PartnerSpec("school", "education", RIGHTS, number=3),
        PartnerSpec("debt-counselling", "debt", RIGHTS, number=4),
    )
    covenant = FaultCovenant(folder, partners, policies=write_policies(folder / "policies"))
    covenant.key_holder.environment["DATWAT_QUOTA_INQUIRE"] = "400"
    covenant.broker.environment |= {"DATWAT_RATE_PER_SECOND": "20", "DATWAT_RATE_BURST": "200"}
    with covenant:
        sync(covenant)
        yield covenant


@pytest.fixture(scope="session")
def broken_system(tmp_path_factory: pytest.TempPathFactory) -> OwnSystem:
    return build_system(tmp_path_factory.mktemp("broken-own"), range(40))


@pytest.fixture(scope="session")
def broken(
    tmp_path_factory: pytest.TempPathFactory, broken_system: OwnSystem
) -> Iterator[FaultCovenant]:
    """Return a covenant whose parties and sources break."""
    partners = (
        PartnerSpec("social-team", "care", RIGHTS, number=1),
        PartnerSpec("youth-help", "youth", RIGHTS[:1], broken_system.declaration, number=2),
    )
    covenant = FaultCovenant(tmp_path_factory.mktemp("broken"), partners)
    covenant.broker.environment["DATWAT_OPA_DEADLINE_MS"] = "1500"
    with covenant:
        sync(covenant)
        yield covenant


def sync(covenant: FaultCovenant) -> None:
    with covenant.connect("youth-help") as source:
        state = source.sync(rq.Sync(professional=NOOR))
    assert (state.state, state.failures) == ("finished", {})


@pytest.fixture
def asked_team(asked: FaultCovenant) -> Iterator[Direct]:
    with Direct(asked, "social-team") as team:
        yield team


@pytest.fixture
def broken_team(broken: FaultCovenant) -> Iterator[Direct]:
    with Direct(broken, "social-team") as team:
        yield team
