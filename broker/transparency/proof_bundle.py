"""The completeness bundle of one person, or of the auditor's chain, as of the checkpoint shown.

Rules: what a bundle says depends on the visible chains only: an entry that waits for its opening
changes no count, no quarter and no size of it; a person's own chain is never in a representative's.
Reading writes no entry. Source: house reference "audit-log", Completeness; AVG 12, 15.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from broker.audit.ports import EntryRow, LogStore
from broker.audit.publication import ProofBase
from broker.audit.records import LogDamagedError
from broker.audit.sealing import Sealing
from broker.audit.tag_roots import TagRootMovedError
from broker.transparency.proof_delayed import DelayedReading, list_stated
from broker.transparency.proof_paths import Paths
from broker.transparency.proof_reading import (
    GatheredRoll,
    RawEntries,
    Reading,
    build_roll,
    build_root,
    give_out,
    list_opened,
)
from datwat.party.errors import PartyError
from datwat.protocol.completeness import MAX_QUARTERS, CompletenessBundle, View
from datwat.protocol.entry import (
    ENTRY_LENGTH,
    Audience,
    ContentError,
    derive_quarter,
    derive_tag_key,
)
from datwat.protocol.tag_tree import TagProof

_BATCH = 500
_TRIES = 3
_AT_ONCE = 2
_MOST_TAIL = 16_777_216 // ENTRY_LENGTH
AUDIENCES: dict[View, tuple[Audience, ...]] = {
    "self": ("open", "own"),
    "representative": ("open",),
    "auditor": ("delayed",),
}
FindDelayed = Callable[[Connection, Sequence[str], int], Sequence[EntryRow]]
"""The rows of the auditor's chain in some quarters below an index, in the order of their places."""


class ProofNotReadyError(PartyError):
    """No bundle can be made at this moment."""

    code = "proof_not_ready"
    default_detail = "The proof cannot be made at this moment: try again in a minute."


class QuarterError(PartyError):
    """Quarters that have not come yet, or are named twice."""

    code = "proof_quarters"
    default_detail = "Name each quarter once, such as 2026Q4, and none that has not begun."


class ProofSource(Protocol):
    """The public log: the checkpoint shown, and proofs about tags under its newest root."""

    def read_base(self) -> ProofBase:
        """Return what proofs rest on now."""
        ...

    def prove_tags(
        self, connection: Connection, tag_size: int, tags: Sequence[bytes]
    ) -> list[TagProof]:
        """Return a proof for each tag; raise TagRootMovedError if the base is another by now."""
        ...


