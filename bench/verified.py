"""A whole log verified from a mirror on this disk, as an outsider does with `datwat log verify`.

The mirror has the form that anybody can fetch: bundles of entries, tiles, a signed checkpoint, and
a root over the tags after each ten thousand entries, made by the broker's own index of tags.
Run alone: `python -m bench.verified 250000`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import uvloop

from bench.figures import Figure, print_figures
from bench.kept import keep
from broker.adapters.database import migrate, open_engine
from broker.adapters.publication_store import SqlPublication
from broker.adapters.publication_tables import LOG_TAGS
from datwat.party.tag_index import TagIndex
from datwat.protocol.entry import TAG_PLACE
from tests.witness.log_maker import ORIGIN, LogMaker
from witness.keys import LogKeys
from witness.source import FolderSource
from witness.verify import verify_log

ENTRIES = 250_000
_EVERY = 10_000
_ABOUT = "about.json"
_MIRROR = "mirror"
_NAME = "a whole log verified from a mirror"


async def measure_verify(folder: Path, cache: Path, count: int) -> list[Figure]:
    """Verify a log of about `count` entries; raise where not all of it was read and held."""
    kept = keep(cache, "mirror", count, [Path(__file__)], partial(_seed, count=count)).folder
    about = json.loads((kept / _ABOUT).read_text(encoding="utf-8"))
    source = FolderSource(kept / _MIRROR)
    keys = LogKeys(ORIGIN, (about["vkey"],))
    began, cpu = time.perf_counter(), time.process_time()
    found = await verify_log(source, keys, folder, _tell_nobody)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    if (found.new, found.roots) != (about["entries"], about["roots"]):
        message = f"{found.new} entries and {found.roots} roots were verified, of {about}"
        raise RuntimeError(message)
    return [
        Figure(_NAME, "entries", found.new / seconds, "/s", 50_000, at_least=True),
        Figure(_NAME, "CPU per entry", cpu * 1_000 / found.new, "ms", 0.02, gate=True),
        Figure(_NAME, "entries in it", found.new, "rows"),
        Figure(_NAME, "roots over its tags", found.roots, "rows"),
    ]


def _seed(folder: Path, count: int) -> None:
    """Write a mirror, and beside it what `measure_verify` must find."""
    maker, roots = LogMaker().add_statement(), 0
    engine = open_engine(f"sqlite:///{folder / 'tags.db'}")
    migrate(engine)
    store, index = SqlPublication(engine), TagIndex(LOG_TAGS)
    while maker.size < count:
        start = maker.size
        maker.add_persons(min(_EVERY, count - start))
        leaves = [(maker.entries[at][TAG_PLACE], at) for at in range(start, maker.size)]
        with store.writing() as connection:
            root = index.add(connection, leaves, maker.size)
        index.commit()
        maker.add_root(root=root)
        roots += 1
    engine.dispose()
    (folder / "tags.db").unlink()
    maker.show(folder / _MIRROR)
    about = {"vkey": maker.signer.vkey, "entries": maker.size, "roots": roots}
    (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")


def _tell_nobody(_done: int, _of: int) -> None:
    """Take no notice of how far it is."""


def main() -> None:
    """Measure alone and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    with tempfile.TemporaryDirectory(prefix="datwat-bench-") as name:
        folder = Path(name)
        print_figures(uvloop.run(measure_verify(folder / "state", folder, count)))


if __name__ == "__main__":
    main()
