"""A purpose in controlled Dutch and English: the text that the second pair of eyes reads and signs.

Rules enforced: numbered sentences say everything that the engine does with a purpose and nothing
more, so that two purposes with the same sentences decide the same; each knows the member that it
comes from. What has no effect (why a field is needed, the law that readers want to see) stands
beside them without a number. The order is the text's own: how a file orders its mappings, lists of
functions or fields changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal, get_args

from broker.purposes.catalogue import Catalogue
from broker.purposes.guards import OWN_ACCESS
from broker.purposes.index import SHIELDED, derive_visible
from broker.purposes.models import Edge, EdgeField, Label, OccasionKind, Purpose
from broker.purposes.naming import Namer, choose, quote
from broker.purposes.phrases import HEAD, LAW, REASON, RULES
from datwat.protocol.catalogue import GRACE_SECONDS, Language
from datwat.protocol.messages import RUNGS, Rung
from datwat.protocol.texts import Texts
from datwat.protocol.values import Value

__all__ = [
    "Sentence",
    "choose",
    "derive_text_hash",
    "describe_purpose",
    "find_sentence",
    "list_rules",
    "render_text",
    "write_sentences",
]

Part = Literal["head", "rule", "reason", "law"]
_Said = tuple[int, "Sentence"]  # how deep, and what


class Sentence(Value):
    """One sentence of a purpose, and the member that it comes from.

    `place`: names and indices with dots between (`edges.0.fields.2`); empty for the whole. `number`
    (`4`, `4.2`) stands before what is weighed and before nothing else.
    """

    part: Part
    number: str | None = None
    text: str
    place: str
    phrase: str

    @property
    def line(self) -> str:
        """The sentence as it stands in the text that is signed."""
        return f"{self.number}. {self.text}" if self.number else self.text


def write_sentences(
    purpose: Purpose, catalogue: Catalogue, texts: Texts, language: Language
) -> tuple[Sentence, ...]:
    """Return the whole text of a purpose, which need not fit the catalogue, in reading order."""
    writer = _Writer(purpose, Namer(catalogue, texts, language))
    return (*writer.write_head(), *_number(writer.write_rules()), *writer.write_law())


def list_rules(sentences: Iterable[Sentence]) -> tuple[Sentence, ...]:
    """Return what is weighed: the numbered sentences."""
    return tuple(one for one in sentences if one.part == "rule")


def render_text(sentences: Iterable[Sentence]) -> str:
    """Return the text that is signed: one line a sentence, each ending in a line feed."""
    return "".join(f"{sentence.line}\n" for sentence in sentences)


def describe_purpose(
    purpose: Purpose, catalogue: Catalogue, texts: Texts, language: Language
) -> list[str]:
    """Return the purpose as sentences, one line each, in the order in which they are read."""
    return [one.line for one in write_sentences(purpose, catalogue, texts, language)]


def derive_text_hash(
    purpose: Purpose, catalogue: Catalogue, texts: Texts, language: Language
) -> str:
    """Return the SHA-256 (hex) of the text that is signed, in UTF-8."""
    text = render_text(write_sentences(purpose, catalogue, texts, language))
    return hashlib.sha256(text.encode()).hexdigest()


def find_sentence(sentences: Iterable[Sentence], place: str) -> Sentence | None:
    """Return the numbered sentence that says a member: the one whose place holds it most closely.

    `place` may go deeper than a sentence does (`edges.0.fields.2.field`), and may be a member that
    is said by another (`sees` by what stays unseen). None where nothing weighed is meant.
    """
    found: Sentence | None = None
    for sentence in list_rules(sentences):
        holds = sentence.place == place or place.startswith(f"{sentence.place}.")
        if sentence.place and holds and (found is None or len(sentence.place) > len(found.place)):
            found = sentence
    return found


def _number(said: Iterable[_Said]) -> Iterator[Sentence]:
    """Yield the sentences with their numbers: 4, 4.1, 4.2; what gives a reason has none."""
    whole = part = 0
    for depth, sentence in said:
        if sentence.part != "rule":
            yield sentence
            continue
        whole, part = (whole + 1, 0) if depth == 0 else (whole, part + 1)
        number = f"{whole}" if depth == 0 else f"{whole}.{part}"
        yield sentence.model_copy(update={"number": number})


class _Writer:
    def __init__(self, purpose: Purpose, namer: Namer) -> None:
        self._purpose = purpose
        self._namer = namer
        self._catalogue = namer.catalogue

    def write_head(self) -> Iterator[Sentence]:
        for member, wording in (
            ("title", self._purpose.title),
            ("sentence", self._purpose.sentence),
        ):
            text = self._namer.say(HEAD[member], quote(self._namer.choose(wording)))
            yield Sentence(part="head", text=text, place=member, phrase=member)

    def write_law(self) -> Iterator[Sentence]:
        owner = quote(self._purpose.owner)
        yield self._law("owner", "owner", owner)
        for number, article in enumerate(self._purpose.articles):
            names = (quote(article.law), quote(article.article), article.link)
            yield self._law("article", f"articles.{number}", *names)
        yield self._law(f"legal_{self._purpose.legal_check}", "legal_check")

    def write_rules(self) -> Iterator[_Said]:
        return chain(
            self._write_what(),
            self._write_who(),
            self._write_occasions(),
            self._write_sight(),
            self._write_edges(),
            self._write_ends(),
        )

    def _write_what(self) -> Iterator[_Said]:
        purpose, namer = self._purpose, self._namer
        yield self._rule("id", "id", purpose.id)
        if purpose.id == OWN_ACCESS:
            yield self._rule("own", "id")
        never = [k for k, kind in self._catalogue.kinds.items() if purpose.domain in kind.never_for]
        phrase = "domain" if never else "domain_free"
        kinds = namer.join(namer.kind(code) for code in sorted(never))
        yield self._rule(phrase, "domain", namer.domain(purpose.domain), kinds)
        yield self._rule("valid_from", "valid_from", namer.moment(purpose.valid_from))
        if purpose.valid_until is None:
            yield self._rule("valid_open", "valid_until")
        else:
            yield self._rule("valid_until", "valid_until", namer.moment(purpose.valid_until))
        if purpose.id == OWN_ACCESS:
            yield self._rule("superseded_own", "")
        else:
            yield self._rule("superseded", "", GRACE_SECONDS)

    def _write_who(self) -> Iterator[_Said]:
        fits = "not_for" if "enforcement" in self._purpose.not_for else "not_for_nothing"
        yield self._rule(fits, "not_for")
        askers = sorted(enumerate(self._purpose.requesters), key=lambda item: item[1].function)
        for number, asker in askers:
            name, place = self._namer.function(asker.function), f"requesters.{number}"
            if asker.inquire == "none":
                yield self._rule("requester_blind", place, name)
            else:
                yield self._rule("requester", place, name, self._namer.rung(asker.inquire))
        yield self._rule("requesters_others", "requesters")

    def _write_occasions(self) -> Iterator[_Said]:
        said = self._purpose.occasions
        for kind in get_args(OccasionKind):
            if kind not in said:
                continue
            names = (self._namer.occasion(kind), self._namer.rung(said[kind]))
            terms = self._catalogue.covenant.occasions.get(kind)
            cap: Rung = terms.cap if terms else "none"
            if _is_more(said[kind], cap):
                yield self._rule("occasion_capped", f"occasions.{kind}", *names, self._rung(cap))
            else:
                yield self._rule("occasion", f"occasions.{kind}", *names)
        yield self._rule("occasions_others" if said else "occasions_none", "occasions")

    def _write_sight(self) -> Iterator[_Said]:
        kinds, namer = self._catalogue.kinds, self._namer
        known = {kind: rung for kind, rung in self._purpose.sees.items() if kind in kinds}
        visible = derive_visible(self._purpose.model_copy(update={"sees": known}), kinds)
        for kind, rung in visible.items():
            by = namer.join(namer.function(code) for code in sorted(kinds[kind].functions))
            shielded = SHIELDED if _is_more(rung, SHIELDED) else rung
            rungs = (namer.rung(rung), namer.rung(shielded))
            yield self._rule("sees", f"sees.{kind}", namer.kind(kind), by, *rungs)
        unseen = sorted({*kinds, *self._purpose.sees} - visible.keys())
        if unseen:
            yield self._rule("unseen", "sees", namer.join(namer.kind(code) for code in unseen))
        else:
            yield self._rule("unseen_none", "sees")

    def _write_edges(self) -> Iterator[_Said]:
        basis = self._purpose.basis
        locks = (quote(basis.giver_article), quote(basis.taker_article))
        yield self._rule("basis", "basis", *locks, self._namer.mode(basis.mode))
        edges = sorted(
            enumerate(self._purpose.edges),
            key=lambda item: (item[1].source, item[1].requester, item[1].product),
        )
        for number, edge in edges:
            yield from self._write_edge(f"edges.{number}", edge)
        yield self._rule("edges_others" if edges else "edges_none", "edges")

    def _write_edge(self, place: str, edge: Edge) -> Iterator[_Said]:
        namer, product = self._namer, self._catalogue.products.get(edge.product)
        names = (namer.function(edge.source), namer.function(edge.requester))
        locks = (quote(edge.giver_article), quote(edge.taker_article))
        title = namer.product(edge.product)
        yield self._rule("edge", place, *names, title, *locks)
        yield self._rule(f"mode_{edge.mode}", f"{place}.mode", depth=1)
        if edge.consent_by is not None:
            givers = namer.givers(edge.consent_by)
            yield self._rule("consent_by", f"{place}.consent_by", edge.consent_by, givers, depth=1)
        if product is not None:
            yield self._rule("edge_most", place, product.most_fields, depth=1)
        fields = sorted(enumerate(edge.fields), key=lambda item: item[1].field)
        for number, item in fields:
            yield from self._write_field(f"{place}.fields.{number}", edge, item)
        for label in get_args(Label):
            if label in edge.grounds:
                ground = (namer.label(label), quote(edge.grounds[label]))
                yield self._rule("ground", f"{place}.grounds.{label}", *ground, depth=1)
        yield self._rule("fields_others", f"{place}.fields", title, depth=1)

    def _write_field(self, place: str, edge: Edge, item: EdgeField) -> Iterator[_Said]:
        namer, name = self._namer, self._namer.field(edge.product, item.field)
        labels = self._find_labels(edge.product, item.field)
        if labels is None:
            yield self._rule("field_unknown", place, name, depth=1)
        elif missing := [label for label in labels if label not in edge.grounds]:
            guards = namer.join(namer.label(label) for label in missing)
            yield self._rule("field_withheld", place, name, guards, depth=1)
        elif labels:
            guards = namer.join(namer.label(label) for label in labels)
            yield self._rule("field_guarded", place, name, guards, depth=1)
        else:
            yield self._rule("field", place, name, depth=1)
        why = namer.say(REASON, quote(namer.choose(item.why)))
        yield (1, Sentence(part="reason", text=why, place=f"{place}.why", phrase="why"))

    def _write_ends(self) -> Iterator[_Said]:
        yield self._rule(f"objection_{self._purpose.objection}", "objection")
        yield self._rule("retention", "retention_days", self._purpose.retention_days)
        yield self._rule("closing", "")

    def _find_labels(self, product: str, path: str) -> Sequence[Label] | None:
        """Return what guards a field, in one order; None where the product has no such field."""
        held = self._catalogue.products.get(product)
        for item in held.fields if held else ():
            if item.field == path:
                return [label for label in get_args(Label) if label in item.labels]
        return None

    def _rung(self, rung: Rung) -> str:
        return self._namer.rung(rung)

    def _rule(self, phrase: str, place: str, *values: object, depth: int = 0) -> _Said:
        text = self._namer.say(RULES[phrase], *values)
        return depth, Sentence(part="rule", text=text, place=place, phrase=phrase)

    def _law(self, phrase: str, place: str, *values: object) -> Sentence:
        text = self._namer.say(LAW[phrase], *values)
        return Sentence(part="law", text=text, place=place, phrase=phrase)


def _is_more(rung: Rung, cap: Rung) -> bool:
    return RUNGS.index(rung) > RUNGS.index(cap)
