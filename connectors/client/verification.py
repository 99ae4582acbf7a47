"""The answer verified whole, before anything of it is given on.

Rule (promise 3): the client builds the entry from core, payload hash and tag itself and finds it
under the pinned key of the log; request, person and answer must be the very ones of the core. Pure.
Numbered as in docs/reference/protocol.md section 7.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from connectors.client.outgoing import Sent
from connectors.errors import (
    AnswerFormError,
    AnswerHashError,
    AnswerMessageError,
    AnswerUnprovedError,
)
from datwat.protocol.answers import (
    ACT_SIZE,
    INQUIRY_SIZE,
    RELEASE_SIZE,
    ActPart,
    AnswerPart,
    InquiryPart,
    ReleasePart,
)
from datwat.protocol.canonical import CanonicalError, decode_canonical, decode_strict
from datwat.protocol.checkpoint import Checkpoint, verify_checkpoint
from datwat.protocol.messages import Answer, Core, OutcomeCore, PersonAnswer
from datwat.protocol.receipt import build_leaf, require_inclusion
from datwat.protocol.trust import LogEntry

# A batch of 1,000 rows answers with some 3 MB, paths included (decision 0004).
MAX_ANSWER_BYTES: Final = 8 * 1_048_576
# A mere reconfirmation, and what opens or ends a session, write no entry.
_WITHOUT_ENTRY: Final = frozenset({"register", "open_session", "end_session"})

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class VerifiedPerson:
    """What was said about one person, and where it stands in the log (None: no entry)."""

    part: AnswerPart
    core: Core | OutcomeCore | None
    index: int | None


@dataclass(frozen=True, slots=True)
class VerifiedAnswer:
    """An answer that holds; `checkpoint` is None only where no person has an entry."""

    rid: bytes
    persons: tuple[VerifiedPerson, ...]
    checkpoint: Checkpoint | None
    envelope: bytes | None = field(repr=False)


def read_model(kind: type[ModelT], data: bytes, *, max_bytes: int) -> ModelT:
    """Return a model of strict JSON; raise AnswerFormError for anything else."""
    try:
        decode_strict(data, max_bytes=max_bytes)
        return kind.model_validate_json(data)
    except (CanonicalError, ValidationError):
        raise AnswerFormError from None


def verify_answer(raw: bytes, sent: Sent, log: LogEntry) -> VerifiedAnswer:
    """Return the broker's answer to `sent` if it holds under the pinned log.

    1. form, `rid`, one answer per person; 2. the checkpoint under a pinned key; 3. per person: the
    core of this request and person, the part that the core names, the entry at its own place; 4.
    the envelope that an outcome names.

    Raises:
        AnswerRefusedError, NoteError, ReceiptError, ReceiptOutsideError.
    """
    answer = read_model(Answer, raw, max_bytes=MAX_ANSWER_BYTES)
    if answer.rid != sent.rid or len(answer.answers) != len(sent.person_hashes):
        raise AnswerMessageError
    checkpoint = None
    if answer.checkpoint is not None:
        checkpoint = verify_checkpoint(answer.checkpoint.encode(), log.origin, log.vkeys)
    persons = tuple(
        _verify_person(person, person_hash, sent, checkpoint)
        for person, person_hash in zip(answer.answers, sent.person_hashes, strict=True)
    )
    _require_own_places(persons)
    _require_envelope(persons, answer.envelope)
    return VerifiedAnswer(answer.rid, persons, checkpoint, answer.envelope)


def _verify_person(
    person: PersonAnswer, person_hash: bytes, sent: Sent, checkpoint: Checkpoint | None
) -> VerifiedPerson:
    part = _read_part(sent.act, person.part)
    if person.receipt is None or person.payload_hash is None or person.tag is None:
        return _require_without_entry(person, part, sent.act)
    if checkpoint is None:
        raise AnswerUnprovedError
    core = _read_core(person.core, sent.act, part)
    if not hmac.compare_digest(core.request_hash, sent.request_hash):
        raise AnswerMessageError
    if isinstance(core, Core) and not hmac.compare_digest(core.person_hash, person_hash):
        raise AnswerMessageError
    if not hmac.compare_digest(core.answer_hash, hashlib.sha256(person.part).digest()):
        raise AnswerHashError
    leaf = build_leaf(person.core, person.payload_hash, person.tag)
    require_inclusion(leaf, person.receipt, checkpoint)
    return VerifiedPerson(part, core, person.receipt.index)


def _require_without_entry(person: PersonAnswer, part: AnswerPart, act: str) -> VerifiedPerson:
    """Accept an answer that needs no entry: nothing else may come without one."""
    rest = (person.receipt, person.payload_hash, person.tag)
    if person.core or any(member is not None for member in rest):
        raise AnswerFormError
    if act not in _WITHOUT_ENTRY or (act == "register" and not part.weighing.permitted):
        raise AnswerUnprovedError
    return VerifiedPerson(part, None, None)


def _read_part(act: str, raw: bytes) -> AnswerPart:
    kind: type[ActPart | InquiryPart | ReleasePart]
    match act:
        case "inquire":
            kind, size = InquiryPart, INQUIRY_SIZE
        case "release":
            kind, size = ReleasePart, RELEASE_SIZE
        case _:
            kind, size = ActPart, ACT_SIZE
    if not raw or len(raw) % size:
        raise AnswerFormError
    return read_model(kind, raw, max_bytes=len(raw))


def _read_core(raw: bytes, act: str, part: AnswerPart) -> Core | OutcomeCore:
    """Return the core of a type that this answer may have (a release core: never)."""
    try:
        members = decode_canonical(raw)
        kind = members.get("type") if isinstance(members, dict) else None
        if kind == "outcome" and isinstance(part, ReleasePart):
            return _require_outcome(OutcomeCore.model_validate_json(raw), part)
        core = Core.model_validate_json(raw)
    except (CanonicalError, ValidationError):
        raise AnswerFormError from None
    if core.type != {"inquire": "inquiry", "release": "refusal"}.get(act, "act"):
        raise AnswerFormError
    return core


def _require_outcome(core: OutcomeCore, part: ReleasePart) -> OutcomeCore:
    if (core.envelope_hash is None) == (core.failure is None):
        raise AnswerFormError
    if part.failure != core.failure:
        raise AnswerHashError
    return core


def _require_own_places(persons: Sequence[VerifiedPerson]) -> None:
    """Refuse one entry that is shown as the proof for two persons."""
    places = [person.index for person in persons if person.index is not None]
    if len(set(places)) != len(places):
        raise AnswerUnprovedError


def _require_envelope(persons: Sequence[VerifiedPerson], envelope: bytes | None) -> None:
    """Refuse an envelope that no outcome names, and an outcome whose envelope is another."""
    named = [
        person.core.envelope_hash
        for person in persons
        if isinstance(person.core, OutcomeCore) and person.core.envelope_hash is not None
    ]
    if envelope is None:
        if named:
            raise AnswerHashError
        return
    found = hashlib.sha256(envelope).digest()
    if len(named) != 1 or not hmac.compare_digest(named[0], found):
        raise AnswerHashError
