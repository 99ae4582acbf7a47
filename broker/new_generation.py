"""Going on after a loss: a person begins the log's next generation, with a reason.

Rules: the broker is stopped (its ratchet is locked, or its numbers on PostgreSQL); a log that is
whole, fits what was signed, and whose chain keys open, is left alone; so is one whose keys all lie
under another KEK. The old generation's last checkpoint is stated in the new one's first entry, so
that everybody sees how much was lost; what was signed before this moment is refused from then on. A
crash leaves the old generation or the new one, and the command can be repeated.
Source: house reference "audit-log", Format (generation).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from broker.adapters.database import BEGIN_OPTION, BEGIN_WRITING, migrate, open_engine
from broker.adapters.generation_rows import (
    Begun,
    Ended,
    GenerationRows,
    count_chain_keys,
)
from broker.adapters.kek_file import KekError
from broker.adapters.log_store import SqlLogStore
from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.publication_store import SqlPublication
from broker.adapters.secrets import BrokerSecrets, load_secrets
from broker.adapters.sharing_store import hold_alone
from broker.adapters.witnesses import HttpWitnesses
from broker.audit.ended import RESTORED
from broker.audit.past_log import parse_origin
from broker.audit.ports import Head, KekPort
from broker.audit.records import LogError, LogMissingError
from broker.settings import BrokerSettings
from broker.whole import require_whole
from datwat.party.http_out import HttpOut
from datwat.party.ratchet import Ratchet
from datwat.party.settings import change_settings
from datwat.party.trust_keeper import open_ratchet
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.checkpoint import (
    Checkpoint,
    CheckpointSigner,
    parse_checkpoint,
    verify_checkpoint,
)
from datwat.protocol.errors import DatwatError
from datwat.protocol.freshness import CLOCK_SKEW
from datwat.protocol.notes import NoteError, parse_note
from datwat.protocol.values import encode_moment

_ENTRIES = table_of(LogEntry)
_AT_ONCE = 4_096


class GenerationUnneededError(LogError):
    """The log can go on as it is."""

    code = "generation_unneeded"
    default_detail = (
        "The log is whole and fits everything that was signed and seen: it needs no new "
        "generation. Nothing was changed."
    )


class GenerationFormError(LogError):
    """The name of the log does not end in a number."""

    code = "generation_form"
    default_detail = "The log's name does not end in a generation, such as …/log/1."


@dataclass(frozen=True, slots=True)
class Wanted:
    """Why a person begins a new generation, and witnesses' addresses to ask what they saw."""

    reason: str
    witnesses: Sequence[str] = ()


def derive_next_origin(origin: str) -> str:
    """Return the name of the next generation; raise GenerationFormError."""
    found = parse_origin(origin)
    if found is None:
        raise GenerationFormError
    return f"{found.base}{found.generation + 1}"


def begin_generation(settings: BrokerSettings, wanted: Wanted, now: datetime) -> dict[str, Any]:
    """Begin the next generation in a stopped broker's database, and return what was kept and lost.

    Raises GenerationUnneededError, LogMissingError, KekError, KeyStoreError, RatchetError,
    DatabaseError: nothing changed.
    """
    new = derive_next_origin(settings.log_origin)
    secrets = load_secrets(settings.home)
    engine = open_engine(settings.database)
    try:
        with open_ratchet(settings) as ratchet, hold_alone(settings.database):
            migrate(engine)
            head = _require_head(engine, (settings.log_origin, new))
            if head.origin == new:  # it was begun, and the settings were not changed yet
                change_settings(settings.home, {"log_origin": new})
                return {"origin": new, "size": head.size}
            signer = secrets.build_signer(settings.log_origin)
            last = _find_last(engine, ratchet, signer, head, wanted.witnesses)
            damaged = _require_kek(engine, secrets.kek)
            if not damaged:
                _require_need(engine, ratchet, signer, head, last)
            return _begin(settings, engine, ratchet, secrets, head, last, wanted, now)
    finally:
        engine.dispose()


