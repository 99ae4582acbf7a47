"""Who did what and why, in one sentence: Dutch (B1) and English, by event.

Rule: sentences are rendered from what the log committed to, whenever somebody reads; a name that is
missing is a dash, never a blank. The texts of codes come from the policy bundle.
"""

from __future__ import annotations

from broker.audit.payloads import Record
from broker.purposes.wording import Texts
from datwat.protocol.access_log import Sentence

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
    "expired": (
        "Een vastgelegde betrokkenheid van {who} is verlopen.",
        "A recorded involvement of {who} has expired.",
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


def build_summary(
    record: Record, texts: Texts, titles: dict[str, Sentence], *, later: bool
) -> Sentence:
    """Return who did what and why; `titles` are the purposes' names, `later` if it waited."""
    purpose = record.asked.purpose if record.asked else None
    title = titles.get(purpose or "", Sentence(nl=purpose or _NOTHING, en=purpose or _NOTHING))
    ground = record.detail.ground if record.detail else None
    given = {
        "who": record.requester.name,
        "source": _name_source(record),
        "other": _name_other(record),
    }
    nl, en = _EVENTS[record.event]
    told = build_text(texts, ground, {}) if later and ground else None
    return Sentence(
        nl=nl.format_map({**given, "purpose": title.nl})
        + (_LATER[0].format(ground=told.nl) if told else ""),
        en=en.format_map({**given, "purpose": title.en})
        + (_LATER[1].format(ground=told.en) if told else ""),
    )


def build_text(texts: Texts, code: str, params: dict[str, str | int | tuple[str, ...]]) -> Sentence:
    """Return the text of a code in both languages."""
    return Sentence(nl=texts.render(code, "nl", params), en=texts.render(code, "en", params))


def _name_source(record: Record) -> str:
    source = record.asked.source if record.asked else None
    return source.name if source else _NOTHING


def _name_other(record: Record) -> str:
    other = record.detail.other_party if record.detail else None
    return other.name if other else _NOTHING
