"""Whatever breaks, a witness vouches for the whole log again within a bound, and for one tree only.

The ratchet's server hangs, the database's connections are cut, the witness itself is away, and the
process that asks it is killed; partners go on meanwhile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from datwat.party.admin import call_running
from datwat.protocol.checkpoint import verify_checkpoint, verify_cosignatures
from datwat.protocol.entry import derive_leaf_hash
from datwat.protocol.merkle import derive_root
from datwat.protocol.notes import parse_note
from datwat.protocol.tiles import TreeEdge
from tests.databases import read_rows
from tests.several.conftest import Stormy
from tests.several.kept import require_kept
from tests.several.load import Load
from tests.several.mixing import draw_seed
from tests.several.world import BrokerProcess, WitnessedCovenant, await_true, is_alive

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.xdist_group("several-stormy"),
    pytest.mark.timeout(600),
]
_ANSWER_SECONDS = 120.0
# A second or two where nothing else runs; a witness may be asked for twenty before it is given up.
_COSIGNED_SECONDS = 60.0
_HANG_SECONDS = 6.0  # shorter than a server is waited for
_TAKE_OVER_SECONDS = 0.8
_GROWTH = 20  # entries


def ratchet_server_hangs(stormy: Stormy) -> None:
    stormy.ratchet_network.hang()
    try:
        time.sleep(_HANG_SECONDS)
    finally:
        stormy.ratchet_network.flow()


def database_connections_are_cut(stormy: Stormy) -> None:
    """Each cut ends the keeping of house: again and again, until the first one keeps it anew."""
    first = find_housekeeper(stormy)
    begun = count_begun(first)

    def cut() -> bool:
        stormy.pair.network.cut()
        time.sleep(_TAKE_OVER_SECONDS)
        return count_begun(first) > begun

    await_true(cut, _ANSWER_SECONDS, "it does not keep house again")


def witness_is_away(stormy: Stormy) -> None:
    covenant = stormy.covenant
    covenant.witness.stop()
    try:
        await_growth(covenant)  # what it answered last is taken in by now
        before = covenant.brokers[0].status["cosigned_size"]
        await_growth(covenant)
        assert covenant.brokers[0].status["cosigned_size"] == before
    finally:
        covenant.witness.restart()


def housekeeper_is_killed(stormy: Stormy) -> None:
    covenant = stormy.covenant
    victim = find_housekeeper(stormy)
    victim.kill()
    try:
        await_true(lambda: covenant.housekeeper is not None, _ANSWER_SECONDS, "nobody keeps house")
    finally:
        victim.restart()  # if it is the first one, the witness reads the log there
    assert victim.status["housekeeper"] != victim.number


FAULTS: Sequence[Callable[[Stormy], None]] = (
    ratchet_server_hangs,
    database_connections_are_cut,
    witness_is_away,
    housekeeper_is_killed,
)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_witness_vouches_for_the_whole_log_again(
    stormy: Stormy, fault: Callable[[Stormy], None]
) -> None:
    covenant = stormy.covenant
    with Load(covenant, stormy.children, draw_seed()) as load:
        load.await_each(covenant.brokers, _ANSWER_SECONDS)
        await_cosigned(covenant)
        before = read_vouched(covenant)
        fault(stormy)
        assert all(map(is_alive, covenant.brokers))
        load.await_each(covenant.brokers, _ANSWER_SECONDS)
        await_cosigned(covenant)
    assert require_kept(covenant, load.told).receipts > 0
    require_one_tree(covenant, [before, read_vouched(covenant)])


def find_housekeeper(stormy: Stormy) -> BrokerProcess:
    found = stormy.covenant.housekeeper
    assert found is not None
    return found


def count_begun(broker: BrokerProcess) -> int:
    """Return how often a process says that it began to keep house."""
    return broker.log.read_bytes().count(b'"housekeeping_begun"')


def await_growth(covenant: WitnessedCovenant) -> None:
    until = covenant.log_size + _GROWTH
    await_true(lambda: covenant.log_size >= until, _ANSWER_SECONDS, "the log does not grow")


def await_cosigned(covenant: WitnessedCovenant) -> None:
    """Wait until each process knows of a cosigned checkpoint of all that is in the log now."""
    size = covenant.log_size

    def is_cosigned() -> bool:
        return all((one.status["cosigned_size"] or 0) >= size for one in covenant.brokers)

    await_true(is_cosigned, _COSIGNED_SECONDS, f"no witness vouches for {size} entries")


def read_vouched(covenant: WitnessedCovenant) -> bytes:
    """Return the newest checkpoint that the witness keeps, with its own cosignature."""
    ((note,),) = read_rows(covenant.witness.home, "SELECT note FROM vouched")
    return bytes(note)


def require_one_tree(covenant: WitnessedCovenant, notes: Sequence[bytes]) -> None:
    """Assert that these, and all that the witness followed, are of the tree that the log has."""
    home, trust = covenant.witness.home, covenant.trust_list
    assert call_running(home, "status")["alarms"] == []
    ((followed, edge),) = read_rows(home, "SELECT size, edge FROM followed")
    rows = covenant.read("SELECT entry FROM log_entries ORDER BY idx")
    leaves = [derive_leaf_hash(bytes(entry)) for (entry,) in rows]
    assert TreeEdge.read(followed, bytes(edge)).has_root(derive_root(leaves[:followed]))
    for note in notes:
        seen = verify_checkpoint(note, trust.log.origin, trust.log.vkeys)
        assert seen.root == derive_root(leaves[: seen.size])
        assert verify_cosignatures(parse_note(note), [one.vkey for one in trust.witnesses])
    sizes = list_cosigned_sizes(covenant)
    assert sizes
    assert all(one <= other for one, other in pairwise(sizes))


def list_cosigned_sizes(covenant: WitnessedCovenant) -> list[int]:
    """Return the size of each cosignature that the witness says it made, oldest first."""
    lines = covenant.witness.log.read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return [one["size"] for one in events if one["event"] == "cosigned"]
