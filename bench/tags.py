"""A million tags in the broker's own table: what a new root costs, and a proof of absence.

As the broker does it: tags written in short transactions beside the log's writer, then hashed.
Run alone: `python -m bench.tags 1000000`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import insert

from bench.figures import Figure, print_figures
from bench.kept import keep
from broker.adapters.database import migrate, open_engine
from broker.adapters.publication_store import SqlPublication
from broker.adapters.publication_tables import LOG_TAGS
from broker.audit.tag_roots import rest, write_tags
from datwat.party.tag_index import TagIndex
from datwat.protocol.tag_tree import Leaf, TagProofError, require_no_tag

TAGS = 1_000_000
_NEW = 10_000
_ROUNDS = 3
_PROOFS = 500
_PAUSE_SECONDS = 0.0005
_ROWS = 50_000
_DATABASE = "tags.db"
_NAME = "tags of the log"


@dataclass
class Taken:
    """What a piece of work took, in seconds."""

    wall: float = 0.0
    cpu: float = 0.0


def measure_tags(folder: Path, cache: Path, count: int) -> list[Figure]:
    """Take up `count` tags, then measure the start, new roots, and proofs of absence."""
    folder.mkdir()
    kept = keep(cache, "tags", count, [Path(__file__)], partial(_seed, count=count))
    shutil.copy(kept.folder / _DATABASE, folder / _DATABASE)
    engine = open_engine(f"sqlite:///{folder / _DATABASE}")
    store, index = SqlPublication(engine), TagIndex(LOG_TAGS)
    with _taking() as loading, store.reading() as connection:
        index.load(connection, count)
    roots = [_add(store, index, _draw(index.size, _NEW)) for _ in range(_ROUNDS)]
    proofs = [_prove(store, index) for _ in range(_PROOFS)]
    engine.dispose()
    fastest = min(roots, key=lambda taken: taken.cpu)
    slowest = sorted(proofs)[int(len(proofs) * 0.99)]
    return [
        Figure(_NAME, f"a new root after {_NEW:,} new, CPU", fastest.cpu, "s", 0.5, gate=True),
        Figure(_NAME, f"a new root after {_NEW:,} new", fastest.wall, "s", 0.5),
        Figure(_NAME, f"a proof of absence at {count:,}, p99", slowest * 1_000, "ms", 10),
        Figure(_NAME, f"all read at a start ({count:,})", loading.wall, "s"),
    ]


def _seed(folder: Path, count: int) -> None:
    """Write so many random tags into a table of the broker, as its migrations make it."""
    engine = open_engine(f"sqlite:///{folder / _DATABASE}")
    migrate(engine)
    store, leaves = SqlPublication(engine), sorted(_draw(0, count))
    for start in range(0, count, _ROWS):
        with store.writing() as connection:
            rows = [{"tag": tag, "idx": index} for tag, index in leaves[start : start + _ROWS]]
            connection.execute(insert(LOG_TAGS), rows)
    engine.dispose()


def _add(store: SqlPublication, index: TagIndex, leaves: Sequence[Leaf]) -> Taken:
    """Add tags as a round of the broker does while nobody asks anything."""
    with _taking() as taken:
        write_tags(store, index, leaves, lambda: time.sleep(_PAUSE_SECONDS))
        with store.reading() as connection:
            index.take_in(connection, leaves, leaves[-1][1] + 1, rest)
        index.commit()
    return taken


def _prove(store: SqlPublication, index: TagIndex) -> float:
    """Return how long a proof takes, and check it."""
    tag = os.urandom(32)
    with store.reading() as connection:
        began = time.perf_counter()
        proof = index.prove(connection, tag)
        took = time.perf_counter() - began
    require_no_tag(proof, tag, index.root)
    return took


def _draw(start: int, count: int) -> list[Leaf]:
    return [(os.urandom(32), start + place) for place in range(count)]


@contextmanager
def _taking() -> Iterator[Taken]:
    taken, began, cpu = Taken(), time.perf_counter(), time.process_time()
    yield taken
    taken.wall, taken.cpu = time.perf_counter() - began, time.process_time() - cpu


def main() -> int:
    """Measure alone; exits 1 where a proof does not hold."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else TAGS
    with tempfile.TemporaryDirectory(prefix="datwat-bench-") as folder:
        try:
            print_figures(measure_tags(Path(folder) / "tags", Path(folder), count))
        except TagProofError:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
