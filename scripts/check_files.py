"""Fails when a file of the project names a package registry's host or a path of this machine.

Both tie the project to one place: locks and configuration must work behind any mirror, in any
folder. Reads what git tracks or would track. Run by `make lint`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# The patterns do not match their own text: this file is checked like any other.
HOSTS = (
    r"(?:pypi|pythonhosted)\.org",
    r"registry\.(?:npmjs|yarnpkg)\.\w+",
    r"(?:proxy|sum)\.golang\.org",
    r"(?:deb|security)\.debian\.org",
    r"(?:static|index)\.crates\.io",
)
SETTINGS = (
    r"(?:index-url|find-links|registry)[ =:]+.?https?://",
    r'"resolved": *"http',
)
PATHS = (
    r"/(?:home|Users)/\w[^\s/]*/",
    r"/root/\w",
)
PATTERN = re.compile("|".join((*HOSTS, *SETTINGS, *PATHS)))


def list_files() -> list[Path]:
    """Return every file that is tracked, or would be with the next `git add`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def find_problems(path: Path) -> list[str]:
    """Return one line for each line of the file that names a host or a machine path."""
    here = str(ROOT)
    lines = path.read_text("utf-8", errors="replace").splitlines()
    found = (
        number for number, line in enumerate(lines, start=1) if PATTERN.search(line) or here in line
    )
    return [f"{path.relative_to(ROOT)}:{number}" for number in found]


def main() -> int:
    """Print every place and return 1 when there is one."""
    problems = [problem for path in list_files() for problem in find_problems(path)]
    for problem in problems:
        print(f"{problem}: names a package registry's host or a path of one machine")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
