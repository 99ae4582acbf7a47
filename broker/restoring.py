"""Putting a broker's database back from a backup, with everything that ended since ended again.

Rules: the broker is stopped (its ratchet is locked, or its numbers on PostgreSQL); everything that
can be wrong is found before anything changes; the ratchet is replayed before anybody is served;
what was signed before this moment is refused from then on, for the ids that were spent are gone.
Source: docs/decisions/0015.

1. Open the file and see that log, KEK, row key and version fit. 2. Load the rows into an empty
database, build the tree, compare its root. 3. Read back the entries written since from a mirror, up
to the very head that the ratchet holds. 4. End again what the ratchet says ended. 5. Put the moment
into the ratchet, and the database in its place.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pyrage import x25519
from sqlalchemy import Connection, Engine, inspect, select

from broker.adapters.backup_file import (
    BackupError,
    BackupHeader,
    BackupOverError,
    FileKey,
    open_file,
    read_identity,
    read_lines,
)
from broker.adapters.database import BEGIN_OPTION, BEGIN_WRITING, migrate, open_engine
from broker.adapters.log_tables import LogHead, table_of
from broker.adapters.restore_ends import Replay
from broker.adapters.restore_entries import Lost, add_lost, read_mirror
from broker.adapters.restore_rows import RowLoader, TreeBuilder
from broker.adapters.secrets import BrokerSecrets, load_secrets
from broker.adapters.sharing_store import hold_alone
from broker.adapters.stores import build_registers
from broker.audit.ended import RESTORED
from broker.audit.forgetting import read_oldest
from broker.ending import build_is_waiting
from broker.settings import BrokerSettings
from datwat.party.database import find_sqlite_file
from datwat.party.database_urls import build_file_url
from datwat.party.ratchet import Mark, Ratchet
from datwat.party.settings import make_private_folder
from datwat.party.trust_keeper import open_ratchet
from datwat.protocol.freshness import CLOCK_SKEW
from datwat.protocol.values import encode_moment

_NEW = ".restoring"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked to restore, and from what."""

    backup: Path
    identity: Path
    mirror: Path | None


