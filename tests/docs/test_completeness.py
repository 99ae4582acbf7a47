"""The threat table names real tests, and each attack that the tests know."""

from __future__ import annotations

import re
from pathlib import Path

from tests.protocol.completeness_attacks import ATTACKS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "explanation" / "completeness.md"
ROW = re.compile(r"^\| [^|]+ \| ([^|]+) \| `(\w+)` \|$", re.MULTILINE)


def read_rows() -> dict[str, str]:
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.split("\n## What this proves\n")[1].split("\n## ")[0]
    return {name: said for said, name in ROW.findall(section)}


def test_each_attack_is_in_the_table_with_its_outcome() -> None:
    rows = read_rows()
    for attack, code in ATTACKS.items():
        assert rows[attack.__name__] == f"`{code}`"


def test_every_other_row_names_a_test() -> None:
    attacks = {attack.__name__ for attack in ATTACKS}
    names = set(read_rows()) - attacks
    written = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    assert names
    assert {name for name in names if f"def {name}(" not in written} == set()
    section = DOCUMENT.read_text(encoding="utf-8")
    for name in re.findall(r"`(test_\w+)`", section):
        assert f"def {name}(" in written
