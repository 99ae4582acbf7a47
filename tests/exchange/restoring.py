"""A world with what a person would keep elsewhere: its backups, a mirror of its log, a key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyrage import x25519
from sqlalchemy import func, select

from broker.adapters.backup import make_backup
from broker.adapters.log_tables import LogEntry
from broker.adapters.log_tables import table_of as log_table_of
from broker.adapters.tables import (
    table_of,
)
from broker.audit.payloads import parse_payload
from broker.restoring import Restoration, Wanted
from broker.settings import BrokerSettings
from datwat.party import clock
from datwat.party.settings import load_settings
from datwat.protocol.tiles import TILE_WIDTH, TilePath, derive_width, encode_bundle
from tests.databases import lose_database
from tests.exchange.world import (
    Running,
    World,
    open_world,
)

_ENTRIES = log_table_of(LogEntry)


@dataclass
class Copies:
    """A world with the files that a person would keep elsewhere."""

    world: World
    database: str
    folder: Path
    identity: x25519.Identity

    @property
    def settings(self) -> BrokerSettings:
        return load_settings(BrokerSettings, self.world.home)

    def back_up(self, running: Running, name: str = "backup.age") -> Path:
        path = self.folder / name
        make_backup(
            running.broker.database,
            path,
            recipient=str(self.identity.to_public()),
            kek=running.broker.secrets.kek,
            row_key=running.broker.secrets.row_key,
            now=clock.now(),
        )
        return path

    def mirror(self, running: Running) -> Path:
        """Write the bundles of entries as any mirror has them."""
        folder, size = self.folder / "mirror", running.broker.log.size
        with running.broker.store.reading() as conn:
            query = select(_ENTRIES.c.entry).where(_ENTRIES.c.idx < size).order_by(_ENTRIES.c.idx)
            entries = [bytes(entry) for entry in conn.execute(query).scalars()]
        for index in range(-(-size // TILE_WIDTH)):
            width = derive_width(None, index, size)
            path = folder / TilePath(level=None, index=index, width=width).text
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_bundle(entries[index * TILE_WIDTH :][:width]))
        return folder

    def lose_database(self) -> None:
        lose_database(self.settings.database)

    def restore(self, backup: Path, mirror: Path | None = None) -> dict[str, Any]:
        wanted = Wanted(backup, self.key_file, mirror)
        return Restoration(self.settings, wanted, clock.now()).run()

    @property
    def key_file(self) -> Path:
        path = self.folder / "backup.key"
        path.write_text(f"# a comment\n{self.identity}\n")
        return path


@asynccontextmanager
async def opened(copies: Copies) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await open_world(copies.world, stack)


def count(running: Running, model: Any, **where: Any) -> int:  # noqa: ANN401 - a table and values
    table = table_of(model)
    query = select(func.count()).select_from(table)
    for name, value in where.items():
        query = query.where(table.c[name].is_not(None) if value is ... else table.c[name] == value)
    with running.broker.store.reading() as conn:
        return int(conn.execute(query).scalar_one())


def read_entries(running: Running) -> list[bytes]:
    with running.broker.store.reading() as conn:
        return [bytes(one) for one in conn.execute(select(_ENTRIES.c.entry)).scalars()]


def read_own(running: Running) -> list[Any]:
    """Return what can be read of every person, oldest first."""
    found = []
    with running.broker.store.reading() as conn:
        query = select(_ENTRIES.c.subject_id).where(_ENTRIES.c.subject_id.is_not(None)).distinct()
        for subject_id in conn.execute(query).scalars().all():
            rows = running.broker.store.fetch_entries_of(
                conn, bytes(subject_id), ["open", "own"], limit=100, before=None
            )
            contents = running.broker.sealing.open_contents(conn, bytes(subject_id), rows)
            found += [parse_payload(one.payload) for one in contents if one]
    return found


@contextmanager
def changed(file: Path) -> Iterator[Path]:
    """Yield a file, and put it back as it was."""
    content, mode = file.read_bytes(), file.stat().st_mode
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
        file.write_bytes(content)
        file.chmod(mode)
