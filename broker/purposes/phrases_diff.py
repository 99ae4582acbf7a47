"""The phrases that say what a new revision changes, in Dutch and English.

`{0}` and on are names and quoted texts, filled in as text only; `*path*` marks the field that a
change is about.
"""

from __future__ import annotations

from typing import Final

from broker.purposes.phrases import Phrase

NEVER: Final[Phrase] = ("nooit", "never")
NOTHING: Final[Phrase] = (
    "Aan wat wordt besloten verandert niets.",
    "Nothing changes in what is decided.",
)

CHANGES: Final[dict[str, Phrase]] = {
    "added": (
        "Nieuw doel: {0} [{1}]. Het geldt vanaf {2}.",
        "New purpose: {0} [{1}]. It is in force from {2}.",
    ),
    "withdrawn": (
        "Het doel {0} [{1}] vervalt. Niemand kan er nog voor vragen.",
        "The purpose {0} [{1}] is withdrawn. Nobody can ask for it any more.",
    ),
    "revision_gone": (
        "De versie die geldt vanaf {0} vervalt.",
        "The revision in force from {0} is withdrawn.",
    ),
    "id": (
        "Dit doel heet voortaan {0}, eerst {1}.",
        "This purpose is now called {0}, before {1}.",
    ),
    "valid_from": (
        "Dit geldt vanaf {0}; de vorige versie vanaf {1}.",
        "This is in force from {0}; the revision before it from {1}.",
    ),
    "valid_until": (
        "Het doel eindigt voortaan: {0}. Eerst: {1}.",
        "The purpose now ends: {0}. Before: {1}.",
    ),
    "domain": (
        "Het doel gaat voortaan over {0}, eerst over {1}.",
        "The purpose is now about {0}, before about {1}.",
    ),
    "not_for_more": (
        "Voortaan mag ook een organisatie die handhaaft voor dit doel vragen.",
        "From now on an organisation that enforces may ask for this purpose too.",
    ),
    "not_for_less": (
        "Voortaan wordt een organisatie die handhaaft geweigerd.",
        "From now on an organisation that enforces is refused.",
    ),
    "requester_added": (
        "{0} mag voortaan vragen, en wie betrokken is tot de trede {1}.",
        "{0} may ask from now on, and who is involved up to the rung {1}.",
    ),
    "requester_gone": ("{0} mag niet meer vragen.", "{0} may ask no more."),
    "requester": (
        "{0} krijgt op de vraag wie betrokken is voortaan hooguit de trede {1}, eerst {2}.",
        "{0} now gets at most the rung {1} when it asks who is involved, before {2}.",
    ),
    "occasion_added": (
        "Voortaan mag een vraag ook bij de aanleiding {0}, tot de trede {1}.",
        "From now on a question may also rest on the occasion {0}, up to the rung {1}.",
    ),
    "occasion_gone": (
        "Bij de aanleiding {0} mag niet meer worden gevraagd.",
        "On the occasion {0} nothing may be asked any more.",
    ),
    "occasion": (
        "Bij de aanleiding {0} gaat een vraag voortaan tot de trede {1}, eerst {2}.",
        "On the occasion {0} a question now goes up to the rung {1}, before {2}.",
    ),
    "sees_added": (
        "De soort hulp {0} is voortaan zichtbaar, tot de trede {1}.",
        "The kind of help {0} is visible from now on, up to the rung {1}.",
    ),
    "sees_gone": (
        "De soort hulp {0} is niet meer zichtbaar.",
        "The kind of help {0} is visible no more.",
    ),
    "sees": (
        "De soort hulp {0} is voortaan zichtbaar tot de trede {1}, eerst {2}.",
        "The kind of help {0} is now visible up to the rung {1}, before {2}.",
    ),
    "basis": (
        (
            "Een vraag die niet om gegevens gaat, heeft voortaan als grondslag {0} en {1}, {2}; "
            "eerst {3} en {4}, {5}."
        ),
        (
            "A question that is not for data now has as legal basis {0} and {1}, {2}; "
            "before {3} and {4}, {5}."
        ),
    ),
    "field_added": (
        "{0} deelt voortaan ook *{1}* uit {2} met {3}.",
        "{0} from now on also shares *{1}* of {2} with {3}.",
    ),
    "field_gone": (
        "{0} deelt *{1}* uit {2} niet meer met {3}.",
        "{0} no longer shares *{1}* of {2} with {3}.",
    ),
    "mode": (
        "{0} geeft {2} aan {3} voortaan {1}, eerst {4}.",
        "{0} now gives {2} to {3} {1}, before {4}.",
    ),
    "consent_by": (
        "Wie beslist of {0} {2} deelt met {3}, volgt voortaan uit de regel {1}, eerst {4}.",
        "Who decides whether {0} shares {2} with {3} now follows from the rule {1}, before {4}.",
    ),
    "giver_article": (
        "{0} geeft {2} aan {3} voortaan volgens {1}, eerst {4}.",
        "{0} now gives {2} to {3} by {1}, before {4}.",
    ),
    "taker_article": (
        "{3} krijgt {2} van {0} voortaan volgens {1}, eerst {4}.",
        "{3} now takes {2} from {0} by {1}, before {4}.",
    ),
    "ground_added": (
        "Wat in {1} beschermd is als {0}, mag voortaan van {2} naar {3} volgens {4}.",
        "What in {1} is guarded as {0} may from now on go from {2} to {3} by {4}.",
    ),
    "ground_gone": (
        "Wat in {1} beschermd is als {0}, gaat niet meer van {2} naar {3}.",
        "What in {1} is guarded as {0} no longer goes from {2} to {3}.",
    ),
    "ground": (
        "Wat in {1} beschermd is als {0}, gaat van {2} naar {3} voortaan volgens {4}, eerst {5}.",
        "What in {1} is guarded as {0} now goes from {2} to {3} by {4}, before {5}.",
    ),
    "objection": (
        "Bij een bezwaar geldt voortaan: {0} Eerst: {1}",
        "On an objection this now holds: {0} Before: {1}",
    ),
    "retention_days": (
        "Bewaren mag voortaan {0} dagen, eerst {1}.",
        "It may now be kept for {0} days, before {1}.",
    ),
    "rule_new": ("Voortaan geldt: {0}", "From now on this holds: {0}"),
    "rule_gone": ("Niet meer geldt: {0}", "This holds no more: {0}"),
    "text": ("{0} luidt voortaan {1}, eerst {2}.", "{0} now reads {1}, before {2}."),
    "legal_check": (
        "De juridische toets is voortaan: {0}, eerst {1}.",
        "The legal check is now: {0}, before {1}.",
    ),
}
# What becomes of the cases of a purpose.
CASES: Final[dict[str, Phrase]] = {
    "no_purpose": ("handelingen zonder doel", "acts without a purpose"),
    "counts": (
        "Gevallen die dit doel bewaken: {0} vervallen, {1} nieuw, {2} anders, {3} blijven zo.",
        "Cases that guard this purpose: {0} go, {1} new, {2} changed, {3} stay as they are.",
    ),
    "gone": (
        "Let op, dit wordt niet meer bewaakt: {0}.",
        "Mind, this is guarded no more: {0}.",
    ),
    "gone_more": (
        "Let op, dit wordt niet meer bewaakt: {0} en nog {1}.",
        "Mind, this is guarded no more: {0} and {1} more.",
    ),
}
# What a text is called of which only the words change.
TEXT_NAMES: Final[dict[str, Phrase]] = {
    "title": ("De titel", "The title"),
    "sentence": ("Wat de inwoner leest", "What residents read"),
    "owner": ("De eigenaar", "The owner"),
    "articles": ("De genoemde wetten", "The laws that are named"),
    "why": ("Waarom {0} nodig is", "Why {0} is needed"),
}
CHECK_NAMES: Final[dict[str, Phrase]] = {
    "open": ("nog open", "still open"),
    "confirmed": ("gedaan", "done"),
}
HOLDER: Final[Phrase] = ("Wie de taak {0} heeft", "Whoever has the function {0}")
HOLDER_WITHIN: Final[Phrase] = ("wie de taak {0} heeft", "whoever has the function {0}")

SHARED: Final[dict[str, Phrase]] = {
    "offered": (
        "{0} kan voortaan ook *{1}* uit {2} geven. Geen doel noemt het: het gaat niet mee.",
        "{0} can from now on also give *{1}* of {2}. No purpose names it: it does not go along.",
    ),
    "offered_named": (
        "{0} kan voortaan ook *{1}* uit {2} geven. Alleen deze doelen noemen het: {3}.",
        "{0} can from now on also give *{1}* of {2}. Only these purposes name it: {3}.",
    ),
    "withheld": (
        "{0} kan *{1}* uit {2} niet meer geven.",
        "{0} can no longer give *{1}* of {2}.",
    ),
    "changed": (
        "Voor alle doelen verandert {0}: voortaan {1}, eerst {2}.",
        "For all purposes {0} changes: now {1}, before {2}.",
    ),
    "new": ("Voor alle doelen komt erbij: {0}, {1}.", "For all purposes there is now: {0}, {1}."),
    "gone": ("Voor alle doelen vervalt: {0}, {1}.", "For all purposes this goes: {0}, {1}."),
    "of": ("Doel {0}: {1}", "Purpose {0}: {1}"),
}
