"""What a card of the resident's log says in sentences: Dutch (B1) and English. Pure.

Rules: sentences are rendered, whenever somebody reads, from the payload that the log committed to
and from the texts of the signed bundle, so that whoever shows a card writes them and takes nobody's
word for them; a name that is missing is a dash, never a blank. Source: AVG 12, 15.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datwat.protocol.access_log import AccessCard, EntryProof, Sentence
from datwat.protocol.card_data import CardDataError, read_told
from datwat.protocol.catalogue import CatalogueView
from datwat.protocol.texts import Param, Texts

_Json = dict[str, Any]
_EVENTS: dict[str, tuple[str, str]] = {
    "register": (
        "{who} heeft vastgelegd dat deze organisatie bij u betrokken is.",
        "{who} recorded that this organisation is involved with you.",
    ),
    "end": (
        "{who} heeft vastgelegd dat de betrokkenheid is beëindigd.",
        "{who} recorded that the involvement has ended.",
    ),
    "open_occasion": (
        "{who} heeft u genoemd in een nieuwe aanleiding.",
        "{who} named you in a new occasion.",
    ),
    "hand_over": (
        "{who} heeft de aanleiding overgedragen aan andere medewerkers.",
        "{who} handed the occasion over to other professionals.",
    ),
    "close_occasion": ("{who} heeft de aanleiding gesloten.", "{who} closed the occasion."),
    "record_conversation": (
        "{who} heeft vastgelegd wat u is verteld.",
        "{who} recorded what you were told.",
    ),
    "record_consent": (
        "{who} heeft uw toestemming of verklaring van geen bezwaar vastgelegd.",
        "{who} recorded your consent or statement of no objection.",
    ),
    "record_objection": ("{who} heeft uw bezwaar vastgelegd.", "{who} recorded your objection."),
    "record_authority": (
        "{who} heeft vastgelegd wie het gezag heeft.",
        "{who} recorded who has authority.",
    ),
    "declare_special_situation": (
        "{who} heeft vastgelegd dat u later wordt geïnformeerd.",
        "{who} recorded that you are told later.",
    ),
    "introduce": (
        "{who} heeft u voorgesteld aan {other}.",
        "{who} introduced you to {other}.",
    ),
    "inquire": (
        "{who} vroeg wie er bij u betrokken is. Doel: {purpose}.",
        "{who} asked who is involved with you. Purpose: {purpose}.",
    ),
    "request_contact": (
        "{who} vroeg {source} om contact op te nemen. Doel: {purpose}.",
        "{who} asked {source} to get in touch. Purpose: {purpose}.",
    ),
    "answer_contact": (
        "{who} heeft gereageerd op een contactverzoek van {other}.",
        "{who} responded to a contact request of {other}.",
    ),
    "release": (
        "{who} vroeg {source} om gegevens over u. Doel: {purpose}.",
        "{who} asked {source} for data about you. Purpose: {purpose}.",
    ),
    "report_wrong_person": (
        "{who} meldde dat gegevens bij de verkeerde persoon stonden.",
        "{who} reported that data stood with the wrong person.",
    ),
    "wish": (
        "U heeft via {who} uw wens vastgelegd.",
        "You recorded your wish through {who}.",
    ),
    "outcome": (
        "Afloop van een vraag van {who}.",
        "The outcome of a question by {who}.",
    ),
    "renewed": (
        "De termijn waarin u later wordt geïnformeerd is verlengd.",
        "The term in which you are told later was extended.",
    ),
    "looked": (
        (
            "{who} heeft nagegaan of wat u later te horen krijgt op tijd wordt geopend. "
            "Twee mensen deden dat samen. De inhoud is daarbij niet gelezen."
        ),
        (
            "{who} checked that what you are told later is opened in time. "
            "Two people did so together. The contents were not read."
        ),
    ),
    "expired": (
        "Een vastgelegde betrokkenheid van {who} is verlopen.",
        "A recorded involvement of {who} has expired.",
    ),
    "erased": (
        (
            "De inhoud van {count} eerdere regels in dit overzicht is vernietigd: "
            "de bewaartermijn is voorbij. Dat ze er stonden blijft te bewijzen."
        ),
        (
            "The contents of {count} earlier entries of this log were destroyed: "
            "their retention is over. That they stood here can still be proved."
        ),
    ),
    "lost": (
        (
            "De inhoud van {count} eerdere regels in dit overzicht is verloren gegaan bij een "
            "storing en kan niet worden teruggehaald. Dat ze er stonden blijft te bewijzen."
        ),
        (
            "The contents of {count} earlier entries of this log were lost in a failure and "
            "cannot be brought back. That they stood here can still be proved."
        ),
    ),
    "new_generation": (
        (
            "Dit overzicht is na een storing opnieuw begonnen. Wat kort daarvoor is vastgelegd "
            "kan ontbreken; wat er nog was staat er weer in."
        ),
        (
            "This log was begun anew after a failure. What was recorded shortly before may be "
            "missing; what was still there is in it again."
        ),
    ),
    "opened": (
        "Een eerdere vraag van {who} kunt u nu zien.",
        "An earlier question by {who} can now be seen.",
    ),
}
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
# For an event that whoever shows it does not know yet.
_UNKNOWN = ("{who}: {event}.", "{who}: {event}.")


@dataclass(frozen=True, slots=True)
class CardSentences:
    """The sentences of one card; `findings` and `withheld` in the order of the card's data."""

    summary: Sentence
    findings: tuple[Sentence, ...]
    withheld: tuple[Sentence, ...]
    support: Sentence = SUPPORT


