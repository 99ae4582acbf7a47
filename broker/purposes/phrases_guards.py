"""The guard rails in words: what no purpose can switch off, by which law, and why one is refused.

`REASONS`: each sentence says what is wrong and what to do; none repeats what was written.
"""

from __future__ import annotations

from typing import Final, Literal

from broker.purposes.phrases import Phrase

Guard = Literal[
    "deny_by_default",
    "five_blades",
    "both_articles",
    "secrecy",
    "criminal_data",
    "children_consent",
    "not_for_enforcement",
    "guarded_kinds",
    "log",
]
# What it guards, and the law.
GUARDS: Final[dict[Guard, tuple[Phrase, str]]] = {
    "deny_by_default": (
        (
            "Wat een doel niet noemt, wordt geweigerd.",
            "What a purpose does not name is refused.",
        ),
        "AVG 5(1)(b)-(c)",
    ),
    "five_blades": (
        (
            "Elke vraag wordt aan alle vijf delen van het zakmes getoetst.",
            "Every question is weighed by all five blades.",
        ),
        "AVG 5(1)",
    ),
    "both_articles": (
        (
            "Er is een artikel dat laat geven en een artikel dat laat krijgen.",
            "There is an article that lets give and an article that lets take.",
        ),
        "AVG 6, 9(2)",
    ),
    "secrecy": (
        (
            "Wat geheim of gevoelig is, gaat alleen mee op een artikel dat dat toestaat.",
            "What is secret or of a special category goes along only by an article that allows it.",
        ),
        "AVG 9; Jeugdwet 7.3.11; Wmo 2015 5.3.3; Participatiewet 65; SUWI 74; WGBO",
    ),
    "criminal_data": (
        (
            "Strafrechtelijke gegevens gaan alleen mee op een wet die dat zelf toestaat.",
            "Criminal data goes along only by a law that itself allows it.",
        ),
        "AVG 10; UAVG 31-33",
    ),
    "children_consent": (
        (
            "Over jeugdhulp beslist een kind vanaf 12 jaar zelf, of samen met de ouders.",
            "From 12 years on a child decides on youth help itself, or together with the parents.",
        ),
        "Jeugdwet 7.3.4, 7.3.11, 7.3.15",
    ),
    "not_for_enforcement": (
        (
            "Een doel voor hulp is niet voor handhaving.",
            "A purpose of help is not for enforcement.",
        ),
        "AVG 5(1)(b)",
    ),
    "guarded_kinds": (
        (
            "Bij sommige soorten hulp zegt dat er hulp is al te veel. Daar is een vaste grens.",
            "With some kinds of help it says too much already that there is help: they have a cap.",
        ),
        "AVG 5(1)(c), 9",
    ),
    "log": (
        (
            "Elk besluit komt in het logboek, en blijft daar tot de inwoner het weet.",
            "Every decision is written in the log, and stays there until the resident knows.",
        ),
        "AVG 5(2), 12-15",
    ),
}

