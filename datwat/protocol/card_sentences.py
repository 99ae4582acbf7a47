"""What a card of the resident's log says in sentences: Dutch (B1) and English. Pure.

Rules: sentences are rendered, whenever somebody reads, from the payload that the log committed to
and from the texts of the signed bundle, so that whoever shows a card writes them and takes nobody's
word for them; a name that is missing is a dash, never a blank. Source: AVG 12, 15.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from datwat.protocol.access_log import Sentence
from datwat.protocol.card_data import CardDataError, Told
from datwat.protocol.card_events import EVENTS, ON_REQUEST, ON_REQUEST_TOLD, say_lines
from datwat.protocol.card_wishes import build_given, find_answer, find_wish
from datwat.protocol.catalogue import CatalogueView
from datwat.protocol.texts import Param, Texts

_Json = dict[str, Any]
_LATER = (
    " U ziet dit nu pas: {ground}.",
    " You see this only now: {ground}.",
)
SUPPORT = Sentence(
    nl=(
        "Wilt u hulp of heeft u een klacht? Een onafhankelijke cliëntondersteuner of "
        "vertrouwenspersoon helpt u gratis."
    ),
    en=(
        "Do you want help or do you have a complaint? An independent client supporter or "
        "confidential adviser helps you free of charge."
    ),
)
_NOTHING = "-"
_DATE = len("2026-11-05")
_FIXED_KEPT = 2_048
# For an event that whoever shows it does not know yet.
_UNKNOWN = ("{who}: {event}.", "{who}: {event}.")


@dataclass(frozen=True, slots=True)
class CardSentences:
    """The sentences of one card; `findings` and `withheld` in the order of the card's data."""

    summary: Sentence
    findings: tuple[Sentence, ...]
    withheld: tuple[Sentence, ...]
    support: Sentence = SUPPORT


def build_titles(catalogue: CatalogueView, now: datetime) -> dict[str, Sentence]:
    """Return the purposes' names by their ids, as they are called now."""
    shown = ((name, catalogue.find_shown(name, now)) for name in catalogue.purposes)
    return {
        name: Sentence(nl=purpose.title.nl, en=purpose.title.en)
        for name, purpose in shown
        if purpose is not None
    }


def build_told_sentences(
    told_by: Sequence[Told], texts: Texts, titles: Mapping[str, Sentence]
) -> CardSentences:
    """Return the sentences of a card from the entries that prove it, in the log's order.

    `titles` are the purposes' names, `texts` those of the codes, both of the signed bundle.

    Raises:
        CardDataError: the entries do not tell what a card can say.
    """
    try:
        first, *_ = told_by
        told = first.told
        said = told.get("said") or {}
        return CardSentences(
            summary=_build_summary(told, texts, titles, later=first.payload is not told),
            findings=tuple(
                build_text(texts, one["code"], one.get("params") or {})
                for one in said.get("findings", ())
            ),
            withheld=tuple(build_text(texts, one["code"], {}) for one in said.get("withheld", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CardDataError from None


def build_text(texts: Texts, code: str, params: Mapping[str, Param]) -> Sentence:
    """Return the text of a code in both languages."""
    if texts.is_fixed(code):
        return _build_fixed_text(texts, code)
    return Sentence(nl=texts.render(code, "nl", params), en=texts.render(code, "en", params))


@lru_cache(_FIXED_KEPT)
def _build_fixed_text(texts: Texts, code: str) -> Sentence:
    """Return a text that asks for no parameter: a page of cards has each of them many times."""
    return Sentence(nl=texts.render(code, "nl"), en=texts.render(code, "en"))


def _build_summary(
    told: _Json, texts: Texts, titles: Mapping[str, Sentence], *, later: bool
) -> Sentence:
    """Return who did what and why; `later` where it waited before it could be seen."""
    asked, detail = told.get("asked") or {}, told.get("detail") or {}
    purpose = asked.get("purpose") or _NOTHING
    title = titles.get(purpose, Sentence(nl=purpose, en=purpose))
    ground, lines = detail.get("ground"), say_lines(detail.get("count"))
    given = {
        "who": told["requester"]["name"],
        "source": (asked.get("source") or {}).get("name", _NOTHING),
        "other": (detail.get("other_party") or {}).get("name", _NOTHING),
        "event": told["event"],
        "number": _NOTHING if detail.get("erases") is None else str(detail["erases"]),
        "law": detail.get("law") or _NOTHING,
        "until": (detail.get("until_at") or _NOTHING)[:_DATE],
    }
    nl, en = EVENTS.get(told["event"], _UNKNOWN)
    if told["event"] == "wish":
        given |= build_given(detail)
        nl, en = find_wish(detail) or (nl, en)
    if told["event"] == "answered":
        given |= build_given(detail)
        nl, en = find_answer(detail)
    if told["event"] == "erased" and detail.get("reason") == "on_request":
        nl, en = ON_REQUEST if "erases" in detail else ON_REQUEST_TOLD
    reason = build_text(texts, ground, {}) if later and ground else None
    return Sentence(
        nl=nl.format_map({**given, "purpose": title.nl, "lines": lines[0]})
        + (_LATER[0].format(ground=reason.nl) if reason else ""),
        en=en.format_map({**given, "purpose": title.en, "lines": lines[1]})
        + (_LATER[1].format(ground=reason.en) if reason else ""),
    )