def build_titles(catalogue: CatalogueView) -> dict[str, Sentence]:
    """Return the purposes' names by their ids."""
    return {
        name: Sentence(nl=purpose.title.nl, en=purpose.title.en)
        for name, purpose in catalogue.purposes.items()
    }


def build_card_sentences(
    proofs: Sequence[EntryProof], texts: Texts, titles: Mapping[str, Sentence]
) -> CardSentences:
    """Return the sentences of a card from the entries that prove it.

    `titles` are the purposes' names, `texts` those of the codes, both of the signed bundle.

    Raises:
        CardDataError: the entries do not tell what a card can say.
    """
    try:
        first = min(map(read_told, proofs), key=lambda one: one.index)
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


def replace_sentences(card: AccessCard, sentences: CardSentences) -> AccessCard:
    """Return the card with these sentences in place of its own; raise CardDataError at a misfit."""
    try:
        findings = tuple(
            one.model_copy(update={"text": text})
            for one, text in zip(card.findings, sentences.findings, strict=True)
        )
        withheld = tuple(
            one.model_copy(update={"text": text})
            for one, text in zip(card.withheld, sentences.withheld, strict=True)
        )
    except ValueError:
        raise CardDataError from None
    return card.model_copy(
        update={
            "summary": sentences.summary,
            "support": sentences.support,
            "findings": findings,
            "withheld": withheld,
        }
    )


def build_text(texts: Texts, code: str, params: Mapping[str, Param]) -> Sentence:
    """Return the text of a code in both languages."""
    return Sentence(nl=texts.render(code, "nl", params), en=texts.render(code, "en", params))


def _build_summary(
    told: _Json, texts: Texts, titles: Mapping[str, Sentence], *, later: bool
) -> Sentence:
    """Return who did what and why; `later` where it waited before it could be seen."""
    asked, detail = told.get("asked") or {}, told.get("detail") or {}
    purpose = asked.get("purpose") or _NOTHING
    title = titles.get(purpose, Sentence(nl=purpose, en=purpose))
    ground, count = detail.get("ground"), detail.get("count")
    given = {
        "who": told["requester"]["name"],
        "source": (asked.get("source") or {}).get("name", _NOTHING),
        "other": (detail.get("other_party") or {}).get("name", _NOTHING),
        "count": _NOTHING if count is None else str(count),
        "event": told["event"],
    }
    nl, en = _EVENTS.get(told["event"], _UNKNOWN)
    reason = build_text(texts, ground, {}) if later and ground else None
    return Sentence(
        nl=nl.format_map({**given, "purpose": title.nl})
        + (_LATER[0].format(ground=reason.nl) if reason else ""),
        en=en.format_map({**given, "purpose": title.en})
        + (_LATER[1].format(ground=reason.en) if reason else ""),
    )
