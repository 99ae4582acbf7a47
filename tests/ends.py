"""What docs/explanation/ends.md says of each party's tables."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "ends.md"
_ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def read_ends(party: str) -> dict[str, tuple[str, str]]:
    """Return the end of each table of a party, by its name in the heading, and what ends it."""
    text = _PAGE.read_text(encoding="utf-8")
    section = text.split(f"## Every table of {party}\n")[1].split("\n## ")[0]
    return {name: (end, ended_by) for name, _, end, ended_by in _ROW.findall(section)}
