"""A page of somebody's own log, held against the log before anything of it is shown.

Rule (promise 5): the portal builds every entry from its parts and finds it under the pinned key of
the log; a card without an entry, or about something that its entry does not say, is shown to
nobody. Pure. The resident can check the same with the proofs in each card.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

from connectors.client.verification import MAX_ANSWER_BYTES, read_model
from connectors.portal.errors import OwnLogError
from datwat.protocol.access_log import AccessCard, AccessLog, EntryProof
from datwat.protocol.checkpoint import Checkpoint, verify_checkpoint
from datwat.protocol.entry import derive_commit, derive_payload_hash
from datwat.protocol.messages import ReceiptPath
from datwat.protocol.receipt import build_leaf, require_inclusion
from datwat.protocol.trust import LogEntry
from datwat.protocol.values import decode_bytes, encode_bytes, encode_moment


def verify_own_log(raw: bytes, rid: bytes, log: LogEntry) -> tuple[AccessLog, Checkpoint]:
    """Return the page that answers `rid`, and the checkpoint under which all of it lies.

    Raises:
        AnswerFormError, OwnLogError, NoteError, ReceiptError, ReceiptOutsideError.
    """
    page = read_model(AccessLog, raw, max_bytes=MAX_ANSWER_BYTES)
    if page.rid != rid:
        raise OwnLogError
    checkpoint = verify_checkpoint(page.checkpoint.encode(), log.origin, log.vkeys)
    for card in page.cards:
        verify_card(card, checkpoint)
    return page, checkpoint


def verify_card(card: AccessCard, checkpoint: Checkpoint) -> None:
    """Raise unless every entry of a card lies in the log and one of them says what the card says.

    Raises:
        OwnLogError, ReceiptError, ReceiptOutsideError.
    """
    if not card.proofs:
        raise OwnLogError
    for proof in card.proofs:
        require_inclusion(
            build_leaf(proof.core, derive_payload_hash(proof.salt, proof.payload), proof.tag),
            ReceiptPath(index=proof.index, path=proof.path),
            checkpoint,
        )
    if not any(_says(proof, card) for proof in card.proofs):
        raise OwnLogError


def _says(proof: EntryProof, card: AccessCard) -> bool:
    """Return whether an entry tells the same event, requester and moment as its card."""
    try:
        payload = _find_told(json.loads(proof.payload))
        told = (payload["event"], payload["requester"]["id"], payload["at"], payload["rid"])
    except (ValueError, KeyError, TypeError):
        return False
    return told == (card.event, card.requester, encode_moment(card.at), encode_bytes(card.rid))


def _find_told(payload: dict[str, Any]) -> dict[str, Any]:
    """Return what an entry tells: its own payload, or that of the earlier entry that it opens.

    The opened half must be the very one that the earlier entry committed to.
    """
    reopened = payload.get("reopened")
    if reopened is None:
        return payload
    salt, core, earlier = (decode_bytes(reopened[name]) for name in ("salt", "core", "payload"))
    commit = derive_commit(core, derive_payload_hash(salt, earlier))
    if not hmac.compare_digest(commit, decode_bytes(reopened["commit"])):
        raise OwnLogError
    told: dict[str, Any] = json.loads(earlier)
    return told
