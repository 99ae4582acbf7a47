"""The gallery of screens: every picture is taken by the script, shown once, and lies there."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.screenshots import PICTURES, SHOTS

GALLERY = Path(__file__).parents[2] / "docs" / "reference" / "screens.md"


def test_every_picture_is_taken_by_the_script_and_stands_in_the_gallery() -> None:
    taken = {shot.name for shot in SHOTS}
    shown = re.findall(r"\]\(\.\./pictures/([a-z-]+)\.png\)", GALLERY.read_text("utf-8"))
    assert {path.stem for path in PICTURES.glob("*.png")} == taken
    assert sorted(shown) == sorted(taken)
