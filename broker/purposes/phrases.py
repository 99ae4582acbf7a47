"""The phrases of the controlled language, in Dutch and English: one for each thing that is weighed.

Rule enforced: a phrase says what the engine does and nothing else; `{0}` and on are names and
quoted texts, filled in as text only. What a phrase is about, and when it is said, is
`sentences.py`'s. Precedent: RegelSpraak.
"""

from __future__ import annotations

from typing import Final

Phrase = tuple[str, str]  # Dutch, English

HEAD: Final[dict[str, Phrase]] = {
    "title": ("Titel: {0}", "Title: {0}"),
    "sentence": ("Dit leest de inwoner: {0}", "Residents read this: {0}"),
}
LAW: Final[dict[str, Phrase]] = {
    "owner": ("Eigenaar: {0}.", "Owner: {0}."),
    "article": ("Steunt op {0} {1} ({2}).", "Rests on {0} {1} ({2})."),
    "legal_open": ("De juridische toets staat nog open.", "The legal check is still open."),
    "legal_confirmed": ("De juridische toets is gedaan.", "The legal check was done."),
}
# Why a field is needed: for readers, weighed by people.
REASON: Final[Phrase] = ("Waarom: {0}", "Why: {0}")

# What holds for every source that is not obliged to give.
_DISAGREES: Final[Phrase] = (
    (
        "Is de inwoner het er in het gesprek niet mee eens, dan gaat er niets mee, "
        "behalve zolang vertellen mag wachten."
    ),
    (
        "Where the resident disagrees in the conversation nothing goes along, "
        "except as long as telling may wait."
    ),
)

