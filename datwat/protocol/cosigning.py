r"""How a log asks a witness to vouch for a checkpoint, and when a witness may. Pure.

Rule: a witness vouches for trees that grew from the largest one it vouched for, and for no other;
the checks run in the order of the specification, and each refusal has the status it names.

    old <size>\n  (<hash>\n)*  \n  <checkpoint>          POST <prefix>/add-checkpoint
    200: signature lines    409: the size it holds, as text    400, 403, 404, 422: refused

Source: C2SP tlog-witness (add-checkpoint), tlog-cosignature.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field, ValidationError

from datwat.protocol.checkpoint import (
    MAX_TREE_SIZE,
    Checkpoint,
    CheckpointOriginError,
    CheckpointUnsignedError,
    parse_checkpoint,
    verify_checkpoint,
    verify_cosignatures,
)
from datwat.protocol.errors import ProtocolError
from datwat.protocol.merkle import EMPTY_ROOT, ConsistencyError, verify_consistency
from datwat.protocol.notes import (
    MAX_NOTE_LENGTH,
    Note,
    NoteError,
    NoteSignatureError,
    SignatureLine,
    decode_base64,
    encode_base64,
    parse_note,
)
from datwat.protocol.values import Bytes32, Value

ADD_CHECKPOINT_PATH = "/add-checkpoint"
MAX_CONSISTENCY_LINES = 63
MAX_REQUEST_BYTES = MAX_NOTE_LENGTH + 4_096
MAX_ANSWER_BYTES = 8_192
SIZE_MEDIA_TYPE = "text/x.tlog.size"

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


class CosigningError(ProtocolError):
    """The witness does not vouch; `status` is the one that the specification gives the case."""

    code = "cosigning_refused"
    default_detail = "The witness does not vouch for this checkpoint."
    status = 400


class CosigningFormError(CosigningError):
    """Not a request, or one whose old size is larger than its checkpoint."""

    code = "cosigning_form"
    default_detail = "This is not an add-checkpoint request as C2SP tlog-witness describes it."


class CosigningUnsignedError(CosigningError):
    """No key of the log signed, or a line of its key does not verify."""

    code = "cosigning_unsigned"
    default_detail = "No key of the log that this witness trusts signed the checkpoint."
    status = 403


class CosigningOriginError(CosigningError):
    """Another log."""

    code = "cosigning_origin"
    default_detail = "This witness does not follow a log of that origin."
    status = 404


class CosigningSizeError(CosigningError):
    """The old size is not that of the newest checkpoint vouched for, which is `size`."""

    code = "cosigning_size"
    default_detail = "The old size is not that of the newest checkpoint this witness vouched for."
    status = 409

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__()


class CosigningProofError(CosigningError):
    """The tree is not proved to have grown from the one vouched for."""

    code = "cosigning_proof"
    default_detail = "The checkpoint is not proved to grow from the one this witness vouched for."
    status = 422


class CosigningForkError(CosigningProofError):
    """Two trees of one size, both signed by the log."""

    code = "cosigning_fork"
    default_detail = "The log signed two different trees of one size."


class Vouched(NamedTuple):
    """The newest tree that a witness vouched for; of size 0 before the first."""

    size: int = 0
    root: bytes = EMPTY_ROOT


class AddCheckpoint(Value):
    """A request: the size vouched for last, the proof from there, and the checkpoint as it came."""

    old_size: int = Field(ge=0, le=MAX_TREE_SIZE)
    proof: Annotated[tuple[Bytes32, ...], Field(max_length=MAX_CONSISTENCY_LINES)]
    checkpoint: Annotated[bytes, Field(max_length=MAX_NOTE_LENGTH)]

    def serialise(self) -> bytes:
        """Return the body of the request."""
        lines = [f"old {self.old_size}", *(encode_base64(value) for value in self.proof)]
        return ("\n".join(lines) + "\n\n").encode() + self.checkpoint


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Return the request in `body`; nothing of it is believed yet. Raise CosigningFormError."""
    if len(body) > MAX_REQUEST_BYTES:
        raise CosigningFormError
    head, separator, checkpoint = body.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
        old = _OLD.fullmatch(lines[0])
        if not separator or old is None:
            raise CosigningFormError
        proof = tuple(decode_base64(line) for line in lines[1:])
        return AddCheckpoint(old_size=int(old[1]), proof=proof, checkpoint=checkpoint)
    except (ValueError, ValidationError):
        raise CosigningFormError from None


