"""A page of somebody's own log, held against the log before anything of it is shown.

Rule (promise 5): the portal builds every entry from its parts and finds it under the pinned key of
the log; a card without an entry, or one that differs in any member from what its entries say, is
shown to nobody. Its sentences are the portal's own, from the same entries and the signed texts:
what the broker wrote there is not read. Pure. The resident can check the same with the proofs in
each card.
"""

from __future__ import annotations

from connectors.client.verification import MAX_ANSWER_BYTES, read_model
from connectors.portal.errors import OwnLogError
from datwat.protocol.access_log import AccessCard, AccessLog
from datwat.protocol.card_data import (
    CardDataError,
    Told,
    build_told_data,
    read_all_told,
    read_card_data,
)
from datwat.protocol.card_sentences import build_titles, build_told_sentences, replace_sentences
from datwat.protocol.catalogue import CatalogueView
from datwat.protocol.checkpoint import Checkpoint, verify_checkpoint
from datwat.protocol.entry import derive_payload_hash
from datwat.protocol.messages import ReceiptPath
from datwat.protocol.receipt import build_leaf, require_inclusion
from datwat.protocol.texts import Texts
from datwat.protocol.trust import LogEntry


def verify_own_log(
    raw: bytes, rid: bytes, log: LogEntry, texts: Texts, catalogue: CatalogueView
) -> tuple[AccessLog, Checkpoint]:
    """Return the page that answers `rid`, and the checkpoint under which all of it lies.

    `texts` and `catalogue` are those of the signed bundle; every sentence comes from them.

    Raises:
        AnswerFormError, OwnLogError, NoteError, ReceiptError, ReceiptOutsideError.
    """
    page = read_model(AccessLog, raw, max_bytes=MAX_ANSWER_BYTES)
    if page.rid != rid:
        raise OwnLogError
    checkpoint = verify_checkpoint(page.checkpoint.encode(), log.origin, log.vkeys)
    titles = build_titles(catalogue)
    cards = []
    for card in page.cards:
        told = verify_card(card, checkpoint)
        try:
            sentences = build_told_sentences(told, texts, titles)
            cards.append(replace_sentences(card, sentences))
        except CardDataError:
            raise OwnLogError from None
    return page.model_copy(update={"cards": tuple(cards)}), checkpoint


def verify_card(card: AccessCard, checkpoint: Checkpoint) -> list[Told]:
    """Return what the entries of a card tell, in the log's order.

    Every one of them lies in the log, and together they say what the card says.

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
    try:
        told = read_all_told(card.proofs)
        said = build_told_data(told)
    except CardDataError:
        raise OwnLogError from None
    if read_card_data(card) != said:
        raise OwnLogError
    return told
