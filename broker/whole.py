"""Whether a broker's log is whole: every entry, the roots over all of them, and the tags.

Rule: everything is recomputed from the entries; what was signed last is one of the roots compared.
"""

from __future__ import annotations

from sqlalchemy import Engine, select

from broker.adapters.generation_rows import list_missing
from broker.adapters.log_store import SqlLogStore
from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.publication_store import SqlPublication
from broker.adapters.publication_tables import LOG_TAGS
from broker.audit.log import Log
from broker.audit.ports import Head
from broker.audit.records import LogDamagedError, LogForkedError
from broker.audit.tag_roots import StatedEntry, TagRoots
from broker.audit.tree import Frontier
from datwat.party import clock
from datwat.party.database import reading
from datwat.party.ratchet import Ratchet
from datwat.party.tag_index import TagIndex
from datwat.protocol.checkpoint import Checkpoint, CheckpointSigner
from datwat.protocol.entry import derive_leaf_hash

_ENTRIES = table_of(LogEntry)
_AT_ONCE = 4_096


def require_whole(
    engine: Engine, ratchet: Ratchet, signer: CheckpointSigner, head: Head, last: Checkpoint
) -> StatedEntry | None:
    """Check every entry, and roots and tags as a start does; return the newest root of the tags.

    Raises LogDamagedError, LogForkedError, LogBehindError, TagIndexDamagedError.
    """
    tree = Frontier(0, ())
    wanted = {last.size: last.root, head.size: head.root}
    if wanted[last.size] != last.root:
        raise LogForkedError
    with reading(engine).connect() as conn:
        if next(list_missing(conn, head.size), None) is not None:
            raise LogDamagedError
        for start in range(0, head.size, _AT_ONCE):
            query = select(_ENTRIES.c.entry).order_by(_ENTRIES.c.idx)
            some = query.where(_ENTRIES.c.idx >= start, _ENTRIES.c.idx < start + _AT_ONCE)
            for row in conn.execute(some):
                _require_root(tree, wanted)
                tree.append(derive_leaf_hash(row[0]))
    _require_root(tree, wanted)
    store = SqlLogStore(engine)
    log = Log(store, ratchet, signer)
    log.start()
    try:
        tags = TagRoots(log, SqlPublication(engine), TagIndex(LOG_TAGS), clock.now)
        tags.load(0)
        return tags.last
    finally:
        log.stop()
        store.close()


def _require_root(tree: Frontier, wanted: dict[int, bytes]) -> None:
    if tree.size in wanted and tree.root != wanted[tree.size]:
        raise LogForkedError
