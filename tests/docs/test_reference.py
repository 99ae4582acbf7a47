"""The reference pages name every setting, with its default, and every command; and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from broker.settings import BrokerSettings
from connectors.portal.settings import PortalSettings
from connectors.settings import ConnectorSettings
from datwat.party.settings import PartySettings
from datwat.party.variables import OF_COMMANDS, OF_PARTIES
from keyholder.settings import KeyHolderSettings
from witness.settings import WitnessSettings

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "docs" / "reference" / "configuration.md"
SECTIONS: dict[str, type[PartySettings]] = {
    "Every party": PartySettings,
    "Broker": BrokerSettings,
    "Key holder": KeyHolderSettings,
    "Connector": ConnectorSettings,
    "Portal": PortalSettings,
    "Witness": WitnessSettings,
}
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def list_settings(kind: type[PartySettings]) -> dict[str, str]:
    """Return each setting that this party has of its own, with its default as it is written."""
    found = {}
    for name, field in kind.model_fields.items():
        if kind is not PartySettings and name in PartySettings.model_fields:
            continue
        if name == "home":
            found[name] = "(the `--home` option)"
        elif field.default is PydanticUndefined:
            found[name] = "(must be given)"
        else:
            found[name] = f"`{field.default}`" if field.default != "" else "empty"
    return found


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_described_with_its_default(section: str) -> None:
    text = CONFIGURATION.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    described = {name: default for name, default, _ in ROW.findall(text)}
    assert described == list_settings(SECTIONS[section])


def test_each_variable_is_known_to_every_party() -> None:
    own = set().union(*(kind.model_fields for kind in SECTIONS.values()))
    assert own - set(PartySettings.model_fields) == OF_PARTIES
    described = re.findall(r"^\| `DATWAT_(\w+)` \|", CONFIGURATION.read_text("utf-8"), re.MULTILINE)
    assert {name.lower() for name in described} == OF_COMMANDS


def test_the_list_of_commands_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "list_commands.py"), "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")], ids=lambda path: path.stem
)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