REASONS: Final[dict[str, Phrase]] = {
    "switch": (
        "Dit onderdeel bestaat niet in een doel, en zou een vangrail uitzetten. Haal het weg.",
        "A purpose has no such member, and it would switch a guard rail off: take it out.",
    ),
    "wildcard": (
        "Een doel noemt alles bij naam; ‘alles’ of ‘iedereen’ bestaat niet. Schrijf de namen op.",
        "A purpose names everything: there is no 'all' and no 'everyone'. Write the names.",
    ),
    "article": (
        (
            "Hier hoort een artikel uit een wet, met zijn nummer. "
            "Een convenant of toestemming alleen is geen grond."
        ),
        (
            "An article of a law with its number belongs here. "
            "A covenant or consent alone is no ground."
        ),
    ),
    "ground_missing": (
        "Dit gegeven is beschermd. Noem het artikel dat het laat meegaan, of haal het weg.",
        "This field is guarded: name the article that lets it go along, or take it out.",
    ),
    "ground": (
        "Wat geheim of gevoelig is, vraagt hier een artikel uit een wet, met zijn nummer.",
        "What is secret or of a special category needs an article of a law with its number here.",
    ),
    "criminal": (
        (
            "Strafrechtelijke gegevens vragen hier een artikel uit UAVG 31 tot 33, "
            "de Wjsg of de Wpg. Haal het gegeven anders weg."
        ),
        (
            "Criminal data needs an article of UAVG 31 to 33, the Wjsg or the Wpg here. "
            "Otherwise take the field out."
        ),
    ),
    "child": (
        (
            "Hier gaat het om een jongere. Kies de regel van de Jeugdwet: voor geven "
            "(youth_disclosure) of voor ontvangen (youth_receiving). Dan beslist het kind vanaf "
            "12 jaar zelf mee."
        ),
        (
            "This is about a young person: choose the rule of the Youth Act for giving "
            "(youth_disclosure) or for taking (youth_receiving), so that the child decides too "
            "from 12 years on."
        ),
    ),
    "enforcement": (
        (
            "Kies bij ‘Nooit voor’ handhaving (not_for: [enforcement]). Alleen een doel dat al "
            "zonder geldt, mag zonder blijven."
        ),
        (
            "Choose enforcement at 'Never for' (`not_for: [enforcement]`). Only a purpose that is "
            "in force without it already may stay without."
        ),
    ),
    "kind_cap": (
        "Deze soort hulp mag voor geen enkel doel zo ver zichtbaar zijn. Kies een lagere trede.",
        "This kind of help may not be visible that far for any purpose: choose a lower rung.",
    ),
    "kind_never": (
        "Deze soort hulp is voor dit onderwerp nooit zichtbaar. Haal haar weg.",
        "This kind of help is never visible for this domain: take it out.",
    ),
    "occasion_cap": (
        "Bij deze aanleiding mag geen enkel doel zo ver gaan. Kies een lagere trede.",
        "No purpose may go that far on this occasion: choose a lower rung.",
    ),
    "retention": (
        (
            "Zo kort bewaren wist het logboek voordat de inwoner het weet. "
            "Bewaar langer dan de langste tijd om het te vertellen, en langer dan een maand."
        ),
        (
            "This short the log would be erased before the resident knows. Keep it longer than "
            "the longest term to tell, and longer than a month."
        ),
    ),
    "own_access": (
        (
            "Iedere inwoner ziet altijd zelf wat er is vastgelegd. "
            "Dit doel blijft, zonder einddatum, en voor het portaal."
        ),
        (
            "Every resident can always see what is recorded about them: this purpose stays, "
            "without an end, and for the portal."
        ),
    ),
    "code": (
        "Deze code hoort bij deze handeling te weigeren. Zet haar terug bij ‘acts’.",
        "This code must refuse in this act: put it back among its `acts`.",
    ),
    "code_about": (
        "Wat over de inwoner gaat, mag een vrager niet horen. Zet ‘about’ terug op person.",
        "A requester may not learn what is about the person: put `about` back to person.",
    ),
    "givers": (
        "Vanaf 12 jaar beslist het kind zelf of samen, nooit alleen wie het gezag heeft.",
        "From 12 years on the child decides alone or together, never who has authority alone.",
    ),
}

# Members that a purpose does not have, by the guard rail that they would switch off.
SWITCHES: Final[dict[Guard, set[str]]] = {
    "deny_by_default": {
        "allow", "permit", "default", "fallback", "else", "everyone", "anyone", "any", "all",
    },
    "five_blades": {
        "blades", "skip", "codes", "acts", "advises", "rego", "rules", "motivation",
        "conversation", "subsidiarity", "proportionality", "efficiency", "transparency",
    },
    "both_articles": {"covenant", "convenant", "no_article"},
    "secrecy": {"labels", "secrecy", "secret", "special_category"},
    "criminal_data": {"criminal", "criminal_data"},
    "children_consent": {
        "parents", "parental_consent", "age", "ages", "givers", "consent_givers", "given_by",
    },
    "not_for_enforcement": {"enforcement", "for", "also_for", "handhaving"},
    "guarded_kinds": {"cap", "caps", "never_for", "shielded", "guards"},
    "log": {
        "log", "logging", "audit", "silent", "hidden", "secretly", "notice", "audience", "receipt",
    },
}  # fmt: skip

# Which reasons a guard rail has; a test holds them against `guards.py`.
REFUSALS: Final[dict[Guard, tuple[str, ...]]] = {
    "deny_by_default": ("wildcard", "switch"),
    "five_blades": ("switch", "code", "code_about"),
    "both_articles": ("article", "switch"),
    "secrecy": ("ground_missing", "ground", "switch"),
    "criminal_data": ("ground_missing", "criminal", "switch"),
    "children_consent": ("child", "givers", "switch"),
    "not_for_enforcement": ("enforcement", "switch"),
    "guarded_kinds": ("kind_never", "kind_cap", "occasion_cap", "switch"),
    "log": ("retention", "own_access", "switch"),
}
