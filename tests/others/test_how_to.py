"""The two how-tos, block by block, in a covenant that answers at the address that it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.docs.executed import ROOT, require_shown
from tests.others.test_tracing import PARENT
from tests.parties import Covenant, PartnerSpec, run_command

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("how-to-others")]
HOW_TO = ROOT / "docs" / "how-to"
RIGHTS = ("Wmo 2015 5.2.9;resident;register,inquire",)


@pytest.fixture(scope="module")
def covenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Covenant]:
    folder = tmp_path_factory.mktemp("how-to")
    environment = {"DATWAT_LDV_TARGET": f"file:{folder / 'ldv'}"}
    partners = (PartnerSpec("social-team", "care", RIGHTS),)
    with Covenant(folder, partners, broker_environment=environment) as made:
        yield made


@pytest.fixture(scope="module")
def places(covenant: Covenant) -> dict[str, str]:
    return {
        "BROKER": str(covenant.broker.home),
        "BROKER_URL": covenant.broker.url(),
        "PARTNER": covenant.partners["social-team"].id,
        "LOGS": str(covenant.folder),
        "PYTHONWARNINGS": "ignore",
    }


def test_a_decision_is_asked_as_the_page_shows(places: dict[str, str], tmp_path: Path) -> None:
    text = (HOW_TO / "authzen.md").read_text(encoding="utf-8")
    assert require_shown(text, tmp_path, places) >= 6


def test_records_and_traces_are_found_as_the_page_shows(
    covenant: Covenant, places: dict[str, str], tmp_path: Path
) -> None:
    trace = {"traceparent": PARENT}
    httpx.post(covenant.broker.url() + "/v1/inquiries", headers=trace, json={}, trust_env=False)
    text = (HOW_TO / "ldv.md").read_text(encoding="utf-8")
    assert require_shown(text, tmp_path, places) >= 3
    assert run_command("broker", "status", "--home", places["BROKER"])["ldv_on"]