class Restoration:
    """One restore, from the open file to the database in its place."""

    def __init__(self, settings: BrokerSettings, wanted: Wanted, now: datetime) -> None:
        self._settings = settings
        self._wanted = wanted
        self._now = now.replace(microsecond=0)

    def run(self) -> dict[str, Any]:
        """Restore, and return what was brought back, lost, and ended again.

        `whole` is False where keys did not open: all else is put back, and the counts say how much
        could not be read. Raises BackupError, DatabaseError, RatchetError, SecretError, KekError,
        KeyStoreError: nothing changed.
        """
        identity = read_identity(self._wanted.identity)
        secrets = load_secrets(self._settings.home)
        with (
            open_ratchet(self._settings) as ratchet,
            hold_alone(self._settings.database),
            tempfile.TemporaryDirectory() as folder,
        ):
            header, inner = self._open(identity, secrets, Path(folder))
            _require_generation(ratchet, secrets, header)
            mark = self._require_mark(ratchet, header)
            with _open_target(self._settings.database, header.revision) as engine:
                lost, counts = self._fill(engine, secrets, ratchet, mark, header, inner)
        return {
            "made_at": encode_moment(header.made_at),
            "log_size": mark.number,
            "entries_read_back": lost.entries,
            "entries_of_unknown": lost.unknown,
            "whole": not (lost.rolls or lost.delayed),
            "chain_keys_damaged": lost.rolls,
            "auditors_chain_key_damaged": lost.delayed,
            **{f"ended_again_{kind}": count for kind, count in counts.items()},
        }

    def _open(
        self, identity: x25519.Identity, secrets: BrokerSecrets, folder: Path
    ) -> tuple[BackupHeader, Path]:
        header, inner = open_file(self._wanted.backup, identity, folder)
        if header.origin != self._settings.log_origin:
            raise BackupError("This is a backup of another log: see log_origin in settings.toml.")
        FileKey.unseal(header.kek_sealed, secrets.kek)
        header.require_row_key(secrets.row_key)
        return header, inner

    def _require_mark(self, ratchet: Ratchet, header: BackupHeader) -> Mark:
        mark = ratchet.value(f"log:{header.origin}")
        if mark is None:
            raise BackupError(
                "The ratchet of this home holds nothing of this log, so that what ended after the "
                "backup would come back: put back the ratchet."
            )
        if mark.number < header.size:
            raise BackupError(
                "The ratchet of this home is older than this backup: put back its own."
            )
        if mark.number > header.size and self._wanted.mirror is None:
            raise BackupError(
                f"The log has {mark.number - header.size} entries that are not in this backup: "
                "name a mirror of it with --mirror."
            )
        return mark

    def _fill(  # noqa: PLR0917 - a restore needs all of it
        self,
        engine: Engine,
        secrets: BrokerSecrets,
        ratchet: Ratchet,
        mark: Mark,
        header: BackupHeader,
        inner: Path,
    ) -> tuple[Lost, dict[str, int]]:
        key = FileKey.unseal(header.kek_sealed, secrets.kek)
        with engine.execution_options(**{BEGIN_OPTION: BEGIN_WRITING}).begin() as conn:
            tree = TreeBuilder(conn)
            loader = RowLoader(conn, tree)
            read_lines(inner, key, loader.take)
            loader.finish(header)
            lost = self._read_back(conn, tree, secrets, mark, header)
            tree.finish()
            replay = Replay(
                conn,
                kek=secrets.kek,
                row_key=secrets.row_key,
                is_waiting=build_is_waiting(build_registers(secrets.row_key).special_situations),
                now=self._now,
            )
            replay.run(ratchet)
            # Before the database takes its place: whatever happens between, nothing is heard that
            # was spent. A partner's clock may be ahead: what it signed before may say later.
            digest = hashlib.sha256(header.model_dump_json().encode()).digest()
            ratchet.advance(RESTORED, int((self._now + CLOCK_SKEW).timestamp()), digest)
        migrate(engine)
        return lost, replay.counts

    def _read_back(
        self,
        conn: Connection,
        tree: TreeBuilder,
        secrets: BrokerSecrets,
        mark: Mark,
        header: BackupHeader,
    ) -> Lost:
        entries: list[bytes] = []
        if mark.number > tree.size and self._wanted.mirror is not None:
            entries = list(read_mirror(self._wanted.mirror, tree.size, mark.number))
        # Also where nothing is to be read back: this is the moment to learn of a damaged key.
        lost = add_lost(conn, tree, entries, secrets.kek, since=header.made_at, now=self._now)
        if tree.root != mark.digest:
            raise BackupError(
                "Backup and mirror together do not give the head that this log signed last: one of "
                "them is of another log, or was changed."
            )
        return lost


def _require_generation(ratchet: Ratchet, secrets: BrokerSecrets, header: BackupHeader) -> None:
    """Raise BackupOverError where the ratchet no longer holds what ended since the backup."""
    if secrets.kek.read_generation(header.kek_sealed) < read_oldest(ratchet):
        raise BackupOverError


@contextmanager
def _open_target(url: str, revision: str) -> Iterator[Engine]:
    """Yield an empty database of the backup's revision; it takes its place at the end.

    Raises BackupError where there is one already, DatabaseTooNewError for an unknown revision.
    """
    file = find_sqlite_file(url)
    if file is None:
        engine = open_engine(url)
        try:
            _require_empty(engine)
            migrate(engine, revision)
            yield engine
        finally:
            engine.dispose()
        return
    if file.exists():
        raise BackupError("There is a database already: move it out of the way first.")
    make_private_folder(file.parent)
    new = file.with_name(file.name + _NEW)
    _remove(new)
    engine = open_engine(build_file_url(new))
    try:
        migrate(engine, revision)
        yield engine
        with engine.connect() as conn:
            conn.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        new.rename(file)
    finally:
        engine.dispose()
        _remove(new)


def _require_empty(engine: Engine) -> None:
    with engine.connect() as conn:
        head = table_of(LogHead)
        if inspect(conn).has_table(head.name) and conn.execute(select(head.c.id)).first():
            raise BackupError("The database holds a log already: name an empty one.")


def _remove(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