def _begin(  # noqa: PLR0917 - all that a new generation takes
    settings: BrokerSettings,
    engine: Engine,
    ratchet: Ratchet,
    secrets: BrokerSecrets,
    head: Head,
    last: Checkpoint,
    wanted: Wanted,
    now: datetime,
) -> dict[str, Any]:
    new = derive_next_origin(head.origin)
    signer = secrets.build_signer(head.origin)
    note = signer.sign(last.size, last.root).encode()
    kept = min(head.size, last.size)
    statement = encode_canonical(
        {
            "v": 1,
            "type": "generation",
            "origin": new,
            "previous": note.decode(),
            "kept": kept,
            "reason": wanted.reason,
            "at": encode_moment(now),
        }
    )
    # Before anything else: what was answered is not known any more, so it may not be asked again.
    digest = hashlib.sha256(statement).digest()
    ratchet.advance(RESTORED, int((now + CLOCK_SKEW).timestamp()), digest)
    ended = Ended(head.origin, note, last.size, kept, now)
    writing = engine.execution_options(**{BEGIN_OPTION: BEGIN_WRITING})
    with writing.begin() as conn:
        begun: Begun = GenerationRows(conn, secrets.kek, now).begin(ended, new, statement)
    change_settings(settings.home, {"log_origin": new})
    return {
        "origin": new,
        "size": begun.size,
        "entries_kept": kept - begun.gone - (1 if kept else 0),
        "entries_lost": last.size - kept + begun.gone,
        "previous_size": last.size,
    }


def _require_head(engine: Engine, origins: tuple[str, str]) -> Head:
    store = SqlLogStore(engine)
    with store.reading() as conn:
        head = store.find_head(conn)
    if head is None or head.origin not in origins:
        raise LogMissingError
    return head


def _require_kek(engine: Engine, kek: KekPort) -> bool:
    """Tell whether some chain keys do not open; raise KekError where none does: another's KEK."""
    with engine.connect() as conn:
        opened, damaged = count_chain_keys(conn, kek)
    if damaged and not opened:
        raise KekError(
            "The KEK of this home does not open a single key in this database: put back the "
            "kek.json that belongs to it."
        )
    return damaged > 0


def _find_last(
    engine: Engine,
    ratchet: Ratchet,
    signer: CheckpointSigner,
    head: Head,
    witnesses: Sequence[str],
) -> Checkpoint:
    """Return the largest checkpoint of this log that is known to have been signed."""
    origin = signer.origin
    known = [Checkpoint(origin=origin, size=head.size, root=head.root)]
    for name in (f"log:{origin}", f"witnessed:{origin}"):
        mark = ratchet.value(name)
        if mark is not None:
            known.append(Checkpoint(origin=origin, size=mark.number, root=mark.digest))
    store = SqlPublication(engine)
    with store.reading() as conn:
        notes = [store.find_cosigned(conn, origin)]
    notes += asyncio.run(_fetch_shown(witnesses, origin)) if witnesses else []
    known += [_read(note, signer) for note in notes if note is not None]
    # Of equals the one that was signed: the database is what is doubted.
    return max(reversed(known), key=lambda one: one.size)


def _read(note: bytes, signer: CheckpointSigner) -> Checkpoint:
    try:
        return verify_checkpoint(note, signer.origin, [signer.vkey])
    except NoteError:
        return parse_checkpoint(
            parse_note(signer.sign(0, hashlib.sha256(b"").digest()).encode()).text
        )


async def _fetch_shown(urls: Sequence[str], origin: str) -> list[bytes | None]:
    async with HttpOut() as http:
        port = HttpWitnesses(http)
        return [await port.find_checkpoint(url, origin) for url in urls]


def _require_need(
    engine: Engine, ratchet: Ratchet, signer: CheckpointSigner, head: Head, last: Checkpoint
) -> None:
    """Raise GenerationUnneededError if nothing is wrong with the log."""
    if last.size > head.size:
        return
    try:
        require_whole(engine, ratchet, signer, head, last)
    except DatwatError:
        return
    raise GenerationUnneededError
