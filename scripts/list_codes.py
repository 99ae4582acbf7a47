"""Writes docs/reference/codes.md: every problem code with its status, its title and its sentence.

The code base is the source: all modules are imported, every subclass of DatwatError tells its code
and sentence, the parties' rows tell status and title.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator

from generated import write_page  # type: ignore[import-not-found] # beside this script

import broker
import connectors
import datwat
import keyholder
import witness
from datwat.party.problems import list_rows
from datwat.protocol.errors import DatwatError

PACKAGES = (datwat, keyholder, broker, connectors, witness)
_ROOMS = {
    "datwat.protocol": "protocol",
    "datwat.web": "every page",
    "datwat": "every party",
    "keyholder": "key holder",
    "broker": "broker",
    "connectors.portal": "portal",
    "connectors": "connector",
    "witness": "witness",
}
_HEAD = """# Problem codes

Written by `scripts/list_codes.py`: change the error or its row, then run it.

A refusal is `application/problem+json` with one of these codes (`protocol.md`, section 1). The
sentence is the one that is told where nothing more exact is known; of a fault of the party itself
(500) nothing is told. *Where* is the room of the code that refuses. The codes of findings, which
explain a decision, are those of `policies/codes.yaml`, with a text each in `policies/texts/`.

| code | status | title | sentence | where |
|---|---|---|---|---|
"""


def list_errors() -> dict[str, type[DatwatError]]:
    """Return the first class of each code, by the name of its module."""
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            # Alembic loads migrations; a child is a program that starts when it is imported.
            if ".migrations" not in found.name and not found.name.endswith("_child"):
                importlib.import_module(found.name)
    kinds = sorted(_subclasses(DatwatError), key=lambda kind: (kind.__module__, kind.__name__))
    return {kind.code: kind for kind in reversed(kinds) if "code" in vars(kind)}


def build_document() -> str:
    """Return the whole document."""
    errors = list_errors()
    return _HEAD + "".join(
        f"| `{code}` | {row.status} | {row.title} | {_tell(errors.get(code))} |\n"
        for code, row in list_rows().items()
    )


def _subclasses(kind: type[DatwatError]) -> Iterator[type[DatwatError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _subclasses(below)


def _tell(kind: type[DatwatError] | None) -> str:
    if kind is None:
        return " | "
    room = next(
        room for name, room in _ROOMS.items() if f"{kind.__module__}.".startswith(f"{name}.")
    )
    return f"{kind.default_detail.replace('|', '&#124;')} | {room}"


if __name__ == "__main__":
    sys.exit(write_page("codes.md", build_document()))