def require_known_log(request: AddCheckpoint, origin: str, vkeys: Sequence[str]) -> Checkpoint:
    """Return what the log states; the first half of a witness's checks.

    Raises:
        CosigningFormError: no checkpoint, or smaller than the old size (400).
        CosigningOriginError: another log (404).
        CosigningUnsignedError: not signed by a key of it (403).
    """
    try:
        stated = parse_checkpoint(parse_note(request.checkpoint).text)
    except NoteError:
        raise CosigningFormError from None
    if not hmac.compare_digest(stated.origin.encode(), origin.encode()):
        raise CosigningOriginError
    try:
        checkpoint = verify_checkpoint(request.checkpoint, origin, vkeys)
    except (CheckpointUnsignedError, NoteSignatureError):
        raise CosigningUnsignedError from None
    except CheckpointOriginError:
        raise CosigningOriginError from None
    if request.old_size > checkpoint.size:
        raise CosigningFormError("The old size is larger than that of the checkpoint.")
    return checkpoint


def require_growth(request: AddCheckpoint, checkpoint: Checkpoint, vouched: Vouched) -> None:
    """Check that a checkpoint of the log grew from the tree vouched for; the second half.

    Raises:
        CosigningSizeError: the request starts from another size (409).
        CosigningForkError: the same size with another root (422).
        CosigningProofError: the proof does not hold (422).
    """
    if request.old_size != vouched.size:
        raise CosigningSizeError(vouched.size)
    if checkpoint.size == 0 and not hmac.compare_digest(checkpoint.root, EMPTY_ROOT):
        raise CosigningProofError
    if request.old_size == checkpoint.size and not hmac.compare_digest(
        checkpoint.root, vouched.root
    ):
        raise CosigningForkError
    if request.old_size == 0:
        if request.proof:
            raise CosigningProofError
        return
    try:
        verify_consistency(
            vouched.size, checkpoint.size, request.proof, vouched.root, checkpoint.root
        )
    except ConsistencyError:
        raise CosigningProofError from None


def build_size_answer(size: int) -> bytes:
    """Return the body of a 409: the size vouched for."""
    return f"{size}\n".encode("ascii")


def read_size_answer(body: bytes) -> int:
    """Return the size that a 409 states; raise CosigningFormError."""
    found = _SIZE.fullmatch(body)
    if found is None or int(found[1]) > MAX_TREE_SIZE:
        raise CosigningFormError("The witness's answer does not state a size.")
    return int(found[1])


def read_cosignature_lines(
    checkpoint: bytes, answer: bytes, witness_vkeys: Sequence[str]
) -> tuple[SignatureLine, ...]:
    """Return the lines of a witness's answer that known witnesses made over this checkpoint.

    Lines of unknown keys are left out.

    Raises:
        CosigningFormError: the answer is not signature lines.
        NoteSignatureError: a line of a known witness does not verify.
    """
    text = parse_note(checkpoint).text
    try:
        answered = parse_note(f"{text}\n".encode() + answer)
    except NoteError:
        raise CosigningFormError("The witness's answer is not signature lines.") from None
    if answered.text != text:
        raise CosigningFormError("The witness's answer is not signature lines.")
    return tuple(
        line
        for line in answered.signatures
        if verify_cosignatures(Note(text=text, signatures=(line,)), witness_vkeys)
    )


def find_other_line(
    checkpoint: bytes, answer: bytes, known: Sequence[SignatureLine]
) -> tuple[SignatureLine, ...]:
    """Return the line of a witness's answer by a key that is not known, if its name is known.

    While a witness goes over to its next key it vouches with both, and whoever holds another list
    than ours knows the other one; it counts for nobody else. At most one, unverified. `answer` is
    one that `read_cosignature_lines` read, and `known` what it returned.
    """
    answered = parse_note(f"{parse_note(checkpoint).text}\n".encode() + answer).signatures
    names = {line.name for line in known}
    return tuple(line for line in answered if line not in known and line.name in names)[:1]


def add_lines(checkpoint: bytes, lines: Sequence[SignatureLine]) -> bytes:
    """Return the note with these lines under it; one of a key already there replaces the old."""
    note = parse_note(checkpoint)
    new = {(line.name, line.key_id) for line in lines}
    kept = [line for line in note.signatures if (line.name, line.key_id) not in new]
    return Note(text=note.text, signatures=(*kept, *lines)).serialise()


def derive_origin_hash(origin: str) -> str:
    """Return the name under which a witness shows a log's newest checkpoint (hex)."""
    return hashlib.sha256(origin.encode()).hexdigest()