RULES: Final[dict[str, Phrase]] = {
    "id": (
        "Dit doel heet {0}. Zo noemen een vraag, een toestemming en een bezwaar het.",
        "This purpose is called {0}. A question, a consent and an objection call it so.",
    ),
    "own": (
        "Alleen dit doel geldt als een inwoner zelf kijkt of een wens vastlegt.",
        "Only this purpose applies when residents look for themselves or record a wish.",
    ),
    "domain": (
        "Het doel gaat over {0}. Daarom blijven deze soorten hulp altijd onzichtbaar: {1}.",
        "The purpose is about {0}. These kinds of help therefore always stay invisible: {1}.",
    ),
    "domain_free": (
        "Het doel gaat over {0}. Voor dit onderwerp is geen soort hulp altijd onzichtbaar.",
        "The purpose is about {0}. For this domain no kind of help always stays invisible.",
    ),
    "valid_from": ("Het doel geldt vanaf {0}.", "The purpose is in force from {0}."),
    "valid_until": (
        "Het doel geldt tot {0}. Vanaf dat moment wordt elke vraag geweigerd.",
        "The purpose is in force until {0}. From that moment every question is refused.",
    ),
    "valid_open": ("Het doel heeft zelf geen einde.", "The purpose has no end of its own."),
    "superseded": (
        "Begint een volgende versie, dan mag een vraag deze nog {0} seconden noemen.",
        "When a next revision begins, a question may cite this one for {0} more seconds.",
    ),
    "superseded_own": (
        "Begint een volgende versie, dan geldt deze niet meer.",
        "When a next revision begins, this one is in force no more.",
    ),
    "not_for": (
        "Een organisatie die handhaaft, wordt geweigerd.",
        "An organisation that enforces is refused.",
    ),
    "not_for_nothing": (
        "Ook een organisatie die handhaaft, mag voor dit doel vragen.",
        "An organisation that enforces may ask for this purpose too.",
    ),
    "requester": (
        (
            "Een organisatie met de taak {0} mag voor dit doel vragen. "
            "Op de vraag wie betrokken is, krijgt zij hooguit de trede {1}."
        ),
        (
            "An organisation with the function {0} may ask for this purpose. "
            "When it asks who is involved, it gets at most the rung {1}."
        ),
    ),
    "requester_blind": (
        "Een organisatie met de taak {0} mag voor dit doel vragen, maar niet wie betrokken is.",
        "An organisation with the function {0} may ask for this purpose, but not who is involved.",
    ),
    "requesters_others": (
        "Elke andere organisatie wordt geweigerd.",
        "Every other organisation is refused.",
    ),
    "occasion": (
        "Bij de aanleiding {0} gaat een vraag hooguit tot de trede {1}.",
        "On the occasion {0} a question goes up to the rung {1} at most.",
    ),
    "occasion_capped": (
        (
            "Bij de aanleiding {0} gaat een vraag hooguit tot de trede {1}. "
            "Voor elk doel is daar de grens: {2}."
        ),
        (
            "On the occasion {0} a question goes up to the rung {1} at most. "
            "For every purpose the limit there is: {2}."
        ),
    ),
    "occasions_others": (
        "Bij elke andere aanleiding wordt een vraag geweigerd.",
        "On every other occasion a question is refused.",
    ),
    "occasions_none": (
        "Er is geen aanleiding waarbij een organisatie voor dit doel kan vragen.",
        "There is no occasion on which an organisation can ask for this purpose.",
    ),
    "sees": (
        (
            "De soort hulp {0}, vastgelegd door {1}, is zichtbaar tot en met de trede {2}. "
            "Bij een geheim adres is dat de trede {3}."
        ),
        (
            "The kind of help {0}, registered by {1}, is visible up to the rung {2}. "
            "With a shielded address that is the rung {3}."
        ),
    ),
    "unseen": (
        "Deze soorten hulp blijven onzichtbaar: {0}.",
        "These kinds of help stay invisible: {0}.",
    ),
    "unseen_none": ("Geen soort hulp blijft onzichtbaar.", "No kind of help stays invisible."),
    "basis": (
        (
            "Een vraag die niet om gegevens gaat, heeft als grondslag: "
            "geven volgens {0}, vragen volgens {1}, {2}."
        ),
        ("A question that is not for data has as legal basis: giving by {0}, asking by {1}, {2}."),
    ),
    "edge": (
        (
            "Een bron met de taak {0} geeft aan een organisatie met de taak {1} gegevens uit {2}. "
            "Geven mag volgens {3}, krijgen volgens {4}."
        ),
        (
            "A source with the function {0} gives to an organisation with the function {1} "
            "data from {2}. It may give by {3}, the other may take by {4}."
        ),
    ),
    "edge_most": (
        "Een vraag noemt hooguit {0} gegevens tegelijk.",
        "A question names at most {0} fields at once.",
    ),
    "mode_duty": (
        "De bron is verplicht te geven, ook als de inwoner het er in het gesprek niet mee eens is.",
        "The source must give, also where the resident disagrees in the conversation.",
    ),
    "mode_may": (
        f"De bron mag geven zonder toestemming. {_DISAGREES[0]}",
        f"The source may give without consent. {_DISAGREES[1]}",
    ),
    "mode_explicit_consent": (
        f"De bron geeft alleen met uitdrukkelijke toestemming voor dit doel. {_DISAGREES[0]}",
        f"The source gives only with explicit consent for this purpose. {_DISAGREES[1]}",
    ),
    "mode_no_objection": (
        f"De bron geeft alleen als op papier staat dat er geen bezwaar is. {_DISAGREES[0]}",
        f"The source gives only where a paper says that there is no objection. {_DISAGREES[1]}",
    ),
    "consent_by": (
        (
            "Wie daarover beslist, volgt uit de regel {0}. {1}. "
            "Voor wie 18 jaar of ouder is, mag ook een curator of mentor beslissen."
        ),
        (
            "Who decides on that follows from the rule {0}. {1}. "
            "For those aged 18 or more a curator or mentor may decide too."
        ),
    ),
    "field": ("Dit gegeven mag mee: {0}.", "This field may go along: {0}."),
    "field_guarded": (
        "Dit gegeven mag mee: {0}. Het is beschermd als {1}.",
        "This field may go along: {0}. It is guarded as {1}.",
    ),
    "field_withheld": (
        "Dit gegeven gaat niet mee: {0}. Er is geen artikel voor {1}.",
        "This field does not go along: {0}. There is no article for {1}.",
    ),
    "field_unknown": (
        "Dit gegeven gaat niet mee: {0}. De bron heeft het niet.",
        "This field does not go along: {0}. The source does not have it.",
    ),
    "ground": (
        "Wat beschermd is als {0}, mag mee volgens {1}.",
        "What is guarded as {0} may go along by {1}.",
    ),
    "fields_others": (
        "Elk ander gegeven uit {0} blijft bij de bron.",
        "Every other field of {0} stays at the source.",
    ),
    "edges_others": (
        "Elke andere bron geeft voor dit doel niets.",
        "Every other source gives nothing for this purpose.",
    ),
    "edges_none": (
        "Geen enkele bron geeft gegevens voor dit doel.",
        "No source gives data for this purpose.",
    ),
    "objection_none": (
        (
            "Een bezwaar houdt een vraag niet tegen. "
            "Ook niet als de inwoner zegt dat een organisatie niet mag kijken."
        ),
        (
            "An objection holds up no question. "
            "Nor does it where the resident says that an organisation may not look."
        ),
    ),
    "objection_suspend": (
        (
            "Een bezwaar houdt elke vraag tegen, tot het is afgewezen. "
            "Een organisatie die van de inwoner niet mag kijken, wordt geweigerd."
        ),
        (
            "An objection holds up every question until it is rejected. "
            "An organisation that may not look according to the resident is refused."
        ),
    ),
    "objection_suspend_unless_danger": (
        (
            "Een bezwaar houdt elke vraag tegen, tot het is afgewezen. "
            "Een organisatie die van de inwoner niet mag kijken, wordt geweigerd. "
            "Beide gelden niet als iemand anders gevaar loopt, of in een crisis."
        ),
        (
            "An objection holds up every question until it is rejected. "
            "An organisation that may not look according to the resident is refused. "
            "Neither holds where another person is in danger, or in a crisis."
        ),
    ),
    "retention": (
        (
            "Een organisatie verwijdert wat zij kreeg na {0} dagen. "
            "Zo lang is in het logboek te lezen wat er is besloten."
        ),
        (
            "An organisation deletes what it got after {0} days. "
            "That long can be read in the log what was decided."
        ),
    ),
    "closing": ("Wat hier niet staat, wordt geweigerd.", "What is not said here is refused."),
}

