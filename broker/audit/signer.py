"""The signer: states the newest committed head, once the ratchet holds it.

Rule: nothing is signed that does not begin with what was signed before, and nothing is signed that
a restart could forget: check, ratchet, sync, sign, in this order.
Source: house reference "audit-log", Sequencing; C2SP tlog-checkpoint, Signatures.

A crash after the ratchet and before the signature signs the same bytes at the next start.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from broker.audit.ports import LogStore
from broker.audit.records import (
    Appended,
    AppendedEntry,
    LogBehindError,
    LogDamagedError,
    LogForkedError,
    PreparedEntry,
)
from broker.audit.tree import Edge, TreeReader
from broker.audit.writer import Waiting
from datwat.party.ratchet import Mark, Ratchet, RatchetDamagedError, RatchetRefusedError
from datwat.protocol.checkpoint import CheckpointSigner
from datwat.protocol.entry import TAG_PLACE
from datwat.protocol.merkle import (
    ConsistencyError,
    build_consistency_proof,
    build_inclusion_proofs,
    derive_root_at,
    verify_consistency,
)
from datwat.protocol.messages import ReceiptPath


@dataclass(frozen=True, slots=True)
class Signed:
    """A head that was signed, and its note."""

    size: int
    root: bytes
    note: str


class Signer:
    """Signs heads of one log; safe in several threads."""

    def __init__(
        self,
        ratchet: Ratchet,
        checkpoints: CheckpointSigner,
        tree: TreeReader,
        edge: Edge,
        store: LogStore,
    ) -> None:
        self._ratchet = ratchet
        self._checkpoints = checkpoints
        self._tree = tree
        self._edge = edge
        self._store = store
        self._name = f"log:{checkpoints.origin}"

    def sign(self, size: int, root: bytes) -> Signed:
        """Sign a committed head, or the larger one that another process had signed by now.

        Raises:
            LogBehindError: more was signed before.
            LogForkedError: what was signed before is not the beginning of this tree.
            LogDamagedError: the tree does not have this root.
            RatchetError: the ratchet refuses, or could not be synced.
        """
        mark = self._ratchet.value(self._name)
        if mark is not None:
            if size < mark.number:
                return self._take_up(mark)
            before = derive_root_at(self._tree.node, mark.number)
            if not hmac.compare_digest(before, mark.digest):
                raise LogForkedError
        if not hmac.compare_digest(derive_root_at(self._tree.node, size), root):
            raise LogDamagedError
        try:
            if not self._ratchet.advance_from(self._name, mark, size, root):
                return self.sign(size, root)  # what another signed meanwhile may be of no such tree
        except RatchetRefusedError:
            return self._take_up(self._require_mark())
        return Signed(size, root, self._checkpoints.sign(size, root))

    def find_newer(self, size: int) -> Signed | None:
        """Return the head beyond `size` that another process signed; None where there is none.

        Raises LogBehindError, LogForkedError, RatchetError.
        """
        mark = self._require_mark()
        return self._take_up(mark) if mark.number > size else None

    def sign_within(self, size: int, signed: Signed) -> Signed:
        """Sign the first `size` entries of a head that was signed: the same bytes as back then.

        For who heard that head from another process, or before a restart. What the database holds
        is not taken at its word: it must lead to what was signed, whoever names the size.

        Raises LogForkedError, LogDamagedError.
        """
        root = derive_root_at(self._tree.node, size)
        proof = build_consistency_proof(self._tree.node, size, signed.size)
        try:
            verify_consistency(size, signed.size, proof, root, signed.root)
        except ConsistencyError:
            raise LogForkedError from None
        return Signed(size, root, self._checkpoints.sign(size, root))

    def sign_committed(self) -> Signed:
        """Sign the newest committed head, whichever process wrote it; raises what `sign` raises."""
        with self._store.reading() as connection:
            head = self._store.find_head(connection)
            if head is None:
                raise LogBehindError
            self._edge.reach(connection, head.size, head.root)
        return self.sign(head.size, head.root)

    def _take_up(self, mark: Mark) -> Signed:
        """Sign what another process signed: the same bytes (RFC 8032), if it is of this tree.

        It was committed before the ratchet held it: a database that does not have it was put back.
        """
        with self._store.reading() as connection:
            head = self._store.find_head(connection)
            if head is None or head.size < mark.number:
                raise LogBehindError
            self._edge.reach(connection, head.size, head.root)
        if not hmac.compare_digest(derive_root_at(self._tree.node, mark.number), mark.digest):
            raise LogForkedError
        return Signed(mark.number, mark.digest, self._checkpoints.sign(mark.number, mark.digest))

    def _require_mark(self) -> Mark:
        mark = self._ratchet.value(self._name)
        if mark is None:  # it was there: somebody took it away
            raise RatchetDamagedError
        return mark

    def build_appended(self, written: Sequence[Waiting], signed: Signed) -> list[Appended]:
        """Return the receipts of each job, whose entries lie below a signed head."""
        indexes = [row.index for waiting in written for row in waiting.rows]
        paths = iter(build_inclusion_proofs(self._tree.node, indexes, signed.size))
        return [_build_appended(waiting, paths, signed.note) for waiting in written]


def _build_appended(waiting: Waiting, paths: Iterator[list[bytes]], note: str) -> Appended:
    entries = []
    for item, row in zip(waiting.items, waiting.rows, strict=True):
        person = isinstance(item, PreparedEntry)
        entries.append(
            AppendedEntry(
                index=row.index,
                tag=row.entry[TAG_PLACE] if person else None,
                payload_hash=item.payload_hash if isinstance(item, PreparedEntry) else None,
                receipt=ReceiptPath.model_construct(index=row.index, path=tuple(next(paths))),
            )
        )
    return Appended(entries=tuple(entries), checkpoint=note)
