"""What a run makes once and the next ones take over: in `build/bench`, by schema and size.

Rule: what is kept is whole or made anew, and is what the code of today would make: its name changes
with every file that says how it is made. What older code made is thrown away.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from broker.adapters import tables

_COMPLETE = "complete"
_NAME_LENGTH = 12


class Kept(NamedTuple):
    """A folder that is whole, and whether this call made it."""

    folder: Path
    is_new: bool


def keep(
    cache: Path, kind: str, count: int, sources: Sequence[Path], make: Callable[[Path], None]
) -> Kept:
    """Return the folder of `kind` and `count`, which `make` fills where there is none.

    `sources` are the files that say how it is made; the broker's migrations count always.
    """
    folder = cache / f"{kind}-{_derive_version(sources)}-{count}"
    if (folder / _COMPLETE).exists():
        return Kept(folder, is_new=False)
    for old in cache.glob(f"{kind}-*-{count}"):
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True)
    make(folder)
    (folder / _COMPLETE).touch()
    return Kept(folder, is_new=True)


def _derive_version(sources: Sequence[Path]) -> str:
    migrations = Path(tables.__file__).parent / "migrations" / "versions"
    files = (*sources, *sorted(migrations.glob("*.py")))
    content = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(content).hexdigest()[:_NAME_LENGTH]