RUNG_NAMES: Final[dict[str, Phrase]] = {
    "none": ("niets", "nothing"),
    "contact": ("contact (alleen een contactverzoek)", "contact (a contact request only)"),
    "category": ("soort (welke soort hulp)", "category (which kind of help)"),
    "dat": ("dat (wie betrokken is)", "dat (who is involved)"),
    "wat": ("wat (gegevens)", "wat (data)"),
}
MODE_NAMES: Final[dict[str, Phrase]] = {
    "duty": ("als plicht", "as a duty"),
    "may": ("als bevoegdheid", "as a power"),
    "explicit_consent": ("met uitdrukkelijke toestemming", "with explicit consent"),
    "no_objection": ("na schriftelijk geen bezwaar", "after a written no-objection"),
}
LABEL_NAMES: Final[dict[str, Phrase]] = {
    "s": ("gevoelig gegeven (AVG 9)", "special category (GDPR 9)"),
    "c": ("strafrechtelijk gegeven (AVG 10)", "criminal data (GDPR 10)"),
    "jeugdwet": ("geheim volgens de Jeugdwet", "secret by the Jeugdwet"),
    "wmo": ("geheim volgens de Wmo 2015", "secret by the Wmo 2015"),
    "wgbo": ("geheim volgens de WGBO", "secret by the WGBO"),
    "pw": ("geheim volgens de Participatiewet", "secret by the Participatiewet"),
    "suwi": ("geheim volgens de Wet SUWI", "secret by the Wet SUWI"),
}
GIVER_NAMES: Final[dict[str, Phrase]] = {
    "self": ("de inwoner alleen", "the resident alone"),
    "representative": ("wie het gezag heeft", "who has authority"),
    "both": ("samen", "both together"),
}
AGES: Final[dict[str, Phrase]] = {
    "0-11": ("Tot en met 11 jaar: {0}", "Up to 11 years: {0}"),
    "12-15": ("12 tot en met 15 jaar: {0}", "12 to 15 years: {0}"),
    "16-17": ("16 of 17 jaar: {0}", "16 or 17 years: {0}"),
    "18+": ("18 jaar of ouder: {0}", "18 years or more: {0}"),
}
NOBODY: Final[Phrase] = ("niemand", "nobody")
