"""The composition of what ends: eraser, keys and their generations, beside the housekeeper."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import orjson
from sqlalchemy import Connection, Engine

from broker.adapters.ends_store import SqlEnds
from broker.adapters.kek_file import KekError
from broker.adapters.row_key_file import RowKeyFile
from broker.adapters.row_moving import SqlRowTables
from broker.audit.ended import EndingLog
from broker.audit.ends import Ends
from broker.audit.erasing import Eraser, IsWaiting
from broker.audit.forgetting import forget_ended, read_newest
from broker.audit.key_keeping import KeyKeeper, KeyLives
from broker.audit.log import Log
from broker.audit.payloads import Organisation
from broker.audit.ports import KekPort, LogStore
from broker.audit.sealing import Sealing
from broker.exchange.ends_keeping import EndsKeeping
from broker.exchange.erasure import Erasures
from broker.exchange.kept import FindPurpose
from broker.exchange.rooms import Rooms
from broker.exchange.row_turning import RowTurning
from broker.involvement.special_situations import SpecialSituations
from broker.settings import BrokerSettings
from datwat.party.database import truncate_journal
from datwat.party.ratchet import Ratchet
from datwat.protocol.sealing import UnsealError
from datwat.protocol.values import decode_bytes, encode_bytes


def require_kek(sealing: Sealing, kek: KekPort, ratchet: Ratchet) -> None:
    """Raise KekError unless the KEK opens what lies in the database, before anybody is heard.

    An older one opens much of it; keys of its newer generations would pass for damaged, and what
    lies under them would be destroyed with the next that ends.
    """
    if kek.list_generations()[-1].number < read_newest(ratchet):
        raise KekError(
            "The kek.json of this home is older than the one that was used last: put back the "
            "newest one."
        )
    try:
        sealing.open_delayed_chain_key()
    except UnsealError:
        raise KekError(
            "The KEK of this home does not open the keys in this database: put back the kek.json "
            "that belongs to it."
        ) from None


def build_is_waiting(situations: SpecialSituations) -> IsWaiting:
    """Return what tells whether a delayed entry waits on a special situation not opened yet."""

    def is_waiting(conn: Connection, mark: bytes) -> bool:
        stated = orjson.loads(mark)
        if not stated.get("situation") or not stated.get("occasion"):
            return False
        held = situations.find_situation(conn, decode_bytes(stated["occasion"]))
        waits = held is not None and held.opened_at is None
        return waits and held is not None and encode_bytes(held.id) == stated["situation"]

    return is_waiting


def build_ends(  # noqa: PLR0913 - a composition
    settings: BrokerSettings,
    engine: Engine,
    *,
    store: LogStore,
    kek: KekPort,
    sealing: Sealing,
    log: Log,
    ratchet: Ratchet,
    ending: EndingLog,
    situations: SpecialSituations,
    find_retention: Callable[[], timedelta],
    row_file: RowKeyFile,
) -> EndsKeeping:
    """Return the stage of the housekeeper in which contents, persons and keys end."""
    statements = SqlEnds()
    lives = KeyLives(
        seals=timedelta(days=settings.kek_days), opens=timedelta(days=settings.backup_days)
    )
    return EndsKeeping(
        ends=Ends(
            store=store,
            ends=statements,
            eraser=Eraser(statements, kek, build_is_waiting(situations)),
            sealing=sealing,
            log=log,
            party=Organisation(id=settings.id, name=settings.name),
            find_retention=find_retention,
        ),
        generations=KeyKeeper(store, statements, kek, log, lives),
        rows=RowTurning(row_file, SqlRowTables(row_file.keys), log, store.reading),
        record=ending.record,
        tidy=lambda: truncate_journal(engine),
        forget=lambda: forget_ended(ratchet, kek),
    )


def build_erasures(
    settings: BrokerSettings,
    rooms: Rooms,
    *,
    store: LogStore,
    kek: KekPort,
    find_purpose: FindPurpose,
    ends: EndsKeeping,
) -> Erasures:
    """Return what answers wishes for erasure."""
    is_waiting = build_is_waiting(rooms.registers.special_situations)
    return Erasures(
        rooms,
        store,
        Eraser(SqlEnds(), kek, is_waiting),
        party=Organisation(id=settings.id, name=settings.name),
        find_purpose=find_purpose,
        on_erased=ends.note_erased,
    )
