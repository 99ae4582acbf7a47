"""What each member of a purpose and of a case is for: help of the form, docs and editor alike.

One entry per model and member (a test finds one without); Dutch and English.
"""

from __future__ import annotations

from typing import Final

from broker.purposes.phrases import Phrase

_RUNGS_NL: Final = (
    "Treden: none (niets), contact, category (welke soort hulp), dat (wie), wat (gegevens)."
)
_RUNGS_EN: Final = "Rungs: none, contact, category (which kind of help), dat (who), wat (data)."

HELP: Final[dict[str, Phrase]] = {
    "Wording.nl": (
        "In gewoon Nederlands (B1): zinnen van hooguit 15 woorden.",
        "In plain Dutch (B1): sentences of 15 words at most.",
    ),
    "Wording.en": ("Hetzelfde in het Engels.", "The same in English."),
    "Purpose.id": (
        "Korte naam in kleine letters, zoals debt_counselling. Verandert nooit.",
        "Short name in small letters, such as debt_counselling. It never changes.",
    ),
    "Purpose.title": ("Hoe het doel heet.", "What the purpose is called."),
    "Purpose.sentence": (
        "Eén zin voor de inwoner: wie wil wat weten, en waarvoor.",
        "One sentence for residents: who wants to know what, and for what.",
    ),
    "Purpose.domain": (
        "Het onderwerp. Sommige soorten hulp blijven voor een onderwerp altijd onzichtbaar.",
        "The domain. Some kinds of help always stay invisible for a domain.",
    ),
    "Purpose.owner": (
        "Wie binnen de organisatie over dit doel gaat: een afdeling, geen persoon.",
        "Who answers for this purpose: a department, not a person.",
    ),
    "Purpose.valid_from": (
        "Vanaf wanneer het geldt, in UTC: 2026-12-01T00:00:00Z. Mag in de toekomst liggen.",
        "From when it is in force, in UTC: 2026-12-01T00:00:00Z. It may lie in the future.",
    ),
    "Purpose.valid_until": (
        "Tot wanneer het geldt, in UTC. Leeg: tot er een nieuwe versie is.",
        "Until when it is in force, in UTC. Empty: until there is a new revision.",
    ),
    "Purpose.articles": (
        "De artikelen waarop het doel steunt. Minstens één.",
        "The articles on which the purpose rests. One at least.",
    ),
    "Purpose.legal_check": (
        "Of een jurist de artikelen heeft nagekeken: open of confirmed.",
        "Whether a lawyer has checked the articles: open or confirmed.",
    ),
    "Purpose.basis": (
        "De grondslag die een besluit noemt als er geen gegevens meegaan.",
        "The legal basis that a decision names where no data goes along.",
    ),
    "Purpose.not_for": (
        "Waarvoor het nooit is: enforcement (handhaving). Hoort er altijd te staan.",
        "What it is never for: enforcement. It belongs there always.",
    ),
    "Purpose.requesters": (
        "Welke taken van organisaties voor dit doel mogen vragen.",
        "Which functions of organisations may ask for this purpose.",
    ),
    "Purpose.occasions": (
        f"Bij welke aanleiding, en tot welke trede. {_RUNGS_NL}",
        f"On which occasion, and up to which rung. {_RUNGS_EN}",
    ),
    "Purpose.sees": (
        f"Welke soorten hulp zichtbaar zijn, en tot welke trede. De rest niet. {_RUNGS_NL}",
        f"Which kinds of help are visible, and up to which rung; no others are. {_RUNGS_EN}",
    ),
    "Purpose.edges": (
        "Wie wat aan wie geeft: bron, vrager, set van gegevens, artikelen en velden.",
        "Who gives what to whom: source, requester, data product, articles and fields.",
    ),
    "Purpose.objection": (
        "Wat een bezwaar doet: none (niets), suspend (houdt tegen) of suspend_unless_danger.",
        "What an objection does: none, suspend, or suspend_unless_danger.",
    ),
    "Purpose.retention_days": (
        "Hoeveel dagen de vrager het bewaart, en het besluit in het logboek te lezen is.",
        "For how many days the requester keeps it, and the decision can be read in the log.",
    ),
    "Article.law": ("Naam van de wet, zoals Jeugdwet.", "Name of the law, such as Jeugdwet."),
    "Article.article": ("Artikel en lid, zoals 7.4.0(1)(a).", "Article, such as 7.4.0(1)(a)."),
    "Article.bwb": (
        "Nummer van de wet op wetten.overheid.nl: BWBR en zeven cijfers.",
        "Number of the law at wetten.overheid.nl: BWBR and seven digits.",
    ),
    "LegalBasis.giver_article": (
        "Het artikel dat de bron laat geven, met wet en nummer.",
        "The article that lets the source give, with law and number.",
    ),
    "LegalBasis.taker_article": (
        "Het artikel dat de vrager laat vragen, met wet en nummer.",
        "The article that lets the requester take, with law and number.",
    ),
    "LegalBasis.mode": (
        "Als duty (plicht), may (bevoegdheid), explicit_consent of no_objection.",
        "As a duty, may (a power), explicit_consent or no_objection.",
    ),
    "PurposeRequester.function": (
        "De taak van de organisatie, zoals in het convenant: debt-counselling.",
        "The function of the organisation, as in the covenant: debt-counselling.",
    ),
    "PurposeRequester.inquire": (
        "Hoe ver haar vraag wie betrokken is mag gaan: none, contact, category of dat.",
        "How far it may ask who is involved: none, contact, category or dat.",
    ),
    "Edge.source": (
        "De taak van wie geeft, zoals in het convenant.",
        "The function of who gives, as in the covenant.",
    ),
    "Edge.requester": (
        "De taak van wie krijgt. Staat ook bij de vragers van dit doel.",
        "The function of who takes; it stands among the requesters of this purpose too.",
    ),
    "Edge.product": (
        "De set van gegevens, zoals gezinsplan.",
        "The data product, such as gezinsplan.",
    ),
    "Edge.giver_article": (
        "Het artikel dat deze bron dit laat geven. Een convenant is geen grond.",
        "The article that lets this source give this. A covenant is no ground.",
    ),
    "Edge.taker_article": (
        "Het artikel dat deze vrager dit laat krijgen.",
        "The article that lets this requester take this.",
    ),
    "Edge.mode": (
        "Hoe de bron geeft: duty (plicht), may (mag), explicit_consent, no_objection.",
        "How the source gives: duty, may, explicit_consent, no_objection.",
    ),
    "Edge.consent_by": (
        "Alleen bij explicit_consent en no_objection: welke regel zegt wie beslist.",
        "With explicit_consent and no_objection only: which rule says who decides.",
    ),
    "Edge.grounds": (
        (
            "Per bescherming van een veld (s, c, jeugdwet, wmo, wgbo, pw, suwi) het artikel "
            "dat het laat meegaan."
        ),
        (
            "Per label of a field (s, c, jeugdwet, wmo, wgbo, pw, suwi) the article that lets "
            "it go along."
        ),
    ),
    "Edge.fields": (
        "De velden die mee mogen, elk met de reden. Alle andere blijven bij de bron.",
        "The fields that may go along, each with its reason. All others stay at the source.",
    ),
    "EdgeField.field": (
        "Het veld zoals de bron het noemt, zoals regeling.status.",
        "The field as the source names it, such as regeling.status.",
    ),
    "EdgeField.why": (
        "Waarom de vrager dit nodig heeft. De inwoner leest dit.",
        "Why the requester needs this. Residents read it.",
    ),
    "CaseFile.purpose": (
        "Het doel waarvoor de gevallen zijn; null voor handelingen zonder doel.",
        "The purpose that the cases are for; null for acts without one.",
    ),
    "CaseFile.common": (
        "Wat in elk geval anders is dan in zijn basisvraag.",
        "What differs in every case from its base question.",
    ),
    "CaseFile.cases": ("De gevallen, minstens één.", "The cases, one at least."),
    "CaseText.name": ("Wat het geval laat zien.", "What the case shows."),
    "CaseText.base": (
        "Naam van de basisvraag in bases.yaml, zoals inquire of release.",
        "Name of the base question in bases.yaml, such as inquire or release.",
    ),
    "CaseText.given": (
        "Wat in dit geval anders is dan in de basisvraag.",
        "What differs in this case from the base question.",
    ),
    "CaseText.expect": (
        "Wat eruit moet komen. Wat er niet staat, wordt niet vergeleken, behalve unmet.",
        "What must come out. What is not there is not compared, but for unmet.",
    ),
    "Expectation.permit": ("Of de vraag mag.", "Whether the question is permitted."),
    "Expectation.unmet": (
        "Elke code waaraan niet is voldaan. Leeg: aan alles is voldaan.",
        "Every code that is not satisfied. Empty: all are.",
    ),
    "Expectation.stated_permit": (
        "Of het zou mogen op wat de vrager zelf zegt.",
        "Whether it would be permitted on what the requester itself states.",
    ),
    "Expectation.rung": (
        f"Tot welke trede het mag. {_RUNGS_NL}",
        f"The rung permitted. {_RUNGS_EN}",
    ),
    "Expectation.open_rung": (
        "De hoogste trede die open blijft op wat de vrager zelf zegt.",
        "The highest rung that the stated facts leave open.",
    ),
    "Expectation.fields": ("De velden die meegaan.", "The fields that go along."),
    "Expectation.withheld": (
        "De velden die niet meegaan, elk met zijn code.",
        "The fields that do not go along, each with its code.",
    ),
    "Expectation.notice": (
        "Wanneer de inwoner het ziet: now of later.",
        "When the resident sees it: now or later.",
    ),
    "Expectation.audience": (
        "Wie het ziet: open, of own (alleen de inwoner zelf).",
        "Who sees it: open, or own (the person alone).",
    ),
    "Expectation.remedies": ("Wat het wel mogelijk maakt.", "What would make it permitted."),
    "Expectation.obligations": ("Wat de vrager moet doen.", "What the requester must do."),
    "Expectation.caps": (
        "Per taak/soort de trede gewoon/bij geheim adres: income/income_support: dat/category.",
        "Per function/kind the rung plain/shielded, such as income/income_support: dat/category.",
    ),
    "Expectation.asked": (
        "De taken van organisaties die zijn gevraagd.",
        "The functions that were asked.",
    ),
    "Expectation.asked_domains": (
        "De onderwerpen die zijn gevraagd.",
        "The domains that were asked.",
    ),
    "Expectation.cannot_see": (
        "De soorten hulp die onzichtbaar bleven.",
        "The kinds of help that stayed invisible.",
    ),
    "Expectation.basis": (
        "De grondslag: artikel om te geven, artikel om te krijgen, wijze.",
        "The legal basis: article to give, article to take, mode.",
    ),
    "Expectation.params": (
        "Per code wat er naast staat. Codes die hier niet staan, worden niet vergeleken.",
        "Per code what is said beside it. Codes that are not here are not compared.",
    ),
    "Expectation.weighed": (
        "Elke code die is gewogen, en over wie zij gaat.",
        "Every code that was weighed, and whom it is about.",
    ),
    "Expectation.expires_days": (
        "Na hoeveel dagen een vastlegging vervalt.",
        "After how many days a registration expires.",
    ),
    "Expectation.retention_days": (
        "Hoe lang de vrager het bewaart, in dagen.",
        "How long the requester keeps it, in days.",
    ),
}
