"""What partners were told, as they verified it: places, leaves, heads, handles; and the counts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from connectors.client.outgoing import Sent
from datwat.protocol.messages import Answer
from datwat.protocol.receipt import build_leaf


@dataclass
class Told:
    """What partners were told, counted, and when they last heard anything."""

    entries: dict[int, bytes] = field(default_factory=dict)
    heads: dict[int, bytes] = field(default_factory=dict)
    handles: dict[tuple[str, str], bytes] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    tried_again: Counter[str] = field(default_factory=Counter)
    heard_at: dict[int, float] = field(default_factory=dict)
    silence: float = 0.0
    recent: list[tuple[str, Sent, tuple[int, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._heard_at = time.monotonic()

    def hear(self, broker: int) -> None:
        """Note that a process answered now, be it by a refusal; *not just now* is no answer."""
        with self._lock:
            heard, self._heard_at = self._heard_at, time.monotonic()
            self.silence = max(self.silence, self._heard_at - heard)
            self.heard_at[broker] = self._heard_at

    def take(self, entries: dict[int, bytes], head: tuple[int, bytes] | None) -> None:
        """Keep the leaf at each place, and the signed head; neither may ever be another."""
        with self._lock:
            for index, leaf in entries.items():
                assert self.entries.setdefault(index, leaf) == leaf, "two leaves at one place"
            if head is not None:
                size, root = head
                assert self.heads.setdefault(size, root) == root, "two heads of one size"

    def know(self, function: str, bsn: str, handle: bytes) -> None:
        """Keep how a partner may name a person: whoever looks them up, it is the same person."""
        with self._lock:
            assert self.handles.setdefault((function, bsn), handle) == handle, "two persons"

    def summarise(self) -> dict[str, object]:
        """Return what was done and refused, by name, and the longest time nobody was answered."""
        return {
            "done": dict(self.done),
            "refused": dict(self.refused),
            "tried_again": dict(self.tried_again),
            "unanswered": dict(self.unanswered),
            "longest_silence_seconds": round(self.silence, 1),
        }

    def count(self, counter: Counter[str], name: str) -> None:
        with self._lock:
            counter[name] += 1

    def remember(self, partner: str, sent: Sent, places: tuple[int, ...]) -> None:
        """Keep a message that was answered, for somebody who sends it again."""
        with self._lock:
            self.recent.append((partner, sent, places))
            del self.recent[:-32]


def read_entries(content: bytes) -> dict[int, bytes]:
    """Return the leaf hash at each place that an answer proves."""
    found = {}
    for person in Answer.model_validate_json(content).answers:
        if person.receipt is not None and person.payload_hash and person.tag:
            leaf = build_leaf(person.core, person.payload_hash, person.tag)
            found[person.receipt.index] = leaf
    return found
