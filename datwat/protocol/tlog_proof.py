"""The proof that an entry is in the log, as one text file that can be checked without any network.

Rule: the file proves nothing by itself: origin, keys of the log and of the witnesses come from the
trust list, and the leaf from whoever holds the entry. `extra` is not covered by any signature.
Source: C2SP tlog-proof (version 1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, ValidationError

from datwat.protocol.checkpoint import (
    MAX_TREE_SIZE,
    Checkpoint,
    Cosignature,
    verify_checkpoint,
    verify_cosignatures,
)
from datwat.protocol.errors import ProtocolError
from datwat.protocol.merkle import MAX_PROOF_LENGTH, verify_inclusion
from datwat.protocol.notes import MAX_NOTE_LENGTH, decode_base64, encode_base64, parse_note
from datwat.protocol.values import Bytes32, Value

TLOG_PROOF_MEDIA_TYPE = "text/plain; charset=utf-8"
MAX_EXTRA = 65_536

_HEAD = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
_LONGEST = MAX_NOTE_LENGTH + 2 * MAX_EXTRA + 8_192


class TlogProofError(ProtocolError):
    """The bytes are not such a proof."""

    code = "tlog_proof_malformed"
    default_detail = "This is not a proof in the form of C2SP tlog-proof."


class CosignaturesMissingError(ProtocolError):
    """Fewer known witnesses than wanted vouch for the checkpoint."""

    code = "cosignatures_missing"
    default_detail = "Too few known witnesses vouch for this checkpoint."


class TlogProof(Value):
    """Where an entry lies: its index, the path to the root, and the signed checkpoint as it came.

    `extra` is for the application, and authenticated by nothing.
    """

    index: int = Field(ge=0, le=MAX_TREE_SIZE)
    path: Annotated[tuple[Bytes32, ...], Field(max_length=MAX_PROOF_LENGTH)]
    checkpoint: Annotated[bytes, Field(max_length=MAX_NOTE_LENGTH)]
    extra: Annotated[bytes, Field(max_length=MAX_EXTRA)] | None = None

    def serialise(self) -> bytes:
        """Return the bytes of the file; its customary extension is `.tlog-proof`."""
        lines = [_HEAD]
        if self.extra is not None:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += [encode_base64(value) for value in self.path]
        return ("\n".join(lines) + "\n\n").encode() + self.checkpoint


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Return the proof that the bytes spell; nothing of it is believed yet.

    Raises:
        TlogProofError: too long, or in any but the one form.
    """
    if len(data) > _LONGEST:
        raise TlogProofError
    head, separator, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
        first = lines.pop(0)
        extra = decode_base64(lines.pop(0)[6:]) if lines[0].startswith("extra ") else None
        index = _INDEX.fullmatch(lines.pop(0))
        if not separator or first != _HEAD or index is None:
            raise TlogProofError
        path = tuple(decode_base64(line) for line in lines)
        return TlogProof(index=int(index[1]), path=path, checkpoint=checkpoint, extra=extra)
    except (ValueError, IndexError, ValidationError):
        raise TlogProofError from None


def verify_tlog_proof(
    proof: TlogProof,
    leaf_hash: bytes,
    *,
    origin: str,
    vkeys: Sequence[str],
    witness_vkeys: Sequence[str] = (),
    threshold: int = 0,
) -> tuple[Checkpoint, tuple[Cosignature, ...]]:
    """Return the checkpoint under which the leaf lies, and who of the known witnesses vouches.

    How old the cosignatures may be is for the caller to judge.

    Raises:
        NoteError: the checkpoint does not hold (each case has its own code).
        CosignaturesMissingError: fewer than `threshold` known witnesses.
        InclusionError: the leaf does not lie there.
    """
    checkpoint = verify_checkpoint(proof.checkpoint, origin, vkeys)
    cosignatures = verify_cosignatures(parse_note(proof.checkpoint), witness_vkeys)
    if len(cosignatures) < threshold:
        raise CosignaturesMissingError
    verify_inclusion(leaf_hash, proof.index, checkpoint.size, proof.path, checkpoint.root)
    return checkpoint, cosignatures
