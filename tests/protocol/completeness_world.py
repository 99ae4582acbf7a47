"""A small log, made by hand, in which anything can be withheld, doubled or put elsewhere.

What an honest broker would give is `Maker.build`; what a dishonest one could try is made from it by
`ATTACKS` (tests/protocol/completeness_attacks.py). Python's checker and the page are held against
the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from datwat.protocol.canonical import encode_canonical
from datwat.protocol.checkpoint import CheckpointSigner, build_cosignature
from datwat.protocol.completeness import (
    CompletenessBundle,
    EarlierEntry,
    Roll,
    RollEntry,
    StatedEntry,
    TagRoot,
    View,
)
from datwat.protocol.completeness_checks import LogTrust
from datwat.protocol.entry import (
    Audience,
    EntryType,
    build_person_entry,
    build_tag_root_entry,
    derive_commit,
    derive_leaf_hash,
    derive_payload_hash,
    derive_tag,
    derive_tag_key,
    parse_entry,
)
from datwat.protocol.log_cores import Term
from datwat.protocol.merkle import build_inclusion_proof, derive_peaks, derive_root
from datwat.protocol.notes import COSIGNATURE_TYPE, VerifierKey, parse_note
from datwat.protocol.tag_tree import EMPTY, Leaf, build_tag_proof, derive_tag_root
from datwat.protocol.values import encode_bytes, encode_moment

ORIGIN = "log.example/log/1"
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
QUARTERS = ("2026Q3", "2026Q4")
AUDIENCES: Mapping[View, Sequence[Audience]] = {
    "self": ("open", "own"),
    "representative": ("open",),
    "auditor": ("delayed",),
}


@dataclass
class Written:
    """One entry about a person, as the broker holds it."""

    index: int
    tag: bytes
    core: bytes
    salt: bytes
    payload: bytes
    opens: Written | None = None
    is_erased: bool = False
    terms: tuple[Written, ...] = ()
    ended: Written | None = None

    @property
    def payload_hash(self) -> bytes:
        return derive_payload_hash(self.salt, self.payload)

    @property
    def commit(self) -> bytes:
        return derive_commit(self.core, self.payload_hash)


@dataclass
class Chains:
    """The chains of one person (or, for `delayed`, of the auditor): places by chain and quarter."""

    key: bytes
    rolls: dict[tuple[Audience, str], list[Written]] = field(default_factory=dict)

    def tag_key(self, audience: Audience, quarter: str) -> bytes:
        return derive_tag_key(self.key, audience, quarter)


def build_payload(number: int, **changes: object) -> bytes:
    members: dict[str, Any] = {
        "v": 1,
        "event": "inquire",
        "at": f"2026-11-{1 + number % 25:02}T09:00:00Z",
        "rid": encode_bytes(bytes(16)),
        "requester": {"id": "00000099000000001000:social-team", "name": "Wijkteam Noord"},
        "notice": "now",
        **changes,
    }
    return encode_canonical(members)


class Maker:
    """A log that grows as it is told to, with its keys and those of three witnesses."""

    def __init__(self, origin: str = ORIGIN, seed: int = 1, threshold: int = 2) -> None:
        self.origin = origin
        self.entries: list[bytes] = []
        self.tag_roots: list[TagRoot] = []
        keys = [Ed25519PrivateKey.from_private_bytes(bytes([seed + n]) * 32) for n in range(4)]
        self.signer = CheckpointSigner(origin, keys[0])
        self.witnesses = {f"witness{n}.example": key for n, key in enumerate(keys[1:], 1)}
        self.trust = LogTrust(
            origin=origin,
            vkeys=(self.signer.vkey,),
            witnesses=tuple(map(self.vkey, self.witnesses)),
            threshold=threshold,
        )
        self.openings: dict[int, Written] = {}
        self._salts = 0

    def vkey(self, name: str) -> str:
        public = self.witnesses[name].public_key().public_bytes_raw()
        return VerifierKey(name=name, type=COSIGNATURE_TYPE, public_key=public).text

    def write(
        self,
        chains: Chains,
        audience: Audience,
        quarter: str,
        *,
        payload: bytes | None = None,
        core: bytes = b'{"v":1}',
        number: int | None = None,
    ) -> Written:
        """Append an entry at the next place of a roll, or once more at place `number`."""
        roll = chains.rolls.setdefault((audience, quarter), [])
        place = len(roll) if number is None else number
        self._salts += 1
        written = Written(
            index=len(self.entries),
            tag=derive_tag(chains.tag_key(audience, quarter), place),
            core=core,
            salt=hashlib.sha256(self._salts.to_bytes(8, "big")).digest(),
            payload=build_payload(self._salts) if payload is None else payload,
        )
        self.entries.append(build_person_entry(written.tag, written.commit))
        if number is None:
            roll.append(written)
        return written

    def declare(
        self, chains: Chains, quarter: str, term: Term, before: Sequence[Written] = ()
    ) -> Written:
        """Append, in the auditor's chain, the entry that declares a term, or moves that of others.

        It waits under the term itself, as do `before`.
        """
        kind = "renewed" if before else "act"
        members = {"v": 1, "type": kind, "term": term.model_dump(mode="json")}
        written = self.write(chains, "delayed", quarter, core=encode_canonical(members))
        terms = (*before[0].terms, written) if before else (written,)
        for one in (*before, written):
            one.terms = terms
        return written

    def tell_ended(self, chains: Chains, quarter: str, core: bytes, event: str) -> Written:
        """Append, in the person's open chain, the notice that contents are gone."""
        payload = build_payload(1, event=event)
        return self.write(chains, "open", quarter, core=core, payload=payload)

    def open(
        self, chains: Chains, delayed: Written, quarter: str, at: datetime | None = None
    ) -> Written:
        """Append, in the person's open chain, the entry that opens a delayed one."""
        core: dict[str, Any] = {"v": 1, "type": "opened", "index": delayed.index}
        if at is not None:
            core["at"] = encode_moment(at)
        reopened = {
            "index": delayed.index,
            "commit": encode_bytes(delayed.commit),
            "salt": encode_bytes(delayed.salt),
            "core": encode_bytes(delayed.core),
            "payload": encode_bytes(delayed.payload),
        }
        written = self.write(
            chains,
            "open",
            quarter,
            core=encode_canonical({**core, "commit": encode_bytes(delayed.commit)}),
            payload=build_payload(1, event="opened", reopened=reopened),
        )
        written.opens = delayed
        self.openings[delayed.index] = written
        return written

    def state_tags(self, at_size: int | None = None) -> TagRoot:
        """Append the entry of type 02 over all entries before it, or over the first `at_size`."""
        size = len(self.entries) if at_size is None else at_size
        root = derive_tag_root(self.leaves(size))
        stated = TagRoot(index=len(self.entries), size=size, root=root, path=())
        self.entries.append(build_tag_root_entry(size, root))
        self.tag_roots.append(stated)
        return stated

    def leaves(self, size: int) -> list[Leaf]:
        found: dict[bytes, int] = {}
        for index, data in enumerate(self.entries[:size]):
            entry = parse_entry(data)
            if entry.type is EntryType.PERSON:
                found.setdefault(entry.ref, index)
        return sorted(found.items())

    def path(self, index: int) -> tuple[bytes, ...]:
        return tuple(build_inclusion_proof(self.node, index, len(self.entries)))

    def node(self, level: int, index: int) -> bytes:
        start = index << level
        return derive_root(map(derive_leaf_hash, self.entries[start : start + (1 << level)]))

    def note(self, moments: Mapping[str, datetime]) -> str:
        """Return the signed checkpoint of all entries, cosigned by some witnesses."""
        signed = self.signer.sign(
            len(self.entries), derive_root(map(derive_leaf_hash, self.entries))
        )
        text = parse_note(signed.encode()).text
        lines = [
            build_cosignature(text, name, self.witnesses[name], int(moment.timestamp())).text
            for name, moment in moments.items()
        ]
        return signed + "".join(lines)

    def build(
        self,
        chains: Chains,
        view: View = "self",
        *,
        now: datetime = NOW,
        tag_root: TagRoot | None = None,
        quarters: Sequence[str] = QUARTERS,
    ) -> CompletenessBundle:
        """Return the bundle that an honest broker gives, under the newest tag root or an older."""
        stated = tag_root or (self.tag_roots[-1] if self.tag_roots else None)
        size = stated.size if stated else 0
        leaves = self.leaves(size)
        root = derive_tag_root(leaves) if leaves else EMPTY
        assert stated is None or stated.root == root
        audiences = AUDIENCES[view]
        return CompletenessBundle(
            v=1,
            type="completeness",
            view=view,
            origin=self.origin,
            checkpoint=self.note(dict.fromkeys(list(self.witnesses)[:2], now)),
            tag_root=stated and stated.model_copy(update={"path": self.path(stated.index)}),
            peaks=tuple(self.node(level, index) for level, index in derive_peaks(size)),
            tail=b"".join(self.entries[size:]),
            rolls=tuple(
                self._build_roll(chains, audience, quarter, leaves)
                for quarter in quarters
                for audience in audiences
            ),
        )

    def _build_roll(
        self, chains: Chains, audience: Audience, quarter: str, leaves: Sequence[Leaf]
    ) -> Roll:
        written = chains.rolls.get((audience, quarter), [])
        key = chains.tag_key(audience, quarter)
        return Roll(
            audience=audience,
            quarter=quarter,
            tag_key=key,
            entries=tuple(
                self.build_entry(place, one, leaves, audience) for place, one in enumerate(written)
            ),
            end=build_tag_proof(leaves, derive_tag(key, len(written))),
        )

    def build_entry(
        self, place: int, one: Written, leaves: Sequence[Leaf], audience: Audience
    ) -> RollEntry:
        if one.is_erased:
            halves: dict[str, bytes] = {"commit": one.commit}
        elif audience == "delayed":
            halves = {
                "core_hash": hashlib.sha256(one.core).digest(),
                "payload_hash": one.payload_hash,
            }
        else:
            halves = {"core": one.core, "salt": one.salt, "payload": one.payload}
        return RollEntry(
            n=place,
            index=one.index,
            **halves,
            path=self.path(one.index),
            place=build_tag_proof(leaves, one.tag),
            earlier=self._find_earlier(one),
            terms=tuple(map(self.build_stated, one.terms)),
            opening=self._find_opening(one) if audience == "delayed" else None,
            ended=self.build_stated(one.ended) if one.ended and one.is_erased else None,
        )

    def _find_earlier(self, one: Written) -> EarlierEntry | None:
        if one.opens is None or one.is_erased:
            return None
        return EarlierEntry(tag=one.opens.tag, path=self.path(one.opens.index))

    def _find_opening(self, delayed: Written) -> StatedEntry | None:
        opening = self.openings.get(delayed.index)
        return self.build_stated(opening) if opening and not opening.is_erased else None

    def build_stated(self, one: Written) -> StatedEntry:
        return StatedEntry(
            index=one.index,
            tag=one.tag,
            core=one.core,
            payload_hash=one.payload_hash,
            path=self.path(one.index),
        )


