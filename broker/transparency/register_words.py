"""What the codes of the register and of the fact sheet are called, in Dutch and English."""

from __future__ import annotations

from typing import Final

from broker.transparency.oversight_words import Language

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "LegalObligation": ("wettelijke plicht", "legal obligation"),
    "OfficialAuthorityOfController": ("taak van openbaar gezag", "official authority"),
    "Consent": ("toestemming", "consent"),
    "Citizen": ("inwoners", "residents"),
    "VulnerableHuman": ("kinderen en jongeren", "children and young people"),
    "Employee": ("medewerkers van organisaties", "professionals of organisations"),
    "Registering who is involved": ("Vastleggen wie betrokken is", "Registering who is involved"),
    "Keeping occasions and their teams": (
        "Aanleidingen en hun teams bijhouden",
        "Keeping occasions and their teams",
    ),
    "Residents' access to their own log": (
        "Inwoners die in hun eigen overzicht kijken",
        "Residents' access to their own log",
    ),
    "Introducing a person to a partner": (
        "Iemand in contact brengen met een organisatie",
        "Introducing a person to a partner",
    ),
    "Overseeing the use of the exchange": (
        "Toezicht op het gebruik",
        "Overseeing the use of the exchange",
    ),
    "Answering residents": ("Inwoners antwoorden", "Answering residents"),
    "That an organisation is involved (dat)": (
        "Dat een organisatie betrokken is (dat)",
        "That an organisation is involved (dat)",
    ),
    "Occasion, household, team, what was said": (
        "Aanleiding, huishouden, team, wat is gezegd",
        "Occasion, household, team, what was said",
    ),
    "The person's own log": ("Het eigen overzicht van de inwoner", "The person's own log"),
    "That a person was introduced": ("Dat iemand is voorgesteld", "That a person was introduced"),
    "Acts without words, under keyed numbers": (
        "Handelingen zonder woorden, onder versleutelde nummers",
        "Acts without words, under keyed numbers",
    ),
    "Objections, questions and wishes, and their answers": (
        "Bezwaren, vragen en wensen, en de antwoorden",
        "Objections, questions and wishes, and their answers",
    ),
    "section_purposes": ("Doelen", "Purposes"),
    "section_data": ("Gegevens", "Data"),
    "section_people": ("Soorten betrokkenheid", "Kinds of involvement"),
    "section_parties": ("Organisaties", "Organisations"),
    "section_terms": ("Termijnen", "Terms"),
    "section_rails": ("Vangrails", "Guard rails"),
    "section_measures": ("Maatregelen", "Measures"),
    "section_residual": ("Wat overblijft", "What remains"),
    "purposes": ("Doelen in werking", "Purposes in force"),
    "articles_open": (
        "Doelen waarvan niemand de artikelen bevestigde",
        "Purposes whose articles nobody confirmed",
    ),
    "no_objection_possible": (
        "Doelen waartegen geen bezwaar mogelijk is",
        "Purposes to which nobody can object",
    ),
    "by_consent": ("Doelen met toestemming", "Purposes with consent"),
    "by_duty": ("Doelen met een plicht om te geven", "Purposes with a duty to give"),
    "fields": ("Velden die gegeven kunnen worden", "Fields that may be given"),
    "fields_special": (
        "Daarvan bijzonder of strafrechtelijk",
        "Of these special or criminal",
    ),
    "fields_labelled": ("Daarvan met een eigen regime", "Of these under a regime of their own"),
    "fields_never_given": (
        "Velden die een bron aanbiedt en die niemand krijgt",
        "Fields that a source offers and nobody gets",
    ),
    "kinds": ("Soorten betrokkenheid die te zien zijn", "Kinds of involvement that may be seen"),
    "kinds_of_children": ("Daarvan over jongeren", "Of these about young people"),
    "kinds_capped": ("Daarvan met een lagere trede", "Of these with a lower rung"),
    "partners": ("Organisaties die meedoen", "Organisations that take part"),
    "partners_asking": ("Daarvan die mogen vragen", "Of these that may ask"),
    "partners_giving": ("Daarvan die kunnen geven", "Of these that can give"),
    "partners_enforcing": ("Daarvan met handhaving", "Of these with enforcement"),
    "witnesses": ("Getuigen van het logboek", "Witnesses of the log"),
    "retention_least_days": ("Kortste bewaartermijn (dagen)", "Shortest retention (days)"),
    "retention_most_days": ("Langste bewaartermijn (dagen)", "Longest retention (days)"),
    "consent_most_days": ("Langste toestemming (dagen)", "Longest consent (days)"),
    "told_later": (
        "Gronden om later te vertellen (dagen + verlenging)",
        "Grounds to tell later (days + renewal)",
    ),
    "rails_caps": ("Hoogste trede per soort", "Highest rung by kind"),
    "rails_never": ("Nooit voor dit domein", "Never for this domain"),
    "measures": ("Maatregelen", "Measures"),
    "residual": ("Risico's die blijven", "Risks that remain"),
    "Pseudonymisation: no citizen service number reaches the broker": (
        "Pseudoniemen: geen burgerservicenummer bereikt de makelaar",
        "Pseudonymisation: no citizen service number reaches the broker",
    ),
    "Key separation: pseudonyms need the key holder, another organisation": (
        "Gescheiden sleutels: pseudoniemen vragen de sleutelbeheerder, een andere organisatie",
        "Key separation: pseudonyms need the key holder, another organisation",
    ),
    "Deny by default: no decision, no data": (
        "Geen besluit, dan geen gegevens",
        "Deny by default: no decision, no data",
    ),
    "Encryption from source to requester: the broker cannot read what passes": (
        "Versleuteld van bron tot vrager: de makelaar kan niet lezen wat langskomt",
        "Encryption from source to requester: the broker cannot read what passes",
    ),
    "An append-only log that witnesses cosign and residents can verify": (
        "Een logboek waar niets uit verdwijnt, met getuigen, en na te rekenen door inwoners",
        "An append-only log that witnesses cosign and residents can verify",
    ),
    "Ends for every pointer, consent, objection and content": (
        "Een einde voor elke verwijzing, toestemming, inhoud en elk bezwaar",
        "Ends for every pointer, consent, objection and content",
    ),
    "A covenant with every partner, with an end date": (
        "Een convenant met elke organisatie, met een einddatum",
        "A covenant with every partner, with an end date",
    ),
    "Purposes by two officers; roles per organisation": (
        "Doelen door twee mensen; rollen per organisatie",
        "Purposes by two officers; roles per organisation",
    ),
    "Review lists, random samples, and findings with an outcome": (
        "Lijsten, steekproeven, en bevindingen met een uitkomst",
        "Review lists, random samples, and findings with an outcome",
    ),
    "broker_mistags": (
        (
            "De beheerder van het logboek kan een regel bij de verkeerde persoon zetten; bronnen "
            "en vragers houden hun eigen bewijs"
        ),
        (
            "Who keeps the log can put an entry with the wrong person; sources and requesters keep "
            "their own proof"
        ),
    ),
    "broker_and_source": (
        "Een oneerlijke bron kan samen met de beheerder buiten het logboek om geven",
        "A dishonest source can, with who keeps the log, give outside the log",
    ),
    "professional_lies": (
        "Een medewerker kan een aanleiding verzinnen; daarvoor zijn de lijsten en de steekproef",
        "A professional can invent an occasion; the review lists and the sample are for that",
    ),
    "small_circle": (
        "Wie een inwoner kent, is hier niet bekend: familie en buren ziet geen lijst",
        "Who knows a resident is not known here: no list sees family or neighbours",
    ),
    "sealed_keys": (
        "Een overgenomen systeem ziet een wachtwoord terwijl het getypt wordt",
        "A system that was taken over sees a passphrase while it is typed",
    ),
}


def say_register(code: str, language: Language) -> str:
    """Return what a code is called; a word that is no code as it is."""
    texts = _WORDS.get(code)
    return code if texts is None else texts[language == "en"]
