"""Copies what the pages use of the npm packages into `datwat/web/parts/`, and notes whose it is.

Only the files that a browser is sent, and the icons that `datwat/web/icons.txt` names: a package of
the project then needs no Node and no `node_modules`. Run by `scripts/setup.sh web`.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = ROOT / "node_modules"
PARTS = ROOT / "datwat" / "web" / "parts"
ICONS = ROOT / "datwat" / "web" / "icons.txt"

_FONT = "@fontsource-variable/source-sans-3"
_UTRECHT = "@utrecht/component-library-css"
_TOKENS = "@nl-design-system-unstable/voorbeeld-design-tokens"
FILES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "utrecht.css": f"{_UTRECHT}/dist/html.css",
    "tokens.css": f"{_TOKENS}/dist/theme.css",
    "font-latin.woff2": f"{_FONT}/files/source-sans-3-latin-wght-normal.woff2",
    "font-latin-ext.woff2": f"{_FONT}/files/source-sans-3-latin-ext-wght-normal.woff2",
}
PACKAGES = ("htmx.org", _UTRECHT, _TOKENS, _FONT, "@tabler/icons")
# The invisible square that every icon of the set begins with.
_FRAME = re.compile(r'<path stroke="none"[^>]*/>')


def read_icon(name: str) -> str:
    """Return what stands inside the `<svg>` of one icon, on one line."""
    text = (MODULES / "@tabler/icons/icons/outline" / f"{name}.svg").read_text("utf-8")
    inner = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    return " ".join(_FRAME.sub("", inner).split())


def describe_package(name: str) -> dict[str, str]:
    """Return name, version and licence of a package, as it states them."""
    stated = json.loads((MODULES / name / "package.json").read_text("utf-8"))
    return {"name": name, "version": stated["version"], "license": stated["license"]}


def main() -> int:
    """Make the folder anew, whole or not at all."""
    new = PARTS.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for name, source in FILES.items():
        shutil.copyfile(MODULES / source, new / name)
    lines = ICONS.read_text("utf-8").splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    icons = {name: read_icon(name) for name in sorted(names)}
    (new / "icons.json").write_text(json.dumps(icons, indent=0) + "\n", "utf-8")
    stated = [describe_package(name) for name in PACKAGES]
    (new / "packages.json").write_text(json.dumps(stated, indent=1) + "\n", "utf-8")
    shutil.rmtree(PARTS, ignore_errors=True)
    new.rename(PARTS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
