"""What must be so after any fault: nothing acknowledged is lost, nothing forks, nothing doubles.

One function, whatever was broken before: every receipt that a partner was given lies in the log at
its place with its leaf, every head that anybody was given is of one tree, indices and chains have
no gap, no pointer is there twice, and no order reached a source that is not in the log.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httpx

from datwat.protocol.checkpoint import verify_checkpoint
from datwat.protocol.entry import derive_leaf_hash
from datwat.protocol.merkle import derive_root_of_peaks, hash_node
from datwat.protocol.receipt import build_leaf
from tests.databases import read_rows
from tests.parties import LOG_ORIGIN, run_command
from tests.several.told import Told
from tests.several.world import SeveralCovenant, is_alive, require_contiguous

_SECONDS = 60.0
_DOUBLES = (
    "SELECT subject_id FROM involvements WHERE ended_at IS NULL GROUP BY subject_id, source, kind"
    " HAVING count(*) > 1"
)


@dataclass(frozen=True)
class Kept:
    """How much was held against the log."""

    size: int
    receipts: int
    heads: int
    orders: int


def require_kept(covenant: SeveralCovenant, told: Told) -> Kept:
    """Assert all of it of a covenant whose processes run; no partner writes meanwhile."""
    assert all(is_alive(broker) for broker in covenant.brokers)
    shown = [_fetch_head(covenant, broker.url()) for broker in covenant.brokers]
    size = require_contiguous(covenant)
    rows = covenant.read("SELECT entry FROM log_entries ORDER BY idx")
    leaves = [derive_leaf_hash(bytes(entry)) for (entry,) in rows]
    for index, leaf in told.entries.items():
        assert leaves[index : index + 1] == [leaf], f"entry {index} of {size} is lost"
    wanted = [*told.heads.items(), *shown]
    roots = _derive_roots(leaves, {seen for seen, _ in wanted})
    for seen, root in wanted:
        assert roots.get(seen) == root, f"the head of {seen} is of another tree"
    assert covenant.read(_DOUBLES) == []
    orders = _require_orders(covenant, leaves)
    _require_verified(covenant, size)
    return Kept(size, len(told.entries), len(told.heads), orders)


def _fetch_head(covenant: SeveralCovenant, url: str) -> tuple[int, bytes]:
    """Return what a process shows; one whose server was just away says so for a moment more."""
    log, until = covenant.trust_list.log, time.monotonic() + _SECONDS
    while True:
        answer = httpx.get(url + "/v1/log/checkpoint", trust_env=False, timeout=20)
        if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > until:
            break
        time.sleep(0.2)
    assert answer.status_code == HTTPStatus.OK, answer.text
    found = verify_checkpoint(answer.content, log.origin, log.vkeys)
    return found.size, found.root


def _derive_roots(leaves: Sequence[bytes], sizes: Iterable[int]) -> dict[int, bytes]:
    """Return the root of the first so many leaves, for each of these sizes that there is."""
    wanted, peaks, roots = set(sizes), list[tuple[int, bytes]](), {}
    for size, leaf in enumerate(leaves, 1):
        level, current = 0, leaf
        while peaks and peaks[-1][0] == level:
            current = hash_node(peaks.pop()[1], current)
            level += 1
        peaks.append((level, current))
        if size in wanted:
            roots[size] = derive_root_of_peaks([peak for _, peak in peaks])
    return roots


def _require_orders(covenant: SeveralCovenant, leaves: Sequence[bytes]) -> int:
    """Assert that each order that a source took is in the log; return how many it took."""
    count = 0
    for partner in covenant.partners.values():
        query = "SELECT log_index, core, payload_hash, tag FROM gateway_orders"
        for index, core, payload_hash, tag in read_rows(partner.home, query):
            assert leaves[index : index + 1] == [build_leaf(core, payload_hash, tag)]
            count += 1
    return count


def _require_verified(covenant: SeveralCovenant, size: int) -> None:
    """Assert that anybody who reads the whole log finds it right."""
    key = run_command("log", "key", "--home", str(covenant.broker.home))["vkey"]
    verified = run_command(
        *("log", "verify", covenant.brokers[1].url() + "/v1/log", "--origin", LOG_ORIGIN),
        *("--key", key),
    )
    assert verified["entries"] >= size
