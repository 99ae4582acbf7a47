"""The broker's database, for the commands that every party has (`datwat database`).

Rule: an entry of the log is written once. What ends may be taken out of its row (its content, whose
it was), and what erasure leaves is sealed anew; the 66 bytes under the tree, and the tree itself,
are added to only. Erasing runs in the broker's own process, so that its role may do that much: the
database cannot tell an end that is due from one that is not (docs/decisions/0029).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from broker.adapters.database import MIGRATIONS
from broker.adapters.log_store import SqlLogStore
from broker.adapters.secrets import load_secrets
from broker.adapters.sharing_store import hold_alone
from broker.audit.records import LogMissingError
from broker.settings import BrokerSettings
from broker.whole import require_whole
from datwat.party.party_database import KeptRows, PartyDatabase
from datwat.party.ratchet import Ratchet
from datwat.protocol.checkpoint import Checkpoint

_KEPT = {
    "log_entries": KeptRows(
        update=(
            *("sealed", "input_sealed", "retention_until"),
            *("subject_id", "audience", "quarter", "number"),
        )
    ),
    "log_nodes": KeptRows(),
    "log_tags": KeptRows(),
    # Older roots are forgotten once newer ones are cosigned.
    "log_tag_roots": KeptRows(delete=True),
    "log_head": KeptRows(update=("size", "root", "delayed_chain_key_sealed")),
    "log_past_entries": KeptRows(),
    "log_generations": KeptRows(update=("told",)),
    "decision_log": KeptRows(delete=True),
}


def verify(settings: BrokerSettings, engine: Engine, ratchet: Ratchet) -> Mapping[str, Any]:
    """Recompute the tree and the tags, and hold them against what was signed last.

    Raises LogMissingError, LogDamagedError, LogForkedError, LogBehindError, TagIndexDamagedError.
    """
    signer = load_secrets(settings.home).build_signer(settings.log_origin)
    store = SqlLogStore(engine)
    with store.reading() as conn:
        head = store.find_head(conn)
    if head is None or head.origin != settings.log_origin:
        raise LogMissingError
    here = Checkpoint(origin=head.origin, size=head.size, root=head.root)
    tags = require_whole(engine, ratchet, signer, head, here)
    return {
        "log_size": head.size,
        "log_root": head.root.hex(),
        "tag_root_size": tags.size if tags else 0,
        "tag_root": tags.root.hex() if tags else None,
    }


DATABASE = PartyDatabase(
    settings=BrokerSettings, migrations=MIGRATIONS, kept=_KEPT, verify=verify, hold=hold_alone
)
