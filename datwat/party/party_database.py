"""What each party says of its own database, so that one command serves them all.

Rule: the entry points in group `datwat.databases` name one `PartyDatabase` per party; nothing here
imports a party (architecture, "Layout and layers").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from datwat.party.ratchet import Ratchet
from datwat.party.settings import PartySettings, SettingsError, read_party

GROUP = "datwat.databases"

Verify = Callable[[Any, Engine, Ratchet], Mapping[str, Any]]
Hold = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class KeptRows:
    """How little may be done to the rows of a table: which columns change, and whether rows go."""

    update: tuple[str, ...] = ()
    delete: bool = False


def verify_nothing(_settings: Any, _engine: Engine, _ratchet: Ratchet) -> Mapping[str, Any]:  # noqa: ANN401 - each party's own
    """Return nothing: this party's database holds no proof of itself."""
    return {}


@contextmanager
def hold_nothing(_url: str) -> Iterator[None]:
    """Hold nothing: this party is one process, whose ratchet in a file keeps others out."""
    yield


@dataclass(frozen=True, slots=True)
class PartyDatabase:
    """One party's database.

    `kept`: tables that the application's role may add to but not rewrite. `verify` recomputes what
    the database proves of itself, raises a DatwatError where it does not hold, and returns what to
    tell of it. `hold` keeps every process of the party from the database at a URL while a block
    runs, and raises a DatwatError where one is there.
    """

    settings: type[PartySettings]
    migrations: Path
    kept: Mapping[str, KeptRows] = field(default_factory=dict)
    verify: Verify = verify_nothing
    hold: Hold = hold_nothing


def find_party(home: Path) -> tuple[str, PartyDatabase]:
    """Return the command and the database of the party whose home this is; raise SettingsError."""
    name = read_party(home)
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            found: PartyDatabase = entry.load()
            return name, found
    raise SettingsError(f"A `{name}` keeps no database: there is nothing to do here.")
