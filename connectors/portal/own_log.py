"""A page of somebody's own log, held against the log before anything of it is shown.

Rule (promise 5): the portal builds every entry from its parts and finds it under the pinned key of
the log; all that a card says, data and sentences, the portal itself writes from those entries and
the signed texts. Pure. The resident can check the same with the proofs in each card.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from connectors.client.verification import MAX_ANSWER_BYTES, read_model
from connectors.portal.errors import OwnLogError
from datwat.party import clock
from datwat.protocol.access_log import (
    AccessCard,
    AccessLog,
    CardContents,
    EntryProof,
    ProvedLog,
    Sentence,
)
from datwat.protocol.card_data import CardDataError, build_told_data, read_all_told
from datwat.protocol.card_sentences import build_titles, build_told_sentences
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
    page = read_model(ProvedLog, raw, max_bytes=MAX_ANSWER_BYTES)
    if page.rid != rid:
        raise OwnLogError
    checkpoint = verify_checkpoint(page.checkpoint.encode(), log.origin, log.vkeys)
    titles = build_titles(catalogue, clock.now())
    for card in page.cards:
        _require_inclusion(card.proofs, checkpoint)
    cards = tuple(write_card(card.proofs, texts, titles) for card in page.cards)
    return AccessLog.model_construct(**{**dict(page), "cards": cards}), checkpoint


def write_card(
    proofs: tuple[EntryProof, ...], texts: Texts, titles: Mapping[str, Sentence]
) -> AccessCard:
    """Return the card of one entry, or of a question and its outcome; raise OwnLogError.

    `texts` are those of the codes, `titles` the names of the purposes. That the entries lie in the
    log is for the caller to see.
    """
    try:
        told = read_all_told(proofs)
        data, said = build_told_data(told), build_told_sentences(told, texts, titles)
        members = {
            **data,
            "findings": _add_texts(data["findings"], said.findings),
            "withheld": _add_texts(data["withheld"], said.withheld),
            "summary": _build_text(said.summary),
            "support": _build_text(said.support),
        }
        contents = CardContents.model_validate_json(orjson.dumps(members))
    except (CardDataError, ValidationError):
        raise OwnLogError from None
    return AccessCard.model_construct(**dict(contents), proofs=proofs)


def _require_inclusion(proofs: Sequence[EntryProof], checkpoint: Checkpoint) -> None:
    for proof in proofs:
        require_inclusion(
            build_leaf(proof.core, derive_payload_hash(proof.salt, proof.payload), proof.tag),
            ReceiptPath(index=proof.index, path=proof.path),
            checkpoint,
        )


def _add_texts(
    coded: Sequence[Mapping[str, Any]], texts: Iterable[Sentence]
) -> list[dict[str, Any]]:
    return [{**one, "text": _build_text(text)} for one, text in zip(coded, texts, strict=True)]


def _build_text(text: Sentence) -> dict[str, str]:
    return {"nl": text.nl, "en": text.en}
