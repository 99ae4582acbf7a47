"""Proofs from the log: where an entry lies, and that one head grew from another.

Rule: a proof is made for a head that was signed, and leaves together with that head's note.
Source: RFC 9162 sections 2.1.3 and 2.1.4; C2SP tlog-checkpoint.
"""

from __future__ import annotations

from typing import NamedTuple

from broker.audit.log import Log
from datwat.protocol.merkle import build_inclusion_proof
from datwat.protocol.messages import ReceiptPath


class SignedHead(NamedTuple):
    """A signed note and the size that it states."""

    note: str
    size: int


class Proofs:
    """Makes proofs for the newest signed head, or an earlier one."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def read_head(self) -> SignedHead:
        """Return the newest signed checkpoint with its size."""
        return read_note(self._log.checkpoint())

    def read_known_head(self) -> SignedHead:
        """Return the newest one as far as this process knows, from memory.

        Every entry that this process has a receipt of lies below it.
        """
        return read_note(self._log.known_checkpoint)

    def read_head_at(self, size: int) -> SignedHead:
        """Return the head of `size`, or the newest signed one where that is smaller."""
        return read_note(self._log.checkpoint_at(size))

    def read_committed_head(self) -> SignedHead:
        """Return a signed checkpoint over all that is committed, by whichever process."""
        self._log.sign_committed()
        return self.read_head()

    def build_receipt(self, index: int, size: int) -> ReceiptPath:
        """Return where an entry lies under a head of `size`; raise MerkleError past it."""
        path = build_inclusion_proof(self._log.node, index, size)
        return ReceiptPath.model_construct(index=index, path=tuple(path))

    def build_consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """Return the proof between two sizes; empty from nothing or to the same size."""
        if old_size in (0, new_size):
            return ()
        return self._log.build_consistency(old_size, new_size)


def read_note(note: str) -> SignedHead:
    """Return a note of this log with the size that it states."""
    return SignedHead(note, int(note.split("\n", 2)[1]))
