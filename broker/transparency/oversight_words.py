"""The sentences of oversight, in Dutch and English: why a row is in a list, and what a list is.

Rule: a sentence states what was counted and what it was compared with; it never says that somebody
did something wrong.
"""

from __future__ import annotations

from typing import Final, Literal

from broker.transparency.oversight import ListCode, Why

Language = Literal["nl", "en"]

_LISTS: Final[dict[ListCode, tuple[str, str, str, str]]] = {
    "volume": (
        "Ongewoon veel vragen",
        "Unusually many questions",
        "Wie de laatste week veel meer vroeg dan in de twaalf weken daarvoor.",
        "Who asked much more in the last week than in the twelve weeks before.",
    ),
    "hours": (
        "Buiten werktijd",
        "Outside working hours",
        (
            "Wie veel vaker dan collega's vraagt voor 7 uur, na 19 uur, in het weekend of op een "
            "feestdag."
        ),
        (
            "Who asks far more often than colleagues before 7:00, after 19:00, at weekends or on "
            "holidays."
        ),
    ),
    "nothing": (
        "Aanleidingen waar niets uit komt",
        "Occasions that end in nothing",
        "Wie vaak een aanleiding opent, vragen stelt, en sluit zonder plan, doel of gegevens.",
        "Who often opens an occasion, asks, and closes it without a plan, a goal or any data.",
    ),
    "refused": (
        "Steeds opnieuw geweigerd",
        "Refused again and again",
        "Wie veel vaker dan collega's geweigerd wordt, of over dezelfde inwoner blijft vragen.",
        "Who is refused far more often than colleagues, or goes on asking about one resident.",
    ),
    "sides": (
        "Eén inwoner, veel vragers",
        "One resident, many askers",
        "Een inwoner over wie veel organisaties of medewerkers vragen.",
        "A resident about whom many organisations or professionals ask.",
    ),
    "relations": (
        "Collega's en bekenden",
        "Colleagues and relations",
        (
            "Veel collega's die over één inwoner vragen, vragen van een organisatie die de inwoner "
            "niet wil laten kijken, en meldingen van een verkeerde persoon. Wie familie, buren of "
            "vrienden zijn, is hier niet bekend: dat ziet u hier niet."
        ),
        (
            "Many colleagues who ask about one resident, questions of an organisation that the "
            "resident does not want to look, and reports of a wrong person. The broker knows no "
            "family, neighbours or friends: those are not seen here."
        ),
    ),
    "guessing": (
        "Raden en boven de grens",
        "Guessing and over quota",
        (
            "Wie veel vaker dan collega's niemand vindt, verwijst naar wat nooit getoond is, of "
            "meer stuurt dan is afgesproken. De grens van de sleutelhouder ziet u daar."
        ),
        (
            "Who finds nobody far more often than colleagues, refers to what was never shown, or "
            "sends more than was agreed. The key holder's own quotas are seen at the key holder."
        ),
    ),
    "sample": (
        "Steekproef",
        "Random sample",
        "Regels die door het lot zijn gekozen. Hoe, kan iedereen narekenen.",
        "Entries chosen by lot. Anybody can check how.",
    ),
}
_WHY: Final[dict[str, tuple[str, str]]] = {
    "volume": (
        "{count} vragen in de laatste week; gewoonlijk ongeveer {usual}.",
        "{count} questions in the last week; usually about {usual}.",
    ),
    "volume_new": (
        "{count} vragen in de laatste week, zonder eerdere weken; collega's ongeveer {usual}.",
        "{count} questions in the last week, without earlier weeks; colleagues about {usual}.",
    ),
    "volume_partner": (
        (
            "{count} vragen van deze organisatie in de laatste week; gewoonlijk ongeveer {usual}. "
            "Medewerkers die hier apart staan zijn niet meegeteld."
        ),
        (
            "{count} questions of this organisation in the last week; usually about {usual}. "
            "Professionals who stand here by themselves are not counted."
        ),
    ),
    "hours": (
        "{count} van {total} vragen in vier weken buiten werktijd; bij collega's {others} procent.",
        (
            "{count} of {total} questions in four weeks outside working hours; colleagues {others} "
            "per cent."
        ),
    ),
    "nothing": (
        (
            "{count} van {total} aanleidingen eindigden zonder plan, doel of gegevens; bij "
            "collega's {others} procent."
        ),
        (
            "{count} of {total} occasions ended without a plan, a goal or any data; colleagues "
            "{others} per cent."
        ),
    ),
    "refused": (
        "{count} van {total} vragen in vier weken geweigerd; bij collega's {others} procent.",
        "{count} of {total} questions in four weeks refused; colleagues {others} per cent.",
    ),
    "refused_person": (
        "{count} keer geweigerd over dezelfde inwoner in vier weken.",
        "Refused {count} times about the same resident in four weeks.",
    ),
    "sides": (
        (
            "{partners} organisaties en {staff} medewerkers stelden in vier weken {count} vragen "
            "over deze inwoner."
        ),
        (
            "{partners} organisations and {staff} professionals asked {count} questions about this "
            "resident in four weeks."
        ),
    ),
    "colleagues": (
        (
            "{staff} medewerkers van deze organisatie stelden in vier weken {count} vragen over "
            "dezelfde inwoner."
        ),
        (
            "{staff} professionals of this organisation asked {count} questions about the same "
            "resident in four weeks."
        ),
    ),
    "blocked": (
        "{count} vragen in vier weken over inwoners die niet willen dat deze organisatie kijkt.",
        (
            "{count} questions in four weeks about residents who do not want this organisation to "
            "look."
        ),
    ),
    "wrong_person": (
        "{count} meldingen van een verkeerde persoon in dertien weken.",
        "{count} reports of a wrong person in thirteen weeks.",
    ),
    "guessing": (
        "{count} van {total} vragen in vier weken vonden niemand; bij collega's {others} procent.",
        "{count} of {total} questions in four weeks found nobody; colleagues {others} per cent.",
    ),
    "guessing_reference": (
        "{count} vragen om gegevens in vier weken verwezen naar wat nooit getoond is.",
        "{count} requests for data in four weeks referred to what was never shown.",
    ),
    "over_quota": (
        "{count} berichten boven de grens, in {hours} uren van de laatste vier weken.",
        "{count} messages over the quota, in {hours} hours of the last four weeks.",
    ),
    "sample": (
        "Door het lot gekozen, als nummer {place}.",
        "Chosen by lot, as number {place}.",
    ),
}


