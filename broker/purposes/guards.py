"""Guard rails: what no purpose can switch off, whoever writes it and whoever signs it. Pure.

Rule enforced: a draft that tries is refused with the guard rail, the reason and the place, before
anything else is weighed about it. A purpose cannot reach most of what guards (blades, log, deny by
default): there a member that does not exist is named for what it would have done. AVG 5, 6, 9, 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from broker.purposes.acts import ACTS, ASKING, index_acts
from broker.purposes.catalogue import Catalogue
from broker.purposes.models import Edge, Label, Purpose, Wording
from broker.purposes.phrases_guards import GUARDS, REASONS, SWITCHES, Guard
from datwat.party.errors import PartyError
from datwat.protocol.messages import RUNGS, Rung
from datwat.protocol.values import Value

# A month to answer who asks what was done (AVG 12(3)): the log has it that long at least.
LEAST_RETENTION_DAYS: Final = 32
_ARTICLE: Final = re.compile(r"[^\W\d_]{2,}.*\d")
_NO_GROUND: Final = re.compile(r"convenant|covenant", re.IGNORECASE)
_CRIMINAL_GROUND: Final = re.compile(r"\bUAVG 3[123]\b|\bWjsg\b|\bWpg\b|\bWet politiegegevens\b")
_WILDCARDS: Final = frozenset(("*", "**", ".*", "%"))
# The residents' own access to what is recorded, and the function that asks for it.
OWN_ACCESS: Final = "own_access"
_PORTAL: Final = "portal"
_YOUTH_RULES: Final = ("youth_disclosure", "youth_receiving")

# What must refuse, whatever codes.yaml says: in every act, when somebody asks, and at a release.
_ALWAYS: Final = {"covenant_in_force", "bsn_right", "identity_stated", "act_fits", "notice_lawful"}
_ASKED: Final = _ALWAYS | {
    "known_purpose", "valid_purpose", "requester_in_purpose", "not_for_enforcement",
    "occasion_own", "occasion_open", "occasion_kind_fits", "occasion_not_lapsed",
    "handler_current", "person_in_household", "may_be_looked_up", "no_objection",
    "professional_named",
}  # fmt: skip
_RELEASED: Final = _ASKED | {
    "source_in_purpose", "edge_exists", "consent_fits", "pointer_shown", "kind_allows",
    "identity_certain", "some_field_permitted", "fields_in_measure", "source_delivers",
    "talked_first", "told_beforehand", "motivated_purpose", "motivated_subsidiarity",
    "motivated_proportionality", "motivated_efficiency", "motivated_transparency",
}  # fmt: skip
NEVER_OFF: Final = {
    **dict.fromkeys(ACTS, _ALWAYS),
    **dict.fromkeys(ASKING, _ASKED),
    "release": _RELEASED,
}
# What a requester never learns.
_OF_THE_PERSON: Final = {"consent_fits", "pointer_shown", "kind_allows", "no_objection"}


class Breach(Value):
    """One guard rail that a draft would break: where, and why it is refused."""

    guard: Guard
    place: str
    reason: Wording


class GuardRailError(PartyError):
    """A draft would switch a guard rail off: every breach, the first one as detail and place."""

    code = "guard_rail"
    default_detail = "The draft would switch a guard rail off."

    def __init__(self, breaches: tuple[Breach, ...]) -> None:
        """Keep the breaches, of which there is one at least."""
        first = breaches[0]
        self.breaches = breaches
        self.guard = first.guard
        (_, text), law = GUARDS[first.guard]
        super().__init__(f"{first.reason.en} Guard rail: {text} ({law})", place=first.place or None)


def require_no_switch(raw: Mapping[str, Any]) -> None:
    """Raise GuardRailError for a member, in what is no Purpose yet, that would switch a guard off.

    `raw` is what a draft's YAML says; other unknown members are the model's to refuse.
    """
    breaches = tuple(_find_switches(raw, ""))
    if breaches:
        raise GuardRailError(breaches)


def require_guarded_catalogue(catalogue: Catalogue) -> None:
    """Raise GuardRailError where a whole catalogue, about to be published, lowers a guard rail."""
    breaches = (
        *_find_weak_codes(catalogue),
        *_find_weak_givers(catalogue),
        *_find_no_access(catalogue),
    )
    if breaches:
        raise GuardRailError(breaches)


def find_breaches(draft: Purpose, catalogue: Catalogue) -> tuple[Breach, ...]:
    """Return every guard rail that a draft breaks; what it names need not be known."""
    return (
        *_find_no_articles(draft),
        *_find_bare_fields(draft, catalogue),
        *_find_children(draft, catalogue),
        *_find_enforcement(draft, catalogue),
        *_find_open_kinds(draft, catalogue),
        *_find_short_log(draft, catalogue),
        *_find_shut_access(draft),
    )


def _breach(guard: Guard, place: str, reason: str) -> Breach:
    dutch, english = REASONS[reason]
    return Breach(guard=guard, place=place, reason=Wording(nl=dutch, en=english))


def _find_switches(raw: object, place: str) -> Iterator[Breach]:
    steps: list[tuple[str, object]] = []
    if isinstance(raw, Mapping):
        steps = [(str(name), value) for name, value in raw.items()]
        for name, _ in steps:
            if name in _WILDCARDS:
                yield _breach("deny_by_default", place, "wildcard")
            for guard, names in SWITCHES.items():
                if name.casefold() in names and not _is_known_member(place):
                    yield _breach(guard, _join(place, name), "switch")
    elif isinstance(raw, list | tuple):
        steps = [(str(number), value) for number, value in enumerate(raw)]
    elif isinstance(raw, str) and raw.strip() in _WILDCARDS:
        yield _breach("deny_by_default", place, "wildcard")
    for name, value in steps:
        yield from _find_switches(value, _join(place, name))


def _is_known_member(place: str) -> bool:
    """Tell whether a purpose has this: `articles.0.article`, and texts and maps of ids."""
    top = place.partition(".")[0]
    return top in {"articles", "title", "sentence", "sees", "occasions"} or "grounds" in place


def _join(place: str, step: str) -> str:
    # A name that was typed goes back as a place: only what could be a member's name.
    shown = step if re.fullmatch(r"[a-z0-9_]{1,40}", step.casefold()) else "?"
    return f"{place}.{shown}" if place else shown


def _is_article(text: str) -> bool:
    return bool(_ARTICLE.search(text)) and not _NO_GROUND.search(text)


def _find_no_articles(draft: Purpose) -> Iterator[Breach]:
    locks = {
        "basis.giver_article": draft.basis.giver_article,
        "basis.taker_article": draft.basis.taker_article,
    }
    for number, edge in enumerate(draft.edges):
        locks[f"edges.{number}.giver_article"] = edge.giver_article
        locks[f"edges.{number}.taker_article"] = edge.taker_article
    for place, text in locks.items():
        if not _is_article(text):
            yield _breach("both_articles", place, "article")


def _find_bare_fields(draft: Purpose, catalogue: Catalogue) -> Iterator[Breach]:
    """Yield guarded fields without an article, and articles that are none."""
    for number, edge in enumerate(draft.edges):
        labels = _list_labels(edge, catalogue)
        for index, item in enumerate(edge.fields):
            for label in labels.get(item.field, ()):
                if label not in edge.grounds:
                    guard: Guard = "criminal_data" if label == "c" else "secrecy"
                    place = f"edges.{number}.fields.{index}"
                    yield _breach(guard, place, "ground_missing")
        for label, article in edge.grounds.items():
            place = f"edges.{number}.grounds.{label}"
            if label == "c" and not _CRIMINAL_GROUND.search(article):
                yield _breach("criminal_data", place, "criminal")
            elif not _is_article(article):
                yield _breach("secrecy", place, "ground")


def _list_labels(edge: Edge, catalogue: Catalogue) -> dict[str, tuple[Label, ...]]:
    product = catalogue.products.get(edge.product)
    return {item.field: item.labels for item in product.fields} if product else {}


def _find_children(draft: Purpose, catalogue: Catalogue) -> Iterator[Breach]:
    young = {
        function
        for kind in catalogue.kinds.values()
        if kind.whose == "youth"
        for function in kind.functions
    }
    for number, edge in enumerate(draft.edges):
        labels = _list_labels(edge, catalogue)
        is_young = bool(young & {edge.source, edge.requester}) or any(
            "jeugdwet" in labels.get(item.field, ()) for item in edge.fields
        )
        if is_young and edge.consent_by is not None and edge.consent_by not in _YOUTH_RULES:
            yield _breach("children_consent", f"edges.{number}.consent_by", "child")


def _find_enforcement(draft: Purpose, catalogue: Catalogue) -> Iterator[Breach]:
    held = catalogue.find_newest(draft.id)
    if "enforcement" not in draft.not_for and (held is None or "enforcement" in held.not_for):
        yield _breach("not_for_enforcement", "not_for", "enforcement")


def _find_open_kinds(draft: Purpose, catalogue: Catalogue) -> Iterator[Breach]:
    for name, rung in draft.sees.items():
        kind = catalogue.kinds.get(name)
        if kind is not None and draft.domain in kind.never_for and rung != "none":
            yield _breach("guarded_kinds", f"sees.{name}", "kind_never")
        elif kind is not None and _is_more(rung, kind.cap):
            yield _breach("guarded_kinds", f"sees.{name}", "kind_cap")
    for occasion, rung in draft.occasions.items():
        terms = catalogue.covenant.occasions.get(occasion)
        if terms is not None and _is_more(rung, terms.cap):
            yield _breach("guarded_kinds", f"occasions.{occasion}", "occasion_cap")


def _is_more(rung: Rung, cap: Rung) -> bool:
    return RUNGS.index(rung) > RUNGS.index(cap)


def _find_short_log(draft: Purpose, catalogue: Catalogue) -> Iterator[Breach]:
    terms = [catalogue.covenant.occasions.get(occasion) for occasion in draft.occasions]
    told = [term.longest_inform_days or 0 for term in terms if term is not None]
    if draft.retention_days < max([LEAST_RETENTION_DAYS, *(days + 1 for days in told)]):
        yield _breach("log", "retention_days", "retention")


def _find_no_access(catalogue: Catalogue) -> Iterator[Breach]:
    """Yield where residents could not, or no longer, see what is recorded about them."""
    held = catalogue.purposes.get(OWN_ACCESS, ())
    if not held:
        yield _breach("log", f"purposes.{OWN_ACCESS}", "own_access")
    for one in held:
        yield from _find_shut_access(one)


def _find_shut_access(draft: Purpose) -> Iterator[Breach]:
    if draft.id != OWN_ACCESS:
        return
    if draft.valid_until is not None:
        yield _breach("log", "valid_until", "own_access")
    if _PORTAL not in {requester.function for requester in draft.requesters}:
        yield _breach("log", "requesters", "own_access")


def _find_weak_codes(catalogue: Catalogue) -> Iterator[Breach]:
    for act, index in index_acts(catalogue.codes).items():
        for name in sorted(NEVER_OFF[act]):
            code = index["codes"].get(name)
            if code is None or not code["blocks"]:
                yield _breach("five_blades", f"codes.{name}", "code")
    for name in sorted(_OF_THE_PERSON):
        code = catalogue.codes.get(name)
        if code is not None and code.about != "person":
            yield _breach("five_blades", f"codes.{name}.about", "code_about")


def _find_weak_givers(catalogue: Catalogue) -> Iterator[Breach]:
    for rule in _YOUTH_RULES:
        ages = catalogue.covenant.consent_givers.get(rule, {})
        for band in ("12-15", "16-17", "18+"):
            givers = ages.get(band, ())
            if not givers or "representative" in givers:
                place = f"covenant.consent_givers.{rule}.{band}"
                yield _breach("children_consent", place, "givers")
