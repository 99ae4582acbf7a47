"""The receipt: the proof that an entry was written down before anything left.

Rule: whoever holds core, payload_hash and tag builds the leaf itself and finds it under the pinned
key of the log; nothing that a broker says about the leaf is believed.
Source: RFC 9162 section 2.1.3, C2SP tlog-checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence

from datwat.protocol.checkpoint import Checkpoint, verify_checkpoint
from datwat.protocol.entry import build_person_entry, derive_commit, derive_leaf_hash
from datwat.protocol.errors import ProtocolError
from datwat.protocol.merkle import InclusionError, verify_inclusion
from datwat.protocol.messages import ReceiptPath


class ReceiptOutsideError(ProtocolError):
    """The receipt points past the end of the log that the checkpoint states."""

    code = "receipt_outside"
    default_detail = "The receipt points to a place that this checkpoint does not cover."


class ReceiptError(ProtocolError):
    """The entry built from what was handed over is not the one at that place."""

    code = "receipt_invalid"
    default_detail = "The receipt does not prove that this entry was written down."


def build_leaf(core: bytes, payload_hash: bytes, tag: bytes) -> bytes:
    """Return the leaf hash of the entry that a partner was given the parts of."""
    return derive_leaf_hash(build_person_entry(tag, derive_commit(core, payload_hash)))


def require_receipt(
    *,
    core: bytes,
    payload_hash: bytes,
    tag: bytes,
    receipt: ReceiptPath,
    checkpoint: bytes,
    origin: str,
    vkeys: Sequence[str],
) -> Checkpoint:
    """Return the checkpoint under which the entry lies.

    Args:
        core: the exact bytes of the partner's half.
        payload_hash: the hash of the resident's half.
        tag: the stub under which the entry lies in public.
        receipt: where the entry lies.
        checkpoint: the signed note that came with it.
        origin: the name of the log, pinned.
        vkeys: the keys of the log, pinned.

    Raises:
        NoteError: the checkpoint does not hold (each case has its own code).
        ReceiptOutsideError: the place lies past the checkpoint's size.
        ReceiptError: another entry lies there, or the path is not one.
    """
    found = verify_checkpoint(checkpoint, origin, vkeys)
    require_inclusion(build_leaf(core, payload_hash, tag), receipt, found)
    return found


def require_inclusion(leaf_hash: bytes, receipt: ReceiptPath, checkpoint: Checkpoint) -> None:
    """Check that a leaf lies where its receipt says, under a checkpoint verified before.

    Raises:
        ReceiptOutsideError: the place lies past the checkpoint's size.
        ReceiptError: another entry lies there, or the path is not one.
    """
    if receipt.index >= checkpoint.size:
        raise ReceiptOutsideError
    try:
        verify_inclusion(leaf_hash, receipt.index, checkpoint.size, receipt.path, checkpoint.root)
    except InclusionError as error:
        raise ReceiptError from error
