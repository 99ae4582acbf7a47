"""One of several processes that write one log on PostgreSQL, each through the broker's own writer.

`python -m bench.appending FOLDER DATABASE_URL RATCHET_URL COUNT` opens the log whose keys lie in
FOLDER, says `ready`, waits for a line, appends COUNT entries, verifies the last receipt of each
client, prints what it took as JSON, and ends with its input. It dies with its parent.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.appends import ORIGIN, Place, append_all, require_receipt
from broker.adapters.database import open_engine
from broker.adapters.kek_file import FileKek
from broker.adapters.log_store import SqlLogStore
from broker.audit.log import Log
from broker.audit.sealing import Sealing
from datwat.party.ratchet_places import open_on_server
from datwat.party.serve import die_with_parent
from datwat.protocol.checkpoint import CheckpointSigner

KEK, SIGNING_KEY = "kek", "signing.key"
PARTY = "bench"


@contextmanager
def open_shared(folder: Path, database: str, ratchet_url: str) -> Iterator[Place]:
    """Yield the log of this folder's keys as a broker beside others opens it."""
    engine = open_engine(database)
    store = SqlLogStore(engine)
    key = Ed25519PrivateKey.from_private_bytes((folder / SIGNING_KEY).read_bytes())
    signer = CheckpointSigner(ORIGIN, key)
    none_before = folder / "ratchet"
    with open_on_server(ratchet_url, PARTY, database=database, file=none_before) as ratchet:
        log = Log(store, ratchet, signer)
        log.start()
        yield Place(log, Sealing(FileKek.open(folder / KEK), store), signer.vkey)
        log.stop()
    store.close()
    engine.dispose()


def main() -> None:
    """Append when told to; see the module."""
    die_with_parent()
    folder, database, ratchet, count = sys.argv[1:]
    with open_shared(Path(folder), database, ratchet) as place:
        print("ready", flush=True)
        sys.stdin.readline()
        began = time.monotonic()
        lasts = uvloop.run(append_all(place, int(count)))
        # This clock is the machine's own: the same for every process.
        took = {"began": began, "ended": time.monotonic(), "taken": place.taken}
        for last in lasts:
            require_receipt(place, last)
        print(json.dumps(took), flush=True)
        sys.stdin.readline()  # its CPU is read while it is still there


if __name__ == "__main__":
    main()