@dataclass
class World:
    """A log with two persons, entries between a root's size and its own place, and a tail."""

    maker: Maker
    person: Chains
    other: Chains
    delayed: Chains


def build_world(origin: str = ORIGIN, seed: int = 1, *, count: int = 6) -> World:
    """Return a log in which one person has `count` open entries in the tree, two in the tail."""
    maker = Maker(origin, seed)
    person, other, delayed = (Chains(bytes([seed, n]) * 16) for n in range(3))
    waiting = maker.write(delayed, "delayed", "2026Q3")
    maker.write(delayed, "delayed", "2026Q4")
    for number in range(count):
        maker.write(person, "open", "2026Q4")
        maker.write(other, "open", "2026Q4")
        if number % 2:
            maker.write(person, "own", "2026Q4")
            maker.write(person, "open", "2026Q3")
    maker.state_tags()
    maker.write(other, "open", "2026Q4")
    maker.open(person, waiting, "2026Q4")
    size = len(maker.entries)
    # This one lies between the size of the newest root and the root's own entry.
    maker.write(person, "open", "2026Q4")
    maker.write(other, "open", "2026Q4")
    maker.state_tags(size)
    maker.write(other, "open", "2026Q4")
    maker.write(person, "open", "2026Q4")
    return World(maker, person, other, delayed)
