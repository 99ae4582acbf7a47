"""What the broker's `/metrics` shows: the figures of its parts, read from what is known already.

Rules: nothing asks the database or another party here (`watching.py` does, every while); no partner
has a name; what is not told yet (special situations) has no figure, and neither has anything by
which it could be counted but the length of the log, which is public.
"""

from __future__ import annotations

from collections.abc import Iterator

from broker.watching import Watch
from broker.wiring import Broker
from datwat.party.metrics import Reading
from datwat.party.parts import read_parts
from datwat.party.readings import read_bundle, read_pool, read_trust


def read_figures(broker: Broker, watch: Watch) -> Iterator[Reading]:
    """Yield every reading of now; from memory."""
    bundle = broker.policy.bundle
    yield from read_trust(broker.keeper.directory.trust)
    yield from read_bundle(bundle.seq, bundle.revision)
    yield from read_pool(broker.database)
    yield from read_parts((part.part, part.state) for part in watch.list_parts())
    yield from _read_looked(watch)
    yield from _read_log(broker)
    yield from _read_ends(broker)
    yield Reading("datwat_processes", len(broker.sharing.holders.processes))
    yield Reading("datwat_process_current", broker.sharing.is_current)
    yield Reading("datwat_process_keeps_house", broker.sharing.keeps_house)
    yield Reading("datwat_outbox_unreadable", broker.outbox.count_unreadable())
    yield Reading("datwat_trials_running", broker.trials.running)


def _read_looked(watch: Watch) -> Iterator[Reading]:
    seen, facts = watch.seen, watch.gather()
    yield Reading("datwat_policy_engine_up", seen.is_engine_ready)
    yield Reading("datwat_key_holder_up", seen.is_key_holder_there)
    took = seen.database_took
    yield Reading("datwat_database_up", took is not None)
    yield Reading(
        "datwat_database_answer_seconds", took.total_seconds() if took is not None else None
    )
    failing = sum(one.is_failing for one in facts.witnesses)
    yield Reading("datwat_witnesses", len(facts.witnesses) - failing, ("well",))
    yield Reading("datwat_witnesses", failing, ("failing",))
    silent = sum(one.is_failing for one in facts.partners)
    yield Reading("datwat_gateways_silent", silent)
    yield Reading("datwat_processing_waiting", facts.processing_waiting)
    for what, count in seen.overdue.items():
        yield Reading("datwat_overdue", count, (what,))
    yield Reading("datwat_contents_to_end", seen.contents_to_end)


def _read_log(broker: Broker) -> Iterator[Reading]:
    size, cosigned = broker.log.known_size, broker.publishing.publication.known
    yield Reading("datwat_log_entries", size)
    yield Reading("datwat_log_waiting", broker.log.waiting)
    is_held = cosigned is not None and broker.keeper.directory.trust.witness_threshold
    yield Reading("datwat_log_shown_entries", cosigned.size if cosigned and is_held else size)
    yield Reading("datwat_log_cosignatures", cosigned.count if cosigned else 0)
    yield Reading("datwat_log_cosigned_timestamp_seconds", cosigned.at if cosigned else None)


def _read_ends(broker: Broker) -> Iterator[Reading]:
    keeper = broker.housekeeper
    last = keeper.last_at.timestamp() if keeper.last_at else None
    yield Reading("datwat_housekeeping_timestamp_seconds", last)
    yield Reading("datwat_housekeeping_failing", len(keeper.failed))
    # What opens is no end, and how many did is not told beside the log.
    ended = sum(count for what, count in keeper.done.items() if what != "special_situations")
    yield Reading("datwat_housekeeping_ended", ended)
    oldest = broker.ends.generations.read_lag(broker.rooms.clock())
    yield Reading("datwat_kek_age_seconds", oldest.total_seconds())
