"""A purpose in controlled Dutch and English: the text that the second pair of eyes reads and signs.

Every member of a purpose that is weighed is said in one fixed sentence, so that what people agree
on is what Rego applies. Precedent: RegelSpraak. Names of functions, kinds and products come from
the texts where they have one.
"""

from __future__ import annotations

from collections.abc import Iterator

from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Edge, Purpose, Wording
from datwat.protocol.catalogue import Language
from datwat.protocol.texts import Texts
from datwat.protocol.values import encode_moment

_PHRASES: dict[str, tuple[str, str]] = {
    "owner": ("Eigenaar: {0}.", "Owner: {0}."),
    "valid": ("Geldig vanaf {0}.", "In force from {0}."),
    "valid_until": ("Geldig tot {0}.", "In force until {0}."),
    "article": ("Steunt op {0}, {1} ({2}).", "Rests on {0}, {1} ({2})."),
    "legal_open": (
        "De juridische toets staat nog open.",
        "The legal check is still open.",
    ),
    "legal_confirmed": ("De juridische toets is gedaan.", "The legal check was done."),
    "not_for": ("Nooit voor handhaving.", "Never for enforcement."),
    "requester": (
        "{0} mag vragen wie betrokken is, tot en met trede {1}.",
        "{0} may ask who is involved, up to rung {1}.",
    ),
    "occasion": (
        "Bij aanleiding {0} gaat de vraag tot en met trede {1}.",
        "On the occasion {0} a question goes up to rung {1}.",
    ),
    "sees": (
        "Betrokkenheid van de soort {0} is zichtbaar tot en met trede {1}.",
        "Involvement of the kind {0} is visible up to rung {1}.",
    ),
    "unseen": ("Alle andere soorten blijven onzichtbaar.", "All other kinds stay invisible."),
    "edge": (
        "{0} geeft aan {1} uit {2}. Geven mag volgens {3}, krijgen volgens {4}.",
        "{0} gives {1} from {2}. It may give by {3}, the other may take by {4}.",
    ),
    "field": ("- {0}, omdat: {1}", "- {0}, because: {1}"),
    "ground": ("  Veld met label {0}: toegestaan door {1}.", "  Label {0}: lifted by {1}."),
    "retention": ("De vrager bewaart het {0} dagen.", "The requester keeps it for {0} days."),
    "mode_duty": ("De bron is verplicht te geven.", "The source must give."),
    "mode_may": ("De bron mag geven.", "The source may give."),
    "mode_explicit_consent": (
        "Alleen met uitdrukkelijke toestemming.",
        "Only with explicit consent.",
    ),
    "mode_no_objection": (
        "Alleen na schriftelijk geen bezwaar.",
        "Only after a written no-objection.",
    ),
    "objection_none": ("Bezwaar houdt de vraag niet op.", "An objection does not hold it up."),
    "objection_suspend": ("Bezwaar houdt de vraag op.", "An objection holds it up."),
    "objection_suspend_unless_danger": (
        "Bezwaar houdt de vraag op, tenzij iemand anders gevaar loopt.",
        "An objection holds it up, unless another person is in danger.",
    ),
}


def describe_purpose(
    purpose: Purpose, catalogue: Catalogue, texts: Texts, language: Language
) -> list[str]:
    """Return the purpose as sentences, one line each, in the order in which they are read."""
    return list(_Writer(catalogue, texts, language).write(purpose))


def choose(wording: Wording, language: Language) -> str:
    """Return a text in one language."""
    return wording.nl if language == "nl" else wording.en


class _Writer:
    def __init__(self, catalogue: Catalogue, texts: Texts, language: Language) -> None:
        self._catalogue = catalogue
        self._texts = texts
        self._language = language

    def write(self, purpose: Purpose) -> Iterator[str]:
        yield f"{self._choose(purpose.title)} ({purpose.id})"
        yield self._choose(purpose.sentence)
        yield self._say("owner", purpose.owner)
        yield self._say("valid", encode_moment(purpose.valid_from)[:10])
        if purpose.valid_until is not None:
            yield self._say("valid_until", encode_moment(purpose.valid_until)[:10])
        for article in purpose.articles:
            yield self._say("article", article.law, article.article, article.link)
        yield self._say(f"legal_{purpose.legal_check}")
        if purpose.not_for:
            yield self._say("not_for")
        yield from self._write_reach(purpose)
        for edge in purpose.edges:
            yield ""
            yield from self._write_edge(edge)
        yield ""
        yield self._say(f"objection_{purpose.objection}")
        yield self._say("retention", str(purpose.retention_days))

    def _write_reach(self, purpose: Purpose) -> Iterator[str]:
        yield ""
        for requester in purpose.requesters:
            yield self._say("requester", self._name(requester.function), requester.inquire)
        for occasion, rung in purpose.occasions.items():
            yield self._say("occasion", self._name(occasion), rung)
        for kind, rung in purpose.sees.items():
            yield self._say("sees", self._name(kind), rung)
        yield self._say("unseen")

    def _write_edge(self, edge: Edge) -> Iterator[str]:
        product = self._catalogue.products[edge.product]
        titles = {item.field: self._choose(item.title) for item in product.fields}
        yield self._say(
            "edge",
            self._name(edge.source),
            self._name(edge.requester),
            self._choose(product.title),
            edge.giver_article,
            edge.taker_article,
        )
        yield self._say(f"mode_{edge.mode}")
        for item in edge.fields:
            yield self._say("field", titles[item.field], self._choose(item.why))
        for label, article in edge.grounds.items():
            yield self._say("ground", label, article)

    def _choose(self, wording: Wording) -> str:
        return choose(wording, self._language)

    def _say(self, phrase: str, *values: str) -> str:
        dutch, english = _PHRASES[phrase]
        return (dutch if self._language == "nl" else english).format(*values)

    def _name(self, code: str) -> str:
        return self._texts.render(code.replace("-", "_"), self._language) if code else code
