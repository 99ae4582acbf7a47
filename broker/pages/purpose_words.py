"""What the members of a purpose are called on the form, and what may be chosen for them.

Names of functions, kinds, products and rungs are those of the controlled language
(`broker/purposes/naming.py`), so that the form and the sentences beside it say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, get_args

from broker.pages.model_values import Options
from broker.purposes.models import Domain, Label, OccasionKind
from broker.purposes.naming import Namer
from datwat.protocol.messages import RUNGS
from datwat.web.i18n import mark

# By model and member: what it is called, and a hint or nothing.
_LABELS: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("Purpose", "id"): (
        mark("Short name"),
        mark("Small letters, digits and _; it never changes."),
    ),
    ("Purpose", "title"): (mark("Title"), mark("As residents read it.")),
    ("Purpose", "sentence"): (
        mark("What this is for, in one sentence"),
        mark("Residents read it above each question. At most 15 words, no legal language."),
    ),
    ("Wording", "nl"): (mark("In Dutch"), ""),
    ("Wording", "en"): (mark("In English"), ""),
    ("Purpose", "domain"): (
        mark("Field of work"),
        mark("It decides which kinds of help are never shown."),
    ),
    ("Purpose", "owner"): (
        mark("Who answers for it"),
        mark("The organisation, as residents know it."),
    ),
    ("Purpose", "valid_from"): (
        mark("In force from"),
        mark("Dutch time. It begins by itself, also when nobody is at work."),
    ),
    ("Purpose", "valid_until"): (mark("In force until"), mark("Dutch time.")),
    ("Purpose", "articles"): (mark("Articles of law"), ""),
    ("Article", "law"): (mark("Law"), mark("Its short name, such as Wmo 2015.")),
    ("Article", "article"): (mark("Article"), ""),
    ("Article", "bwb"): (mark("Number of the law"), mark("BWBR and seven digits.")),
    ("Purpose", "legal_check"): (mark("Looked at by a lawyer"), ""),
    ("Purpose", "basis"): (mark("Basis in the law"), ""),
    ("LegalBasis", "giver_article"): (mark("Article that lets them give"), ""),
    ("LegalBasis", "taker_article"): (mark("Article that lets them take"), ""),
    ("LegalBasis", "mode"): (mark("How it is given"), ""),
    ("Purpose", "not_for"): (mark("Never for"), ""),
    ("Purpose", "requesters"): (mark("Who may ask"), ""),
    ("PurposeRequester", "function"): (mark("Who"), ""),
    ("PurposeRequester", "inquire"): (mark("How far their question may go"), ""),
    ("Purpose", "occasions"): (
        mark("On which occasion"),
        mark("And how far a question may go then. Empty: not at all."),
    ),
    ("Purpose", "sees"): (
        mark("Which kinds of help it shows"),
        mark("And how much of it. Empty: nothing."),
    ),
    ("Purpose", "edges"): (
        mark("Who gives what to whom"),
        mark("Each with both articles. What stands in no line here is never given."),
    ),
    ("Edge", "source"): (mark("Who gives"), ""),
    ("Edge", "requester"): (mark("Who gets it"), ""),
    ("Edge", "product"): (mark("From which collection"), ""),
    ("Edge", "giver_article"): (mark("Article that lets them give"), ""),
    ("Edge", "taker_article"): (mark("Article that lets them take"), ""),
    ("Edge", "mode"): (mark("How it is given"), ""),
    ("Edge", "consent_by"): (mark("Whose consent, by which rule"), mark("Only with consent.")),
    ("Edge", "grounds"): (
        mark("Article that lifts a secret"),
        mark("Empty: what has this mark is not given."),
    ),
    ("Edge", "fields"): (
        mark("Data"),
        mark("Choose the collection first, then save or look: the list follows it."),
    ),
    ("EdgeField", "field"): (mark("Which datum"), ""),
    ("EdgeField", "why"): (mark("Why it is needed"), mark("Residents read this.")),
    ("Purpose", "objection"): (mark("When a resident objects"), ""),
    ("Purpose", "retention_days"): (
        mark("Days that its lines in the log are kept"),
        "",
    ),
}
_CHOICES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "legal_check": (("open", mark("Not yet")), ("confirmed", mark("Yes, confirmed"))),
    "not_for": (("enforcement", mark("Enforcement")),),
    "objection": (
        ("none", mark("The question goes on; somebody answers the objection")),
        ("suspend", mark("It waits until somebody answered")),
        ("suspend_unless_danger", mark("It waits, unless another person is in danger")),
    ),
    "consent_by": (
        ("youth_disclosure", mark("Youth Act, giving")),
        ("youth_receiving", mark("Youth Act, taking")),
        ("avg", mark("Privacy law (AVG)")),
    ),
}
_Name = Callable[[Namer, str], str]
_MODES: Final = ("duty", "may", "explicit_consent", "no_objection")
_INQUIRE: Final = ("none", "contact", "category", "dat")
# By member: the codes (or which of the catalogue's), and what names them.
_NAMED: Final[dict[str, tuple[tuple[str, ...], _Name]]] = {
    **dict.fromkeys(("function", "source", "requester"), (("functions",), Namer.function)),
    "product": (("products",), Namer.product),
    "inquire": (_INQUIRE, Namer.rung),
    "occasions": (RUNGS, Namer.rung),
    "sees": (RUNGS, Namer.rung),
    "domain": (get_args(Domain), Namer.domain),
    "mode": (_MODES, Namer.mode),
}

Say = Callable[..., str]


def bare(name: str) -> str:
    """Return a name of the controlled language without the quotes that it has in a sentence."""
    return name.removeprefix("‘").removesuffix("’")


class PurposeWords:
    """The words of the form in one language, by the catalogue in force (`model_form.Words`)."""

    def __init__(self, namer: Namer, say: Say) -> None:
        """Keep what names things."""
        self._namer = namer
        self._say = say

    def label(self, model: str, member: str) -> tuple[str, str]:
        """Return what a member is called, and a hint or nothing."""
        label, hint = _LABELS.get((model, member), (member, ""))
        return self._say(label), self._say(hint) if hint else ""

    def options(self, _model: str, member: str, product: str) -> Options | None:
        """Return what may be chosen for a member, or None where it is typed."""
        if member in _CHOICES:
            return tuple((value, self._say(text)) for value, text in _CHOICES[member])
        if member == "field":
            return self._list_fields(product)
        name, catalogue = self._namer, self._namer.catalogue
        if member not in _NAMED:
            return None
        codes, say = _NAMED[member]
        held: Mapping[str, Iterable[str]] = {
            "functions": catalogue.covenant.functions,
            "products": catalogue.products,
        }
        return tuple((code, bare(say(name, code))) for code in held.get(codes[0], codes))

    def _list_fields(self, product: str) -> Options | None:
        held = self._namer.catalogue.products.get(product)
        fields = held.fields if held is not None else ()
        return tuple((one.field, self._namer.choose(one.title)) for one in fields) or None

    def keys(self, model: str, member: str) -> Options:
        """Return the keys of a member that is a mapping."""
        name, catalogue = self._namer, self._namer.catalogue
        match model, member:
            case "Purpose", "occasions":
                return tuple((code, bare(name.occasion(code))) for code in get_args(OccasionKind))
            case "Purpose", "sees":
                return tuple((code, bare(name.kind(code))) for code in catalogue.kinds)
            case "Edge", "grounds":
                return tuple((code, bare(name.label(code))) for code in get_args(Label))
        return ()