class ProofBundles:
    """Makes bundles, each from one view of the database; blocking but for `fetch`."""

    def __init__(
        self,
        store: LogStore,
        sealing: Sealing,
        source: ProofSource,
        raw: RawEntries,
        find_delayed: FindDelayed,
    ) -> None:
        self._store = store
        self._sealing = sealing
        self._source = source
        self._raw = raw
        self._find_delayed = find_delayed
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def fetch(
        self, subject_id: bytes, view: View, quarters: Sequence[str], now: datetime
    ) -> CompletenessBundle:
        """Return `build` of a thread, so that other questions pass meanwhile."""
        async with self._turns:
            return await asyncio.to_thread(self.build, subject_id, view, quarters, now)

    async def fetch_delayed(self, quarters: Sequence[str], now: datetime) -> CompletenessBundle:
        """Return `build_delayed` of a thread."""
        async with self._turns:
            return await asyncio.to_thread(self.build_delayed, quarters, now)

    def build(
        self, subject_id: bytes, view: View, quarters: Sequence[str], now: datetime
    ) -> CompletenessBundle:
        """Return the bundle of a person; without quarters: from the first visible entry on.

        Raises:
            QuarterError: a quarter twice, or one that has not begun.
            ProofNotReadyError: the newest checkpoint shown lies too far back, or keys are gone.
            LogDamagedError: what lies sealed is not what an entry commits to.
        """
        _require_quarters(quarters, now)

        def gather(conn: Connection, base: ProofBase) -> list[GatheredRoll]:
            rows = self._fetch_rows(conn, subject_id, AUDIENCES[view], base.size)
            wanted = sorted(quarters) or list_quarters(rows, now)
            found = self._sealing.fetch_keys(conn, [subject_id], now).get(subject_id)
            if found is None:
                raise ProofNotReadyError
            rolls = [
                GatheredRoll(audience, quarter, derive_tag_key(found.chain_key, audience, quarter))
                for quarter in wanted
                for audience in AUDIENCES[view]
            ]
            give_out(rolls, rows)
            for roll in rolls:
                roll.contents = self._sealing.open_contents(conn, subject_id, roll.rows)
            return rolls

        return self._build(view, gather)

    def build_delayed(self, quarters: Sequence[str], now: datetime) -> CompletenessBundle:
        """Return the auditor's bundle: each delayed entry, its term, and by what it was opened.

        Raises as `build`.
        """
        _require_quarters(quarters, now)
        wanted = sorted(quarters) or [derive_quarter(now)]

        def gather(conn: Connection, base: ProofBase) -> list[GatheredRoll]:
            rows = self._find_delayed(conn, wanted, base.size)
            key = self._sealing.open_delayed_chain_key()
            rolls = [
                GatheredRoll("delayed", quarter, derive_tag_key(key, "delayed", quarter))
                for quarter in wanted
            ]
            give_out(rolls, rows)
            for roll in rolls:
                for row in roll.rows:
                    roll.contents += self._sealing.open_contents(conn, row.subject_id or b"", [row])
            return rolls

        return self._build("auditor", gather)

    def _build(
        self, view: View, gather: Callable[[Connection, ProofBase], list[GatheredRoll]]
    ) -> CompletenessBundle:
        changed: ContentError | None = None
        for _ in range(_TRIES):
            # A newer root, or contents sealed anew, between two reads: begin anew.
            try:
                base = self._source.read_base()
                if base.size - base.tag_size > _MOST_TAIL:
                    raise ProofNotReadyError
                # Its view begins after the base was read, so that it holds all that lies under it.
                with self._store.reading() as conn:
                    return self._assemble(conn, base, view, gather(conn, base))
            except TagRootMovedError:
                changed = None
            except ContentError as error:
                changed = error
        if changed is not None:  # each time: it was not sealed anew, it was changed
            raise LogDamagedError from changed
        raise ProofNotReadyError

    def _assemble(
        self, conn: Connection, base: ProofBase, view: View, rolls: Sequence[GatheredRoll]
    ) -> CompletenessBundle:
        opened = {row.index: core for roll in rolls for row, core in list_opened(roll)}
        delayed = DelayedReading(self._sealing, self._fetch_rows)
        beside = delayed.find_beside(conn, rolls, base.size) if view == "auditor" else {}
        paths = Paths(base.size)
        paths.want(row.index for roll in rolls for row in roll.rows)
        paths.want(core.index for core in opened.values())
        paths.want(list_stated(beside.values()))
        paths.want([] if base.tag_index is None else [base.tag_index])
        paths.want_peaks(base.tag_size)
        paths.load(conn, self._store)
        tags = [tag for roll in rolls for tag in roll.tags]
        proofs = iter(self._source.prove_tags(conn, base.tag_size, tags))
        read = Reading(conn, self._raw, paths, opened, beside)
        return CompletenessBundle.model_construct(
            v=1,
            type="completeness",
            view=view,
            origin=base.note.split("\n", 1)[0],
            checkpoint=base.note,
            tag_root=build_root(base, paths),
            peaks=paths.peaks(base.tag_size),
            tail=b"".join(read.raw(base.tag_size, base.size)),
            rolls=tuple(build_roll(roll, read, proofs) for roll in rolls),
        )

    def _fetch_rows(
        self, conn: Connection, subject_id: bytes, audiences: Sequence[str], below: int
    ) -> list[EntryRow]:
        """Return a person's entries below an index, the oldest first."""
        found: list[EntryRow] = []
        while True:
            rows = self._store.fetch_entries_of(
                conn, subject_id, audiences, limit=_BATCH, before=below
            )
            found += rows
            if len(rows) < _BATCH:
                return found[::-1]
            below = rows[-1].index


def list_quarters(rows: Sequence[EntryRow], now: datetime) -> list[str]:
    """Return the quarters from the first of these entries to now, at most the newest 40.

    Only entries that may be seen count: not when the person became known.
    """
    first = min((row.quarter for row in rows if row.quarter is not None), default=None)
    last = derive_quarter(now)
    place = _number(min(first or last, last))
    found = [_spell(number) for number in range(place, _number(last) + 1)]
    return found[-MAX_QUARTERS:]


def _require_quarters(quarters: Sequence[str], now: datetime) -> None:
    if len(set(quarters)) != len(quarters) or any(one > derive_quarter(now) for one in quarters):
        raise QuarterError


def _number(quarter: str) -> int:
    year, _, place = quarter.partition("Q")
    return 4 * int(year) + int(place) - 1


def _spell(number: int) -> str:
    return f"{number // 4:04}Q{number % 4 + 1}"
