"""The log by itself: entries of sixteen clients, each appended until its receipt is there.

Beside it the time of one sync of the same disk, in the same run: what a receipt waits for.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.figures import Figure
from bench.meter import measure, measure_sync
from broker.adapters.database import migrate, open_engine
from broker.adapters.kek_file import FileKek
from broker.adapters.log_store import SqlLogStore
from broker.audit.log import Log, create_log
from broker.audit.records import Appended, ChainRef, EntryDraft, Job, SubjectKeys
from broker.audit.sealing import Sealing
from datwat.party.ratchet import Ratchet
from datwat.protocol.checkpoint import CheckpointSigner, verify_checkpoint
from datwat.protocol.receipt import build_leaf, require_inclusion

APPENDS = 12_000
CLIENTS = 16
SLOW_SYNC = 0.3
ORIGIN = "bench.example/log/1"
_CORE = bytes(300)
_NAME = "append → receipt, 16 clients"


@dataclass
class Place:
    """An opened log, what verifies its checkpoints, and how long each append took."""

    log: Log
    sealing: Sealing
    vkey: str
    taken: list[float] = field(default_factory=list)


async def measure_appends(folder: Path, count: int) -> list[Figure]:
    """Append about `count` entries; raise where the last receipt of a client does not hold."""
    (folder / "database").mkdir(parents=True)
    sync = measure_sync(folder)
    with _open_place(folder) as place, measure({}) as usage:
        lasts = await append_all(place, count)
    for last in lasts:
        require_receipt(place, last)
    # Rate and p50 are gates only where the disk syncs as fast as the targets take for granted.
    quick, number = sync <= SLOW_SYNC, len(place.taken)
    p50, cpu = statistics.median(place.taken) * 1_000, usage.per("load", number)
    return [
        Figure(_NAME, "entries", number / usage.seconds, "/s", 5_000, at_least=True, gate=quick),
        Figure(_NAME, "p50", p50, "ms", 3, gate=quick),
        Figure(_NAME, "CPU per entry, sealing too", cpu, "ms", 0.25, gate=True),
        Figure(_NAME, "one sync of this disk", sync, "ms"),
    ]


@contextmanager
def _open_place(folder: Path) -> Iterator[Place]:
    engine = open_engine(f"sqlite:///{folder / 'database' / 'log.db'}")
    migrate(engine)
    store = SqlLogStore(engine)
    sealing = Sealing(FileKek.create(folder / "kek"), store)
    create_log(store, sealing, ORIGIN)
    signer = CheckpointSigner(ORIGIN, Ed25519PrivateKey.generate())
    with Ratchet.open(folder / "ratchet") as ratchet:
        log = Log(store, ratchet, signer)
        log.start()
        yield Place(log, sealing, signer.vkey)
        log.stop()
    store.close()
    engine.dispose()


async def append_all(place: Place, count: int) -> list[Appended]:
    """Append about `count` entries by all clients; return what the last one of each gave."""
    return await asyncio.gather(*(_append(place, count // CLIENTS) for _ in range(CLIENTS)))


async def _append(place: Place, count: int) -> Appended:
    """Append entries of one person one after another; return what the last one gave."""
    at = datetime.now(UTC)
    minted = place.sealing.mint_subject(at)
    keys: tuple[SubjectKeys, ...] = (minted,)
    appended = Appended((), "")
    for _ in range(count):
        began = time.perf_counter()
        draft = EntryDraft(
            chain=ChainRef(minted.subject_id, "open"),
            core=_CORE,
            payload=bytes(600),
            at=at,
            retention_until=at + timedelta(days=365),
        )
        entry = place.sealing.prepare_entry(minted, draft)
        job = Job(lambda _, entry=entry: [entry], keys, is_short=True)  # type: ignore[misc]
        appended = await place.log.append(job)
        keys = ()
        place.taken.append(time.perf_counter() - began)
    return appended


def require_receipt(place: Place, appended: Appended) -> None:
    """Raise unless the entry lies under the signed checkpoint that came with it."""
    (entry,) = appended.entries
    checkpoint = verify_checkpoint(appended.checkpoint.encode(), ORIGIN, [place.vkey])
    leaf = build_leaf(_CORE, entry.payload_hash or b"", entry.tag or b"")
    require_inclusion(leaf, entry.receipt, checkpoint)
