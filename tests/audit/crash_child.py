"""A process that appends until it is killed, and tells its parent of every receipt it got."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.adapters.database import open_engine
from broker.adapters.kek_file import FileKek
from broker.adapters.log_store import SqlLogStore
from broker.audit.log import Log
from broker.audit.records import ChainRef, EntryDraft, Job
from broker.audit.sealing import Sealing
from datwat.party.ratchet import Ratchet
from datwat.protocol.checkpoint import CheckpointSigner

AT = datetime(2026, 11, 5, 9, 30, tzinfo=UTC)
ORIGIN = "broker.test/log/1"
CLIENTS = 8


async def _client(log: Log, sealing: Sealing) -> None:
    while True:
        keys = sealing.mint_subject(AT)
        draft = EntryDraft(
            chain=ChainRef(keys.subject_id, "open"),
            core=b"core",
            payload=b"payload",
            at=AT,
            retention_until=AT + timedelta(days=1),
        )
        entry = sealing.prepare_entry(keys, draft)
        job = Job(lambda _, entry=entry: [entry], keys=(keys,), is_short=True)  # type: ignore[misc]
        appended = await log.append(job)
        (place,) = appended.entries
        told = {"index": place.index, "tag": (place.tag or b"").hex(), "note": appended.checkpoint}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


async def _run(url: str, folder: Path, private_key: str) -> None:
    store = SqlLogStore(open_engine(url))
    sealing = Sealing(FileKek.open(folder / "kek"), store)
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private_key))
    log = Log(store, Ratchet.open(folder / "ratchet"), CheckpointSigner(ORIGIN, key))
    log.start()
    await asyncio.gather(*(_client(log, sealing) for _ in range(CLIENTS)))


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
