"""What the scripts that write a page of docs/reference have in common.

`--check` writes nothing and fails where the page is not current (a test runs it).
"""

from __future__ import annotations

import sys
from pathlib import Path

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"


def write_page(name: str, text: str) -> int:
    """Write a page, or with `--check` tell whether it is current; return the exit code."""
    page = REFERENCE / name
    if "--check" not in sys.argv[1:]:
        page.write_text(text, encoding="utf-8")
        return 0
    if page.is_file() and page.read_text(encoding="utf-8") == text:
        return 0
    print(f"error: docs/reference/{name} is not current: run scripts/{Path(sys.argv[0]).name}")
    return 1
