"""What a card says of each event: Dutch (B1) and English. Pure; only words.

Rule: those of `card_sentences.py`. `{lines}` says how many earlier entries, as `say_lines` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from datwat.protocol.card_wishes import Pair

EVENTS: Final[Mapping[str, Pair]] = {
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
    "weighed": (
        (
            "{who} liet nagaan wat volgens de regels over u gevraagd mag worden. Doel: {purpose}. "
            "Er is niets over u gegeven."
        ),
        (
            "{who} had it checked what may be asked about you under the rules. "
            "Purpose: {purpose}. Nothing about you was given."
        ),
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
    "reviewed": (
        (
            "{who} heeft een regel van dit overzicht bekeken om na te gaan of alles klopt. "
            "Die persoon las wie wat vroeg, en waarom. Gegevens uit uw dossier staan daar niet in."
        ),
        (
            "{who} looked at an entry of this log to check that all was in order. That person "
            "read who asked what, and why. Data from your file are not in it."
        ),
    ),
    "expired": (
        "Een vastgelegde betrokkenheid van {who} is verlopen.",
        "A recorded involvement of {who} has expired.",
    ),
    "erased": (
        (
            "De inhoud van {lines} in dit overzicht is vernietigd: "
            "de bewaartermijn is voorbij. Dat dit er stond blijft te bewijzen."
        ),
        (
            "The contents of {lines} of this log were destroyed: "
            "the retention is over. That this stood here can still be proved."
        ),
    ),
    "kept": (
        (
            "U wilde dat de inhoud van regel {number} van dit overzicht werd vernietigd. Twee "
            "mensen hebben dat samen bekeken. De inhoud blijft bewaard tot {until}, want dat "
            "moet: {law}. Bent u het niet eens? U kunt naar de rechter of naar de Autoriteit "
            "Persoonsgegevens."
        ),
        (
            "You wished that the contents of entry {number} of this log be destroyed. Two people "
            "looked at that together. The contents are kept until {until}, because they must be: "
            "{law}. Do you disagree? You can go to court or to the data protection authority."
        ),
    ),
    "lost": (
        (
            "De inhoud van {lines} in dit overzicht is verloren gegaan bij een "
            "storing en kan niet worden teruggehaald. Dat dit er stond blijft te bewijzen."
        ),
        (
            "The contents of {lines} of this log were lost in a failure and "
            "cannot be brought back. That this stood here can still be proved."
        ),
    ),
    "new_generation": (
        (
            "Dit overzicht is na een storing opnieuw begonnen. Wat eerder is vastgelegd "
            "kan ontbreken; wat er nog was staat er weer in."
        ),
        (
            "This log was begun anew after a failure. What was recorded earlier may be "
            "missing; what was still there is in it again."
        ),
    ),
    "opened": (
        "Een eerdere vraag van {who} kunt u nu zien.",
        "An earlier question by {who} can now be seen.",
    ),
}
ON_REQUEST: Final[Pair] = (
    (
        "U wilde dat de inhoud van regel {number} van dit overzicht werd vernietigd. Dat is "
        "gedaan: de inhoud van {lines} is weg. Dat dit er stond blijft te bewijzen."
    ),
    (
        "You wished that the contents of entry {number} of this log be destroyed. That was done: "
        "the contents of {lines} are gone. That this stood here can still be proved."
    ),
)
ON_REQUEST_TOLD: Final[Pair] = (
    (
        "De inhoud van {lines} in dit overzicht is vernietigd omdat daarom is gevraagd. "
        "Dat dit er stond blijft te bewijzen."
    ),
    (
        "The contents of {lines} of this log were destroyed because that was asked. "
        "That this stood here can still be proved."
    ),
)


def say_lines(count: int | None) -> Pair:
    """Return the number of earlier entries in words of both languages; None: it is not known."""
    if count == 1:
        return "1 eerdere regel", "1 earlier entry"
    many = "-" if count is None else str(count)
    return f"{many} eerdere regels", f"{many} earlier entries"