_CODES: Final[dict[str, tuple[str, str]]] = {
    "table_requests": ("Nieuwe aanleidingen", "New occasions"),
    "table_families": ("Alleen of met meer", "Alone or with others"),
    "table_plans": ("Gesloten met of zonder plan", "Closed with or without a plan"),
    "table_goals": ("Doelen gehaald", "Goals reached"),
    "table_endings": ("Waarom gesloten", "Why closed"),
    "table_questions": ("Vragen over inwoners", "Questions about residents"),
    "table_refusals": ("Waarom geweigerd", "Why refused"),
    "table_contact": ("Contact in plaats van gegevens", "Contact instead of data"),
    "table_wishes": ("Wat inwoners vroegen", "What residents asked"),
    "table_answers": ("Hoe snel inwoners antwoord kregen", "How soon residents were answered"),
    "help_request": ("Hulpvraag", "Help request"),
    "report": ("Melding", "Report"),
    "signal": ("Signaal", "Signal"),
    "statutory_task": ("Wettelijke taak", "Statutory task"),
    "crisis": ("Crisis", "Crisis"),
    "several_persons": ("Meer personen", "Several persons"),
    "one_person": ("Eén persoon", "One person"),
    "plan": ("Met plan", "With a plan"),
    "no_plan": ("Zonder plan", "Without a plan"),
    "goals_yes": ("Gehaald", "Reached"),
    "goals_partly": ("Deels gehaald", "Partly reached"),
    "goals_no": ("Niet gehaald", "Not reached"),
    "goals_unknown": ("Onbekend", "Unknown"),
    "goals_unstated": ("Niet ingevuld", "Not filled in"),
    "completed": ("Afgerond", "Completed"),
    "handed_over": ("Overgedragen", "Handed over"),
    "not_needed": ("Niet meer nodig", "No longer needed"),
    "withdrawn": ("Ingetrokken", "Withdrawn"),
    "moved": ("Verhuisd", "Moved"),
    "died": ("Overleden", "Died"),
    "permitted": ("Toegestaan", "Permitted"),
    "refused": ("Geweigerd", "Refused"),
    "blade_purpose": ("Doel", "Purpose"),
    "blade_subsidiarity": ("Het kan met minder", "It can be done with less"),
    "blade_proportionality": ("Niet in verhouding", "Not in proportion"),
    "blade_efficiency": ("Niet de beste weg", "Not the most suitable way"),
    "blade_transparency": ("De inwoner is niet verteld", "The resident was not told"),
    "contact": ("Contact gevraagd", "Contact asked"),
    "data": ("Gegevens gegeven", "Data given"),
    "involved": ("Alleen getoond wie betrokken is", "Only shown who is involved"),
    "otherwise": ("Anders", "Otherwise"),
    "wish_objection": ("Bezwaar", "Objection"),
    "wish_question": ("Vraag", "Question"),
    "wish_erasure": ("Vernietigen", "Erasure"),
    "wish_block": ("Niet laten kijken", "Not letting somebody look"),
    "wish_shield": ("Adres afschermen", "Hiding the address"),
    "wish_consent": ("Toestemming", "Consent"),
    "wish_withdrawal": ("Toestemming intrekken", "Withdrawing consent"),
    "wish_taken_back": ("Iets terugnemen", "Taking something back"),
    "within_week": ("Binnen een week", "Within a week"),
    "within_month": ("Binnen een maand", "Within a month"),
    "later": ("Later", "Later"),
    "nothing_wrong": ("Niets aan de hand", "Nothing wrong"),
    "explained": ("Uitgelegd door de organisatie", "Explained by the organisation"),
    "asked": ("Navraag gedaan, nog geen antwoord", "Asked, no answer yet"),
    "reported": ("Gemeld bij de organisatie", "Reported to the organisation"),
    "data_breach": ("Datalek", "Data breach"),
    "rule_to_change": ("Een regel moet anders", "A rule must change"),
}


def say_code(code: str, language: Language) -> str:
    """Return what a code of the figures or of a finding is called; an unknown one as it is."""
    texts = _CODES.get(code)
    return code if texts is None else texts[language == "en"]


def say_why(why: Why, language: Language) -> str:
    """Return why a row is in its list, as a sentence."""
    return _WHY[why.code][language == "en"].format(**why.params)


def say_list(code: ListCode, language: Language) -> tuple[str, str]:
    """Return the title of a list, and what is in it."""
    texts = _LISTS[code]
    return (texts[1], texts[3]) if language == "en" else (texts[0], texts[2])
